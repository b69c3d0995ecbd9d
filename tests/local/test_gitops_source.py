"""The stand-in for Flux's source-controller: archives of real Git repositories, and what it says of them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.agents.source import Archive, Wanted, archive, parse_wanted, seconds, status
from lockstep.core.errors import OutsideError


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for path in ("releases/production/front/front.yaml", "releases/staging/Chart.yaml", "components/a.py"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def wanted(repository: Path) -> Wanted:
    return Wanted("production", "documents", 3, f"file://{repository}", "main", ("releases/production",), 60, "")


def test_archive_holds_the_wanted_folders_and_names_commit_and_digest(
    wanted: Wanted, tmp_path: Path, repository: Path
) -> None:
    made = archive(wanted, tmp_path / "served")

    data = (tmp_path / "served" / made.path).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [item.name for item in tar if item.isfile()] == ["releases/production/front/front.yaml"]
    assert made.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert made.revision == f"main@sha1:{git(repository, 'rev-parse', 'HEAD')}"
    assert made.size == len(data)


def test_archive_of_the_same_commit_has_the_same_bytes(wanted: Wanted, tmp_path: Path) -> None:
    first, second = archive(wanted, tmp_path / "one"), archive(wanted, tmp_path / "two")

    assert first == second


def test_archive_keeps_three(wanted: Wanted, tmp_path: Path, repository: Path) -> None:
    for number in range(5):
        git(repository, "commit", "-q", "--allow-empty", "-m", str(number))
        newest = archive(wanted, tmp_path / "served")

    kept = list((tmp_path / "served/production/documents").iterdir())
    assert len(kept) == 3
    assert tmp_path / "served" / newest.path in kept


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"branch": "other"}, "rev-parse"),
        ({"folders": ("nowhere",)}, "main holds none of nowhere"),
        ({"url": "file:///no"}, "git"),
    ],
)
def test_archive_says_what_is_not_there(wanted: Wanted, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(OutsideError) as caught:
        archive(replace(wanted, **changed), tmp_path / "served")

    assert said in f"{caught.value} {caught.value.where}"


def _object(**spec: Any) -> dict[str, Any]:
    given = {"url": "file:///srv/origin.git", "interval": "1m", "ref": {"branch": "main"}, **spec}
    return {"metadata": {"namespace": "production", "name": "documents", "generation": 2}, "spec": given}


def test_parse_wanted_reads_what_a_gitrepository_asks_for() -> None:
    found = parse_wanted(_object(sparseCheckout=["releases/production"]))

    assert found == Wanted(
        "production", "documents", 2, "file:///srv/origin.git", "main", ("releases/production",), 60, ""
    )


@pytest.mark.parametrize("spec", [{"url": "https://git.example.org/a.git"}, {"suspend": True}])
def test_parse_wanted_leaves_others_alone(spec: dict[str, Any]) -> None:
    assert parse_wanted(_object(**spec)) is None


@pytest.mark.parametrize(("observed", "revision"), [(2, "main@sha1:abc"), (1, "")])
def test_parse_wanted_believes_a_status_of_this_generation_only(observed: int, revision: str) -> None:
    said = {"status": {"observedGeneration": observed, "artifact": {"revision": "main@sha1:abc"}}}

    found = parse_wanted({**_object(), **said})

    assert found
    assert found.revision == revision


@pytest.mark.parametrize(("text", "value"), [("1m30s", 90), ("2h", 7200), ("5s", 5)])
def test_seconds_reads_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "1 minute", "m", "1.5s"])
def test_seconds_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


def test_status_of_an_archive_is_ready_and_says_where_it_is(wanted: Wanted) -> None:
    made = Archive("main@sha1:abc", "sha256:def", "production/documents/abc.tar.gz", 12)

    said = status(wanted, made, "http://10.0.0.1:9790", "2026-01-02T03:04:05Z")["status"]

    assert said["artifact"]["url"] == "http://10.0.0.1:9790/production/documents/abc.tar.gz"
    assert (said["conditions"][0]["status"], said["observedGeneration"]) == ("True", 3)


def test_status_of_a_failure_keeps_the_artifact_that_was(wanted: Wanted) -> None:
    said = status(wanted, OutsideError("no branch"), "http://10.0.0.1:9790", "2026-01-02T03:04:05Z")["status"]

    assert "artifact" not in said
    assert (said["conditions"][0]["status"], said["conditions"][0]["message"]) == ("False", "no branch")
