"""Where a first composer of such bodies went wrong, and ours must not: literal text, stable updates, own text kept."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.contract import ContactRef, Direction, LogFormat, Message, MessageKind, Options, Party, zone_of
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
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])
TEXTS = pytest.mark.parametrize("log_format", [PLAIN, MARKDOWN])
START = datetime(2025, 3, 4, 17, 5, 9, tzinfo=UTC)
TEMPLATES = r"Quote is $100 & $& and $$5 $' \1 \g<0>"


def compose(log_format, options=None, zone=UTC, **members):
    details = CallDetails(**members)
    return compose_call(details, log_format=log_format, options=Options(values=options or {}), zone=zone)


def update(body, log_format, options=None, zone=UTC, **members):
    details = CallDetails(**members)
    return update_call(body, details, log_format=log_format, options=Options(values=options or {}), zone=zone)


@ALL
def test_replacement_templates_in_a_note_or_subject_are_taken_literally(log_format):
    body = update(
        compose(log_format, note="First note", subject="S"), log_format, note=TEMPLATES, subject=f"{TEMPLATES}!"
    )
    assert read_note(body, log_format) == TEMPLATES
    assert read_subject(body, log_format) == f"{TEMPLATES}!"


@ALL
def test_replacement_templates_in_a_message_are_taken_literally(log_format):
    body = append_messages(_day([ASK], log_format), [_message("2", TEMPLATES)], log_format=log_format, **COMMON)
    shown = html.escape(TEMPLATES, quote=False) if log_format is HTML else TEMPLATES
    assert body.count(shown) == 1


def test_everything_a_person_wrote_is_escaped_in_html():
    evil = "<script>alert('x')</script> & \"q\""
    party = Party(name=evil, phone_number=evil, extension_number=evil)
    everything = {"addCallSessionId": True, "addRingCentralUserName": True, "addRingCentralNumber": True,
                  "addCallLogContactNumber": True}  # fmt: skip
    body = compose(
        HTML, everything, note=evil, session_id=evil, subject=evil, direction=Direction.INBOUND, caller=party,
        callee=party, contact_number=evil, started_at=START, has_duration=True, duration=3, result=evil,
        recording_link=f"https://m.example.com/{evil}", voicemail_link=evil, ai_note=evil, transcript=evil,
        ring_sense_transcript=evil, ring_sense_summary=evil, ring_sense_score=evil, ring_sense_bulleted_summary=evil,
        ring_sense_link=f"https://a.example.com/{evil}", legs=(Leg(callee=party), Leg(caller=party, callee=party)),
    )  # fmt: skip
    assert "<script" not in body
    assert 'href="https://m.example.com/&lt;script&gt;' in body
    assert read_note(body, HTML) == evil


def test_a_note_that_was_stored_unescaped_is_read_as_it_stands():
    body = "<b>Agent notes</b><br>a < b\nc & d<br><br><b>Call details</b><br>"
    assert read_note(body, HTML) == "a < b\nc & d"


@pytest.mark.parametrize("line_break", ["<br>", "<br/>", "<br />", "\n"])
def test_line_breaks_of_an_html_note_are_read_back(line_break):
    body = f"<b>Agent notes</b><br>a{line_break}b<br><br><b>Call details</b><br><li><b>Result</b>: x</li>"
    assert read_note(body, HTML) == "a\nb"


OURS = {
    PLAIN: "- Summary: not yours\n- Duration: long\n - Result: mine\n--- END\n- Note: again",
    HTML: "<b>Call details</b>\n<li><b>Summary</b>: not yours</li>\n<b>Agent notes</b>",
    MARKDOWN: "## Call details\n**Summary**: not yours\n### AI Note\n## Agent notes\n **Result**: mine",
}


@ALL
def test_a_note_whose_lines_look_like_our_sections_is_read_back_whole_and_left_alone(log_format):
    note = f"before\n- Action: call back\n{OURS[log_format]}\nafter"
    body = compose(log_format, note=note, subject="S", has_duration=True, duration=5, result="r", ai_note="A")
    assert read_note(body, log_format) == note
    body = update(body, log_format, subject="T", has_duration=True, duration=9, result="q", ai_note="B")
    assert read_note(body, log_format) == note
    assert read_subject(body, log_format) == "T"
    body = update(body, log_format, note="short")
    assert read_note(body, log_format) == "short"
    assert "not yours" not in body


@ALL
def test_a_transcript_whose_lines_look_like_our_sections_is_left_alone(log_format):
    transcript = f"Kim: hello\n{OURS[log_format]}\nPat: bye"
    body = compose(log_format, transcript=transcript)
    body = update(body, log_format, note="mine", subject="S", has_duration=True, duration=9, result="q")
    assert update(body, log_format, transcript=transcript) == body
    assert read_note(body, log_format) == "mine"
    assert read_subject(body, log_format) == "S"
    assert body.count("Pat: bye") == 1


def test_a_plain_note_ends_at_known_labels_only():
    body = "- Note: one\n- Action: call back\nend\n- Summary: S\n"
    assert read_note(body, PLAIN) == "one\n- Action: call back\nend"
    assert update(body, PLAIN, note="NEW") == "- Note: NEW\n- Summary: S\n"


@ALL
def test_a_paragraph_written_into_the_note_stays_while_no_note_is_sent(log_format):
    body = compose(log_format, note="one", subject="S", has_duration=True, duration=5)
    changed = body.replace("one", "one\n\nmy paragraph" if log_format is not HTML else "one<br><br>my paragraph", 1)
    after = update(changed, log_format, subject="T", has_duration=True, duration=6, note="")
    assert read_note(after, log_format) == "one\n\nmy paragraph"


@pytest.mark.parametrize(("label", "member"), [("Result", "result"), ("Contact Number", "contact_number")])
@TEXTS
def test_a_line_whose_value_has_a_hyphen_is_found_again(log_format, label, member):
    on = {"addCallLogContactNumber": True}
    body = compose(log_format, on, **{member: "No-answer"})
    after = update(body, log_format, on, **{member: "Accepted"})
    assert after == body.replace("No-answer", "Accepted")
    assert label in after


@TEXTS
def test_a_new_line_is_never_glued_to_unterminated_text(log_format):
    after = update("custom text no newline", log_format, has_duration=True, duration=3, ai_note="A")
    assert after.startswith("custom text no newline\n")
    assert after.splitlines()[1] in ("- Duration: 3 seconds", "**Duration**: 3 seconds")


@ALL
def test_a_bulleted_summary_is_replaced_to_its_end(log_format):
    body = compose(log_format, ring_sense_bulleted_summary="* a\n* b\n* c") + "mine"
    after = update(body, log_format, ring_sense_bulleted_summary="* z")
    assert "* a" not in after
    assert "* b" not in after
    assert after.count("* z") == 1


def test_a_markdown_block_ends_before_the_next_section_and_its_spacing_is_stable():
    body = compose(
        MARKDOWN,
        ring_sense_summary="old\n\n### Part\n**Call score**: high",
        ring_sense_score="87",
        ring_sense_link="https://ace.example.com/9",
        ai_note="one\n\ntwo",
    )
    after = update(body, MARKDOWN, ring_sense_summary="new", ai_note="three\n\nfour", ring_sense_link="https://a.b/1")
    assert "**Call score**: 87\n" in after
    assert "**ACE recording link**: https://a.b/1\n" in after
    assert "old" not in after
    assert "two" not in after
    again = update(after, MARKDOWN, ring_sense_summary="new", ai_note="three\n\nfour", ring_sense_link="https://a.b/1")
    assert again == after


def test_a_paragraph_below_a_markdown_block_is_not_part_of_it():
    body = compose(MARKDOWN, ai_note="one\n\ntwo") + "\nMy own paragraph\n\nand another\n"
    assert update(body, MARKDOWN, ai_note="new") == "### AI Note\nnew\n\nMy own paragraph\n\nand another\n"


@pytest.mark.parametrize("stored", ["<div><b>AI Note</b><br>a\nb</div>", "<div><b>AI Note</b><br/>a<br />b</div>"])
def test_an_html_block_is_found_across_newlines_and_other_spellings_of_a_break(stored):
    assert update(f"x{stored}<br>y", HTML, ai_note="c") == "x<div><b>AI Note</b><br>c</div><br>y"


@ALL
@pytest.mark.parametrize("late", ["(pending...)", "pending"])
def test_a_real_link_is_never_taken_back(log_format, late):
    body = compose(log_format, recording_link="https://m.example.com/1", voicemail_link="https://m.example.com/2")
    assert update(body, log_format, recording_link=late, voicemail_link=late) == body
    assert "https://m.example.com/3" in update(body, log_format, recording_link="https://m.example.com/3")


@ALL
@pytest.mark.parametrize(
    ("direction", "shown"), [(Direction.INBOUND, "+16505550144 204"), (Direction.OUTBOUND, "+14155550123")]
)
def test_number_and_extension_are_those_of_the_own_party(log_format, direction, shown):
    members = {
        "direction": direction,
        "caller": Party(phone_number="+14155550123"),
        "callee": Party(phone_number="+16505550144", extension_number="204"),
    }
    body = compose(log_format, {"addRingCentralNumber": True}, **members)
    assert body.rstrip().removesuffix("</li>").endswith(f": {shown}") or f": {shown}</li>" in body
    old = body.replace(shown, "+16505550100 ")  # as written by others, with a blank at the end
    assert update(old, log_format, {"addRingCentralNumber": True}, **members) == body


@ALL
def test_a_leg_without_parties_and_a_score_that_is_an_object_do_not_fail(log_format):
    body = compose(log_format, legs=(Leg(), Leg(direction="Outbound")), ring_sense_score={"value": 8}, result="r")
    assert "Received call" in body
    assert "Call score" not in body


def test_a_subject_ends_at_its_item_and_stray_closing_tags_go():
    body = "<li><b>Summary</b>: Subj A</li></li></li><li><b>Result</b>: x</li>"
    assert read_subject(body, HTML) == "Subj A"
    once = update(body, HTML, subject="Subj A")
    assert once == "<li><b>Summary</b>: Subj A</li><li><b>Result</b>: x</li>"


def test_a_formatted_item_is_replaced_whole_and_the_heading_never_stands_twice():
    assert update("<li><b>Summary</b>: <i>old</i></li>", HTML, subject="NEW") == "<li><b>Summary</b>: NEW</li>"
    body = update("<b>Call details</b><br><li><b>Result</b>: x</li>", HTML, note="n")
    assert body.count("Call details") == 1
    assert read_note(body, HTML) == "n"


@ALL
def test_a_note_survives_the_removal_of_the_heading_after_it(log_format):
    body = compose(log_format, note="one", subject="S", ai_note="A")
    heading = {HTML: "<br><br><b>Call details</b><br>", MARKDOWN: "\n## Call details\n", PLAIN: ""}[log_format]
    body = body.replace(heading, "" if log_format is HTML else "\n", 1) if heading else body
    assert read_note(body, log_format) == "one"
    after = update(body, log_format, note="two")
    assert read_note(after, log_format) == "two"
    assert read_subject(after, log_format) == "S"
    assert "one" not in after


@TEXTS
def test_blank_lines_around_a_replaced_line_stay(log_format):
    on = {"addCallSessionId": True, "addCallLogContactNumber": True}
    body = compose(log_format, on, session_id="1", contact_number="+14155550123") + "\n\nuser paragraph"
    assert update(body, log_format, on, session_id="1", contact_number="+14155550123") == body


@pytest.mark.parametrize("name", ["UTC+00:00", "UTC", "", "nonsense"])
def test_a_zone_of_zero_or_unknown_is_utc(name):
    assert "2025-03-04 05:05:09 PM" in compose(PLAIN, zone=zone_of(name), started_at=START)


@pytest.mark.parametrize("direction", [Direction.INBOUND, Direction.OUTBOUND])
def test_the_contact_number_is_corrected_in_place_whichever_label_it_has(direction):
    on = {"addCallLogContactNumber": True}
    body = compose(HTML, on, contact_number="+14155550123", direction=Direction.OUTBOUND, result="x")
    after = update(body, HTML, on, contact_number="+14155550199", direction=direction)
    assert after.count("phone number</b>") == 1
    assert "+14155550199" in after
    assert "+14155550123" not in after


def test_the_time_has_the_users_pattern_and_is_left_alone_without_a_start_time():
    options = {"logDateFormat": "DD/MM/YYYY HH:mm:ss"}
    body = compose(HTML, options, zone=zone_of("UTC-05:00"), started_at=START, result="x")
    assert "<li><b>Date/time</b>: 04/03/2025 12:05:09</li>" in body
    after = update(body, HTML, options, zone=zone_of("UTC+09:00"), result="y")
    assert after == body.replace("x</li>", "y</li>")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("YYYY-MM-DD hh:mm:ss A", "2026-01-01 05:00:00 AM"),
        ("YYYY-MM-DD HH:mm:ss", "2026-01-01 05:00:00"),
        ("MM/DD/YYYY hh:mm:ss A", "01/01/2026 05:00:00 AM"),
        ("MM/DD/YYYY HH:mm:ss", "01/01/2026 05:00:00"),
        ("DD/MM/YYYY hh:mm:ss A", "01/01/2026 05:00:00 AM"),
        ("DD/MM/YYYY HH:mm:ss", "01/01/2026 05:00:00"),
        ("", "2026-01-01 05:00:00 AM"),
    ],
)
def test_every_date_format_on_offer(pattern, text):
    moment = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    body = compose(PLAIN, {"logDateFormat": pattern}, zone=zone_of("UTC+05:30"), started_at=moment)
    assert body == f"- Date/Time: {text}\n"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 8, 9, 59, tzinfo=UTC), "2026-03-08 01:59:00 AM"),
        (datetime(2026, 3, 8, 10, 0, tzinfo=UTC), "2026-03-08 03:00:00 AM"),
        (datetime(2026, 7, 1, 0, 0, tzinfo=UTC), "2026-06-30 05:00:00 PM"),
        (datetime(2026, 11, 1, 9, 0, tzinfo=UTC), "2026-11-01 01:00:00 AM"),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), "2026-11-30 04:00:00 PM"),
    ],
)
def test_a_zone_by_name_follows_daylight_saving_at_the_time_of_the_call(moment, text):
    assert compose(PLAIN, zone=ZoneInfo("America/Los_Angeles"), started_at=moment) == f"- Date/Time: {text}\n"


SECTIONS = {
    "addCallLogNote": ("note", "n", True, "n"),
    "addCallSessionId": ("session_id", "900", False, "Session Id"),
    "addRingCentralUserName": ("caller", Party(name="Kim"), False, "RingCentral user name"),
    "addRingCentralNumber": ("caller", Party(phone_number="+16505550144"), False, "number and extension"),
    "addCallLogSubject": ("subject", "s", True, "Summary"),
    "addCallLogContactNumber": ("contact_number", "+14155550123", False, "umber"),
    "addCallLogDateTime": ("started_at", START, True, "Date/"),
    "addCallLogDuration": ("duration", 3, True, "Duration"),
    "addCallLogResult": ("result", "r", True, "Result"),
    "addCallLogRecording": ("recording_link", "https://m.example.com/1", True, "Call recording link"),
    "addCallLogAiNote": ("ai_note", "a", True, "AI Note"),
    "addCallLogTranscript": ("transcript", "t", True, "Transcript"),
    "addCallLogRingSenseRecordingTranscript": ("ring_sense_transcript", "t", True, "ACE transcript"),
    "addCallLogRingSenseRecordingSummary": ("ring_sense_summary", "s", True, "ACE summary"),
    "addCallLogRingSenseRecordingAIScore": ("ring_sense_score", "8", True, "Call score"),
    "addCallLogRingSenseRecordingBulletedSummary": ("ring_sense_bulleted_summary", "* b", True, "ACE bulleted"),
    "addCallLogRingSenseRecordingLink": ("ring_sense_link", "https://m.example.com/1", True, "ACE recording link"),
    "addCallLogLegs": ("legs", (Leg(),), True, "Call journey"),
}


@ALL
@pytest.mark.parametrize("key", SECTIONS)
def test_every_switch_writes_and_withholds_its_section(log_format, key):
    member, value, default, shown = SECTIONS[key]
    members = {member: value, "has_duration": member == "duration"}
    assert shown in compose(log_format, {key: True}, **members)
    assert compose(log_format, {key: False}, **members) == ""
    assert bool(compose(log_format, **members)) is default
    stored = compose(log_format, {key: True}, **members)
    assert update(stored, log_format, {key: False}, **{**members, "result": None}) == stored


@ALL
def test_a_crm_that_stores_carriage_returns_gets_them_back(log_format):
    stored = compose(log_format, note="a\r\nb", subject="S", has_duration=True, duration=3, ai_note="x\r\ny")
    stored = (stored + "\nmine\n").replace("\n", "\r\n")
    assert read_note(stored, log_format) == "a\nb"
    after = update(stored, log_format, note="c", subject="T", has_duration=True, duration=4, ai_note="z")
    expected = compose(log_format, note="c", subject="T", has_duration=True, duration=4, ai_note="z")
    assert after == (expected + "\nmine\n").replace("\n", "\r\n")


def test_a_block_whose_end_line_is_gone_does_not_swallow_the_next_one():
    body = compose(PLAIN, ai_note="old", transcript="Kim: hello").replace("old\n--- END", "old", 1)
    after = update(body, PLAIN, ai_note="new")
    assert "Kim: hello" in after
    assert update(after, PLAIN, ai_note="newer").count("newer") == 1


# --- Conversations -------------------------------------------------------------------------------

PAT = ContactRef(id=1, name="Pat Lee", phone="+14155550123")
COMMON = {"contact": PAT, "user_name": "Agent Kim", "zone": UTC}


def _message(number, text, minute=7, kind=MessageKind.SMS, **members):
    return Message(
        id=number, kind=kind, direction=Direction.OUTBOUND, text=text,
        sent_at=datetime(2025, 3, 5, 2, 0, tzinfo=UTC) + timedelta(minutes=minute), **members,
    )  # fmt: skip


ASK = _message("1", "Is it ready?", 5)
VOICEMAIL = _message("9", "", kind=MessageKind.VOICEMAIL, recording_link="https://v.example.com/1")


def _day(messages, log_format):
    return compose_conversation(messages, title="SMS conversation with Pat Lee", log_format=log_format, **COMMON)


def _append(body, messages, log_format, **members):
    return append_messages(body, messages, log_format=log_format, **COMMON, **members)


@ALL
def test_a_counter_that_a_person_removed_is_put_back(log_format):
    line = "Conversation(2 messages)<br>" if log_format is HTML else "Conversation(2 messages)\n"
    day = _day([ASK, _message("2", "Yes")], log_format)
    without = day.replace(line, "")
    assert without != day
    after = _append(without, [_message("3", "Thanks", 9)], log_format)
    assert after == _day([ASK, _message("2", "Yes"), _message("3", "Thanks", 9)], log_format)


@ALL
def test_only_the_conversations_own_counter_is_raised(log_format):
    quote = "Conversation(7 messages)"
    body = quote + "\n" + _day([_message("1", quote)], log_format)
    after = _append(body, [_message("2", "more", 8)], log_format)
    assert after.count(quote) == 2
    assert after.count("Conversation(2 messages)") == 1


@ALL
def test_two_equal_texts_of_one_minute_are_both_logged_and_a_retry_adds_none(log_format):
    twice = [_message("2", "ok"), _message("3", "ok")]
    body = _append(_day([ASK], log_format), twice, log_format)
    assert body == _day([ASK, *twice], log_format)
    assert _append(body, twice, log_format, skip_present=True, logged_before=1) == body
    half = _append(_day([ASK], log_format), twice[:1], log_format)
    assert _append(half, twice, log_format, skip_present=True) == body


@ALL
def test_a_retry_that_never_arrived_adds_a_text_equal_to_one_logged_before(log_format):
    before = _day([ASK, _message("2", "ok")], log_format)
    after = _append(before, [_message("3", "ok")], log_format, skip_present=True, logged_before=2)
    assert after == _day([ASK, _message("2", "ok"), _message("3", "ok")], log_format)
    assert _append(after, [_message("3", "ok")], log_format, skip_present=True, logged_before=2) == after


@ALL
def test_a_retry_is_not_misled_by_as_many_other_messages(log_format):
    others = [_message("8", "See you"), _message("9", "at <noon> & later\nor not")]
    body = _day([ASK, *others], log_format)
    rewritten = body.replace("<br>", "<br />\n").replace("<b>", "<strong>").replace("</b>", "</strong>")
    assert _append(rewritten, others, log_format, skip_present=True, logged_before=1) == rewritten
    mine = [_message("2", "Yes", 9), _message("3", "Thanks", 9)]
    assert _append(body, mine, log_format, skip_present=True, logged_before=1) == _day(
        [ASK, *others, *mine], log_format
    )


@ALL
def test_a_retry_is_not_misled_by_a_longer_text_that_begins_alike(log_format):
    before = _day([ASK, _message("2", "Yes, today.\nAt noon")], log_format)
    for text in ("Yes, today.", "Yes"):
        after = _append(before, [_message("3", text)], log_format, skip_present=True)
        assert after == _day([ASK, _message("2", "Yes, today.\nAt noon"), _message("3", text)], log_format)


@ALL
def test_a_voicemail_logged_alone_is_known_again_in_a_retry(log_format):
    body = _day([VOICEMAIL], log_format)
    assert _append(body, [VOICEMAIL], log_format, skip_present=True, logged_before=0) == body
    grown = _append(body, [ASK], log_format)
    assert grown.startswith(body)
    assert _append(grown, [ASK], log_format, skip_present=True, logged_before=1) == grown


@ALL
def test_a_fax_whose_link_is_another_in_a_retry_is_known_by_the_count(log_format):
    fax, again = (_message("9", "", kind=MessageKind.FAX, fax_link=f"https://f.example.com/{n}") for n in range(2))
    alone = _day([fax], log_format)
    assert _append(alone, [again], log_format, skip_present=True, logged_before=0) == alone
    grown = _append(_day([VOICEMAIL], log_format), [fax], log_format)
    assert _append(grown, [again], log_format, skip_present=True, logged_before=1) == grown
    assert _append(alone, [again], log_format, skip_present=True, logged_before=1).count("Fax document link") == 2


@ALL
def test_a_body_that_says_nothing_clear_of_its_count_loses_no_message(log_format):
    footer = "--- Created via RingCentral App Connect"
    for body in ("Typed by hand", f"{_day([ASK], log_format)}\n{footer}", _day([_message("2", footer)], log_format)):
        added = _append(body, [_message("3", "One more")], log_format, skip_present=True, logged_before=0)
        assert added.count("One more") == 1


@ALL
def test_a_cleared_record_gets_the_whole_conversation_with_title_and_people(log_format):
    after = _append("", [ASK], log_format, title="SMS conversation with Pat Lee", correspondents=("Sam Roe", ""))
    assert after == compose_conversation(
        [ASK],
        title="SMS conversation with Pat Lee",
        correspondents=("Sam Roe", ""),
        log_format=log_format,
        **COMMON,
    )
    assert "Unknown" in after


@TEXTS
def test_a_message_that_quotes_the_markers_does_not_end_the_conversation(log_format):
    quoting = _message("1", "BEGIN\n------------\nEND\n\nConversation(9 messages)")
    more = _message("2", "more", 8)
    assert _append(_day([quoting], log_format), [more], log_format) == _day([quoting, more], log_format)


# --- Shared conversations ------------------------------------------------------------------------

HOUR = 3_600_000
MAY = 1_746_111_600_000  # 2025-05-01T15:00:00Z


def _shared(info, zone=UTC, log_format=PLAIN):
    return compose_shared(info, contact_name="Pat Lee", log_format=log_format, zone=zone)[1]


def test_the_hours_of_a_shared_conversation_are_what_days_leave_over():
    body = _shared({"creationTime": MAY, "messages": [{"lastModifiedTime": MAY + 49 * HOUR + 60_000}]})
    assert "Duration: 2 d 1 h" in body


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC-08:00", "Thursday, May 01, 2025 at 07:00 AM"),
        ("UTC+05:30", "Thursday, May 01, 2025 at 08:30 PM"),
        ("America/Los_Angeles", "Thursday, May 01, 2025 at 08:00 AM"),
        ("Asia/Tokyo", "Friday, May 02, 2025 at 12:00 AM"),
    ],
)
def test_a_shared_conversation_is_shown_in_the_users_zone(zone, text):
    assert f"Started: {text}\n" in _shared({"creationTime": MAY}, zone_of(zone))


def test_a_shared_conversation_takes_times_as_iso_and_as_milliseconds_and_without_any_its_start():
    def entity(text, time):
        return {"recordType": "AliveNote", "creationTime": time, "text": text}

    iso = {"creationTime": "2025-05-01T15:00:00Z", "messages": [{"lastModifiedTime": "2025-05-01T16:00:00.000Z"}],
           "entities": [entity("first", "2025-05-01T15:00:00Z"), entity("second", "2025-05-01T15:30:00Z")]}  # fmt: skip
    millis = {"creationTime": MAY, "messages": [{"lastModifiedTime": MAY + HOUR}],
              "entities": [entity("first", MAY), entity("second", MAY + HOUR // 2)]}  # fmt: skip
    assert _shared(iso) == _shared(millis)
    assert _shared(iso).index("second") < _shared(iso).index("first")
    assert "Ended: Thursday, May 01, 2025 at 03:00 PM\nDuration: 0 d 0 h" in _shared({"creationTime": MAY})


def test_the_customer_of_a_shared_conversation_is_listed_once():
    said = {"recordType": "AliveMessage", "direction": "Inbound", "creationTime": MAY, "from": {"name": "Pat Lee"}}
    assert _shared({"creationTime": MAY, "entities": [said]}).count("* Pat Lee") == 1


@ALL
def test_a_shared_conversation_names_files_and_failures_and_has_no_empty_entry(log_format):
    said = {"recordType": "AliveMessage", "direction": "Outbound", "author": {"name": "Robin Vu"}, "creationTime": MAY}
    uri = "https://media.ringcentral.com/restapi/v1.0/mms/1?access_token=rc-secret"
    files = [{"type": "MmsAttachment", "contentType": "image/png", "uri": uri},
             {"type": "MmsAttachment", "contentType": "text/vcard"}, None]  # fmt: skip
    entities = [{**said, "text": "Come", "messageStatus": "DeliveryFailed"}, {**said, "attachments": files}, said]
    body = _shared({"creationTime": MAY, "entities": entities}, log_format=log_format)
    newline = "<br>" if log_format is HTML else "\n"
    assert f"Come{newline}(not delivered)" in body
    reader = "https://ringcentral.github.io/ringcentral-media-reader/?media="
    assert f"[Link]: {reader}https%3A%2F%2Fmedia.ringcentral.com%2Frestapi%2Fv1.0%2Fmms%2F1{newline}[Attachment" in body
    assert "(no text)" in body
    assert "secret" not in body


@pytest.mark.parametrize("order", [1, -1])
def test_parts_of_one_second_keep_their_order_in_a_shared_conversation(order):
    said = {"recordType": "AliveMessage", "direction": "Inbound"}
    entities = [{**said, "creationTime": MAY, "text": f"({n}/3)"} for n in (1, 2, 3)]
    entities.append({**said, "creationTime": MAY + HOUR, "text": "later"})
    body = _shared({"creationTime": MAY, "entities": entities[::order]})
    assert [body.index(text) for text in ("later", "(3/3)", "(2/3)", "(1/3)")] == sorted(
        body.index(text) for text in ("later", "(3/3)", "(2/3)", "(1/3)")
    )
