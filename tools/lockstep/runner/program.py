"""A workload as a program of this machine: `$(NAME)` replaced, container paths turned into local ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockstep.runner.workload import Workload

# `$$` is a dollar, an unknown name stays as written.
# Source: kubernetes v1.36, third_party/forked/golang/expansion/expand.go.
_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\((?P<name>[^)]*)\)|(?P<other>.))", re.DOTALL)
_OPTION = re.compile(r"(?P<head>-[^=]*=)(?P<path>/.*)", re.DOTALL)
_PYTHON_PATH = ("/app/src", "/app/site")


@dataclass(frozen=True)
class Machine:
    """What the machine gives to every program.

    Args:
        python: The Python that programs named `python` run on; never the one of the tool's own venv.
        path: Folders of PATH, the Python's first.
        proxy: Address of the name proxy, `http://127.0.0.1:<port>`.
        cache: Folder for compiled Python files.
    """

    python: Path
    path: str
    proxy: str
    cache: Path


@dataclass(frozen=True)
class Places:
    """Where one program finds its files, and its port.

    Args:
        app: The unpacked image's /app, where it starts.
        mounts: Local folder by mount path.
        scratch: A writable folder of its own.
        port: The port it must listen on.
    """

    app: Path
    mounts: Mapping[str, Path]
    scratch: Path
    port: int


@dataclass(frozen=True)
class Program:
    """A program to start: nothing left to replace. `environment` is its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def program(workload: Workload, machine: Machine, places: Places) -> Program:
    """The program of a workload at its places.

    The object's own variables win over the machine's, but PORT, HOST and the name proxy are the runner's.
    """
    folders = {**places.mounts, "/app": places.app}
    folders.setdefault("/tmp", places.scratch)  # noqa: S108 - a path in the container
    fixed = {"PORT": str(places.port), "HOST": "127.0.0.1"}
    own = _own_variables(workload.environment, fixed)
    environment = _machine_variables(machine, places, folders)
    environment |= {name: local_value(value, folders) for name, value in own.items()}
    # Both spellings: programs differ in which one they read. An empty no_proxy, so that nothing goes around it.
    environment |= dict.fromkeys(("http_proxy", "HTTP_PROXY"), machine.proxy) | {
        "no_proxy": "",
        "NO_PROXY": "",
    }
    words = [local_argument(expand(word, own), folders) for word in workload.command]
    if words[0] in {"python", "python3"}:
        words[0] = str(machine.python)
    return Program(tuple(words), environment, places.app)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Text with `$(NAME)` replaced as Kubernetes does it."""

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["name"] is None:
            return match[0]
        return variables.get(match["name"], match[0])

    return _REFERENCE.sub(replace, text)


def local_value(value: str, folders: Mapping[str, Path]) -> str:
    """A path, or a `:`-separated list of paths, with container paths made local; any other value as it stands."""
    parts = value.split(":")
    if not all(part.startswith("/") for part in parts):
        return value
    return ":".join(_local(part, folders) for part in parts)


def local_argument(word: str, folders: Mapping[str, Path]) -> str:
    """An argument with container paths made local: a path itself, or what follows `--option=`."""
    option = _OPTION.fullmatch(word)
    return option["head"] + local_value(option["path"], folders) if option else local_value(word, folders)


def _local(path: str, folders: Mapping[str, Path]) -> str:
    for mount in sorted(folders, key=len, reverse=True):
        if path == mount or path.startswith(mount + "/"):
            return str(folders[mount]) + path[len(mount) :]
    return path


def _own_variables(pairs: tuple[tuple[str, str], ...], fixed: Mapping[str, str]) -> dict[str, str]:
    """Each value may use the variables above it, as in Kubernetes."""
    own: dict[str, str] = {}
    for name, value in pairs:
        own[name] = fixed.get(name, expand(value, own))
    return {**own, **fixed}


def _machine_variables(machine: Machine, places: Places, folders: Mapping[str, Path]) -> dict[str, str]:
    return {
        "PATH": machine.path,
        "HOME": str(places.scratch),
        "TMPDIR": str(folders["/tmp"]),  # noqa: S108 - a path in the container
        "LANG": "C.UTF-8",
        "PYTHONPATH": local_value(":".join(_PYTHON_PATH), folders),
        "PYTHONPYCACHEPREFIX": str(machine.cache),
        "PYTHONNOUSERSITE": "1",
    }
