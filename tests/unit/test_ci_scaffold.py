"""The pipeline that `lockstep init` writes is this repository's own, but for how lockstep is installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[2]
OURS, THEIRS = TOP / ".gitlab-ci.yml", TOP / "tools/lockstep/scaffold/bundle/gitlab-ci.yml"


def pipeline(path: Path) -> dict[str, Any]:
    """What a file says, without what installs."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in ("default", "test"):
        found[part].pop("before_script", None)
        found[part].pop("cache", None)
    return found


def test_a_new_bundles_pipeline_is_our_own():
    assert pipeline(THEIRS) == pipeline(OURS)


def test_what_installs_names_hashes_and_nothing_else():
    ours, theirs = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (OURS, THEIRS))

    assert ours["default"]["before_script"][0] == "make --silent .venv/tool.done"
    assert ours["test"]["before_script"][0] == "make --silent .venv/dev.done"
    assert "--require-hashes -r requirements.lock" in theirs["default"]["before_script"][0]
    assert "before_script" not in theirs["test"]
    assert ours["default"]["cache"]["paths"] == theirs["default"]["cache"]["paths"] == [".venv"]
    assert ours["default"]["before_script"][1:] == theirs["default"]["before_script"][1:]


def test_every_script_is_one_command_of_lockstep():
    """All logic is in lockstep, none in YAML."""
    jobs = {name: job for name, job in pipeline(OURS).items() if isinstance(job, dict) and "script" in job}

    assert len(jobs) == 12
    for name, job in jobs.items():
        (line,) = job["script"]
        assert line.startswith("lockstep "), name
        assert not {"&&", "||", ";", "|"} & set(line.split()), name


def test_what_writes_is_never_interrupted_and_waits_for_what_else_writes():
    jobs = pipeline(OURS)
    writes = {
        name for name, job in jobs.items() if "$LOCKSTEP_HOW" in str(job.get("script") if isinstance(job, dict) else "")
    }

    assert writes == {
        "release", "promote staging", "stage production", "promote production", "rollback production",
    }  # fmt: skip
    for name in writes:
        assert jobs[name]["extends"] in {".writes", ".production"}
    assert jobs[".writes"]["interruptible"] is False
    assert jobs[".writes"]["resource_group"] == "releases"
    assert jobs["rollback production"]["resource_group"] == "rollback"
    assert "environment" not in jobs["rollback production"]
    assert jobs["promote production"]["environment"] == {"name": "production"}


def test_the_page_about_ci_names_every_job_and_its_command():
    page = (TOP / "docs/ci.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| [^|]*\| `([^`]+)` \| `(lockstep [^`]+)` \|$", page, re.MULTILINE))
    jobs = {name: job["script"][0] for name, job in pipeline(OURS).items() if isinstance(job, dict) and "script" in job}
    how = pipeline(OURS)[".writes"]["variables"]["LOCKSTEP_HOW"]

    said = {name: line.partition(" >")[0].replace("$LOCKSTEP_HOW", how) for name, line in jobs.items()}
    assert named == said
