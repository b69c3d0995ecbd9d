"""What tools/cluster decides and writes, as far as it can be told without starting a cluster."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from supervisor.options import ServerOptions

from cluster import addresses, build, isolation, kind, metrics, node_files, node_programs, packages, providers
from cluster.program import Program, program_file, supervisor_file
from cluster.running import STATE, Running, node_process, note, note_node, running
from lockstep.core.errors import UsageError

TARGET = build.Target("tool", "./tool", ("main.version=1",))
INPUTS = [("go.mod", b"module x"), ("go.sum", b"sums"), ("tool/main.go", b"package main")]
CLUSTER = Running(
    "existing", "it was asked for", Path("/k"), "registry:5000", "registry:5000/base@sha256:00", ("flux",)
)


def test_a_build_is_named_by_its_content_and_nothing_else() -> None:
    name = build.key_of(TARGET, INPUTS, "go1.26 linux amd64")
    others = {
        build.key_of(TARGET, [*INPUTS[:2], ("tool/main.go", b"package main // 2")], "go1.26 linux amd64"),
        build.key_of(TARGET, INPUTS[:2], "go1.26 linux amd64"),
        build.key_of(TARGET, INPUTS, "go1.27 linux amd64"),
        build.key_of(build.Target("tool", "./tool", ("main.version=2",)), INPUTS, "go1.26 linux amd64"),
        build.key_of(build.Target("tool", "./other", ("main.version=1",)), INPUTS, "go1.26 linux amd64"),
        build.key_of(build.Target("tool", "./tool", ("main.version=1",), ("part",)), INPUTS, "go1.26 linux amd64"),
    }

    assert build.key_of(TARGET, reversed(INPUTS), "go1.26 linux amd64") == name
    assert len(others | {name}) == 7


def test_every_go_package_is_ours_or_pinned_as_a_tool() -> None:
    text = (Path(build.__file__).parent / "go" / "go.mod").read_text()
    tools = {line.strip() for line in text.partition("\ntool (\n")[2].partition(")")[0].splitlines()}
    targets = {target for chosen in (build.NODE, [build.METRICS], *build.FOR_AGENT.values()) for target in chosen}

    assert {target.package for target in targets if not target.package.startswith("./")} == tools
    for target in targets:
        if target.package.startswith("./"):
            assert (Path(build.__file__).parent / "go" / target.package / "main.go").is_file()


def test_every_program_of_the_node_is_built_or_comes_in_a_package() -> None:
    built = {name for target in build.NODE for name in (target.name, *target.parts)}
    packaged = {"etcd": "etcd-server", "docker-registry": "docker-registry"}

    built.add(build.METRICS.name)
    for program in (*node_programs.stores(), *node_programs.kubernetes(), metrics.PROGRAM):
        assert program.command[0] in built or packaged[program.command[0]] in packages.NODE


def test_networks_lie_where_the_machine_routes_them_and_apart() -> None:
    everything = ipaddress.ip_network(addresses.ALL)
    cable = ipaddress.ip_interface(f"{addresses.MACHINE}/{addresses.CABLE}").network
    apart = [cable, ipaddress.ip_network(addresses.PODS), ipaddress.ip_network(addresses.SERVICES)]

    assert all(network.subnet_of(everything) for network in apart)
    assert not any(one.overlaps(other) for one in apart for other in apart if one != other)
    assert ipaddress.ip_address(addresses.NODE) in cable
    assert next(apart[2].hosts()) == ipaddress.ip_address(addresses.API_SERVICE)


def test_each_user_has_a_token_and_a_role_of_its_own() -> None:
    texts = node_files.texts({user: f"secret-{user}" for user in node_files.USERS}, "Y2E=", "pause@sha256:0", "group")
    rows = [line.split(",") for line in texts["tokens.csv"].splitlines()]

    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == len(node_files.USERS)
    assert [row[1] for row in rows if row[3] == '"system:masters"'] == ["admin"]
    for user in node_files.USERS:
        access = yaml.safe_load(texts[f"{user}.kubeconfig"])
        assert access["users"][0]["user"]["token"] == f"secret-{user}"


def test_what_the_node_reads_says_each_address_once_and_the_same() -> None:
    texts = node_files.texts(dict.fromkeys(node_files.USERS, "secret"), "Y2E=", "host/pause@sha256:0", "group-1")
    kubelet, registry = json.loads(texts["kubelet.yaml"]), json.loads(texts["registry.yaml"])

    assert kubelet["clusterDNS"] == [addresses.NODE]
    assert kubelet["cgroupRoot"] == "/group-1"
    assert registry["http"]["addr"] == addresses.REGISTRY
    assert f"http://{addresses.REGISTRY}" in texts[f"certs.d/{addresses.REGISTRY}/hosts.toml"]
    assert "sandbox = 'host/pause@sha256:0'" in texts["containerd.toml"]
    assert f"bind {addresses.NODE}" in texts["Corefile"]


def test_the_supervisor_reads_back_what_a_program_is(tmp_path: Path) -> None:
    given = Program(
        "one", ("redis-server", "--save", "", "two words", "100%", 'say "it"'), {"A": "50% b", "C": "\"x\",y=z; 'q'"}
    )
    text = supervisor_file().partition("[include]")[0] + program_file(given)
    (tmp_path / "supervisord.conf").write_text(text.replace("/run/lockstep/log", str(tmp_path)))
    options = ServerOptions()

    options.realize(["-c", str(tmp_path / "supervisord.conf")])
    [group] = options.process_group_configs
    [read] = group.process_configs

    assert shell_words(read.command) == ["env", "A=50% b", "C=\"x\",y=z; 'q'", *given.command]
    assert (read.autostart, read.name, read.redirect_stderr) == (False, "one", True)


@pytest.mark.parametrize("argument", ["a ;b", "a #b", "a\nb"])
def test_what_the_supervisor_would_cut_off_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="comment"):
        program_file(Program("one", ("echo", argument)))


def shell_words(text: str) -> list[str]:
    return subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]


def test_the_boot_script_is_one_that_a_shell_can_read_wherever_the_clone_is() -> None:
    script = isolation.boot_script(Path("/home/a b/it's/.lockstep/cluster"), "supervisord")

    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    assert "'/home/a b/it'\"'\"'s/.lockstep/cluster'" in script


def test_choose_takes_the_first_that_nothing_stands_against_and_says_why() -> None:
    choice = providers.choose({"existing": "KUBECONFIG not set", "kind": "no kind on the PATH", "source": ""}, None)

    assert choice.provider == "source"
    assert "kind: no kind on the PATH" in choice.reason
    assert "existing: KUBECONFIG not set" in choice.reason


def test_choose_obeys() -> None:
    assert providers.choose({"existing": "", "kind": "", "source": ""}, "kind").provider == "kind"


@pytest.mark.parametrize("wanted", [None, "kind"])
def test_choose_refuses_with_every_obstacle(wanted: str | None) -> None:
    with pytest.raises(UsageError, match="kind: no Docker"):
        providers.choose({"existing": "unset", "kind": "no Docker", "source": "no Go"}, wanted)


def test_an_existing_cluster_is_taken_as_it_is_given_and_only_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"KUBECONFIG": str(tmp_path / "k"), "LOCKSTEP_REGISTRY": "r:5000", "LOCKSTEP_BASE": "r:5000/base@sha256:00"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    first = providers.up(tmp_path, None, (), print)
    for name in given:
        monkeypatch.delenv(name)

    again = providers.up(tmp_path, None, (), print)

    assert first == again == running(tmp_path)
    assert (first.provider, first.kubeconfig, first.registry) == ("existing", tmp_path / "k", "r:5000")


def test_an_agent_is_not_promised_where_it_cannot_be_started(tmp_path: Path) -> None:
    note(tmp_path, CLUSTER)

    with pytest.raises(UsageError, match="agents are started here only by the provider source"):
        providers.up(tmp_path, None, ("argocd",), print)


def test_running_gives_back_what_was_noted(tmp_path: Path) -> None:
    note(tmp_path, CLUSTER)

    assert running(tmp_path) == CLUSTER


def test_running_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cluster runs") as caught:
        running(tmp_path)

    assert caught.value.fix == "make cluster"


def test_running_tells_a_node_from_another_process_with_its_number(tmp_path: Path) -> None:
    note_node(tmp_path, os.getpid())
    path = tmp_path / STATE / "node.json"
    own = node_process(tmp_path)

    path.write_text(json.dumps(json.loads(path.read_text()) | {"begun": "1"}))

    assert own == os.getpid()
    assert node_process(tmp_path) == 0


def test_running_says_that_the_node_has_ended(tmp_path: Path) -> None:
    note(tmp_path, Running("source", "", Path("/k"), "r", "b"))
    ended = subprocess.Popen(["true"])
    note_node(tmp_path, ended.pid)
    ended.wait()

    with pytest.raises(UsageError, match="has ended"):
        running(tmp_path)


def test_the_configuration_of_kind_is_yaml() -> None:
    config = yaml.safe_load(kind._CONFIG)

    assert config["networking"] == {"podSubnet": addresses.PODS, "serviceSubnet": addresses.SERVICES}
