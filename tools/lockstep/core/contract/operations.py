"""Operations: paths and methods, and what they lead to."""

from __future__ import annotations

from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Draft, Judge

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def operation_findings(judge: Judge) -> None:
    """Notes what is found about every operation that is needed."""
    there = operations_of(judge.provider)
    for name, node in operations_of(judge.needed).items():
        if name not in there:
            judge.add(
                Draft(
                    "api-removed-without-deprecation",
                    Level.ERR,
                    name,
                    f"{name} is needed and is not there",
                    "keep it, or move everybody who calls it first",
                    judge.provider.root,
                    node,
                )
            )


def operations_of(contract: Contract) -> dict[str, Node]:
    """Every operation by method and path."""
    paths = contract.root.get("paths")
    return {
        f"{method.upper()} {path}": operation
        for path, item in (paths.items() if paths else ())
        for method in METHODS
        if (operation := contract.resolve(item).get(method))
    }
