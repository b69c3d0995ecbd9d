"""A report as SARIF 2.1.0, which forges and editors show at the line.

Source: OASIS Standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 27 March 2020; sections
are named beside what follows them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lockstep.core.contract.finding import ContractFinding, Level, Place
from lockstep.core.contract.forms.report import Asked, Report, place_of, whole
from lockstep.core.errors import Finding
from lockstep.core.shown import visible

# Section 3.13.3: the address of the schema, which readers compare and nobody asks.
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Level.ERR: "error", Level.WARN: "warning", Level.INFO: "note"}  # section 3.27.10
_FINGERPRINT = "lockstepContract/v1"
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # halves of characters that stand for no byte of a path
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def report_sarif(report: Report, version: str) -> str:
    """The report as one run; the same report gives the same bytes.

    Args:
        report: What is told.
        version: That of the tool.
    """
    drafts = [_result(report, asked, finding) for asked, finding in report.findings]
    drafts += [_problem(report, finding) for finding in report.problems]
    ids = sorted({draft["ruleId"] for draft in drafts})
    seen: Counter[str] = Counter()
    for draft in drafts:
        print_ = draft["partialFingerprints"][_FINGERPRINT]
        seen[print_] += 1  # what is found twice alike is told apart by its number (section 3.27.17)
        draft["partialFingerprints"][_FINGERPRINT] = f"{print_}:{seen[print_]}"
        draft["ruleIndex"] = ids.index(draft["ruleId"])
    driver = {"name": "lockstep", "version": version, "rules": _rules(ids, drafts)}
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the top folder of the repository"}}},
        "columnKind": "unicodeCodePoints",
        "results": drafts,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return whole(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _rules(ids: Iterable[str], results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each rule that found something (section 3.49), with the heaviest level that it has here."""
    order = tuple(_LEVELS.values())
    heaviest = {name: min((one["level"] for one in results if one["ruleId"] == name), key=order.index) for name in ids}
    return [
        {
            "id": name,
            "shortDescription": {"text": name.rpartition("/")[2].replace("-", " ")},
            "defaultConfiguration": {"level": level},
        }
        for name, level in heaviest.items()
    ]


def _result(report: Report, asked: Asked, finding: ContractFinding) -> dict[str, Any]:
    values = {"old": finding.old, "new": finding.new}
    is_told = all(value is None or value in finding.what for value in values.values())
    sides = f" ({report.words.needed}: {finding.old or 'nothing'}, {report.words.provider}: {finding.new or 'nothing'})"
    about = f"{asked.title}: {finding.operation}: " if finding.operation else f"{asked.title}: "
    text = f"{about}{finding.what}{'' if is_told else sides}. {finding.fix}"
    related = _location(report, finding.needed, report.needed_at)
    identity = (
        *(finding.rule, finding.operation, finding.provider.path, finding.provider.pointer),
        *(finding.needed.path, finding.needed.pointer, finding.old, finding.new),
    )
    return {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.level],
        "message": {"text": visible(text)},
        "locations": [_location(report, finding.provider, report.provider_at)],
        "relatedLocations": [{"id": 1, **related, "message": {"text": report.words.needed}}],
        "partialFingerprints": {_FINGERPRINT: _fingerprint(identity)},
        "properties": {"operation": finding.operation, "fix": finding.fix, **values},
    }


def _problem(report: Report, finding: Finding) -> dict[str, Any]:
    place = place_of(finding.where)
    return {
        "ruleId": finding.rule,
        "level": "error",
        "message": {"text": visible(f"{finding.what}. {finding.fix}")},
        "locations": [_location(report, place, "")],
        "partialFingerprints": {_FINGERPRINT: _fingerprint((finding.rule, place.path, finding.what))},
        "properties": {"fix": finding.fix},
    }


def _location(report: Report, place: Place, revision: str) -> dict[str, Any]:
    """A line of a file (section 3.28); where it was read from a revision, that is said."""
    path, base = _uri(place.path, report.root)
    artifact = {"uri": path, **({"uriBaseId": "SRCROOT"} if base else {})}
    physical: dict[str, Any] = {"artifactLocation": artifact, "region": {"startLine": place.line}}
    logical = {"logicalLocations": [{"fullyQualifiedName": place.pointer}]} if place.pointer else {}
    return {
        "physicalLocation": physical,
        **logical,
        **({"properties": {"revision": revision}} if revision else {}),
    }


def _uri(path: str, root: str) -> tuple[str, bool]:
    """A path as a URI, and whether it begins at the repository's top. Source: RFC 3986, sections 2.3 and 4.2."""
    if path.startswith("/"):
        return f"file://{_quoted(path)}", False
    return _quoted(f"{root}{path}"), not path.startswith("../")


def _quoted(path: str) -> str:
    data = _NO_BYTE.sub("?", path).encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def _fingerprint(identity: tuple[str | None, ...]) -> str:
    """What stays the same when lines move (section 3.27.17)."""
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()
