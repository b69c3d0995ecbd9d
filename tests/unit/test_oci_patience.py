"""What is tried once more, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.oci.patience import Asked, Patience, parse_retry_after

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("method", "status", "headers", "again"),
    [
        ("GET", 200, {}, False),
        ("GET", 404, {"retry-after": "1"}, False),
        ("GET", 408, {}, False),
        ("GET", 500, {}, True),
        ("HEAD", 502, {}, True),
        ("PUT", 504, {}, True),
        ("DELETE", 503, {}, True),
        ("GET", 501, {}, False),
        ("POST", 500, {}, False),
        ("PATCH", 502, {}, False),
        ("POST", 503, {}, False),
        ("POST", 503, {"retry-after": "1"}, True),
        ("PATCH", 429, {}, True),
    ],
)
def test_an_answer_is_worth_another_try_or_not(method, status, headers, again):
    assert Asked(method).after_answer(status, headers) is again
    assert not Asked(method, again=False).after_answer(status, headers)


@pytest.mark.parametrize(
    ("asked", "sent", "again"),
    [
        (Asked("GET"), True, True),
        (Asked("PUT"), True, True),
        (Asked("PUT", again=False), True, False),
        (Asked("PUT", again=False), False, False),
        (Asked("POST"), True, False),
        (Asked("POST"), False, True),
        (Asked("POST", repeatable=True), True, True),
        (Asked("PATCH", again=False, repeatable=True), True, False),
    ],
)
def test_no_answer_is_worth_another_try_or_not(asked, sent, again):
    assert asked.after_silence(sent=sent) is again


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:59:30 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        ("Sat, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert parse_retry_after(text, NOON) == seconds


@given(st.integers(0, 100_000))
def test_a_date_and_its_seconds_say_the_same(ahead):
    date = format_datetime(datetime.fromtimestamp(NOON + ahead, UTC), usegmt=True)

    assert parse_retry_after(date, NOON) == parse_retry_after(str(ahead), NOON)


def test_waits_double_and_are_any_part_of_that():
    sure, lucky = Patience(chance=lambda: 1.0), Patience(chance=lambda: 0.0)

    assert [sure.wait(failures, None) for failures in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert [lucky.wait(failures, None) for failures in (1, 4)] == [0, 0]
    assert sure.wait(30, None) == 60


def test_what_a_registry_asks_for_is_waited_up_to_a_minute():
    patience = Patience(now=lambda: NOON, chance=lambda: 1.0)

    assert patience.wait(1, "7") == 7
    assert patience.wait(1, "3600") == 60
    assert patience.wait(1, "Sat, 21 Nov 2026 12:00:09 GMT") == 9
    assert patience.wait(1, "soon") == 0.5
