"""Dockerfiles, as far as Lockstep looks into them: which stages there are, and which images they are made from.

Source: Dockerfile reference of BuildKit's frontend 1.7 (https://github.com/moby/buildkit/tree/dockerfile/1.7.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.errors import Finding
from lockstep.core.names import ImageRef

BASE_IMAGE = "BASE_IMAGE"  # the argument that stands for the bundle's base image
RUNTIME_STAGE = "runtime"
_VARIABLE = re.compile(r"\$(?:\{(?P<long>\w+)(?::-(?P<default>[^}]*))?\}|(?P<short>\w+))")
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")
_DIRECTIVE = re.compile(r"#\s*(syntax|escape)\s*=\s*(\S+)\s*", re.IGNORECASE)
_FROM = re.compile(r"(?:--platform=\S+\s+)?(?P<image>\S+)(?:\s+as\s+(?P<name>\S+))?\s*", re.IGNORECASE)
_COPIED = re.compile(r"--from=(\S+)")
_MOUNTED = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
_MANY = 64  # hexadecimal characters of a sha256


@dataclass(frozen=True)
class Instruction:
    """One instruction: the line that it begins at, its word in capitals, and the rest."""

    line: int
    word: str
    rest: str


@dataclass(frozen=True)
class Stage:
    """One stage: its line, the image or stage that it begins from with arguments put in, and its name."""

    line: int
    image: str
    name: str


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile.

    Args:
        stages: In order.
        copied: Line and name of whatever else files are copied or mounted from.
        frontend: Line and name of the image that `# syntax=` names.
    """

    stages: tuple[Stage, ...]
    copied: tuple[tuple[int, str], ...] = ()
    frontend: tuple[tuple[int, str], ...] = ()


def parse_dockerfile(text: str, arguments: Mapping[str, str]) -> Dockerfile:
    """The stages of a Dockerfile. What cannot be understood is left to the builder, which says it better.

    Args:
        text: The file.
        arguments: Build arguments, which win over the defaults in the file.
    """
    known: dict[str, str] = {}
    stages: list[Stage] = []
    copied: list[tuple[int, str]] = []
    for one in _instructions(text):
        if one.word == "ARG" and not stages:
            known |= {name: arguments.get(name, value) for name, value in _declared(one.rest)}
        elif one.word == "FROM" and (found := _FROM.match(one.rest)):
            stages.append(Stage(one.line, _put_in(found["image"], known), (found["name"] or "").lower()))
        elif one.word in {"COPY", "ADD"}:
            copied += [(one.line, name) for name in _COPIED.findall(one.rest)]
        elif one.word == "RUN":
            copied += [(one.line, name) for name in _MOUNTED.findall(one.rest)]
    return Dockerfile(tuple(stages), tuple(copied), tuple(_frontend(text)))


def dockerfile_findings(parsed: Dockerfile, where: str, component: str, *, is_whole: bool) -> Iterator[Finding]:
    """What keeps a Dockerfile from being built: an image that is not named by digest, or no stage `runtime`.

    Args:
        parsed: The file, with BASE_IMAGE put in where the bundle names a base image.
        where: Its path.
        component: Whose it is.
        is_whole: Whether its last stage is built, and not `runtime`.
    """
    names: set[str] = set()
    for number, stage in enumerate(parsed.stages):
        if stage.image.lower() not in {*names, "scratch"}:
            yield from _unpinned(stage.line, stage.image, where, component)
        names |= {stage.name, str(number)} - {""}
    for line, name in parsed.copied:
        if name.lower() not in names:
            yield from _unpinned(line, name, where, component)
    for line, name in parsed.frontend:
        yield from _unpinned(line, name, where, component)
    if not is_whole and RUNTIME_STAGE not in names:
        what = f"there is no stage `{RUNTIME_STAGE}`, and the code is appended to that"
        fix = f"write `FROM ${{{BASE_IMAGE}}} AS {RUNTIME_STAGE}`, or leave `code` out and copy it in the Dockerfile"
        yield Finding("component/stage", where, what, fix, component)


def _unpinned(line: int, image: str, where: str, component: str) -> Iterator[Finding]:
    if re.search(rf"@sha256:[0-9a-f]{{{_MANY}}}\Z", image):
        return
    named = f"`{image}`" if image else f"an argument without a value (is it {BASE_IMAGE}, and `platform.base` missing?)"
    what = f"an image that is not named by digest: {named}"
    given = f"`ARG {BASE_IMAGE}` and `FROM ${{{BASE_IMAGE}}}` with `platform: {{base: …}}` in lockstep.yaml"
    fix = f"write name@sha256:…, or {given}"
    yield Finding("component/base", f"{where}:{line}", what, fix, component)


def stand_in(base: ImageRef | None, arguments: Mapping[str, str]) -> dict[str, str]:
    """The build arguments as the findings need them: BASE_IMAGE is the bundle's base image."""
    return {**arguments, **({BASE_IMAGE: str(base)} if base else {})}


def _instructions(text: str) -> Iterator[Instruction]:
    lines = iter(enumerate(text.splitlines(), 1))
    escape = next((found[2] for found in _directives(text) if found[1].lower() == "escape"), "\\")
    for number, line in lines:
        whole = line.strip()
        if not whole or whole.startswith("#"):
            continue
        while whole.endswith(escape):
            following = next((more.strip() for _, more in lines if not more.strip().startswith("#")), "")
            whole = f"{whole[:-1]} {following}"
        word, _, rest = whole.partition(" ")
        yield Instruction(number, word.upper(), rest.strip())
        for end in _HEREDOC.findall(rest) if word.upper() in {"RUN", "COPY", "ADD"} else ():
            while next((more.strip() for _, more in lines), end) != end:
                pass


def _directives(text: str) -> Iterator[re.Match[str]]:
    """Parser directives: comments of a certain form before anything else."""
    for line in text.splitlines():
        found = _DIRECTIVE.fullmatch(line.strip())
        if not found:
            return
        yield found


def _frontend(text: str) -> Iterator[tuple[int, str]]:
    for number, found in enumerate(_directives(text), 1):
        if found[1].lower() == "syntax":
            yield number, found[2]


def _declared(rest: str) -> Iterator[tuple[str, str]]:
    for word in rest.split():
        name, _, value = word.partition("=")
        yield name, value.strip("\"'")


def _put_in(text: str, known: Mapping[str, str]) -> str:
    """Text with its variables replaced; an unknown one is empty, as in a build."""
    return _VARIABLE.sub(
        lambda found: known.get(found["long"] or found["short"], "") or found["default"] or "", text.strip("\"'")
    )
