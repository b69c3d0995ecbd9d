"""CODEOWNERS, read as GitLab reads it, as far as it says who owns a path.

Source: GitLab's documentation, user/project/codeowners/reference ("Sections", "Path matching", "Exclusion patterns")
and user/project/codeowners/advanced ("Pattern matching", "Zero owners").
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# user/project/codeowners, "CODEOWNERS file": the first of these that is there counts.
PLACES = ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_SECTION = re.compile(r"(?P<optional>\^)?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?P<owners>(?:\s.*)?)")
_ENTRY = re.compile(r"(?P<exclusion>!)?(?P<path>(?:\\.|\S)+)(?P<owners>.*)")
_OWNER = re.compile(r"@{0,2}[^\s@]+@[^\s@]+|@{1,2}[\w./-]+")


@dataclass
class _Section:
    """Entries of one name, in order. Not required as long as each heading of it is optional."""

    is_required: bool
    entries: list[tuple[re.Pattern[str], frozenset[str], bool]] = field(default_factory=list)

    def owners(self, path: str) -> frozenset[str]:
        """Who owns a path: the owners of the last entry that matches; nobody owns what is excluded."""
        matching = [(owners, excluded) for pattern, owners, excluded in self.entries if pattern.fullmatch(path)]
        if not matching or any(excluded for _, excluded in matching):
            return frozenset()
        return matching[-1][0]


@dataclass(frozen=True)
class Owners:
    """A CODEOWNERS file."""

    sections: tuple[_Section, ...]

    def of(self, path: str) -> frozenset[str]:
        """Whose approval a change of a path needs; `path` is from the repository's top, without a slash before it."""
        return frozenset().union(*(one.owners(f"/{path}") for one in self.sections if one.is_required))


def parse_owners(text: str) -> Owners:
    """What a file says. A line that cannot be read owns nothing, as in GitLab."""
    sections: dict[str, _Section] = {"": _Section(is_required=True)}
    name, default = "", frozenset[str]()
    for line in map(str.strip, text.splitlines()):
        heading, entry = _SECTION.fullmatch(line), _ENTRY.fullmatch(line)
        if not line or line.startswith("#"):
            continue
        if heading:
            name, default = heading["name"].strip().lower(), _owners(heading["owners"])
            section = sections.setdefault(name, _Section(is_required=False))
            section.is_required |= not heading["optional"]
        elif entry:
            owners = _owners(entry["owners"]) or default
            sections[name].entries.append((_pattern(entry["path"]), owners, bool(entry["exclusion"])))
    return Owners(tuple(sections.values()))


def _owners(text: str) -> frozenset[str]:
    return frozenset(word for word in text.split() if _OWNER.fullmatch(word))


def _pattern(path: str) -> re.Pattern[str]:
    """A path as an expression for absolute paths: `**/` is any folders, `*` and `?` stay within one name."""
    path = re.sub(r"\\(.)", r"\1", path)
    path = path if path.startswith("/") else f"/**/{path}"
    path = f"{path}**/*" if path.endswith("/") else path
    parts = re.split(r"(\*\*/|\*+|\?)", path)
    known = {"**/": "(?:[^/]+/)*", "?": "[^/]"}
    return re.compile("".join(known.get(part, "[^/]*" if part.startswith("*") else re.escape(part)) for part in parts))
