"""The picture of who calls whom: where things are, what it says to whom cannot see it, and that words stay words."""

from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.contract.edges import EdgeState
from lockstep.core.contract.forms.calls import UNASKED, CallGraph, ToldCall, calls_markdown, calls_text
from lockstep.core.contract.forms.graph import HEIGHT, WIDTH, layout
from lockstep.core.contract.forms.svg import calls_svg
from unit.test_contract_forms import ODD

NAMES = tuple("abcdefghijkl")
CALLS = st.sets(st.sampled_from(list(combinations(NAMES, 2))), max_size=30)
BROKEN = ToldCall("a", "c", EdgeState.DOES_NOT_FIT, 2, "2 ERR", "POST /c is needed and is not there")
GRAPH = CallGraph(
    "Calls of documents", "a", ("a", "b", "c", "d", "lonely"),
    (
        ToldCall("a", "b", EdgeState.FITS), BROKEN,
        ToldCall("b", "c", EdgeState.MAY_NOT_FIT, 1, "1 WARN", "fewer values"),
        ToldCall("c", "d", UNASKED, words="d.yaml:2: duplicate key"),
    ),
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def drawn(graph: CallGraph) -> ET.Element:
    return ET.fromstring(calls_svg(graph))  # noqa: S314 - our own words, and the test is that it parses


@given(CALLS)
def test_layout_puts_callers_left_of_what_they_call_and_nothing_upon_another(calls: set[tuple[str, str]]):
    where = layout(NAMES, sorted(calls))

    assert where.boxes.keys() == set(NAMES)
    for one, other in combinations(where.boxes.values(), 2):
        assert abs(one[0] - other[0]) >= WIDTH or abs(one[1] - other[1]) >= HEIGHT
    for caller, callee in calls:
        assert where.boxes[caller][0] + WIDTH < where.boxes[callee][0]
    assert all(0 <= x <= where.width - WIDTH and 0 <= y <= where.height - HEIGHT for x, y in where.boxes.values())


@given(CALLS)
def test_layout_leads_each_call_from_its_caller_to_its_callee_past_all_others(calls: set[tuple[str, str]]):
    where = layout(NAMES, sorted(calls))

    for (caller, callee), way in where.ways.items():
        (x1, y1), (x2, y2) = way[0], way[-1]
        left, right = where.boxes[caller], where.boxes[callee]
        assert x1 == left[0] + WIDTH
        assert left[1] < y1 < left[1] + HEIGHT
        assert x2 == right[0]
        assert right[1] < y2 < right[1] + HEIGHT
        for (from_x, from_y), (to_x, to_y) in pairwise(way):
            assert from_x < to_x
            if from_y == to_y:  # a level piece passes a column
                passed = [box for box in where.boxes.values() if from_x <= box[0] < to_x]
                assert all(not box[1] < from_y < box[1] + HEIGHT for box in passed)


def test_layout_does_not_depend_on_the_order_in_which_it_is_told():
    calls = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]

    assert layout(NAMES, calls) == layout(NAMES[::-1], calls[::-1])


def test_layout_ends_for_a_ring_which_no_bundle_may_have():
    assert layout(("a", "b", "c"), [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")]).boxes.keys() == {"a", "b", "c"}
    assert layout((), ()).boxes == {}


def test_picture_says_everything_to_whom_cannot_see_it():
    top = drawn(GRAPH)

    described = top.findtext(f"{SVG}desc", "")
    assert top.get("role") == "img"
    assert top.findtext(f"{SVG}title") == "Calls of documents"
    assert {top.find(f"{SVG}title").get("id"), top.find(f"{SVG}desc").get("id")} == set(  # type: ignore[union-attr]
        top.get("aria-labelledby", "").split()
    )
    assert "a calls c: does not fit, 2 ERR: POST /c is needed and is not there." in described
    assert "c calls d: cannot be judged: d.yaml:2: duplicate key." in described
    assert "lonely calls nobody and nobody calls it" in described


def test_picture_tells_states_by_more_than_color_and_numbers_what_breaks():
    top = drawn(GRAPH)

    lines = {
        group.findtext(f"{SVG}title", "").split(":")[1].split(",")[0].strip(): group.find(f"{SVG}path")
        for group in top.iter(f"{SVG}g")
        if group.find(f"{SVG}path") is not None
    }
    looks = {state: (one.get("stroke-dasharray"), one.get("stroke-width")) for state, one in lines.items()}  # type: ignore[union-attr]
    texts = [text.text for text in top.iter(f"{SVG}text")]
    assert len(set(looks.values())) == len(looks) == 4
    assert texts.count("2") == texts.count("1") == texts.count("?") == 2  # on the line, and in the list below
    assert "may not fit" in texts


def test_picture_has_colors_for_a_dark_page_for_everything_that_it_paints():
    text = calls_svg(GRAPH)
    top = drawn(GRAPH)

    used = {name for element in top.iter() for name in (element.get("class") or "").split()}
    assert "@media (prefers-color-scheme: dark)" in text
    assert used
    assert all(f".{name}{{" in text for name in used)
    assert all(
        element.get("class") for element in top.iter() if element.get("fill", "none") != "none" or element.get("stroke")
    )


@given(ODD)
def test_picture_and_texts_keep_odd_words_as_words(odd: str):
    call = ToldCall("a", "b", EdgeState.DOES_NOT_FIT, 1, "1 ERR", odd)
    graph = CallGraph(odd, "a", ("a", "b"), (call,))

    top = drawn(graph)

    assert {element.tag.removeprefix(SVG) for element in top.iter()} <= {
        "svg", "title", "desc", "style", "rect", "g", "path", "text", "tspan",
    }  # fmt: skip
    assert len(calls_text(graph, lambda text, _: text).splitlines()) == 2 + bool(odd)
    assert calls_markdown(graph).count("\n| `a`") == 1


def test_picture_cuts_long_names_and_keeps_them_where_they_are_pointed_at():
    name = "ranking-of-all-the-documents-that-we-hold"
    top = drawn(CallGraph("t", "a", ("a", name), (ToldCall("a", name, EdgeState.FITS),)))

    assert "ranking-of-all-the-do…" in [text.text for text in top.iter(f"{SVG}text")]
    assert name in [title.text for title in top.iter(f"{SVG}title")]


def test_calls_as_text_and_markdown_say_the_first_finding():
    text, page = calls_text(GRAPH, lambda text, color: f"<{color}>{text}"), calls_markdown(GRAPH)

    assert text.splitlines()[:3] == [
        "a -> b  <green>fits", "a -> c  <red>does not fit: 2 ERR", "        POST /c is needed and is not there",
    ]  # fmt: skip
    assert text.splitlines()[-2:] == [
        "lonely: nobody calls it, and it calls nobody",
        "4 calls: 1 fits, 1 may not fit, 1 does not fit, 1 cannot be judged",
    ]
    assert "| `a` | `c` | 🔴 does not fit | 2 ERR: POST `/c` is needed and is not there |" in page
