"""Whether the pipeline can do its work, and whether agents hear of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lockstep.core.bundle import Agent
from lockstep.core.doctor.check import Check, Untold
from lockstep.core.doctor.subject import Subject
from lockstep.core.forge.answers import Project, Variable, Webhook

# What jobs that push need: a token of scope write_repository, whose pushes start pipelines.
VARIABLES = ("LOCKSTEP_GIT_TOKEN",)
_WORKS = {None, "executable"}  # user/project/integrations/webhooks, "Auto-disabled webhooks"
_ADDRESS = re.compile(r"https?://[^/?#]+(?P<path>/[^?#]*)?.*")
# Where an agent listens, and how such an address looks. Source: argo-cd docs/operator-manual/webhook.md;
# notification-controller docs/spec/v1/receivers.md, "Webhook path".
_LISTENS = {
    Agent.ARGOCD: (re.compile(r".*/api/webhook/?"), "https://<Argo CD>/api/webhook"),
    Agent.FLUX: (
        re.compile(r".*/hook/[0-9a-f]{64}/?"),
        "https://<Flux's receiver>/hook/<digest>, as `kubectl get receiver` shows it",
    ),
}

VARIABLE = Check(
    rule="doctor/variable",
    where="Settings > CI/CD > Variables",
    means="a job that releases cannot push; or a job of any branch can read the secret, or a log shows it",
)
JOB_PUSH = Check(
    rule="doctor/jobpush",
    where="Settings > CI/CD > Job token permissions",
    means="a push with a job's token starts no pipeline: what it pushes is checked by nobody; and every job may push",
)
WEBHOOK = Check(
    rule="doctor/webhook",
    where="Settings > Webhooks",
    means="the agent hears of a revert only when it asks by itself: 120 to 180 s with Argo CD, 60 s with Flux",
)


def variable_checks(told: tuple[Variable, ...] | Untold) -> Iterator[Check]:
    """Whether the variables that jobs need are there, protected and masked."""
    for name in VARIABLES:
        yield VARIABLE.untold(told) if isinstance(told, Untold) else _variable(name, told)


def job_push_check(told: Project | Untold) -> Check:
    """Whether jobs may push with their own token. Source: api/projects, "Edit a project"."""
    if isinstance(told, Untold):
        return JOB_PUSH.untold(told)
    allowed = told.ci_push_repository_for_job_token_allowed
    if allowed is None:
        return JOB_PUSH.untold(Untold("GitLab does not say, to this token (before 17.2 there was no such setting)"))
    fix = (
        "turn off `Allow Git push requests to the repository`; API: PUT project, "
        "ci_push_repository_for_job_token_allowed=false"
    )
    return JOB_PUSH.judged("a job's own token may not push", "a job's own token may push" if allowed else "", fix)


def webhook_checks(subject: Subject, told: tuple[Webhook, ...] | Untold) -> Iterator[Check]:
    """Whether each agent of the bundle's environments is told of pushes to the branch of releases."""
    agents = sorted(subject.agents & _LISTENS.keys())
    if not agents:
        yield WEBHOOK.fine("no environment has an agent")
    for agent in agents:
        yield WEBHOOK.untold(told) if isinstance(told, Untold) else _webhook(subject.branch, agent, told)


def _variable(name: str, told: tuple[Variable, ...]) -> Check:
    found = [one for one in told if one.key == name]
    fix = f"add {name}, `Protected` and `Masked`; API: POST variables, key={name}&protected=true&masked=true"
    if not found:
        return VARIABLE.found(
            f"{name} is not among the project's variables (those of its group were not asked for)", fix
        )
    bare = [word for word, has in (("protected", all(one.protected for one in found)),
                                   ("masked", all(one.masked for one in found))) if not has]  # fmt: skip
    change = f"edit {name}; API: PUT variables/{name}, protected=true&masked=true"
    return VARIABLE.judged(
        f"{name} is protected and masked", f"{name} is not {' and not '.join(bare)}" if bare else "", change
    )


def _webhook(branch: str, agent: Agent, told: tuple[Webhook, ...]) -> Check:
    form, address = _LISTENS[agent]
    found = [one for one in told if (at := _ADDRESS.fullmatch(one.url)) and form.fullmatch(at["path"] or "")]
    fix = (
        f"add {address}, trigger: push events, with the agent's secret; API: POST hooks, url=…&push_events=true&token=…"
    )
    if not found:
        return WEBHOOK.found(f"no webhook leads to {agent}", fix)
    faults = [_fault(branch, one) for one in found]
    return WEBHOOK.judged(f"{agent} is told of each push to `{branch}`", "" if "" in faults else faults[0], fix)


def _fault(branch: str, hook: Webhook) -> str:
    """What keeps a webhook from telling of a push; empty if nothing does."""
    if not hook.push_events:
        return "its webhook is not told of pushes"
    if hook.alert_status not in _WORKS or (hook.alert_status is None and hook.disabled_until):
        return "its webhook failed so often that GitLab turned it off"
    if not _tells(branch, hook):
        return f"its webhook is told of pushes to `{hook.push_events_branch_filter}` only, not to `{branch}`"
    return "" if hook.enable_ssl_verification is not False else "its webhook believes every certificate"


def _tells(branch: str, hook: Webhook) -> bool:
    pattern = hook.push_events_branch_filter or ""
    if not pattern or hook.branch_filter_strategy == "all_branches":
        return True
    if hook.branch_filter_strategy != "regex":
        pattern = ".*".join(map(re.escape, pattern.split("*")))
        return re.fullmatch(pattern, branch) is not None
    try:
        return re.search(pattern, branch) is not None
    except re.error:
        return False
