"""Whether what goes to a guarded environment is looked at by a second person, and by the pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.doctor.check import UNASKED, Check, Untold
from lockstep.core.doctor.owners import Owners, parse_owners
from lockstep.core.doctor.subject import Subject
from lockstep.core.forge.answers import Project, ProtectedEnvironment
from lockstep.core.names import EnvironmentName

# Files of every form that an environment has: who owns these owns what serves.
_FILES = (
    "front/front.yaml",
    "instances/a-0123456789.yaml",
    "gates/gate-a.yaml",
    "bindings.yaml",
    "hold.yaml",
    "Chart.yaml",
)

OWNERS = Check(
    rule="doctor/owners",
    where="the file CODEOWNERS",
    means="nobody in particular is asked before what serves changes",
)
ENVIRONMENT = Check(
    rule="doctor/environment",
    where="Settings > CI/CD > Protected environments (Premium)",
    means="who may run jobs may start the job that promotes",
)
PIPELINES = Check(
    rule="doctor/pipelines",
    where="Settings > Merge requests > Merge checks",
    means="a merge request is merged although its checks failed, or never ran",
)
MERGE = Check(
    rule="doctor/merge",
    where="Settings > Merge requests > Merge method",
    means="each edit of an environment is one commit with one parent, so that plain `git revert` takes it back; a "
    "merge commit has two, and its revert must name one (-m 1)",
)


def owner_checks(subject: Subject, text: str | None) -> Iterator[Check]:
    """Whether the files of guarded environments have owners. `text`: of CODEOWNERS on the branch; None without one."""
    if not subject.guarded:
        yield OWNERS.fine("every environment accepts pre-releases: none is guarded")
    owners = parse_owners(text or "")
    for name in subject.guarded:
        yield _owned(subject, name, owners, is_there=text is not None)


def environment_checks(subject: Subject, told: tuple[ProtectedEnvironment, ...] | Untold) -> Iterator[Check]:
    """Whether guarded environments are protected, and against whom."""
    if isinstance(told, Untold):
        free = "GitLab Free has none: there the protected branch decides, to which alone the job's token is given"
        yield ENVIRONMENT.untold(told, "" if told == UNASKED else free)
        return
    if not subject.guarded:
        yield ENVIRONMENT.fine("every environment accepts pre-releases: none is guarded")
    for name in subject.guarded:
        rules = [one for one in told if one.name == name]
        fix = f"protect `{name}`; API: POST protected_environments, name={name}&deploy_access_levels[][access_level]=40"
        levels = [level for rule in rules for level in rule.deploy_access_levels]
        is_open = any(level.is_for_developers for level in levels)
        wrong = "" if rules else f"`{name}` is not protected"
        wrong = f"every developer may deploy to `{name}`" if is_open else wrong
        yield ENVIRONMENT.judged(f"`{name}` is protected", wrong, fix)


def merge_checks(told: Project | Untold) -> Iterator[Check]:
    """Whether merge requests are merged as edits need it. Source: api/projects, "Get a single project"."""
    if isinstance(told, Untold):
        yield PIPELINES.untold(told)
        yield MERGE.untold(told)
        return
    yield _pipelines(told)
    yield _merge(told)


def _owned(subject: Subject, name: EnvironmentName, owners: Owners, *, is_there: bool) -> Check:
    folder = f"{subject.folder}releases/{name}/"
    bare = [path for path in _FILES if not owners.of(folder + path)]
    fix = f"git add CODEOWNERS with a line, after all that match as well: /{folder} @team/releasers"
    if not is_there:
        return OWNERS.found(f"there is no CODEOWNERS on `{subject.branch}`, so {folder} has no owner", fix)
    wrong = f"nobody owns {folder}{bare[0]}" if bare else ""
    known = sorted(frozenset().union(*(owners.of(folder + path) for path in _FILES)))
    return OWNERS.judged(f"{folder} is owned by {', '.join(known)}", wrong, fix)


def _pipelines(told: Project) -> Check:
    if told.only_allow_merge_if_pipeline_succeeds is None:
        return PIPELINES.untold(Untold("GitLab does not say, to this token"))
    wrong = "" if told.only_allow_merge_if_pipeline_succeeds else "pipelines need not succeed"
    wrong = wrong or (
        "a pipeline that was skipped counts as one that succeeded" if told.allow_merge_on_skipped_pipeline else ""
    )
    fix = (
        "turn on `Pipelines must succeed`, and `Skipped pipelines are considered successful` off; API: PUT project, "
        "only_allow_merge_if_pipeline_succeeds=true&allow_merge_on_skipped_pipeline=false"
    )
    return PIPELINES.judged("pipelines must succeed", wrong, fix)


def _merge(told: Project) -> Check:
    if told.merge_method is None:
        return MERGE.untold(Untold("GitLab does not say, to this token"))
    is_linear, is_squashed = told.merge_method == "ff", told.squash_option == "always"
    wrong = "" if is_linear else f"merge requests are merged by a merge commit (`{told.merge_method}`), squashed or not"
    if is_linear and is_squashed:
        wrong = (
            "merge requests are always squashed: a release and its stage become one commit, which no revert takes apart"
        )
    fix = "choose `Fast-forward merge`, and squashing `Allow` or less; API: PUT project, merge_method=ff"
    return MERGE.judged("merge requests are merged by fast-forward", wrong, fix + "&squash_option=default_off")
