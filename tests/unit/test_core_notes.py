"""Notes: what a release did, for a terminal and as Markdown that no text can break out of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.changelog import changelog, leading, of_component, release_notes
from lockstep.core.errors import UsageError
from lockstep.core.inputs import Input, InputKind
from lockstep.core.names import GitOid, ImageRef
from lockstep.core.notes import PromptText, State, notes
from lockstep.core.notes_markdown import cell, changelog_markdown, notes_markdown
from lockstep.core.notes_text import notes_lines, release_lines
from lockstep.core.release import PinnedImage, Release
from lockstep.core.shown import visible
from lockstep.core.version import Version
from unit.test_core_release import CALLS, GATEWAY, LLM, OCR, SUMMARIZER, release_of, sha, weights

GOLDEN = Path(__file__).parents[1] / "goldens" / "changelog.md"
HOSTILE = "Say ``` and ````.\r\n```\n# A heading\n<details>\n-----BEGIN PGP SIGNATURE-----\n\x1b[31m\u202e| a | b |"
MARKS = st.text(alphabet="`~|\\<>#&*_[]()!@:-+ \t\r\nab0\u2028\u202e\x1b\x00é", max_size=40)


def made(version: str, base: str | None, changed: Mapping[str, tuple[InputKind, ...]], **fields: Any) -> Release:
    """The small release with inputs: every component has one of each kind, of which some differ from the usual."""
    kinds = (InputKind.CODE, InputKind.CONFIG, InputKind.PROMPT, InputKind.WEIGHTS)
    inputs = {
        name: tuple(
            Input(
                kind=kind,
                path=f"components/{name}/{kind}",
                oid=GitOid(("2" if kind in changed.get(name, ()) else "1") * 40),
            )
            for kind in kinds
        )
        for name in CALLS
    }
    start = Version(base) if base else None
    return release_of(version, **fields).model_copy(update={"inputs": inputs, "base": start})


FIRST = made("1.0.0", None, {})
SECOND = made(
    "1.1.0",
    "1.0.0",
    {OCR: (InputKind.WEIGHTS, InputKind.CONFIG), SUMMARIZER: (InputKind.PROMPT, InputKind.CODE)},
    ocr={"weights": weights("ocr", 5), "config": {"WORDS": "a|b `c` \\| <b>"}},
    summarizer={"prompts": {"summary.prompt": HOSTILE}},
)


def test_notes_say_what_changed_what_follows_and_what_is_as_before() -> None:
    found = notes(FIRST, SECOND)

    assert [(one.component, one.state) for one in found.components] == [
        (OCR, State.CHANGED), (SUMMARIZER, State.CHANGED), (GATEWAY, State.FOLLOWS),
    ]  # fmt: skip
    assert [(fact.what, fact.name, fact.old, fact.new) for fact in found.components[0].facts] == [
        ("weights", "ocr.bin", f"9 B {sha(1)}", f"9 B {sha(5)}"),
        ("config", "WORDS", "30", "a|b `c` \\| <b>"),
    ]
    assert [cause.callee for cause in found.components[2].causes] == [OCR, SUMMARIZER]
    assert found.same == (LLM,)
    assert notes(FIRST, FIRST).components == ()


def test_a_change_deep_below_names_what_it_reaches_a_caller_through() -> None:
    after = made("1.1.0", "1.0.0", {LLM: (InputKind.CODE,)})

    lines = notes_lines(notes(FIRST, after))

    assert "gateway: calls summarizer, through which it reaches llm, which changed" in lines
    assert "summarizer: calls llm, which changed" in lines


def test_what_is_added_and_removed_is_told_and_a_removed_prompt_is_not() -> None:
    components = {name: pinned for name, pinned in FIRST.components.items() if name != SUMMARIZER}
    inputs = {name: found for name, found in FIRST.inputs.items() if name != SUMMARIZER}
    without = FIRST.model_copy(update={"components": components, "inputs": inputs})

    assert [one.state for one in notes(without, FIRST).components] == [State.ADDED, State.FOLLOWS]
    assert "    +Summarize {{ text }}." in notes_lines(notes(without, FIRST))
    assert notes_lines(notes(FIRST, without))[0] == "summarizer: removed"


def test_a_third_party_image_is_told_by_its_name_and_one_of_ours_by_its_inputs() -> None:
    named = PinnedImage(reference=ImageRef(f"example.org/vllm@{sha(9)}"))
    after = made("1.1.0", "1.0.0", {LLM: (InputKind.CONFIG,)}, llm={"image": named})

    facts = notes(FIRST, after).components[0].facts

    assert [(fact.what, fact.old, fact.new) for fact in facts if fact.what == "image"] == [
        ("image", None, "example.org/vllm@0000000000")
    ]


@given(MARKS, MARKS)
def test_no_two_texts_of_a_prompt_give_an_empty_diff(old: str, new: str) -> None:
    lines = PromptText(name="p", old=old, new=new).lines

    assert bool(lines) == (old != new)
    assert not [line for line in lines if line != visible(line)]


def test_line_ends_and_a_missing_last_one_are_seen() -> None:
    assert PromptText(name="p", old="a\n", new="a").lines[3:] == ("-a", "+a", "\\ No newline at end of file")
    assert PromptText(name="p", old="a\r\n", new="a\n").lines[3:] == ("-a␍", "+a")


def test_no_line_of_a_prompt_begins_a_line_of_a_tag() -> None:
    """A signature begins at the first line that looks like one: `-` before four dashes of a prompt would be that."""
    before = PromptText(name="p", old="----BEGIN SSH SIGNATURE-----\n", new="")
    lines = release_lines(release_notes({FIRST.version: FIRST}, SECOND, {}))

    assert "-----BEGIN SSH SIGNATURE-----" in before.lines
    assert any("BEGIN PGP SIGNATURE" in line for line in lines)
    assert [line for line in lines[1:] if not line.startswith("  ")] == []


def unfenced(text: str) -> list[str]:
    """The lines outside of fenced code blocks, as section 4.5 of CommonMark 0.31.2 reads them."""
    found, fence = [], ""
    for line in re.split("\r\n|\r|\n", text):
        opening, closing = re.match(" {0,3}(`{3,})[^`]*$", line), re.match(" {0,3}(`+)[ \t]*$", line)
        if fence:
            fence = "" if closing and len(closing[1]) >= len(fence) else fence
        elif opening:
            fence = opening[1]
        else:
            found.append(line)
    assert not fence
    return found


_KNOWN = re.compile(
    r"|<!-- [\w ;,:-]+ -->|#{1,3} [\w .:,→()-]+|\(empty\)|As before: [`\w, ]+\.|A[\w ,.-]+|The[\w ,.-]+"
    r"|\| what \| before \| now \||\|(?:---\|){3}|- `\w+` [\w ,;]+"
)
_SPAN = re.compile("(`+)(?!`)(.*?)(?<!`)\\1(?!`)")


def is_code(text: str) -> bool:
    """Whether it is one code span and nothing beside it, as section 6.1 reads it: it ends at the first run as long."""
    found = _SPAN.match(text)
    return text == "(empty)" or (found is not None and found[0] == text)


def is_known(line: str) -> bool:
    """Whether the renderer wrote a line, with texts in code only; a row of a table has three cells."""
    if line.startswith("Prompt "):
        return is_code(line.removeprefix("Prompt ").removesuffix(":"))
    if _KNOWN.fullmatch(line):
        return True
    first, *cells, last = (cell.strip(" ") for cell in re.split(r"(?<!\\)\|", line))
    what, *of = cells[0].split(" ", 1)
    return (
        (first, last, len(cells)) == ("", "", 3)
        and bool(re.fullmatch("[a-z]+", what))
        and all(is_code(text) for text in (*of, *cells[1:]) if text)
    )


@given(MARKS, MARKS, MARKS, st.text())
def test_no_text_breaks_out_of_its_block(value: str, name: str, prompt: str, other: str) -> None:
    """Outside of code blocks stands what the renderer writes, and texts only within code, in one cell of three."""
    fields = {"config": {"WORDS": value}, "prompts": {name: prompt, "b": other}}
    after = made("1.1.0", "1.0.0", {SUMMARIZER: (InputKind.CONFIG, InputKind.PROMPT)}, summarizer=fields)

    lines = unfenced(changelog_markdown(GATEWAY, changelog({one.version: one for one in (FIRST, after)}, {})))

    assert [line for line in lines if not is_known(line)] == []
    assert sum(line.startswith("## ") for line in lines) == 2
    assert sum(line.startswith("### ") for line in lines) == 6


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b>&amp;", "`plain <b>&amp;`"),
        ("a|b", "`a\\|b`"),
        ("a\\|b", "`a\\<U+007C>b`"),
        ("a\\", "`a\\`"),
        ("`", "`` ` ``"),
        ("`a``b", "``` `a``b ```"),
        ("", "(empty)"),
        ("a\nb", "`a␊b`"),
    ],
)
def test_text_in_a_cell_is_code(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_golden_changelog_is_the_one_that_was_reviewed() -> None:
    log = changelog({one.version: one for one in (FIRST, SECOND)}, {FIRST.commit: "2026-11-21"})
    text = changelog_markdown(GATEWAY, log)
    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")

    assert GOLDEN.read_text(encoding="utf-8") == text
    assert notes_markdown(notes(FIRST, SECOND)).startswith("## 1.0.0 → 1.1.0\n\n### ocr: config, weights\n")


def versions(*texts: str) -> tuple[Version, ...]:
    return tuple(map(Version, texts))


def test_a_prerelease_is_told_until_its_final_is_there() -> None:
    found = leading(versions("1.0.0-rc.1", "1.0.0", "1.1.0-rc.2", "1.1.0-rc.10", "0.9.0"))

    assert found == versions("1.1.0-rc.10", "1.0.0", "0.9.0")


def log_of(releases: Iterable[Release]) -> dict[Version, Release]:
    return {release.version: release for release in releases}


def test_a_final_is_told_with_what_its_prereleases_did() -> None:
    """The first final of all has a pre-release as its base, from which it differs in nothing."""
    code_changed = {OCR: (InputKind.CODE,)}
    releases = log_of(
        [
            made("1.0.0-rc.1", None, {}),
            made("1.0.0-rc.2", "1.0.0-rc.1", code_changed),
            made("1.0.0", "1.0.0-rc.2", code_changed),
        ]
    )

    (one,) = changelog(releases, {})

    assert one.notes.old is None
    assert {each.state for each in one.notes.components} == {State.ADDED}
    assert one.prereleases == versions("1.0.0-rc.1", "1.0.0-rc.2")


def test_a_component_has_a_changelog_of_its_own() -> None:
    log = changelog(log_of([FIRST, SECOND]), {})

    assert [str(one.version) for one in of_component(log, OCR)] == ["1.1.0", "1.0.0"]
    assert [str(one.version) for one in of_component(log, GATEWAY)] == ["1.0.0"]


def test_a_base_that_is_nowhere_is_an_error_and_no_first_release() -> None:
    with pytest.raises(UsageError, match=r"1\.1\.0 is counted from 1\.0\.0"):
        changelog(log_of([SECOND]), {})
