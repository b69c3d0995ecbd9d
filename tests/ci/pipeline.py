"""A project as GitLab has it (a bare repository, a registry, an API) and its pipelines, run by gitlab-ci-local.

Each pipeline gets a clone of its own, as a runner has it: detached, no local branch, no store. Not simulated by
gitlab-ci-local, and so not shown here: resource groups, retries, protected refs and environments, tokens.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from fake_gitlab import FakeGitlab
from tiny import Tiny

TOP = Path(__file__).resolve().parents[2]
PIPELINE = TOP / ".gitlab-ci.yml"
PROGRAM = TOP / ".venv" / "ci" / "node_modules" / ".bin" / "gitlab-ci-local"
_PROJECT = "https://gitlab.example.org/team/tiny.git"
_TOOL = "#!{python}\nimport sys\nfrom lockstep.cli.main import main\nsys.exit(main())\n"
_ZERO = "0" * 40


@dataclass(frozen=True)
class Event:
    """What a pipeline is started by.

    Args:
        revision: What is checked out.
        before: What the default branch was at before, for `rules:changes`; empty for what it is at.
        variables: What GitLab says of it.
        unset: What it does not say.
    """

    revision: str
    before: str
    variables: dict[str, str]
    unset: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """A pipeline that ended.

    Args:
        code: Of gitlab-ci-local: 0 where every job passed, or may fail.
        text: What it and its jobs said.
        clone: Where it ran.
    """

    code: int
    text: str
    clone: Tiny

    @property
    def passed(self) -> bool:
        """Whether every job passed, also those that may fail without failing the pipeline."""
        return self.code == 0 and not re.search("^ (FAIL|WARN) ", self.text, re.MULTILINE)


@dataclass
class Project:
    """One project.

    Args:
        folder: Everything is below it.
        variables: Of every job: where to push, what the API is.
        gitlab: Its API.
        clones: How many there are.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    gitlab: FakeGitlab = field(default_factory=FakeGitlab)
    clones: int = 0

    @property
    def bare(self) -> Tiny:
        """What GitLab has."""
        return Tiny(self.folder / "tiny.git")

    @property
    def work(self) -> Tiny:
        """A developer's clone."""
        return Tiny(self.folder / "work")

    def git(self, *words: str) -> str:
        """Git in the repository that GitLab has."""
        return self.bare.git(*words)

    def subjects(self, count: int = 3, ref: str = "main") -> list[str]:
        """The newest commits of a branch there."""
        return self.git("log", f"-{count}", "--format=%s", ref).splitlines()

    def clone(self, event: Event) -> Tiny:
        """A runner's clone: GIT_DEPTH 0 fetches every branch and tag, and checks out one commit."""
        self.clones += 1
        made = Tiny(self.folder / f"runner-{self.clones}")
        self.bare.git("clone", "-q", "--no-checkout", str(self.bare.folder), str(made.folder))
        made.git("checkout", "-q", "--detach", event.revision)
        made.git("branch", "-q", "-D", "main")
        made.git("remote", "add", "gcl-origin", _PROJECT)
        if event.before:
            made.git("update-ref", "refs/remotes/origin/main", event.before)
        made.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
        return made

    def jobs(self, event: Event) -> dict[str, str]:
        """When each job of an event's pipeline runs, by its name; those that are not in it are left out."""
        done = self._local(self.clone(event), event, "--list-json")
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout[done.stdout.index("[") :])
        return {one["name"]: one["when"] for one in found if one["when"] != "never"}

    def run(self, event: Event, *jobs: str, **variables: str) -> Ran:
        """The pipeline of an event: every job that needs nobody, or these alone."""
        return self.run_in(self.clone(event), event, *jobs, **variables)

    def run_in(self, clone: Tiny, event: Event, *jobs: str, **variables: str) -> Ran:
        """The same in a clone that is there."""
        done = self._local(clone, event, *jobs, **variables)
        return Ran(done.returncode, done.stdout + done.stderr, clone)

    def command(self, clone: Tiny, event: Event, *words: str, **variables: str) -> list[str]:
        """How gitlab-ci-local is started."""
        given = {**self.variables, **event.variables, **variables}
        state = ("--state-dir", f"../{clone.folder.name}-state", "--home", str(self.folder))
        options = [word for name, value in given.items() for word in ("--variable", f"{name}={value}")]
        options += [word for name in event.unset for word in ("--unset-variable", name)]
        quiet = ("--ignore-predefined-vars", ",".join(given))
        return [str(PROGRAM), *words, "--force-shell-executor", *state, *quiet, *options]

    def environment(self) -> dict[str, str]:
        """Of gitlab-ci-local and its jobs: no configuration of this machine's user."""
        home = {"HOME": str(self.folder), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        return {**kept, **home, "PYTHONWARNINGS": "default"}

    def _local(self, clone: Tiny, event: Event, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(clone, event, *words, **variables), cwd=clone.folder, env=self.environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def push(self, path: str, text: str = "changed\n") -> Event:
        """A change of a file, pushed to the default branch."""
        before = self.git("rev-parse", "main")
        self.change(path, text)
        self.work.git("push", "-q", "origin", "HEAD:main")
        return self.pushed(before)

    def propose(self, path: str, text: str = "changed\n") -> Event:
        """A merge request that changes a file."""
        self.work.git("checkout", "-q", "-b", "proposal")
        self.change(path, text)
        self.work.git("push", "-q", "origin", "proposal")
        return self.proposed("proposal")

    def change(self, path: str, text: str) -> None:
        """A commit on what the developer's clone and the default branch have."""
        self.work.git("pull", "-q", "--rebase", "origin", "main")
        self.work.write(path, text)
        self.work.commit(f"change {path}")

    def tag(self, version: str) -> Event:
        """A tag on what the developer's clone has, pushed."""
        self.work.tag(version)
        self.work.git("push", "-q", "origin", f"v{version}")
        self.gitlab.tags[f"v{version}"] = self.git("rev-parse", f"v{version}^{{commit}}")
        return self.tagged(f"v{version}")

    def front(self, environment: str = "production") -> str:
        """The release that the front of an environment names."""
        text = self.git("show", f"main:releases/{environment}/front/front.yaml")
        return next(line.split('"')[-2] for line in text.splitlines() if "lockstep.dev/release" in line)

    def pushed(self, before: str) -> Event:
        """A push to the default branch, which was at `before`."""
        sha = self.git("rev-parse", "main")
        said = {"CI_COMMIT_BEFORE_SHA": self.git("rev-parse", before) if before != _ZERO else before}
        names = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": sha}
        start = sha if before == _ZERO else said["CI_COMMIT_BEFORE_SHA"]
        return Event(sha, start, {**said, **names, "CI_PIPELINE_SOURCE": "push"})

    def tagged(self, tag: str) -> Event:
        """A push of a tag: GitLab says no branch, and every `rules:changes` is true."""
        sha = self.git("rev-parse", f"{tag}^{{commit}}")
        names = {"CI_COMMIT_TAG": tag, "CI_COMMIT_REF_NAME": tag, "CI_COMMIT_SHA": sha, "CI_PIPELINE_SOURCE": "push"}
        return Event(sha, "", names, ("CI_COMMIT_BRANCH",))

    def proposed(self, branch: str) -> Event:
        """A merge request of a branch."""
        sha, base = self.git("rev-parse", branch), self.git("merge-base", "main", branch)
        said = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
        names = {"CI_COMMIT_REF_NAME": branch, "CI_COMMIT_SHA": sha, "CI_MERGE_REQUEST_IID": "7"}
        return Event(sha, base, {**said, **names}, ("CI_COMMIT_BRANCH",))


def make_tool(folder: Path) -> str:
    """A Makefile that stands for a project's set-up: `lockstep` of the Python that runs these tests."""
    tool = folder / "tool" / "lockstep"
    tool.parent.mkdir()
    tool.write_text(_TOOL.format(python=sys.executable))
    tool.chmod(0o755)
    return f".venv/%.done: ; @mkdir -p .venv/bin && ln -sf {tool} .venv/bin/lockstep\n"


def tags_of(host: str, image: str) -> set[str]:
    """The tags of an image of the project in a registry."""
    with urllib.request.urlopen(f"http://{host}/v2/tiny/{image}/tags/list") as answer:
        return set(json.load(answer)["tags"])
