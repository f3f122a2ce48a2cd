"""What is made of a text in the desk's search box."""

from __future__ import annotations

from datetime import date

import pytest
import time_machine

from connectors.desk.asked import read


@pytest.fixture(autouse=True)
def _wednesday():
    with time_machine.travel("2026-05-06T12:00:00Z", tick=False):
        yield


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("today", date(2026, 5, 6)),
        ("yesterday", date(2026, 5, 5)),
        ("Tuesday", date(2026, 5, 5)),
        ("wednesday", date(2026, 4, 29)),
        ("2026-05-04", date(2026, 5, 4)),
        ("4 May", date(2026, 5, 4)),
        ("4. May 2025", date(2025, 5, 4)),
        ("May 4, 2025", date(2025, 5, 4)),
        ("31 December", date(2025, 12, 31)),
        ("4.5.2026", date(2026, 5, 4)),
        ("5/4/2026", date(2026, 5, 4)),
        ("kim 13/5/2026", date(2026, 5, 13)),
        ("31.2.2026", None),
        ("kim tuesday", date(2026, 5, 5)),
        ("2026-13-45", None),
        ("conv-7/2026-05-04", None),
        ("Monday.com", None),
        ("mayfield", None),
    ],
)
def test_a_day(typed, day):
    assert read(typed).day == day


@pytest.mark.parametrize(
    "typed", ["+1 650 555 1212", "(650) 555-1212", "6505551212", "650.555.1212", "  +16505551212  ", "1-650-555-1212"]
)
def test_a_number_in_any_notation(typed):
    assert read(typed).e164 == "+16505551212"


@pytest.mark.parametrize(
    "typed",
    [
        "+1\u00a0650\u00a0555\u00a01212",
        "+1 650\u2011555\u20111212",
        "+1 650 \u2013 555 \u2013 1212",
        "\u202a+1 (650) 555-1212\u202c",
        "tel:+16505551212",
        "tel:+1-650-555-1212;ext=4",
        "+16505551212;ext=4",
        "+1 650 555 1212,",
        "+1 650 555 1212?",
        "\uff0b16505551212",
    ],
)
def test_a_number_that_was_copied_from_a_page_a_mail_or_a_telephone(typed):
    asked = read(typed)
    assert (asked.e164, asked.words) == ("+16505551212", "")


@pytest.mark.parametrize(
    ("typed", "number", "words"),
    [
        ("kim +1 650 555 1212", "+1 650 555 1212", "kim"),
        ("6505551212 Kim Lee", "6505551212", "Kim Lee"),
        ("s-a0d7-6505551212", "", "s-a0d7-6505551212"),
        ("9f86d081884c7d65", "", "9f86d081884c7d65"),
    ],
)
def test_a_number_beside_a_name_but_no_part_of_an_id(typed, number, words):
    asked = read(typed)
    assert (asked.number, asked.words) == (number, words)


@pytest.mark.parametrize("typed", ["1212", "…1212", "*1212", "x1212", "... 1212"])
def test_the_last_four_digits(typed):
    assert read(typed).ending == "1212"


@pytest.mark.parametrize(
    ("typed", "reference"),
    [
        ("Reference: 9f86d081884c7d65", "9f86d081884c7d65"),
        ("reference 1234567890123456", "1234567890123456"),
        ("my-proxys.id_1", "my-proxys.id_1"),
        ("+16505551212", ""),
        ("Kim Lee", ""),
    ],
)
def test_a_reference(typed, reference):
    assert read(typed).reference == reference


def test_a_session_id_has_no_ending_that_others_share():
    asked = read("404430540001")
    assert (asked.id, asked.ending, asked.like) == ("404430540001", "", "")


@pytest.mark.parametrize("typed", ["", " ", "\x00", "%", "'; DROP TABLE x; --", "(((((", "9" * 500, "٣٤٥٦", "💥"])
def test_whatever_else_is_typed_is_read_too(typed):
    asked = read(typed)
    assert isinstance(asked.id + asked.e164 + asked.ending + asked.reference + asked.name, str)
