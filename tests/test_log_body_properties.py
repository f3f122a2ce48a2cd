"""What holds for every body: stable, a person's own text kept, people's words escaped, nothing raised."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from adapters.contract import Attachment, ContactRef, Direction, LogFormat, Message, MessageKind, Options, Party
from connectors.log_body import (
    CallDetails,
    Leg,
    append_messages,
    compose_call,
    compose_conversation,
    compose_shared,
    read_note,
    read_subject,
    update_call,
)

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
FEW = settings(max_examples=40)
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])
EVERYTHING = {"addCallSessionId": True, "addRingCentralUserName": True, "addRingCentralNumber": True,
              "addCallLogContactNumber": True}  # fmt: skip

#: Words that mean something in a body, among any others.
spices = st.sampled_from(
    [
        "- Summary: x", "- Note: y", "- AI Note:", "--- END", "--- JOURNEY END", "## Agent notes", "## Call details",
        "### AI Note", "### Own heading", "**Result**: z", "**Action**: w", "<b>Call details</b>", "<b>Agent notes</b>",
        "<li><b>Duration</b>: 1</li>", "</ul>", "<div><b>AI Note</b><br>q</div>", "&lt;b&gt;", "&amp;", "\\1", "$&",
        "(pending...)", "http", "", " ", "\r", "\u2028", "------------", "END", "BEGIN", "Conversation(3 messages)",
    ]
)  # fmt: skip
words = st.text(max_size=12) | spices
texts = st.lists(words, max_size=6).map("\n".join) | st.text(max_size=60)
parties = st.builds(Party, name=words, phone_number=words, extension_number=words, location=words)
legs = st.builds(
    Leg,
    direction=st.sampled_from(["Inbound", "Outbound", ""]),
    leg_type=st.sampled_from(["PstnToSip", "Accept", ""]),
    caller=parties,
    callee=parties,
    duration=st.integers(0, 10**8),
)
details = st.builds(
    CallDetails,
    note=st.none() | texts,
    session_id=st.none() | words,
    subject=st.none() | texts,
    direction=st.none() | st.sampled_from(Direction),
    caller=st.none() | parties,
    callee=st.none() | parties,
    contact_number=st.none() | words,
    started_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    has_duration=st.booleans(),
    duration=st.none() | st.integers(0, 10**8) | st.floats(0, 10**6) | st.just("pending"),
    result=st.none() | texts,
    recording_link=st.none() | words | st.just("https://m.example.com/1"),
    voicemail_link=st.none() | words,
    ai_note=st.none() | texts,
    transcript=st.none() | texts,
    ring_sense_transcript=st.none() | texts,
    ring_sense_summary=st.none() | texts,
    ring_sense_score=st.none() | words | st.floats(),
    ring_sense_bulleted_summary=st.none() | texts,
    ring_sense_link=st.none() | words,
    legs=st.lists(legs, max_size=3).map(tuple),
)


def _update(body, given_details, log_format):
    options = Options(values=EVERYTHING)
    return update_call(body, given_details, log_format=log_format, options=options, zone=UTC)


@ALL
@FEW
@given(given_details=details)
@example(given_details=CallDetails(ring_sense_bulleted_summary="\n"))
def test_composing_is_stable(log_format, given_details):
    body = _update("", given_details, log_format)
    once = _update(body, given_details, log_format)
    assert _update(once, given_details, log_format) == once
    if log_format is not MARKDOWN:  # a block's own trailing newlines go with its first update there
        assert once == body


@ALL
@FEW
@given(first=details, second=details)
def test_an_update_leaves_each_section_once(log_format, first, second):
    body = _update(_update("", first, log_format), second, log_format)
    assert _update(body, second, log_format) == body
    for label in ("Duration", "Result", "AI Note", "Call journey"):
        section = {
            PLAIN: rf"^- {label}:",
            HTML: rf"<b>{label}</b>",
            MARKDOWN: rf"^(?:\*\*{label}\*\*:|### {label}$)",
        }[log_format]
        assert len(re.findall(section, body, re.MULTILINE)) <= 1


@ALL
@FEW
@given(note=texts, others=details)
def test_a_note_is_read_back_whatever_stands_around_it(log_format, note, others):
    expected = note.replace("\r\n", "\n").strip("\r\n")
    if log_format is HTML:
        expected = expected.replace("\r", "\n")
    assume(expected.strip("\n"))
    body = _update("", CallDetails(note=note, subject="Some subject"), log_format)
    assert read_note(body, log_format) == expected.strip("\n")
    without = {
        name: getattr(others, name) for name in CallDetails.__dataclass_fields__ if name not in ("note", "subject")
    }
    body = _update(body, CallDetails(**without), log_format)
    assert read_note(body, log_format) == expected.strip("\n")
    assert read_subject(body, log_format) == "Some subject"


#: A person's paragraph: nothing of ours in it.
own_words = st.from_regex(r"\A[A-Za-z][A-Za-z0-9 ,.$&\\-]{0,30}[A-Za-z]\Z", fullmatch=False).filter(
    lambda text: text.isascii() and "Call details" not in text
)


def _places(body, log_format):
    """Where a person may write between our sections: not in the middle of one, nor into the note."""
    if log_format is HTML:
        marks = [match.end() for match in re.finditer(r"</li>|</div>(?:<br>)?", body)]
        after_note = body.find("<b>Call details</b><br>")
        return [place for place in marks if place > after_note] or [len(body)]
    places, inside = [], body.startswith(("- Note:", "## Agent notes"))
    position = 0
    for line in body.splitlines(keepends=True):
        if re.match(r"- (?!Note)[A-Z][^:]*:|\*\*[A-Z][^:]*\*\*:|## Call details", line):
            inside = bool(re.match(r"- (?:AI Note|Transcript|ACE \w+(?: summary)?|Call journey):\n", line))
        if re.match(r"### |## Agent", line):
            inside = True
        position += len(line)
        if line.startswith("--- "):
            inside = False
        if not inside:
            places.append(position)
    return places or [len(body)]


plain_details = st.builds(
    CallDetails,
    note=st.none() | own_words,
    subject=own_words,
    has_duration=st.booleans(),
    duration=st.integers(0, 10**6),
    result=st.none() | own_words,
    recording_link=st.none() | st.just("(pending...)") | st.just("https://m.example.com/1"),
    ai_note=st.none() | own_words,
    transcript=st.none() | own_words,
    ring_sense_summary=st.none() | own_words,
    ring_sense_score=st.none() | st.just("8"),
    legs=st.lists(legs, max_size=2).map(tuple),
)


@ALL
@FEW
@given(first=plain_details, second=plain_details, own=own_words, data=st.data())
def test_a_persons_own_text_survives_every_update(log_format, first, second, own, data):
    body = _update("", first, log_format)
    place = data.draw(st.sampled_from(_places(body, log_format)))
    mine = f"<p>{own.replace('&', '&amp;')}</p>" if log_format is HTML else f"\n{own}!\n\n"
    written = body[:place] + mine + body[place:]
    after = _update(_update(written, second, log_format), first, log_format)
    assert mine.strip() in after


@ALL
@FEW
@given(parts=st.lists(st.text(max_size=8) | spices, max_size=12), given_details=details)
def test_no_body_whatever_breaks_an_update_and_it_settles(log_format, parts, given_details):
    body = "\n".join(parts)
    read_note(body, log_format)
    read_subject(body, log_format)
    grown = _update(body, given_details, log_format)
    read_note(grown, log_format)


@FEW
@given(given_details=details)
def test_no_markup_of_a_person_reaches_an_html_body(given_details):
    body = _update("", given_details, HTML)
    ours = r"</?(?:b|li|div|a)>|<br>|<a target=\"_blank\" href=\"[^\"<>]*\">"
    assert "<" not in re.sub(ours, "", body)
    bold = set(re.findall(r"<b>(.*?)</b>", body))
    assert all(re.fullmatch(r"[A-Z][A-Za-z/ ]+", label) for label in bold)


messages = st.lists(
    st.builds(
        Message,
        id=st.uuids().map(str),
        kind=st.sampled_from(MessageKind),
        direction=st.sampled_from(Direction),
        sent_at=st.datetimes(
            min_value=datetime(2025, 3, 5), max_value=datetime(2025, 3, 5, 0, 3), timezones=st.just(UTC)
        ),
        text=st.sampled_from(["ok", "ok\nmore", "", "Yes"]) | texts,
        recording_link=st.just("") | st.just("https://v.example.com/1"),
        attachments=st.just(()) | st.just((Attachment(link="https://reader.example/?media=1"), Attachment())),
        status=st.sampled_from(["", "Sent", "DeliveryFailed"]),
    ),
    min_size=1,
    max_size=4,
)
contacts = st.builds(ContactRef, id=st.integers(), name=words, phone=words)


def _parts(log_format):
    return {
        "contact": ContactRef(id=1, name="Pat", phone="+1"),
        "user_name": "Kim",
        "log_format": log_format,
        "zone": UTC,
    }


@ALL
@FEW
@given(first=messages, second=messages)
def test_a_day_grows_by_exactly_what_is_added_and_a_retry_adds_nothing(log_format, first, second):
    first = sorted(first, key=lambda message: message.sent_at)
    later = [replace(message, sent_at=message.sent_at + timedelta(minutes=5)) for message in second]
    second = sorted(later, key=lambda message: message.sent_at)
    body = compose_conversation(first, title="T", **_parts(log_format))
    grown = append_messages(body, second, **_parts(log_format))
    retried = append_messages(grown, second, skip_present=True, logged_before=len(first), **_parts(log_format))
    assert retried == grown
    if len(first) > 1 or first[0].kind is MessageKind.SMS:
        assert grown == compose_conversation([*first, *second], title="T", **_parts(log_format))


@ALL
@pytest.mark.parametrize("text", ["#", "# 7 is ready", "**Now**", "__init__", r"a\*b", "### Participants"])
def test_a_text_of_marks_is_found_where_no_count_tells_that_it_is_there(log_format, text):
    at = datetime(2025, 3, 5, 16, 31, tzinfo=UTC)
    odd = Message(
        id="1", kind=MessageKind.SMS, direction=Direction.INBOUND, sent_at=at, text="Conversation(0 messages)"
    )
    marked = replace(odd, id="2", text=text)
    body = compose_conversation([odd], title="T", **_parts(log_format))  # it seems to have two counts
    grown = append_messages(body, [marked], **_parts(log_format))
    assert append_messages(grown, [marked], skip_present=True, logged_before=1, **_parts(log_format)) == grown


@ALL
@FEW
@given(body=texts, first=messages, contact=contacts, user=words, others=st.lists(words, max_size=2).map(tuple))
def test_no_body_whatever_breaks_appending_and_its_text_stays(log_format, body, first, contact, user, others):
    members = {"contact": contact, "user_name": user, "correspondents": others, "log_format": log_format, "zone": UTC}
    grown = append_messages(body, first, title="T", **members)
    for line in body.split("\n"):
        if "Conversation(" not in line:
            assert line.rstrip() in grown
    assert len(grown) > len(body.rstrip())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["recordType", "creationTime", "lastModifiedTime", "author", "from", "name", "text", "owner", "entities",
             "messages", "assignee", "direction", "extensionType"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@ALL
@FEW
@given(
    info=st.dictionaries(st.sampled_from(["entities", "messages", "owner", "creationTime"]), json_values), name=words
)
def test_no_shared_conversation_whatever_raises(log_format, info, name):
    subject, body = compose_shared(info, contact_name=name, log_format=log_format, zone=UTC)
    assert name in subject
    if log_format is HTML:
        assert "<" not in re.sub(r"</?(?:b|li|ul|div|p|i)>|<br>|<hr>", "", body)


def test_a_log_without_anything_is_empty():
    for log_format in (PLAIN, HTML, MARKDOWN):
        assert compose_call(CallDetails(), log_format=log_format, options=Options(), zone=UTC) == ""
