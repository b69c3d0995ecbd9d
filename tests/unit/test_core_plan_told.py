"""A plan as Markdown: what a reviewer of a merge request reads first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockstep.core.inputs import Change, InputKind
from lockstep.core.names import ComponentName, GitOid, GitSha
from lockstep.core.plan import Plan, Reason
from lockstep.core.plan_told import Told, change_text, plan_markdown
from lockstep.core.version import Bump, Version

OCR, GATEWAY, LLM = map(ComponentName, ("ocr", "gateway", "llm"))
WEIGHTS = Change(
    component=OCR,
    kind=InputKind.WEIGHTS,
    path="components/ocr/weights/a|b.dvc",
    old=GitOid("1" * 40),
    new=GitOid("2" * 40),
)
FOLLOWS = Change(component=GATEWAY, kind=InputKind.CALLEE, path="ocr", old=None, new=None, because=OCR)
PLAN = Plan(
    base=Version("1.3.0"), changes=(FOLLOWS, WEIGHTS), builds=(), upload_at_most=54_000, bump=Bump.MINOR,
    reasons=(Reason(bump=Bump.MINOR, component=OCR, why="weights changed"),),
)  # fmt: skip
TOLD = Told(GitSha("a" * 40), "release 1.3.0", PLAN, (GATEWAY, LLM, OCR), {}, {}, None, "2 more pods")


def test_plan_markdown_says_version_why_and_cost():
    assert plan_markdown(TOLD) == (
        "## At least 1.4.0 (minor: ocr: weights changed)\n\n"
        "`aaaaaaaaaa` against release 1.3.0.\n\n"
        "| component | why |\n|---|---|\n"
        "| `gateway` | because it calls ocr, which changed |\n"
        "| `ocr` | weights: `components/ocr/weights/a\\|b.dvc` 11111111 -> 22222222 |\n\n"
        "As before: `llm`.\n\n"
        "- Builds: none\n"
        "- Uploads: at most 54.0 kB\n"
        "- To go back: nothing starts while the predecessor is kept; keeping it costs 2 more pods\n"
    )


def test_plan_markdown_says_that_there_is_nothing_to_release():
    told = replace(TOLD, plan=PLAN.model_copy(update={"changes": ()}), unchanged=Version("1.3.0"))

    assert plan_markdown(told) == ("## Nothing to release: all is as in 1.3.0\n\n`aaaaaaaaaa` against release 1.3.0.\n")


def test_plan_markdown_names_what_is_held_and_what_stays_where_it_is():
    told = replace(TOLD, held={OCR: Version("1.2.0")}, stays={OCR: "registry.example.org/m@sha256:ab"})

    shown = plan_markdown(told)

    assert "| `ocr` (held at 1.2.0) | weights:" in shown
    assert "|  | nothing of its weights is uploaded: pods pull `registry.example.org/m@sha256:ab` |" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (WEIGHTS, "weights: components/ocr/weights/a|b.dvc 11111111 -> 22222222"),
        (FOLLOWS, "because it calls ocr, which changed"),
        (FOLLOWS.model_copy(update={"because": LLM}), "because it calls ocr, which changed (where llm changed)"),
        (WEIGHTS.model_copy(update={"kind": InputKind.ADDED}), "added"),
    ],
)
def test_a_change_is_one_line(change: Change, said: str):
    assert change_text(change) == said
