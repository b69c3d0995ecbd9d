"""What `satisfies` and oasdiff say about the same two files, and where they differ.

oasdiff is the judge of this test and no dependency: a small Go program (bench/judge) asks its library, which Go
downloads with its examples.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.examples import Example
from lockstep.core.contract.contract import Contract, parse_contract, referenced
from lockstep.core.contract.satisfies import satisfies

_JUDGE = Path(__file__).parent / "judge"
_MODULE = "github.com/oasdiff/oasdiff"
_LEVELS = {"error": "ERR", "warning": "WARN", "info": "INFO"}


@dataclass(frozen=True, order=True)
class Said:
    """One finding of either side.

    Args:
        operation: Method and path; empty if it is about no single one.
        rule: Its id.
        level: ERR, WARN or INFO.
        text: The sentence.
    """

    operation: str
    rule: str
    level: str
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """What the two sides are compared by."""
        return self.operation, self.rule


@dataclass(frozen=True)
class Outcome:
    """What both sides say about one example.

    Args:
        example: The two files.
        theirs: What oasdiff finds.
        ours: What `satisfies` finds.
        error: Why there is nothing of ours; empty if there is.
    """

    example: Example
    theirs: tuple[Said, ...]
    ours: tuple[Said, ...]
    error: str = ""

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Breaks that oasdiff finds."""
        return _breaking(self.theirs)

    @property
    def found(self) -> set[tuple[str, str]]:
        """Breaks that we find."""
        return _breaking(self.ours)


@dataclass(frozen=True)
class Rate:
    """How many of what was to be found was found, and how many of what was found was to be."""

    both: int
    missed: int
    beyond: int

    @property
    def recall(self) -> float:
        """From 0 to 1."""
        return self.both / max(1, self.both + self.missed)

    @property
    def precision(self) -> float:
        """From 0 to 1."""
        return self.both / max(1, self.both + self.beyond)

    @property
    def data(self) -> dict[str, float]:
        """As it is written."""
        counts = {"both": self.both, "missed": self.missed, "beyond": self.beyond}
        return {**counts, "recall": round(self.recall, 4), "precision": round(self.precision, 4)}


def _breaking(said: Iterable[Said]) -> set[tuple[str, str]]:
    return {one.key for one in said if one.level != "INFO"}


def rate_of_findings(outcomes: Sequence[Outcome]) -> Rate:
    """By example, operation and rule."""
    both = sum(len(one.expected & one.found) for one in outcomes)
    missed = sum(len(one.expected - one.found) for one in outcomes)
    return Rate(both, missed, sum(len(one.found - one.expected) for one in outcomes))


def rate_of_examples(outcomes: Sequence[Outcome]) -> Rate:
    """By example: whether anything of it breaks."""
    verdicts = Counter((bool(one.expected), bool(one.found)) for one in outcomes)
    return Rate(verdicts[True, True], verdicts[True, False], verdicts[False, True])


@dataclass(frozen=True, order=True)
class Disagreement:
    """A finding that only one side calls breaking.

    Args:
        rule: Its id.
        side: Who calls it breaking: `oasdiff` or `Lockstep`.
        operation: Method and path; empty if it is about no single one.
        example: The two files.
        theirs: What oasdiff says of that operation.
        ours: What we say of it.
    """

    rule: str
    side: str
    operation: str
    example: Example
    theirs: str
    ours: str


def disagreements(outcomes: Sequence[Outcome]) -> list[Disagreement]:
    """Every finding that only one side calls breaking, sorted."""
    return sorted(
        Disagreement(
            rule, side, operation, one.example, _texts(one.theirs, operation, rule), _texts(one.ours, operation, rule)
        )
        for one in outcomes
        for side, keys in (("oasdiff", one.expected - one.found), ("Lockstep", one.found - one.expected))
        for operation, rule in keys
    )


def _texts(said: Iterable[Said], operation: str, rule: str) -> str:
    """What a side says of an operation by a rule; if nothing, what else it says that breaks."""
    same = [f"{one.level} {one.text}" for one in said if one.key == (operation, rule)]
    near = {f"({one.level} {one.rule})" for one in said if one.operation == operation and one.level != "INFO"}
    return "; ".join(same or sorted(near)) or "-"


def module_folder() -> Path:
    """Where Go keeps the module with the examples; downloaded if need be."""
    _go("mod", "download", _MODULE)
    return Path(_go("list", "-mod=readonly", "-m", "-f", "{{.Dir}}", _MODULE).strip())


def built_judge(folder: Path) -> Path:
    """The judge's program, built into a folder."""
    program = folder / "judge"
    _go("build", "-o", str(program), ".")
    return program


def _go(*arguments: str) -> str:
    return subprocess.run(["go", *arguments], cwd=_JUDGE, check=True, stdout=subprocess.PIPE, text=True).stdout


def outcomes_of(program: Path, module: Path, examples: Sequence[Example]) -> list[Outcome]:
    """What both sides say about each example that oasdiff itself can read."""
    asked = "".join(f"{module / one.base}\t{module / one.revision}\n" for one in examples)
    answered = subprocess.run([program], input=asked, check=True, stdout=subprocess.PIPE, text=True, cwd=module)
    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    return [
        Outcome(example, _theirs(answer), *_ours(module, example))
        for example, answer in zip(examples, answers, strict=True)
        if not answer.get("error")
    ]


def _theirs(answer: dict[str, Any]) -> tuple[Said, ...]:
    return tuple(
        Said(f"{one['operation']} {one['path']}".strip(), one["id"], _LEVELS[one["level"]], one["text"])
        for one in answer["findings"]
    )


def _ours(folder: Path, example: Example) -> tuple[tuple[Said, ...], str]:
    try:
        # oasdiff asks the clock for sunsets
        provider, needed = contract_at(folder, example.revision), contract_at(folder, example.base)
        found = satisfies(provider, needed, today=datetime.now(tz=UTC).date().isoformat())
    except Exception as error:  # noqa: BLE001 - one example over which it falls is a finding, not the end
        return (), f"{type(error).__name__}: {error}"
    return tuple(Said(one.operation, one.rule, one.level.value, one.what) for one in found), ""


def contract_at(folder: Path, path: str) -> Contract:
    """The contract in a file of a folder, with the files that it refers to."""
    files: dict[str, bytes] = {}
    waiting = [path]
    for name in waiting:
        if name not in files and (folder / name).is_file():
            files[name] = (folder / name).read_bytes()
            waiting += referenced(files[name], name)
    return parse_contract(files, path)
