"""A running component against its contract: schemathesis asks, as a program of its own.

As a program, not as a plugin of pytest: the plugin would be loaded by every run of every test, and what a team sees
here it can see again with `schemathesis run contract/openapi.yaml --url …`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockstep.adapters import files, process
from lockstep.core.errors import OutsideError, UsageError
from lockstep.truth.using import read_use

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
)
_PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"


@dataclass(frozen=True)
class Questions:
    """How a component is asked.

    Args:
        examples: How many random requests there are for each operation, beside those at the schemas' borders.
        bodies: The bodies to send for a media type that a schema cannot describe, whole ones and broken ones. An
            operation that takes them may refuse any of them: its schema says of all that they are right.
        without: Checks of schemathesis that are left out; say why where it is done.
    """

    examples: int = 30
    bodies: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def checks(self) -> list[str]:
        """The checks of schemathesis that are made, in order."""
        return [check for check in CHECKS if check not in self.without]


@dataclass(frozen=True)
class Trial:
    """What came of asking.

    Args:
        faults: What breaks the contract, one line each; empty where it is kept.
        asked: How many requests there were.
        said: All that schemathesis printed: each fault with the request and the answer, and how to ask again.
    """

    faults: tuple[str, ...]
    asked: int
    said: str


def damaged(whole: bytes) -> list[bytes]:
    """A body of a binary media type, and what may become of it: cut off, with a hole, another thing, nothing."""
    hole = len(whole) // 3
    holed = whole[:hole] + bytes(50) + whole[hole + 50 :]
    return [whole, whole[: len(whole) // 2], whole[:40], holed, b"something else", b""]


def try_contract(contract: Path, url: str, folder: Path, questions: Questions | None = None) -> Trial:
    """What schemathesis finds when it asks a running component everything that its contract says.

    The same requests each time, for the same contract and version of schemathesis. An operation that is never
    answered with success is a fault too: a trial in which everything is refused shows nothing.

    Args:
        contract: An OpenAPI document.
        url: Where the component listens, without a path.
        folder: An empty folder for what is written.
        questions: How it is asked.

    Raises:
        UsageError: schemathesis is not installed.
        OutsideError: schemathesis does not understand the contract.
        InvalidDocument, Refused: the contract cannot be read.
    """
    if importlib.util.find_spec("schemathesis") is None:
        fix = f"{sys.executable} -m pip install schemathesis"
        raise UsageError("contracts are tried by schemathesis, which is not installed", where=sys.executable, fix=fix)
    questions, promised = questions or Questions(), read_use(contract)
    report, bodies = folder / "report.json", folder / "bodies.json"
    encoded = {media: [base64.b64encode(one).decode() for one in each] for media, each in questions.bodies.items()}
    files.write(bodies, json.dumps(encoded).encode())
    command = [sys.executable, "-c", _PROGRAM, "run", str(contract.resolve()), "--url", url, "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--generation-deterministic"]
    command += ["--suppress-health-check", "all", "--request-timeout", "60"]  # a slow machine is no broken contract
    command += ["--max-examples", str(questions.examples), "--checks", ",".join(questions.checks())]
    command += ["--report", "json", "--report-json-path", str(report)]
    done = process.run(command, folder=folder, environment=_environment(bodies))
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.code not in {0, 1}:
        raise OutsideError(f"schemathesis did not try {contract}: {said.strip()[-2000:]}", where=url, fix="see above")
    told = json.loads(report.read_bytes())
    binary = {str(one) for one in promised.operations() if promised.media(one) & questions.bodies.keys()}
    return Trial(tuple(_faults(told, binary)), told["test_cases"]["generated"], said)


def _environment(bodies: Path) -> dict[str, str]:
    """Variables of schemathesis' process: it finds our hook, and asks the loopback without a proxy."""
    path = [str(Path(__file__).parents[2]), *sys.path]
    return {
        "PYTHONPATH": ":".join(one for one in path if one),
        "SCHEMATHESIS_HOOKS": "lockstep.truth.bodies",
        "LOCKSTEP_BODIES": str(bodies),
        "no_proxy": "127.0.0.1,localhost",
    }


def _faults(told: Mapping[str, Any], binary: Collection[str]) -> Iterator[str]:
    """One line for each thing in a report that breaks the contract, or keeps the trial from showing anything.

    The operations of `binary` may refuse a body that is right by their schema, for it says of any bytes that they are.
    """
    for failure in told["failures"]:
        lax = binary if failure["type"] == "RejectedPositiveData" else ()
        yield from (f"{operation}: {failure['title']}" for operation in failure["operations"] if operation not in lax)
    for error in told["errors"]:
        yield f"not tried: {error}"
    rates = {operation: sum(phase["accepted"] for phase in each.values()) for operation, each in _rates(told).items()}
    if not told["complete"] or not rates or len(rates) < told["operations"]["total"]:
        yield f"not all was tried: {told['stop_reason']}, {told['operations']}"
    for operation, accepted in rates.items():
        if not accepted:
            yield f"{operation}: was never answered with success; give its schemas an example that works"


def _rates(told: Mapping[str, Any]) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """How many right requests of each operation and phase were accepted."""
    rates: Mapping[str, Mapping[str, Mapping[str, int]]] = told["valid_rates"]
    return rates
