"""Processes of the runner: what they are given, and that none outlives it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.test_runner_bundle import Bundle, gateway, instance_file, is_alive, new_bundle, promote
from local.test_runner_programs import RUNNER

HOSTILE = (
    "{{ .Values.x }} ${HOME} $(PORT) $$\n---\n# no comment\n- yes: no\n\ttab \"quote\" 'single' \\n\r\n"
    "\u2028\ufeff é 🙂 %\n...\n\n  \n"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    """An environment with nothing in it; the runner is not started."""
    made = new_bundle(tmp_path)
    yield made
    made.down()


def _serve(bundle: Bundle, **changes: object) -> None:
    bundle.commit("stage", bundle.release(0, **changes))
    bundle.commit("promote", promote(0))
    bundle.up()
    bundle.until_front(gateway(0))


def test_killed_runner_leaves_no_process(bundle: Bundle) -> None:
    _serve(bundle)
    bundle.down(signal.SIGKILL)

    end = time.monotonic() + 5
    while any(map(is_alive, bundle.pids)) and time.monotonic() < end:
        time.sleep(0.02)

    assert len(bundle.pids) == 2
    assert not any(map(is_alive, bundle.pids))
    bundle.up()
    bundle.until_front(gateway(0))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_runner_leaves_no_process_and_no_mounts(bundle: Bundle, number: int) -> None:
    _serve(bundle)
    bundle.down(number)

    assert len(bundle.pids) == 2
    assert not any(map(is_alive, bundle.pids))
    assert not (bundle.run_folder / "mounts").exists()
    assert bundle.status()["state"] == "stopped"


def test_stopped_runner_answers_what_is_on_its_way(bundle: Bundle) -> None:
    _serve(bundle)
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            ("import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"),
            bundle.status()["front_url"] + "/slow",
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(0.5)
    bundle.down()

    output, _ = client.communicate()
    assert json.loads(output)["root"] == gateway(0)


def test_second_runner_is_refused_and_names_the_first(bundle: Bundle) -> None:
    first = bundle.up()
    second = subprocess.run(
        [sys.executable, str(bundle.top / "runner.py"), str(bundle.top), str(bundle.top / "image")],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "tools")},
        capture_output=True,
        check=False,
        text=True,
    )

    assert second.returncode != 0
    assert f"pid {first.pid}" in second.stderr


def test_front_says_what_is_missing_before_a_release_is_served(bundle: Bundle) -> None:
    bundle.up()
    with pytest.raises(urllib.error.HTTPError) as caught:
        bundle.ask()

    assert caught.value.code == 503
    assert set(json.load(caught.value)["error"]) >= {"what", "fix"}


def test_prompt_arrives_byte_for_byte(bundle: Bundle) -> None:
    _serve(bundle, prompts={"page.prompt": HOSTILE}, env={"LOCKSTEP_PROMPTS": "/lockstep/prompts"})

    folder = bundle.ask("/environment")["environment"]["LOCKSTEP_PROMPTS"]

    assert Path(folder, "page.prompt").read_bytes() == HOSTILE.encode()


def test_instance_has_a_clean_environment_and_local_paths(bundle: Bundle) -> None:
    weights = "registry.test/weights@sha256:" + "b" * 64
    secret = bundle.top / ".lockstep/secrets/test/cloud-key"
    secret.mkdir(parents=True)
    _serve(
        bundle,
        weights=weights,
        secrets={"key": "cloud-key"},
        env={
            "LOCKSTEP_WEIGHTS": "/lockstep/weights",
            "KEY_FILE": "/lockstep/secrets/key/value",
            "TITLE": "/apple and /app",
        },
        command=["python", "-m", "server", "--port=$(PORT)", "--model=$(LOCKSTEP_WEIGHTS)/a", "$$(PORT)"],
    )

    given = bundle.ask("/environment")

    environment = given["environment"]
    assert environment["LOCKSTEP_WEIGHTS"] == str(bundle.top / "image")
    assert environment["KEY_FILE"] == str(secret / "value")
    assert environment["TITLE"] == "/apple and /app"
    assert environment["PYTHONPATH"].split(":")[0] == str(bundle.top / "image/app/src")
    assert given["argv"][1:] == [f"--port={environment['PORT']}", f"--model={bundle.top}/image/a", "$(PORT)"]
    assert given["cwd"] == str(bundle.top / "image/app")
    assert "SECRET_OF_THE_SHELL" not in environment
    assert ".venv" not in given["python"] + environment["PATH"]


def test_missing_secret_is_a_clear_error_of_that_instance(bundle: Bundle) -> None:
    bundle.commit("stage", bundle.release(0, secrets={"key": "cloud-key"}))
    bundle.up()

    bundle.until(lambda: "the secret cloud-key is not on this machine" in str(bundle.status()["instances"]), "said")

    bundle.until(lambda: bundle.state("llm-0000000000") == "ready", "the other one runs")


def test_instance_that_ignores_sigterm_is_killed_after_its_grace(bundle: Bundle) -> None:
    stubborn = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal = lambda *_: None; import server"
    )
    name = "ocr-0000000001"
    bundle.commit("stage", {f"instances/{name}.yaml": instance_file(name, command=["python", "-c", stubborn], grace=1)})
    bundle.up()
    bundle.until(lambda: bundle.state(name) == "ready", "ready")
    pid = bundle.status()["instances"][name]["pid"]

    bundle.commit("retire", {f"instances/{name}.yaml": None})
    bundle.until(lambda: bundle.state(name) == "absent", "killed", 5)

    assert not is_alive(pid)


def test_name_of_no_instance_is_a_clear_502_for_the_caller(bundle: Bundle) -> None:
    bundle.up()
    proxy = urllib.request.build_opener(urllib.request.ProxyHandler({"http": bundle.status()["proxy_url"]}))

    for url in ("http://ocr-0000000001/x", "http://example.com/"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            proxy.open(url, timeout=5)
        assert caught.value.code == 502
        assert "no running instance" in json.load(caught.value)["error"]["what"]


def test_instance_that_is_not_ready_in_time_is_started_again(bundle: Bundle) -> None:
    name = "ocr-0000000001"
    probes = {"readiness": "/readyz", "liveness": "/healthz", "startup_seconds": 1}
    bundle.commit("stage", {f"instances/{name}.yaml": instance_file(name, probes=probes, env={"START_SECONDS": "99"})})
    bundle.up()

    bundle.until(lambda: bundle.status()["instances"].get(name, {}).get("restarts") == 1, "started again")

    assert bundle.events("instance-failing")[0]["reason"] == "/readyz did not answer within 1 s"


def test_taken_port_is_a_clear_error(bundle: Bundle) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = bundle.top / "runner.py"
        program.write_text(RUNNER.replace('".lockstep"))', f'".lockstep"), {taken.getsockname()[1]})'))
        done = subprocess.run(
            [sys.executable, str(program), str(bundle.top), str(bundle.top / "image")],
            env={"PYTHONPATH": str(Path(__file__).parents[2] / "tools")},
            capture_output=True,
            check=False,
            text=True,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("cannot listen on 127.0.0.1:")
