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
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.agreement import (
    Disagreement,
    Outcome,
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
_BEGIN, _END = "<!-- differences -->", "<!-- /differences -->"
_SECTION = re.compile(r"(?ms)^### (.+?)\n\n(.*?)(?=^### |\Z)")


def measured(only: str = "") -> list[Outcome]:
    """What both sides say about the published examples with a text in their name. Needs Go; downloads and builds."""
    module = module_folder()
    return _asked(module, [one for one in examples_of(module) if only in str(one)])


def _asked(folder: Path, examples: Sequence[Example]) -> list[Outcome]:
    with tempfile.TemporaryDirectory(prefix="lockstep-judge-") as scratch:
        return outcomes_of(built_judge(Path(scratch)), folder, examples)


def reached(outcomes: Sequence[Outcome]) -> bool:
    """Whether both aims are met, by finding and by example."""
    rates = (rate_of_findings(outcomes), rate_of_examples(outcomes))
    return all(rate.recall >= RECALL and rate.precision >= PRECISION for rate in rates)


def format_outcomes(outcomes: Sequence[Outcome]) -> str:
    """The rates and each disagreement with what both sides say, the most frequent rule first."""
    lines = [f"{len(outcomes)} examples"]
    for what, rate in (("findings", rate_of_findings(outcomes)), ("examples", rate_of_examples(outcomes))):
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


def data_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "examples": len(outcomes),
        "reached": reached(outcomes),
        "by_finding": rate_of_findings(outcomes).data,
        "by_example": rate_of_examples(outcomes).data,
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
        heading = f"`{rule}`: only {side}"
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
    if options.write:
        DOCUMENT.write_text(with_differences(DOCUMENT.read_text(encoding="utf-8"), outcomes), encoding="utf-8")
    text = json.dumps(data_of(outcomes), indent=1) if options.output == "json" else format_outcomes(outcomes)
    sys.stdout.write(text + "\n")
    return 0 if reached(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
