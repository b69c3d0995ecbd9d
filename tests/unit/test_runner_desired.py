"""Files of an environment -> what should run, without Git, disk or processes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.core.names import InstanceId
from lockstep.core.render import format_objects, render
from lockstep.runner.desired import parse_desired
from lockstep.runner.program import Machine, Places, expand, local_argument, local_value, program
from lockstep.runner.volumes import ConfigFiles, EmptyFolder, ImageFiles, SecretFiles

TEMPLATES = {path.name: path.read_text() for path in (Path(__file__).parents[2] / "charts/objects").glob("*.j2")}
NAME = InstanceId("ocr-3f2a91c0de")
PATH = f"instances/{NAME}.yaml"
IMAGE = "registry.test/ocr@sha256:" + "a" * 64
SCRATCH = "/tmp"  # noqa: S108 - a path in the container
WEIGHTS = "registry.test/weights@sha256:" + "b" * 64


def _objects(**changes: Any) -> list[dict[str, Any]]:
    context = {
        "id": NAME,
        "component": "ocr",
        "image": IMAGE,
        "command": ["python", "-m", "ocr"],
        "port": 8080,
        "env": [{"name": "PORT", "value": "8080"}],
        "prompts": {"a.prompt": "hello"},
        "weights": WEIGHTS,
        "copier": None,
        "secrets": {"key": "cloud-key"},
        "resources": {},
        "entry": True,
        "calls": ["llm-0000000001"],
        "replicas": 2,
        "autoscale": None,
        "grace": 7,
        "node_selector": {},
        "pull_secrets": [],
        "probes": {"readiness": "/readyz", "liveness": "/healthz", "startup_seconds": 600},
        **changes,
    }
    return [dict(copy.deepcopy(item)) for item in render(TEMPLATES, "instance.yaml.j2", context)]


def _file(objects: list[dict[str, Any]]) -> bytes:
    return format_objects(tuple(objects), "test")


def _deployment(objects: list[dict[str, Any]]) -> Any:
    return next(item for item in objects if item["kind"] == "Deployment")


def _container(objects: list[dict[str, Any]]) -> Any:
    return _deployment(objects)["spec"]["template"]["spec"]["containers"][0]


def test_parse_reads_what_the_template_writes() -> None:
    workload = parse_desired({PATH: _file(_objects())}).instances[NAME]

    assert workload.image == IMAGE
    assert workload.command == ("python", "-m", "ocr")
    assert (workload.replicas, workload.grace) == (2, 7)
    assert workload.probes
    assert (workload.probes.startup.path, workload.probes.startup_seconds) == ("/readyz", 600)
    assert workload.mounts == {
        SCRATCH: EmptyFolder(),
        "/lockstep/prompts": ConfigFiles({"a.prompt": "hello"}),
        "/lockstep/weights": ImageFiles(WEIGHTS),
        "/lockstep/secrets/key": SecretFiles("cloud-key"),
    }


def test_parse_reads_gate_and_front() -> None:
    gate = render(
        TEMPLATES,
        "gate.yaml.j2",
        {
            "root": NAME,
            "deadline": 9,
            "pull_secrets": [],
            "image": IMAGE,
            "command": ["a"],
            "env": [{"name": "ROOT_URL", "value": f"http://{NAME}"}],
        },
    )
    front = render(TEMPLATES, "front.yaml.j2", {"root": NAME, "serves": ["llm-0000000001", NAME], "release": "1.2.0"})

    desired = parse_desired(
        {f"gates/{NAME}.yaml": format_objects(gate, "t"), "front/front.yaml": format_objects(front, "t")}
    )

    assert desired.problems == {}
    assert desired.gates[NAME].deadline == 9
    assert desired.front
    assert (desired.front.root, desired.front.release) == (NAME, "1.2.0")
    assert desired.front.serves == {NAME, "llm-0000000001"}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[-a-zA-Z0-9_]{1,12}\.prompt", fullmatch=True),
        st.text(st.characters(exclude_categories=("Cs",))),
        min_size=1,
    )
)
def test_parse_keeps_every_prompt_byte(prompts: dict[str, str]) -> None:
    workload = parse_desired({PATH: _file(_objects(prompts=prompts))}).instances[NAME]

    assert workload.mounts["/lockstep/prompts"] == ConfigFiles(prompts)


def _more(change: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    objects = _objects()
    change(objects)
    return objects


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda o: _container(o).update(envFrom=[]), "envFrom"),
        (lambda o: _container(o).update(workingDir="/x"), "workingDir"),
        (lambda o: _container(o).pop("command"), "no `command`"),
        (lambda o: _container(o)["env"].append({"name": "A", "valueFrom": {}}), "valueFrom"),
        (lambda o: _container(o).pop("startupProbe"), "startupProbe"),
        (lambda o: _container(o)["readinessProbe"].update(exec={}), "exec"),
        (lambda o: _container(o).update(image="ocr:latest"), "ocr:latest"),
        (
            lambda o: _container(o)["volumeMounts"].append({"name": "none", "mountPath": "/x"}),
            "names no volume",
        ),
        (lambda o: _container(o)["volumeMounts"][0].update(subPath="x"), "subPath"),
        (lambda o: _container(o)["volumeMounts"][0].update(mountPath="/a/../b"), "absolute path"),
        (
            lambda o: _deployment(o)["spec"]["template"]["spec"].update(
                initContainers=[{"name": "i", "command": ["sh"]}]
            ),
            "something else",
        ),
        (lambda o: _deployment(o)["spec"]["template"]["spec"]["containers"].append({}), "2 containers"),
        (
            lambda o: _deployment(o)["spec"]["template"]["spec"]["volumes"].append({"name": "h", "hostPath": {}}),
            "volume h",
        ),
        (lambda o: _deployment(o)["metadata"].update(name="ocr-0000000000"), "expected one Deployment"),
        (lambda o: o.append({"kind": "StatefulSet", "metadata": {"name": "x"}}), "StatefulSet"),
        (lambda o: o[0]["data"].update({"../x": "y"}), "file name"),
        (lambda o: o[0].update(binaryData={}), "binaryData"),
        (lambda o: o.remove(next(i for i in o if i["kind"] == "Service")), "expected one Service"),
    ],
)
def test_parse_refuses_what_it_would_otherwise_ignore(
    change: Callable[[list[dict[str, Any]]], object], said: str
) -> None:
    desired = parse_desired({PATH: _file(_more(change))})

    assert desired.instances == {}
    assert said in str(desired.problems[PATH])
    assert desired.named == {NAME}


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_parse_takes_any_bytes_and_harms_no_other_file(data: bytes) -> None:
    desired = parse_desired(
        {
            PATH: _file(_objects()),
            "instances/llm-0000000001.yaml": data,
            "front/front.yaml": data,
            "gates/x.yaml": data,
        }
    )

    assert set(desired.instances) == {NAME}
    assert set(desired.problems) == {"instances/llm-0000000001.yaml", "front/front.yaml", "gates/x.yaml"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$(NONE)", "$(NONE)"),
        ("$A $", "$A $"),
        ("a$(A)b$(A)", "a1b1"),
        ("$(A", "$(A"),
        ("$$$(A)", "$1"),
    ],
)
def test_expand_follows_kubernetes(text: str, result: str) -> None:
    assert expand(text, {"A": "1"}) == result


@given(st.text(alphabet="ab$()", max_size=12))
def test_expand_of_doubled_dollars_is_the_text_itself(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"a": "1", "b": "2"}) == text


FOLDERS = {"/app": Path("/x/app"), "/lockstep/weights": Path("/w"), SCRATCH: Path("/t")}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("/app", "/x/app"),
        ("/app/src:/app/site:/usr/lib", "/x/app/src:/x/app/site:/usr/lib"),
        ("/application", "/application"),
        ("/lockstep/weights/a b", "/w/a b"),
        ("http://host/app", "http://host/app"),
        ("see /tmp", "see /tmp"),
        ("", ""),
    ],
)
def test_local_value_changes_paths_and_nothing_else(value: str, result: str) -> None:
    assert local_value(value, FOLDERS) == result


def test_local_argument_changes_the_path_of_an_option() -> None:
    assert local_argument("--model=/lockstep/weights/m", FOLDERS) == "--model=/w/m"
    assert local_argument("-c", FOLDERS) == "-c"


def test_program_overrides_port_also_inside_other_values() -> None:
    objects = _objects(
        env=[{"name": "PORT", "value": "8080"}, {"name": "SELF", "value": "http://127.0.0.1:$(PORT)"}],
        command=["serve", "$(SELF)", "--port", "$(PORT)"],
    )
    workload = parse_desired({PATH: _file(objects)}).instances[NAME]
    machine = Machine(Path("/py/bin/python3"), "/py/bin:/usr/bin", "http://127.0.0.1:9", Path("/cache"))

    made = program(workload, machine, Places(Path("/x/app"), {SCRATCH: Path("/t")}, Path("/t"), 20_001))

    assert made.command == ("serve", "http://127.0.0.1:20001", "--port", "20001")
    assert made.environment["PORT"] == "20001"
    assert made.environment["http_proxy"] == "http://127.0.0.1:9"
    assert made.environment["TMPDIR"] == "/t"
    assert "USER" not in made.environment


VERSIONS = [b"", b"a: [", _file(_objects()), _file(_objects(replicas=0))]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(VERSIONS), min_size=2, max_size=3))
def test_parse_with_an_earlier_commit_gives_what_it_gives_without(versions: list[bytes]) -> None:
    before = None
    for data in versions:
        before = parse_desired({PATH: data, "front/front.yaml": data}, before)

        assert before == parse_desired({PATH: data, "front/front.yaml": data})
