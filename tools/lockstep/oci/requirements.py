"""Requirements: a lock of Python packages in pip's format, each pinned and hashed, for every platform at
once.

Source: pip, "Requirements File Format" and "Secure installs" (hash-checking mode); PEP 508 markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name

from lockstep.core.bundle import Platform
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.names import Digest

_HASH = re.compile(r"\s--hash[= ](\S+)")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LOCK = "make the lock again: uv pip compile --universal --generate-hashes requirements.in -o requirements.txt"


@dataclass(frozen=True)
class Requirement:
    """One pinned package.

    Args:
        name: Normalised as in PEP 503.
        version: The one that `==` pins.
        hashes: sha256 of every file that may be taken, sorted.
        marker: PEP 508 marker, empty if it is always needed.
        where: file:line.
    """

    name: str
    version: str
    hashes: tuple[Digest, ...]
    marker: str
    where: str


def parse_requirements(text: str, name: str, component: str = "") -> tuple[Requirement, ...]:
    """Every requirement of a lock, in the order of the file.

    Raises:
        Refused: a line is not `name==version --hash=sha256:…`; every such line, with file:line and fix.
    """
    found: list[Finding] = []
    requirements = []
    for number, line in _lines(text):
        where = f"{name}:{number}"
        try:
            requirements.append(_requirement(line, where))
        except ValueError as error:
            found.append(Finding("requirements/lock", where, str(error), _LOCK, component))
    refuse_if(found, f"{name} is not a lock with hashes")
    return tuple(requirements)


def needed(requirements: tuple[Requirement, ...], platform: Platform) -> tuple[Requirement, ...]:
    """The requirements whose markers hold on the platform (not on this machine), sorted by name."""
    environment = markers_of(platform)
    chosen = (one for one in requirements if not one.marker or Marker(one.marker).evaluate(environment))
    return tuple(sorted(chosen, key=lambda one: (one.name, one.version)))


def markers_of(platform: Platform) -> dict[str, str]:
    """The PEP 508 environment of CPython in an image of the platform; the patch release counts as 0, and the
    kernel as unknown.
    """
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{platform.python}.0",
        "os_name": "posix",
        "platform_machine": _MACHINES[platform.arch],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{platform.python}.0",
        "python_version": platform.python,
        "sys_platform": "linux",
        "extra": "",
    }


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first line: continued ones joined, comments and empty ones left
    out.
    """
    start = 0
    parts: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        start = start if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        joined = " ".join([*parts, "" if is_comment else _COMMENT.sub("", line)]).strip()
        parts = []
        if joined:
            yield start, joined


def _requirement(line: str, where: str) -> Requirement:
    """Raises ValueError with what is wrong."""
    if line.startswith("-"):
        option = re.split(r"[\s=]", line, maxsplit=1)[0]
        raise ValueError(
            f"the option {option}; where packages come from is set in pip's own configuration on each machine"
        )
    hashes = _HASH.findall(line)
    text = _HASH.sub("", line).strip()
    try:
        parsed = Parsed(text)
    except InvalidRequirement as error:
        raise ValueError(f"not a requirement: {str(error).splitlines()[0]}") from error
    pins = list(parsed.specifier)
    if parsed.url:
        raise ValueError(f"{parsed.name} comes from a URL; a lock names a version and hashes")
    if len(pins) != 1 or pins[0].operator not in {"==", "==="} or "*" in pins[0].version:
        raise ValueError(f"{parsed.name} is not pinned by `==` to one version")
    digests = sorted({Digest(text) for text in hashes if text.startswith("sha256:")})
    if not digests:
        raise ValueError(f"{parsed.name}=={pins[0].version} has no --hash=sha256:…")
    return Requirement(canonicalize_name(parsed.name), pins[0].version, tuple(digests), str(parsed.marker or ""), where)
