"""A text that arrives late stands in its place by time, in the one block, also where people edited the record."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.contract import ContactRef, Direction, LogFormat, Message, MessageKind, Party
from connectors.deliveries.changes import Conversation
from connectors.deliveries.message_entries import ends_day
from connectors.log_body import append_messages, compose_conversation
from tests import editors
from tests.test_edited_bodies import _seconds as seconds

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])
INES = ContactRef(id=1, name="Ines Pardo", phone="+14155550123")
COMMON = {"contact": INES, "user_name": "Kim Agent", "zone": UTC}


def message(number, hour, text, minute=0, direction=Direction.INBOUND):
    return Message(
        id=str(number), kind=MessageKind.SMS, direction=direction, text=text,
        sent_at=datetime(2026, 1, 14, tzinfo=UTC) + timedelta(hours=hour, minutes=minute),
        sender=Party(name="Ines Pardo", phone_number="+14155550123"),
    )  # fmt: skip


def day(log_format, *messages, **members):
    return compose_conversation(messages, title="SMS conversation", log_format=log_format, **{**COMMON, **members})


def append(body, log_format, *messages, **members):
    return append_messages(body, messages, log_format=log_format, **{**COMMON, **members})


NINE, TEN, ELEVEN = message(1, 9, "09 question"), message(2, 10, "10 never mind"), message(3, 11, "11 thanks")


@ALL
def test_a_late_text_goes_before_the_first_later_one_and_is_counted(log_format):
    assert append(day(log_format, NINE, ELEVEN), log_format, TEN) == day(log_format, NINE, TEN, ELEVEN)
    assert append(day(log_format, TEN, ELEVEN), log_format, NINE) == day(log_format, NINE, TEN, ELEVEN)
    assert append(day(log_format, TEN), log_format, NINE, ELEVEN) == day(log_format, NINE, TEN, ELEVEN)
    assert append(day(log_format, ELEVEN), log_format, NINE, TEN) == day(log_format, NINE, TEN, ELEVEN)


@ALL
def test_the_latest_text_comes_last_also_where_the_user_has_gone_to_another_zone(log_format):
    there = timezone(timedelta(hours=-3))
    body = day(log_format, NINE, TEN)
    after = append(body, log_format, ELEVEN, zone=there, ends_day=True)
    assert after.index(NINE.text) < after.index(TEN.text) < after.index(ELEVEN.text)
    late = message(4, 9, "09 late", 30)  # only the last of them is known to be the latest
    after = append(day(log_format, NINE, TEN), log_format, late, ELEVEN, ends_day=True)
    assert after == day(log_format, NINE, late, TEN, ELEVEN)


@pytest.mark.parametrize(
    ("sent", "new", "is_latest"),
    [
        ((NINE, TEN, ELEVEN), (ELEVEN,), True),
        ((NINE, TEN, ELEVEN), (TEN, ELEVEN), True),
        ((NINE, TEN, ELEVEN), (TEN,), False),
        ((TEN, ELEVEN), (TEN,), False),
        ((TEN,), (TEN,), False),  # a request with nothing but what is new tells nothing of the others
        ((), (), False),
    ],
)
def test_what_a_request_held_tells_whether_its_last_text_is_the_latest(sent, new, is_latest):
    times = [text.sent_at for text in sent] or [NINE.sent_at]
    conversation = Conversation(
        conversation_id="c", conversation_log_id="c/1", contact=INES, messages=new, started_at=times[0],
        ended_at=times[-1], submission={}, wire={},
    )  # fmt: skip
    assert ends_day(conversation) is is_latest


@ALL
def test_of_one_minute_the_later_one_comes_last(log_format):
    again = message(4, 9, "09 again")
    assert append(day(log_format, NINE, ELEVEN), log_format, again) == day(log_format, NINE, again, ELEVEN)


@ALL
def test_a_day_that_passes_midnight_in_the_users_zone_keeps_its_order(log_format):
    zone = timezone(timedelta(hours=14))
    texts = [NINE, TEN, ELEVEN, message(4, 22, "22 noon")]  # 23:00, 00:00, 01:00 and 12:00 there
    for late in range(4):
        others = [text for text in texts if text is not texts[late]]
        body = append(day(log_format, *others, zone=zone), log_format, texts[late], zone=zone)
        places = [body.index(text.text) for text in texts]
        if late:  # the date above the entries is that of the first one
            assert places == sorted(places)


@ALL
def test_what_people_wrote_between_entries_stays_where_it_is(log_format):
    body = day(log_format, NINE, ELEVEN)
    remark = "<li>Called back at noon</li>" if log_format is HTML else "Called back at noon\n\n"
    eleven = body.index({HTML: "<li>Ines Pardo (+14155550123) 11", PLAIN: "Ines Pardo (+14155550123) 11",
                         MARKDOWN: "**Ines Pardo (+14155550123)** 11"}[log_format])  # fmt: skip
    edited = body[:eleven] + remark + body[eleven:]
    after = append(edited, log_format, TEN)
    assert after.replace(remark, "") == day(log_format, NINE, TEN, ELEVEN)
    assert after.count("Called back at noon") == 1


@ALL
def test_where_entries_cannot_be_told_apart_it_goes_to_the_end(log_format):
    body = re.sub(r"\d\d:00 AM", "morning", day(log_format, NINE, ELEVEN))
    after = append(body, log_format, TEN)
    assert after.index("11 thanks") < after.index("10 never mind") < after.index("END")
    assert after.count("Conversation(3 messages)") == 1


@pytest.mark.parametrize("log_format", [PLAIN, MARKDOWN])
def test_a_text_that_quotes_an_entry_is_not_torn_apart(log_format):
    quoting = message(1, 9, "You wrote:\n\nKim Agent 11:00 PM\nsee you")
    body = day(log_format, quoting, ELEVEN)
    after = append(body, log_format, TEN)
    assert "You wrote:\n\nKim Agent 11:00 PM\nsee you" in after


EDITED = [
    (HTML, [editors.strong, editors.closed_breaks]),
    (HTML, [editors.breaks_with_newlines, editors.attributes, editors.capitals]),
    (HTML, [editors.paragraphs_in_items, editors.bold_spans, editors.a_block_around]),
    (HTML, [editors.paragraphs_for_items, editors.strong]),
    (HTML, [editors.a_page_around, editors.indented_items]),
    (HTML, [lambda body: body.replace("------------<br>", "<p>------------</p>").replace("END<br>", "<p>END</p>")]),
    (HTML, [lambda body: body.replace("------------", "————")]),
    (PLAIN, [editors.carriage_returns]),
    (PLAIN, [editors.trailing_blanks]),
    (PLAIN, [lambda body: body.replace("------------", "———").replace("———", "————")]),
    (PLAIN, [lambda body: body.replace(" ", "\xa0", 3)]),
    (MARKDOWN, [lambda body: body.replace("BEGIN\n------------", "## BEGIN").replace("------------", "* * *")]),
    (MARKDOWN, [lambda body: re.sub(r"([()+-])", r"\\\1", body)]),
    (MARKDOWN, [lambda body: body.replace("**", "__").replace("------------", "---")]),
]


@pytest.mark.parametrize(("log_format", "rewritings"), EDITED)
def test_texts_go_on_in_the_block_that_an_editor_rewrote(log_format, rewritings):
    body = day(log_format, NINE, ELEVEN)
    for rewrite in rewritings:
        body = rewrite(body)
    after = append(body, log_format, TEN, message(4, 12, "12 bye"))
    places = [after.index(text) for text in ("09 question", "10 never mind", "11 thanks", "12 bye")]
    assert places == sorted(places)
    plain = re.sub(r"<[^>]*>|\\", "", after).replace("\xa0", " ")
    assert len(re.findall(r"Conversation\(\d+ messages\)", plain)) == 1
    assert "Conversation(4 messages)" in plain
    assert len(re.findall(r"BEGIN", plain)) == 1
    assert plain.index("12 bye") < plain.rindex("END")
    kept = append(after, log_format, TEN, message(4, 12, "12 bye"), skip_present=True, logged_before=2)
    assert kept == after
    assert append(after, log_format, TEN, skip_present=True) == after


UNITS = [
    (HTML, "<li>Kim Agent 10:40 AM<br>"), (HTML, "BEGIN<br>------------<br>"), (HTML, "------------<br>END<br>"),
    (HTML, "Conversation(1 messages)<br>"), (HTML, "<ul>"), (HTML, "<li>"), (HTML, "<ul><li>END</li></ul>"),
    (PLAIN, "Kim Agent 10:40 AM\n\n"), (PLAIN, "BEGIN\n------------\n"), (PLAIN, "------------\nEND\n"), (PLAIN, "-"),
    (PLAIN, "Conversation(1 messages)\n"), (PLAIN, "1 (2) "), (MARKDOWN, "\\-"),
    (MARKDOWN, "## BEGIN\n"), (MARKDOWN, "* "),
]  # fmt: skip


@pytest.mark.parametrize(("log_format", "unit"), UNITS)
def test_the_work_grows_with_the_length_of_a_record_and_not_with_its_square(log_format, unit):
    def work(length):
        body = (unit * (length // len(unit) + 1))[:length]
        return lambda: append(body, log_format, TEN, ELEVEN, skip_present=True)

    few = max(0.002, min(seconds(work(10_000)) for _ in range(3)))
    tries = (seconds(work(80_000)) / few for _ in range(3))  # one that something disturbed is taken again
    assert any(share < 24 for share in tries)  # eight times the length; the square would be sixty-four times the work


def test_texts_go_on_in_the_block_whose_rules_an_editor_drew_as_lines():
    rewritten = day(HTML, NINE).replace("<br>------------<br>", "<hr>").replace("------------<br>", "<hr>")
    after = append(rewritten, HTML, TEN, ELEVEN)
    assert rewritten.count("<hr>") == 2
    assert after.count("BEGIN") == 1
    assert "Conversation(3 messages)" in after
    assert after.index("09 question") < after.index("10 never mind") < after.index("11 thanks")
