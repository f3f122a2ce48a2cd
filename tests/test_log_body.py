"""Bodies of call logs and conversations in the three formats."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Attachment, ContactRef, Direction, LogFormat, Message, MessageKind, Options, Party
from connectors.log_body import (
    CallDetails,
    Leg,
    append_messages,
    compose_call,
    compose_conversation,
    compose_shared,
    conversation_title,
    format_duration,
    parse_time,
    read_note,
    read_subject,
    update_call,
)

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
PACIFIC = timezone(timedelta(hours=-8))
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])


def _details(**members):
    start = datetime(2025, 3, 4, 17, 5, 9, tzinfo=UTC)
    given_members = {
        "note": "Wants a quote.\nCall back Friday.",
        "session_id": "900100200",
        "subject": "Inbound Call from Dana Reyes",
        "direction": Direction.INBOUND,
        "caller": Party(name="Dana Reyes", phone_number="+14155550123"),
        "callee": Party(name="Agent Kim", phone_number="+16505550144", extension_number="204"),
        "contact_number": "+14155550123",
        "started_at": start,
        "has_duration": True,
        "duration": 3725,
        "result": "Call connected",
        "recording_link": "(pending...)",
    }
    return CallDetails(**{**given_members, **members})


def _compose(details, log_format, zone=PACIFIC, **options):
    return compose_call(details, log_format=log_format, options=Options(values=options), zone=zone)


def _update(body, log_format, zone=PACIFIC, options=None, **members):
    details = CallDetails(**members)
    return update_call(body, details, log_format=log_format, options=Options(values=options or {}), zone=zone)


def test_default_settings_compose_the_documented_bodies():
    assert _compose(_details(), PLAIN) == (
        "- Note: Wants a quote.\nCall back Friday.\n- Summary: Inbound Call from Dana Reyes\n"
        "- Date/Time: 2025-03-04 09:05:09 AM\n- Duration: 1 hour, 2 minutes, 5 seconds\n"
        "- Result: Call connected\n- Call recording link: (pending...)\n"
    )
    assert _compose(_details(), HTML) == (
        "<b>Agent notes</b><br>Wants a quote.<br>Call back Friday.<br><br><b>Call details</b><br>"
        "<li><b>Summary</b>: Inbound Call from Dana Reyes</li><li><b>Date/time</b>: 2025-03-04 09:05:09 AM</li>"
        "<li><b>Duration</b>: 1 hour, 2 minutes, 5 seconds</li><li><b>Result</b>: Call connected</li>"
        "<li><b>Call recording link</b>: (pending...)</li>"
    )
    assert _compose(_details(), MARKDOWN) == (
        "## Agent notes\nWants a quote.\nCall back Friday.\n\n## Call details\n"
        "**Summary**: Inbound Call from Dana Reyes\n**Date/Time**: 2025-03-04 09:05:09 AM\n"
        "**Duration**: 1 hour, 2 minutes, 5 seconds\n**Result**: Call connected\n"
        "**Call recording link**: (pending...)\n"
    )


EVERYTHING = {
    "addCallSessionId": True,
    "addRingCentralUserName": True,
    "addRingCentralNumber": True,
    "addCallLogContactNumber": True,
    "logDateFormat": "DD/MM/YYYY HH:mm:ss",
}
LEGS = (
    Leg(direction="Inbound", callee=Party(name="Main IVR", phone_number="+16505550100"), duration=12),
    Leg(direction="Inbound", callee=Party(name="Agent Kim", extension_number="204"), duration=90),
    Leg(
        direction="Outbound",
        leg_type="PstnToSip",
        caller=Party(phone_number="+16505550144"),
        callee=Party(phone_number="+16505550199", extension_number="310"),
        duration=1,
    ),
)


def test_every_section_in_plain_text():
    details = _details(
        note="Wants a quote.\n\nCall back Friday.",
        duration=61,
        result="Accepted",
        recording_link="https://media.example.com/r/1",
        voicemail_link="https://media.example.com/v/1",
        ai_note="Customer asked for pricing.\nAgent agreed.\n\n",
        transcript="Dana: hello\nKim: hi",
        ring_sense_transcript="D: hey\n",
        ring_sense_summary="Pricing call\n",
        ring_sense_score="87",
        ring_sense_bulleted_summary="* pricing\n* follow up\n",
        ring_sense_link="https://ace.example.com/i/9",
        legs=LEGS,
    )
    assert _compose(details, PLAIN, timezone(timedelta(hours=5.5)), **EVERYTHING) == (
        "- Note: Wants a quote.\n\nCall back Friday.\n- Session Id: 900100200\n- RingCentral user name: Agent Kim\n"
        "- RingCentral number and extension: +16505550144 204\n- Summary: Inbound Call from Dana Reyes\n"
        "- Contact Number: +14155550123\n- Date/Time: 04/03/2025 22:35:09\n- Duration: 1 minute, 1 second\n"
        "- Result: Accepted\n- Call recording link: https://media.example.com/r/1\n"
        "- Voicemail recording link: https://media.example.com/v/1\n"
        "\n- AI Note:\nCustomer asked for pricing.\nAgent agreed.\n--- END\n"
        "\n- Transcript:\nDana: hello\nKim: hi\n--- END\n\n- ACE transcript:\nD: hey\n--- END\n"
        "\n- ACE summary:\nPricing call\n\n--- END\n- Call score: 87\n"
        "\n- ACE bulleted summary:\n* pricing\n* follow up\n\n--- END\n"
        "- ACE recording link: https://ace.example.com/i/9\n"
        "- Call journey:\nReceived call at Main IVR, +16505550100\n"
        "Transferred to Agent Kim, ext 204, duration: 90 seconds\n"
        "Transferred to +16505550199, ext 310, duration: 1 second\n--- JOURNEY END\n"
    )


def test_everything_switched_off_gives_an_empty_body():
    names = ("Note", "Subject", "DateTime", "Duration", "Result", "Recording")
    assert _compose(_details(), PLAIN, **{f"addCallLog{name}": False for name in names}) == ""


def test_a_persons_edit_survives_an_update_that_does_not_send_the_field():
    body = _compose(_details(note=""), PLAIN).replace("Dana Reyes", "Dana Reyes - VIP") + "My own remark\n"
    updated = _update(body, PLAIN, recording_link="https://media.example.com/rec/7", ai_note="Summary A\nLine 2")
    assert "- Summary: Inbound Call from Dana Reyes - VIP\n" in updated
    assert "- Call recording link: https://media.example.com/rec/7\nMy own remark\n" in updated
    assert updated.endswith("\n- AI Note:\nSummary A\nLine 2\n--- END\n")


@pytest.mark.parametrize(
    ("body", "log_format", "members", "expected"),
    [
        ("- Agent notes: old\n- Summary: S\n", PLAIN, {"note": "new"}, "- Note: new\n- Summary: S\n"),
        ("- Note: a\n- Summary: S\nmy text\n", PLAIN, {"note": "b"}, "- Note: b\n- Summary: S\nmy text\n"),
        ("- Note: a\n- Action: call\nb\n- Summary: S\n", PLAIN, {"note": "n"}, "- Note: n\n- Summary: S\n"),
        ("- Result: No-answer\n", PLAIN, {"result": "Accepted"}, "- Result: Accepted\n"),
        ("- Session Id: 1\n\nuser para", PLAIN, {"result": "x"}, "- Session Id: 1\n\nuser para\n- Result: x\n"),
        (
            "<ul><li><b>Summary</b>: S</li></ul>",
            HTML,
            {"recording_link": "https://m.example.com/1"},
            '<ul><li><b>Summary</b>: S</li><li><b>Call recording link</b>: <a target="_blank" '
            'href="https://m.example.com/1">open</a></li></ul>',
        ),
        (
            "<b>Duration</b>: 5 seconds<br><b>Result</b>: x",
            HTML,
            {"has_duration": True, "duration": 9, "result": "Accepted"},
            "<li><b>Duration</b>: 9 seconds</li><br><li><b>Result</b>: Accepted</li>",
        ),
        ("<li><b>Summary</b>: <i>old</i></li>", HTML, {"subject": "NEW"}, "<li><b>Summary</b>: NEW</li>"),
        (
            "<div><b>AI Note</b><br>a\nb</div>x",
            HTML,
            {"ai_note": "c"},
            "<div><b>AI Note</b><br>c</div>x",
        ),
        (
            "## Call details\n**Summary**: S\n",
            MARKDOWN,
            {"note": "N"},
            "## Agent notes\nN\n\n## Call details\n**Summary**: S\n",
        ),
        (
            "### ACE summary\nold\n**Call score**: 8\n",
            MARKDOWN,
            {"ring_sense_summary": "new"},
            "### ACE summary\nnew\n**Call score**: 8\n",
        ),
        (
            "\n- ACE bulleted summary:\n* a\n* b\n--- END\n",
            PLAIN,
            {"ring_sense_bulleted_summary": "* c"},
            "\n- ACE bulleted summary:\n* c\n--- END\n",
        ),
        (
            "- Call recording link: https://m.example.com/1\n",
            PLAIN,
            {"recording_link": "(pending...)"},
            "- Call recording link: https://m.example.com/1\n",
        ),
    ],
)
def test_an_update_changes_its_own_section_and_nothing_else(body, log_format, members, expected):
    assert _update(body, log_format, **members) == expected


@ALL
@given(text=st.text(max_size=80))
def test_an_update_sent_twice_gives_the_same_text(log_format, text):
    body = _compose(_details(note="n"), log_format)
    members = {"subject": text, "ai_note": text, "result": text, "recording_link": "https://m.example.com/1"}
    once = _update(body, log_format, **members)
    assert _update(once, log_format, **members) == once


@ALL
@pytest.mark.parametrize("note", ["$& $1 $$ \\1 \\g<0>", 'a <b>bold</b> & "x"', "two\nlines", "café ñ 漢字"])
def test_a_note_is_read_back_as_it_was_written(log_format, note):
    body = _compose(_details(note=note), log_format)
    assert read_note(body, log_format) == note
    assert read_note(_update(body, log_format, note=note + "!"), log_format) == note + "!"


@ALL
def test_a_note_of_many_empty_lines_is_read_back_in_no_time(log_format):
    """What costs the square of its length keeps a whole process busy; anybody who is connected may write a note."""
    note = "a" + "\n" * 60_000 + "z"
    body = _compose(_details(note=note), log_format)
    before = time.process_time()
    assert read_note(body, log_format) == note
    assert time.process_time() - before < 3


@pytest.mark.parametrize(
    "piece",
    [
        "<div><b>AI Note</b><br>",
        "<b>Agent notes</b><br>",
        "<li><b>Summary</b>: ",
        "<br>",
        "&nbsp;",
        "<",
        "</b>",
        "<p>a",
    ],
)
def test_four_times_the_body_takes_four_times_as_long(piece):
    def seconds(count):
        took = []
        for _ in range(3):
            begun = time.process_time()
            _update(piece * count, HTML, ai_note="new", note="new", subject="new")
            took.append(time.process_time() - begun)
        return min(took)

    assert seconds(2000) < 9 * seconds(500) + 0.03  # the square of it would be sixteen times


@given(note=st.text(max_size=60).map(lambda text: f"a{text}z"))
def test_html_never_holds_a_persons_markup(note):
    body = _compose(_details(note=note, subject="s", result="r"), HTML)
    written = body.split("<b>Agent notes</b><br>", 1)[1].split("<br><br><b>Call details</b>", 1)[0]
    assert "<" not in written.replace("<br>", "")


def test_a_script_link_is_never_an_anchor():
    assert "javascript" not in _compose(_details(recording_link="javascript:alert(1)"), HTML)


def test_a_stray_closing_tag_is_not_part_of_the_subject():
    assert read_subject("<li><b>Summary</b>: Subj A</li></li><li><b>Result</b>: x</li>", HTML) == "Subj A"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (None, "0 seconds"), (1, "1 second"), (60, "1 minute"), (3661, "1 hour, 1 minute, 1 second"),
     (90061, "25 hours, 1 minute, 1 second"), (61.5, "1 minute, 1.5 seconds"), ("pending", "pending")],
)  # fmt: skip
def test_durations_read_like_sentences(seconds, text):
    assert format_duration(seconds) == text


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_no_value_breaks_the_time_parser(value):
    parsed = parse_time(value)
    assert parsed is None or parsed.tzinfo is not None


def test_iso_and_epoch_milliseconds_are_the_same_moment():
    assert parse_time("2025-03-04T17:05:09Z") == parse_time(1741107909000) == parse_time("1741107909000")


PAT = ContactRef(id=1, name="Pat Lee", phone="+14155550123")


def _message(number, direction, text, minute, **members):
    return Message(
        id=str(number),
        kind=members.pop("kind", MessageKind.SMS),
        direction=direction,
        sent_at=datetime(2025, 3, 5, 2, minute, tzinfo=UTC),
        text=text,
        **members,
    )


ASK = _message(1, Direction.INBOUND, "Is it ready?", 5)
ANSWER = _message(2, Direction.OUTBOUND, "Yes, today.", 7)
COMMON = {"contact": PAT, "user_name": "Agent Kim", "zone": PACIFIC}


def _day(messages, log_format, title="SMS conversation with Pat Lee - 25/03/04"):
    return compose_conversation(messages, title=title, log_format=log_format, **COMMON)


@pytest.mark.parametrize(
    ("kind", "direction", "title"),
    [
        (MessageKind.SMS, Direction.OUTBOUND, "SMS conversation with Pat Lee - 25/03/04"),
        (MessageKind.VOICEMAIL, Direction.INBOUND, "Voicemail left by Pat Lee - 25/03/04"),
        (MessageKind.FAX, Direction.INBOUND, "Fax document sent from Pat Lee - 25/03/04"),
        (MessageKind.FAX, Direction.OUTBOUND, "Fax document sent to Pat Lee - 25/03/04"),
    ],
)
def test_a_title_says_what_was_sent_and_which_way(kind, direction, title):
    first = Message(id="m1", kind=kind, direction=direction, sent_at=datetime(2025, 3, 4, 17, tzinfo=UTC))

    assert conversation_title(first, "Pat Lee", PACIFIC) == title


def test_a_conversation_in_html_is_the_documented_one_and_grows():
    start = (
        "<br><b>SMS conversation with Pat Lee - 25/03/04</b><br><b>Conversation summary</b><br>"
        "Tuesday, March 04, 2025<br>Participants<br><ul><li><b>Agent Kim</b><br></li><li><b>Pat Lee</b></li></ul><br>"
    )
    one = "<li>Pat Lee (+14155550123) 06:05 PM<br><b>Is it ready?</b></li>"
    two = "<li>Agent Kim 06:07 PM<br><b>Yes, today.</b></li>"
    end = "</ul>------------<br>END<br><br>--- Created via RingCentral App Connect"
    middle = "Conversation({} messages)<br>BEGIN<br>------------<br><ul>"
    assert _day([ASK], HTML) == start + middle.format(1) + one + end
    grown = append_messages(_day([ASK], HTML), [ANSWER], log_format=HTML, **COMMON)
    assert grown == start + middle.format(2) + one + two + end == _day([ASK, ANSWER], HTML)


@ALL
def test_appending_equals_composing_in_one_go(log_format):
    assert append_messages(_day([ASK], log_format), [ANSWER], log_format=log_format, **COMMON) == _day(
        [ASK, ANSWER], log_format
    )


@ALL
@pytest.mark.parametrize("body", ["", "a person cleared this", "Voicemail recording link: https://v.example.com/1"])
def test_a_message_is_never_lost_where_the_markers_are_gone(log_format, body):
    grown = append_messages(body, [ASK, ANSWER], log_format=log_format, **COMMON)
    assert grown.startswith(body)
    assert "Is it ready?" in grown
    assert "Conversation(2 messages)" in grown
    again = append_messages(grown, [_message(3, Direction.INBOUND, "Thanks", 9)], log_format=log_format, **COMMON)
    assert "Conversation(3 messages)" in again


@ALL
def test_a_retry_after_a_lost_answer_adds_no_message_twice(log_format):
    body = _day([ASK, ANSWER], log_format)
    assert append_messages(body, [ASK, ANSWER], log_format=log_format, skip_present=True, **COMMON) == body


@ALL
def test_an_mms_without_text_shows_its_link(log_format):
    picture = Attachment(content_type="image/png", link="https://reader.example/?media=x")
    mms = _message(4, Direction.INBOUND, "", 5, attachments=(picture,))
    body = _day([mms, ASK], log_format)
    assert "[Link]: https://reader.example/?media=x" in body
    assert "undefined" not in body


def test_a_shared_conversation_is_composed_whole():
    info = {
        "creationTime": "2025-05-01T15:00:00Z",
        "owner": {"name": "Billing Queue", "extensionType": "Department"},
        "messages": [{"lastModifiedTime": "2025-05-03T16:20:00Z"}],
        "entities": [
            {"recordType": "ThreadCreatedHint", "creationTime": 1746111600000, "initiator": {"name": "System Bot"}},
            {"recordType": "AliveMessage", "direction": "Inbound", "creationTime": "2025-05-01T15:00:30Z",
             "from": {"name": "Pat Lee"}, "subject": "Is my invoice <paid>?"},
            {"recordType": "ThreadAssignedHint", "creationTime": "2025-05-01T15:01:00Z",
             "assignee": {"name": "Robin Vu"}},
            {"recordType": "AliveMessage", "direction": "Outbound", "creationTime": "2025-05-01T15:02:00Z",
             "author": {"name": "Robin Vu"}, "text": "Yes, it's paid."},
            {"recordType": "AliveNote", "creationTime": "2025-05-01T15:05:00Z", "author": {"name": "Robin Vu"},
             "text": "Sent receipt"},
        ],
    }  # fmt: skip
    zone = timezone(timedelta(hours=-7))
    subject, body = compose_shared(info, contact_name="Pat Lee", log_format=PLAIN, zone=zone)
    assert subject == "SMS conversation with Pat Lee"
    assert body == (
        "Conversation summary\nStarted: Thursday, May 01, 2025 at 08:00 AM\n"
        "Ended: Saturday, May 03, 2025 at 09:20 AM\nDuration: 2 d 1 h \n\n"
        "Participants\n* Pat Lee (customer)\n* System Bot\n* Robin Vu\n\nReceiving call queue: Billing Queue\n\n"
        "Conversation (2 messages, 1 note)\nBEGIN\n------------\n"
        "Robin Vu left a note on 2025-05-01 08:05 AM:\nSent receipt\n\n"
        "Robin Vu said on 2025-05-01 08:02 AM:\nYes, it's paid.\n\nConversation assigned to Robin Vu\n\n"
        "Pat Lee said on 2025-05-01 08:00 AM:\nIs my invoice <paid>?\n\n------------\nEND"
    )
    html = compose_shared(info, contact_name="Pat Lee", log_format=HTML, zone=zone)[1]
    assert "Yes, it&#039;s paid." in html
    assert "Is my invoice &lt;paid&gt;?" in html


def test_newlines_around_a_note_do_not_grow_with_every_update():
    details = CallDetails(note="\nCall back\n", subject="S")
    for log_format in (LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN):
        body = compose_call(details, log_format=log_format, options=Options(), zone=UTC)
        assert update_call(body, details, log_format=log_format, options=Options(), zone=UTC) == body


def test_an_ai_note_that_quotes_the_end_marker_is_replaced_whole():
    details = CallDetails(ai_note="a\n--- END\nb")
    body = compose_call(details, log_format=LogFormat.PLAIN, options=Options(), zone=UTC)
    assert update_call(body, details, log_format=LogFormat.PLAIN, options=Options(), zone=UTC) == body
