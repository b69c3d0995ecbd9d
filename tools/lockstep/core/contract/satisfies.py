"""The one relation: does what a provider promises satisfy what somebody needs?

Asked with a caller's use file it judges an edge of a release; asked with the provider's older contract it judges
whether the newer one keeps every promise.
"""

from __future__ import annotations

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.judge import Judge
from lockstep.core.contract.operations import operation_findings


def satisfies(provider: Contract, needed: Contract) -> tuple[ContractFinding, ...]:
    """Everything that was found, sorted, the heaviest first; no ERR and no WARN among it: it does.

    INFO tells what the provider has beyond what is needed.
    """
    judge = Judge(provider, needed)
    operation_findings(judge)
    return judge.findings()
