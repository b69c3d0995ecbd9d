"""The published two-file examples of oasdiff: pairs of files that its own tests and documents compare. Found in the
module as Go downloads it; nothing of it is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FUNCTION = re.compile(r"(?m)^func .*\{$")
_FILE = r'"([^"\n]*?\.(?:ya?ml|json))"'
_HANDLE = re.compile(r'(\w+)\s*=\s*dataFileFn\("([^"]+)"\)')
_NAMER = re.compile(r'func (\w+)\(file string\) string \{\s*return fmt.Sprintf\("\.\./data/([^"]+)/%s"')
_CONSTANT = re.compile(rf"(?m)^\s*(\w+)\s*:?=\s*{_FILE}")
_BESIDE = re.compile(rf"{_FILE}\s*,\s*{_FILE}")
_COMMAND = re.compile(r"oasdiff [a-z]+ [^\n]*?(\S*data/[\w./-]+\.(?:ya?ml|json)) (\S*data/[\w./-]+\.(?:ya?ml|json))")
_OPENED = re.compile(rf"(\w+)(?:, \w+)? :?= [^\n]*{_FILE}")
_COMPARED = re.compile(r"diff\.Get\w*\([^\n]*?, &?(\w+), &?(\w+)\)")
_NUMBERED = re.compile(r"\bl\(t, (\d+)(?:, \w+)*\)")
_TWO_NUMBERED = re.compile(r"\bd\(t, [\w.]+\(?\)?, (\d+), (\d+)")
_STABILITY = re.compile(r'stabilityChanges\(t, "([^"]+)", "([^"]+)"')
_SECURITY = re.compile(r'securityFinding\w*\(t, "([^"]+)", "([^"]+)"')
_VERSION = re.compile(r"""(?m)^\s*"?openapi"?\s*:\s*["']?3\.[01]""")
_COUNTERPARTS = (
    ("_base.", "_revision."),
    ("-base.", "-revision."),
    ("/base.", "/revision."),
    ("/base/", "/revision/"),
    ("1.", "2."),
)


@dataclass(frozen=True, order=True)
class Example:
    """Two files that oasdiff's authors compare, as paths inside its module."""

    base: str
    revision: str

    def __str__(self) -> str:
        return f"{self.base} -> {self.revision}"


def examples_of(module: Path) -> tuple[Example, ...]:
    """Every pair of different files that a test or a document of the module compares, or that is named a pair; sorted.

    Only files that say they are OpenAPI 3.0 or 3.1. A test that changes what it has read counts with the files as
    they are published.
    """
    sources = [*sorted(module.rglob("*_test.go")), *sorted((module / "docs").glob("*.md"))]
    shared = "\n".join(path.read_text(encoding="utf-8") for path in sorted(module.glob("*/*helpers_test.go")))
    written = {pair for source in sources for pair in _compared(source, shared, module)}
    every = written | set(_named(module))
    return tuple(sorted(one for one in every if one.base != one.revision and _is_read(module, one)))


def _is_read(module: Path, example: Example) -> bool:
    return all(_says_openapi(module / path) for path in (example.base, example.revision))


def _says_openapi(path: Path) -> bool:
    return path.is_file() and bool(_VERSION.search(path.read_text(encoding="utf-8")))


def _named(module: Path) -> Iterator[Example]:
    for path in sorted(module.glob("data/**/*")):
        name = path.relative_to(module).as_posix()
        for old, new in _COUNTERPARTS:
            if old in name and path.suffix in {".yaml", ".yml", ".json"}:
                yield Example(name, name.replace(old, new))


def _compared(source: Path, shared: str, module: Path) -> Iterator[Example]:
    text = _literal(source.read_text(encoding="utf-8"), shared)
    starts = [found.start() for found in _FUNCTION.finditer(text)]
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        for base, revision in _pairs(text[start:end]):
            yield Example(_inside(source, base, module), _inside(source, revision, module))


def _literal(text: str, shared: str) -> str:
    """The source with every way to name a file written out as its path."""
    for name, folder in [*_HANDLE.findall(shared), *_NAMER.findall(shared)]:
        text = re.sub(rf'\b{name}\("([^"]+)"\)', rf'"../data/{folder}/\1"', text)
    for name, value in _CONSTANT.findall(shared):
        text = re.sub(rf"\b{name}\b(?!\s*:?=)", f'"{value}"', text)
    text = _TWO_NUMBERED.sub(r'd("../data/openapi-test\1.yaml", "../data/openapi-test\2.yaml"', text)
    text = _NUMBERED.sub(r'l("../data/openapi-test\1.yaml")', text)
    text = _STABILITY.sub(r'("../data/stability/\1", "../data/stability/\2"', text)
    prefix = "../data/checker/api_security_anonymous_"
    return _SECURITY.sub(rf'("{prefix}\1.yaml", "{prefix}\2.yaml"', text)


def _pairs(body: str) -> Iterator[tuple[str, str]]:
    yield from _BESIDE.findall(body)
    yield from _COMMAND.findall(body)
    steps = [*_OPENED.finditer(body), *_COMPARED.finditer(body)]
    opened: dict[str, str] = {}
    for step in sorted(steps, key=lambda found: found.start()):
        if step.re is _OPENED:
            opened[step[1]] = step[2]
        elif step[1] in opened and step[2] in opened:
            yield opened[step[1]], opened[step[2]]


def _inside(source: Path, name: str, module: Path) -> str:
    """Path inside the module of a file that a source names; documents name it from the module's root."""
    folder = source.parent if name.startswith("../") else module
    path = (folder / name).resolve()
    beside = (source.parent / name).resolve()
    path = path if path.is_file() or not beside.is_file() else beside
    return path.relative_to(module.resolve()).as_posix() if path.is_relative_to(module.resolve()) else name
