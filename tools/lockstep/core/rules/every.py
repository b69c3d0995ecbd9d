"""Every rule of verify: pure functions from facts to findings. docs/rules.md says why each is there.

Releases:      1 the file itself; 2 its history; 3 the commit that it was made from; 4 what it says of itself;
               5 the images that it pins; 6 its evidence.
Environments:  7 the files; 8 each instance; 9 gates and front; 10 where its images come from.

A rule without an exhibit in tests/broken does not merge; tests/unit/test_rules.py compares the three lists.
"""

from __future__ import annotations

from lockstep.core.errors import Finding
from lockstep.core.rules.environment import environment_findings
from lockstep.core.rules.evidence import evidence_findings
from lockstep.core.rules.facts import Facts, Filed
from lockstep.core.rules.image import image_findings
from lockstep.core.rules.release import release_findings

RULES = (
    "contract/edge", "contract/index", "contract/text",
    "environment/canonical", "environment/chart", "environment/file", "environment/flux",
    "environment/yaml",
    "evidence/name", "evidence/subject",
    "front/chart", "front/content", "front/field", "front/gate", "front/kept", "front/release",
    "front/rendered", "front/root", "front/served", "front/serves",
    "gate/job", "gate/rendered", "gate/root",
    "instance/address", "instance/autoscale", "instance/callee", "instance/edges", "instance/hardened", "instance/id",
    "instance/name", "instance/pinned", "instance/unreleased",
    "release/calls", "release/canonical", "release/changes", "release/commit", "release/edited",
    "release/field", "release/inputs", "release/place", "release/source", "release/tag", "release/templates",
    "release/version",
    "store/absent", "store/damaged", "store/layers", "store/tag",
    "verify/empty",
)  # fmt: skip


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Everything that is wrong with what is chosen, sorted, each once; checking nothing is a finding too."""
    filed = [one for one in facts.releases if one.folder in facts.chosen]
    deployed = [one for one in facts.environments if one.name in facts.chosen]
    found = [finding for one in filed for finding in _of_release(one, facts)]
    found += [finding for one in deployed for finding in environment_findings(one, facts)]
    found += [_stray(path) for path in facts.strays]
    there = {one.folder for one in filed} | {str(one.name) for one in deployed}
    for name in sorted(facts.chosen - there) or ([] if there else [""]):
        what = f"there is nothing to check in releases/{name}; checking nothing proves nothing"
        found.append(Finding("verify/empty", f"releases/{name}", what, "release or stage something, then verify again"))
    return tuple(sorted(set(found)))


def _of_release(filed: Filed, facts: Facts) -> tuple[Finding, ...]:
    return (
        *filed.unread,  # step 1
        *release_findings(filed, facts),  # steps 2 to 4
        *image_findings(filed, facts),  # step 5
        *evidence_findings(filed),  # step 6
    )


def _stray(path: str) -> Finding:
    what = f"{path} is neither a release nor an environment of lockstep.yaml"
    return Finding("release/place", path, what, f"git rm -r {path}, or add it to `environments:`")
