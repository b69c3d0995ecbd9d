"""Kills a command before each of its writing steps, each time in a new copy of a bundle, and reports what is wrong
then and after a rerun. Run as a program, in a process of its own: `python killing.py FOLDER WORK WORDS…`.

The steps are not listed here: a run without a kill counts them, by Python's own audit events: every file opened for
writing, renamed or removed, every folder made, every Git command but those of READS, everything sent to a registry.
Nothing of Lockstep is patched. Runs are forks of this process, because starting Python takes longer than the verb.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fake_gitlab import JOB, FakeGitlab, serving_gitlab
from fakes import FakeRegistry, serving
from lockstep.core.names import Digest
from lockstep.oci.image import parse_manifest
from lockstep.oci.layout import Layout
from lockstep.oci.store import verify_blob
from tiny import Tiny

READS = {"rev-parse", "cat-file", "ls-tree", "log", "merge-base", "symbolic-ref", "var", "diff-index", "diff"}
READS |= {"for-each-ref", "ls-remote"}
# A command whose work is done refuses to do it twice, in words.
DONE = (
    "release 1.2.0 exists", "it is rolled back already", "release 1.0.0 serves in staging already",
    "there is a tag v1.2.0 already; it names HEAD",
)  # fmt: skip
UNFINISHED = ".lockstep-part-"
FORGE = FakeGitlab()
_NAME = "org.opencontainers.image.ref.name"


def in_child(folder: Path, words: list[str], prepare: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """Exit code (negative: the signal) and error stream of a Lockstep command in a fork."""
    errors = folder.parent / f"{folder.name}.errors"
    child = os.fork()
    if child == 0:
        code = 99
        with contextlib.suppress(BaseException):
            code = _run(folder, words, prepare, errors)
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), errors.read_text(errors="replace") if errors.exists() else ""


def _run(folder: Path, words: list[str], prepare: Callable[[], None], errors: Path) -> int:
    from lockstep.cli.main import main  # noqa: PLC0415

    stream = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.chdir(folder)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    prepare()
    return main(words)


def _label(event: str, arguments: tuple[Any, ...]) -> str:
    """What a step writes, in words; empty for an event that writes nothing."""
    if event == "subprocess.Popen":
        words = [str(word) for word in arguments[1]]
        return "" if words[0] == "git" and words[1] in READS else " ".join(words[:3])
    if event == "http.client.send":
        return _sent(arguments[1])
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(path, str | bytes | os.PathLike) and flags & (
            os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        )
        return f"open {path}" if writes and path != os.devnull else ""
    is_nothing = (event == "os.mkdir" and os.path.lexists(arguments[0])) or (
        event == "os.remove" and not os.path.lexists(arguments[0])
    )
    if event.startswith(("os.", "shutil.")) and event not in _READING and not is_nothing:
        return f"{event} {arguments[0]}"
    return ""


# Everything else that `os` and `shutil` tell an auditor is a step. Source: Python's manual, "Audit events table".
_READING = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr", "os.chdir", "os.fork"}
_READING |= {"os.putenv", "os.unsetenv", "os.posix_spawn", "os.exec", "os.forkpty", "os.add_dll_directory", "os.kill"}


def _sent(data: Any) -> str:
    """A request that writes, or a part of its body."""
    head = bytes(data[:80]) if isinstance(data, bytes | bytearray | memoryview) else b""
    line = head.partition(b"\r\n")[0].decode(errors="replace")
    return "" if line.startswith(("GET /", "HEAD /")) else f"send {line[:60] if ' /v2/' in line else 'a body'}"


def _hook(react: Callable[[str], None]) -> Callable[[], None]:
    def prepare() -> None:
        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if label := _label(event, arguments):
                react(label)

        sys.addaudithook(audit)

    return prepare


def _killer(step: int) -> Callable[[], None]:
    left = [step]

    def react(_: str) -> None:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    return _hook(react)


def _counted(folder: Path, words: list[str]) -> list[tuple[str, str]]:
    """The label of every writing step of a whole run, and what lies in the folder before it, as a digest; written down
    by the run itself.
    """
    reader, writer = os.pipe()

    def react(label: str) -> None:
        os.write(writer, f"{label}\n{_laid(folder)}\0".encode())

    code, errors = in_child(folder, words, _hook(react))
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        records = stream.read().decode().split("\0")[:-1]
    if code:
        raise RuntimeError(f"the run without a kill ends with {code}: {errors}")
    return [(label, laid) for label, _, laid in (record.partition("\n") for record in records)]


def _laid(folder: Path) -> str:
    """A digest of all files in a folder, with one name for all that is unfinished and its bytes left out."""
    sha256 = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name.startswith(UNFINISHED) or name.startswith(".git/refs/lockstep/"):
            sha256.update(f"{path.parent.relative_to(folder)}\0unfinished\0".encode())
        elif path.is_file() and not name.startswith(".git/objects/"):
            sha256.update(f"{name}\0{_digest(path)}\0".encode())
        else:
            sha256.update(f"{name}\0".encode())
    return sha256.hexdigest()


def chosen(steps: list[tuple[str, str]]) -> list[int]:
    """The steps to kill before: all but those that find everything as an earlier one did. A rerun cannot tell these
    apart; what a registry has is told apart by sending.
    """
    seen: set[str] = set()
    found = []
    for step, (label, laid) in enumerate(steps):
        if label.startswith("send ") or laid not in seen:
            found.append(step)
        seen.add(laid)
    return found


def state_of(folder: Path, registry: FakeRegistry) -> dict[str, Any]:
    """All that must be as it is after a run that nobody kills: branches, working copy, store, registry, files made
    beside them; and what a killed process may leave. `verify` reads nothing else.
    """
    git = Tiny(folder).git
    made = [path for name in ("release.tar", "components/model/weights.lock") for path in [folder / name]]
    return {
        "refs": git("for-each-ref"),
        "status": git("status", "--porcelain", "--untracked-files=all"),
        "made": [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in made],
        "store": {str(path.relative_to(folder)): _digest(path) for path in _files(folder / ".lockstep/store")},
        "unfinished": [str(path.relative_to(folder)) for path in folder.rglob(f"{UNFINISHED}*")],
        "note": (folder / ".git/lockstep-move").exists(),
        "registry": (registry.tags, {name: sorted(blobs) for name, blobs in registry.blobs.items()}),
        "pages": {tag: page["description"] for tag, page in FORGE.releases.items()},
        "remembered": [path.name for path in _files(folder / ".lockstep/cache/uploads") if path.suffix == ".json"],
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _after_kill(folder: Path, was: str) -> list[str]:
    """What may not be, at no moment: a broken repository, a lost commit, a tag of something that is not there."""
    git = Tiny(folder).git
    problems = [line for line in git("fsck", "--no-dangling", "--no-progress").splitlines() if line]
    now = git("rev-parse", "main")
    if now != was and was not in git("rev-list", "main").split():
        problems.append(f"main went from {was} to {now}, which does not follow it")
    merged = git("diff", "--name-only", "--diff-filter=U")
    return problems + ([f"the index has conflicts: {merged}"] if merged else []) + _lost(folder)


def _lost(folder: Path) -> list[str]:
    store = Layout(folder / ".lockstep/store")
    path = store.folder / "index.json"
    problems = []
    for entry in json.loads(path.read_bytes())["manifests"] if path.exists() else ():
        try:
            manifest = parse_manifest(store.manifest(Digest(entry["digest"])), entry["annotations"][_NAME])
            for blob in (manifest.config, *manifest.layers):
                verify_blob(store, blob.digest)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said
            problems.append(f"the tag {entry['annotations'][_NAME]} names what is not there: {error}")
    return problems


def _check(source: Path, folder: Path, words: list[str], step: int, registry: FakeRegistry) -> tuple[bool, list[str]]:
    """Whether the run was killed, and what is wrong after it and its rerun, but for the state in the end."""
    shutil.copytree(source, folder, symlinks=True)
    vars(registry).update(vars(FakeRegistry(page=1000)))
    FORGE.releases.clear()
    was, lost = Tiny(folder).git("rev-parse", "main"), _lost(folder)
    code, errors = in_child(folder, words, _killer(step))
    killed = code == -signal.SIGKILL
    problems = [] if killed else [f"not killed: {code} {errors}"]
    problems += [problem for problem in _after_kill(folder, was) if problem not in lost]
    code, errors = in_child(folder, words)
    if code and not (code == 1 and any(done in errors for done in DONE)):
        problems.append(f"the rerun ends with {code}: {errors}")
    if sorted(registry.stored) != sorted(set(registry.stored)):
        problems.append(f"a blob was sent twice: {registry.stored}")
    return killed, problems


def _drive(source: Path, work: Path, words: list[str], registry: FakeRegistry) -> dict[str, Any]:
    whole = work / "whole"
    shutil.copytree(source, whole, symlinks=True)
    steps = _counted(whole, words)
    wanted = state_of(whole, registry)
    only = ["1.1.0"] if words[0] == "import" else ["1.2.0", "--registry"] if "--push" in words else []
    code, errors = in_child(whole, ["verify", *only])
    problems = [f"verify ends with {code}: {errors}"] if code else []
    killed = []
    for step in chosen(steps):
        folder = work / f"at-{step}"
        was_killed, found = _check(source, folder, words, step, registry)
        killed += [step] * was_killed
        state = state_of(folder, registry)
        found += [f"{key} is {state[key]!r}, not {wanted[key]!r}" for key in wanted if state[key] != wanted[key]]
        problems += [f"killed before step {step} ({steps[step][0]}): {problem}" for problem in found]
        shutil.rmtree(folder)
    return {"steps": steps, "chosen": chosen(steps), "killed": killed, "problems": problems}


def _with_forge(source: Path, api: str) -> None:
    """As in a job of a pipeline of a project to which everything was pushed."""
    os.environ.update(CI_API_V4_URL=api, CI_PROJECT_ID="42", CI_JOB_TOKEN=JOB)
    tags = Tiny(source).git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags").splitlines()
    FORGE.tags = dict(line.split(" ") for line in tags)


def _with_registry(source: Path, host: str) -> None:
    tiny = Tiny(source)
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")


if __name__ == "__main__":
    import lockstep.cli.carrying
    import lockstep.cli.environments
    import lockstep.cli.forging
    import lockstep.cli.releasing
    import lockstep.cli.verifying
    import lockstep.cli.weights
    import lockstep.oci.registry
    import lockstep.verbs.export
    import lockstep.verbs.forge.announce
    import lockstep.verbs.forge.opening
    import lockstep.verbs.gc
    import lockstep.verbs.images.stores
    import lockstep.verbs.import_
    import lockstep.verbs.promote
    import lockstep.verbs.push
    import lockstep.verbs.release
    import lockstep.verbs.release_and_stage
    import lockstep.verbs.retire
    import lockstep.verbs.rollback
    import lockstep.verbs.stage
    import lockstep.verbs.verify
    import lockstep.verbs.weights.lock  # noqa: F401 - a fork finds them imported

    REGISTRY = FakeRegistry(page=1000)
    with serving(REGISTRY) as HOST, serving_gitlab(FORGE) as API:
        _with_forge(Path(sys.argv[1]), API)
        if {"push", "--push"} & set(sys.argv):
            _with_registry(Path(sys.argv[1]), HOST)
        json.dump(_drive(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:], REGISTRY), sys.stdout)
