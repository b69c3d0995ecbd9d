"""`python -m bench.differences`: how far we agree with oasdiff on its own examples, and every difference.

With `--write` it puts that list into docs/contract-differences.md; the reasons there are written by hand and stay. Two
files as arguments are compared instead of the examples.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.agreement import (
    Disagreement,
    Outcome,
    Rate,
    built_judge,
    disagreements,
    module_folder,
    outcomes_of,
    rate_of_examples,
    rate_of_findings,
)
from bench.examples import Example, examples_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "contract-differences.md"
RECALL, PRECISION = 0.99, 0.90  # the aims, by finding and by example
NO_BREAK = "No break: "  # how the reason begins where oasdiff reports what breaks nobody
_BEGIN, _END = "<!-- differences -->", "<!-- /differences -->"
_SECTION = re.compile(r"(?ms)^### (.+?)\n\n(.*?)(?=^### |\Z)")


def measured(only: str = "") -> list[Outcome]:
    """What both sides say about the published examples with a text in their name. Needs Go; downloads and builds."""
    module = module_folder()
    return _asked(module, [one for one in examples_of(module) if only in str(one)])


def _asked(folder: Path, examples: Sequence[Example]) -> list[Outcome]:
    with tempfile.TemporaryDirectory(prefix="lockstep-judge-") as scratch:
        return outcomes_of(built_judge(Path(scratch)), folder, examples)


def rates(outcomes: Sequence[Outcome], document: str) -> dict[str, Rate]:
    """The rates as they are, and those of breaks: without what oasdiff reports and is none, by the document."""
    kept = _breaks_only(outcomes, document)
    return {
        "findings": rate_of_findings(outcomes),
        "examples": rate_of_examples(outcomes),
        "findings that are breaks": rate_of_findings(kept),
        "examples with breaks": rate_of_examples(kept),
    }


def _breaks_only(outcomes: Sequence[Outcome], document: str) -> list[Outcome]:
    """The outcomes without what only oasdiff reports and the document calls no break."""
    reasons = reasons_of(document)
    none = {
        (one.example, one.operation, one.rule)
        for one in disagreements(outcomes)
        if one.side == "oasdiff" and reasons.get(_heading(one.rule, one.side), "").startswith(NO_BREAK)
    }
    return [
        replace(one, theirs=tuple(said for said in one.theirs if (one.example, *said.key) not in none))
        for one in outcomes
    ]


def reached(outcomes: Sequence[Outcome], document: str) -> bool:
    """Whether both aims are met, by finding and by example: every break counts, and nothing that is none."""
    found = rates(outcomes, document)
    is_found = all(one.recall >= RECALL for name, one in found.items() if "breaks" in name)
    return is_found and all(one.precision >= PRECISION for one in found.values())


def _heading(rule: str, side: str) -> str:
    return f"`{rule}`: only {side}"


def format_outcomes(outcomes: Sequence[Outcome], document: str) -> str:
    """The rates and each disagreement with what both sides say, the most frequent rule first."""
    lines = [f"{len(outcomes)} examples"]
    for what, rate in rates(outcomes, document).items():
        lines.append(f"{what}: recall {rate.recall:.2%}, precision {rate.precision:.2%}   {rate}")
    for (rule, side), found in _by_rule(disagreements(outcomes)):
        lines += ["", f"{len(found)} x {rule}: only {side}"]
        for one in found:
            lines += [f"  {one.example}: {one.operation}", f"    oasdiff: {one.theirs}", f"    Lockstep: {one.ours}"]
    lines += [f"not read: {one.example}: {one.error}" for one in outcomes if one.error]
    return "\n".join(lines)


def _by_rule(found: Iterable[Disagreement]) -> list[tuple[tuple[str, str], list[Disagreement]]]:
    groups = [(key, list(same)) for key, same in groupby(found, key=lambda one: (one.rule, one.side))]
    return sorted(groups, key=lambda group: (-len(group[1]), group[0]))


def data_of(outcomes: Sequence[Outcome], document: str) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "examples": len(outcomes),
        "reached": reached(outcomes, document),
        "rates": {name: rate.data for name, rate in rates(outcomes, document).items()},
        "disagreements": [{**vars(one), "example": str(one.example)} for one in disagreements(outcomes)],
        "not_read": {str(one.example): one.error for one in outcomes if one.error},
    }


def reasons_of(document: str) -> dict[str, str]:
    """What the document says on why we differ, by heading; a heading is a rule and who alone calls it breaking."""
    inside = document.partition(_BEGIN)[2].partition(_END)[0]
    return {heading: "\n".join(_prose(text)).strip() for heading, text in _SECTION.findall(inside)}


def _prose(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if not line.startswith("- "))


def with_differences(document: str, outcomes: Sequence[Outcome]) -> str:
    """The document with the list of differences as they are now; reasons that are still needed stay."""
    before, _, rest = document.partition(_BEGIN)
    reasons = reasons_of(document)
    lines = [_BEGIN, ""]
    for (rule, side), found in _by_rule(disagreements(outcomes)):
        heading = _heading(rule, side)
        lines += [f"### {heading}", "", reasons.get(heading, ""), ""]
        lines += [f"- {_listed(one)}" for one in found] + [""]
    return before + "\n".join(lines) + _END + rest.partition(_END)[2]


def _listed(one: Disagreement) -> str:
    where = f"`{one.operation}`, " if one.operation else ""
    return f"{where}`{one.example.base}` to `{one.example.revision}`"


def main() -> int:
    """The exit code: 1 if an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.differences", description="Compares with oasdiff.")
    parser.add_argument("files", nargs="*", metavar="OLD NEW", help="two files instead of the published examples")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--only", default="", metavar="TEXT", help="only examples with this in their name")
    parser.add_argument("--write", action="store_true", help=f"rewrite the list in {DOCUMENT.name}")
    options = parser.parse_args()
    outcomes = _asked(Path.cwd(), [Example(*options.files)]) if options.files else measured(options.only)
    document = DOCUMENT.read_text(encoding="utf-8")
    if options.write:
        document = with_differences(document, outcomes)
        DOCUMENT.write_text(document, encoding="utf-8")
    is_json = options.output == "json"
    text = json.dumps(data_of(outcomes, document), indent=1) if is_json else format_outcomes(outcomes, document)
    sys.stdout.write(text + "\n")
    return 0 if reached(outcomes, document) else 1


if __name__ == "__main__":
    raise SystemExit(main())
