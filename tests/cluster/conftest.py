"""What the cluster tests share: the running cluster, the scenarios' bundle, a stage for each scenario and agent."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cluster.running import Running, running
from demo.on_cluster import NAMESPACE as DEMO
from kit import TOP
from kit.api import Api
from kit.bundle import Bundle
from kit.stage import Stage

HOME = TOP / ".lockstep" / "test-cluster"
REPORT = TOP / ".lockstep" / "test-cluster.json"
AGENTS = ("argocd", "flux")
_LONGEST = 30  # of a scenario's name: Application names are made of it


def pytest_addoption(parser: pytest.Parser) -> None:
    """--agent limits the scenarios to one; the default is both."""
    parser.addoption("--speed", action="store_true", help="fail also where an aim of speed is missed (quiet machines)")
    parser.addoption("--agent", action="append", choices=[*AGENTS, "helm"], help="who follows the environments")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a stage plays once for each agent."""
    if "agent" in metafunc.fixturenames:
        metafunc.parametrize("agent", metafunc.config.getoption("--agent") or AGENTS)


@pytest.fixture(scope="session")
def cluster() -> Running:
    """The cluster that runs; its absence is an error that says how to start it."""
    return running(TOP)


@pytest.fixture(scope="session")
def api(cluster: Running) -> Api:
    """Its API server; what a demo left in the cluster is gone, as it takes the room that scenarios need."""
    made = Api(cluster.kubeconfig)
    made.delete(f"/api/v1/namespaces/{DEMO}")
    made.until_gone(f"/api/v1/namespaces/{DEMO}", 90)
    return made


@pytest.fixture(scope="session")
def home() -> Path:
    """This run's folder. Runs may go on at the same time; of those that ended the last one is kept, for its records."""
    ended = [path for path in HOME.glob("run-*") if not Path("/proc", path.name.removeprefix("run-")).exists()]
    for path in sorted(ended, key=lambda path: path.stat().st_mtime)[:-1]:
        shutil.rmtree(path, ignore_errors=True)
    return HOME / f"run-{os.getpid()}"


@pytest.fixture(scope="session")
def bundle(cluster: Running, home: Path) -> Iterator[Bundle]:
    """The scenarios' bundle, made anew for each run; images of the last run are kept, named by content."""
    made, own, kept = Bundle(home, cluster.registry, cluster.base), home / "bundle" / ".lockstep", HOME / "store"
    try:
        shutil.copytree(kept, own, copy_function=os.link)
    except OSError:  # there is none, or another run is replacing it
        shutil.rmtree(own, ignore_errors=True)
    made.make()
    yield made
    shutil.copytree(own, home / "store", copy_function=os.link)
    shutil.rmtree(kept, ignore_errors=True)
    with suppress(OSError):  # another run was faster
        (home / "store").rename(kept)


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, cluster: Running, api: Api, bundle: Bundle, agent: str, home: Path
) -> Iterator[Stage]:
    """An environment of the scenario's own, not opened yet; its timings go to the report."""
    assert agent == "helm" or agent in cluster.agents, (
        f"{agent} does not run; fix: python -m cluster up --agent {agent}"
    )
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").replace(agent, "")).strip("-")
    name = f"{words[:_LONGEST].strip('-')}-{agent}"
    api.delete(f"/api/v1/namespaces/{name}")
    api.until_gone(f"/api/v1/namespaces/{name}", 90)
    folder = home / "records" / name
    folder.mkdir(parents=True)
    made = Stage(cluster, api, bundle, agent, name, folder, judges_speed=request.config.getoption("--speed"))
    began = time.monotonic()
    yield made
    _report(request.node.nodeid, {"agent": agent, "seconds": round(time.monotonic() - began, 1), **made.timings})


def _report(name: str, timings: dict[str, Any]) -> None:
    """Adds a scenario's figures to .lockstep/test-cluster.json."""
    known = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    REPORT.write_text(json.dumps({**known, name: timings}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
