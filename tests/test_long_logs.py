"""A log that is too long for its CRM is shortened where it hurts least, and says so; nothing else of it is lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.contract import LogFormat, Options
from audit.models import CallLog
from connectors.log_body import CallDetails, compose_call, read_note, update_call
from tests.extension import call
from tests.remembering import remembering

PLAIN, HTML, MARKDOWN = LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN
ALL = pytest.mark.parametrize("log_format", [PLAIN, HTML, MARKDOWN])
LIMIT = 20_000
REC = "https://media.ringcentral.com/rec/9"
FACTS = {
    "note": "The important note",
    "has_duration": True,
    "duration": 187,
    "started_at": datetime(2026, 1, 14, 17, 31, 7, tzinfo=UTC),
    "recording_link": REC,
}
INES = {"id": 41207, "name": "Ines Pardo", "type": "Contact", "phone": "+14155550123"}


def _texts(length):
    line = 'Kim: "hello" <you> & me\n'
    return line * (length // len(line) + 1)


def compose(log_format, **members):
    details = CallDetails(**FACTS, **members)
    return compose_call(details, log_format=log_format, options=Options(), zone=UTC, limit=LIMIT)


def _has_its_facts(body, log_format):
    assert read_note(body, log_format) == "The important note"
    assert REC in body
    assert "3 minutes, 7 seconds" in body
    assert "2026-01-14" in body


@ALL
def test_a_log_that_fits_is_left_as_it_is(log_format):
    members = {"transcript": _texts(5_000), "ai_note": "Short"}
    details = CallDetails(**FACTS, **members)
    assert compose(log_format, **members) == compose_call(details, log_format=log_format, options=Options(), zone=UTC)


@ALL
def test_transcripts_are_cut_first_and_as_little_as_will_do(log_format):
    body = compose(
        log_format, transcript=_texts(30_000), ai_note="Short summary", ring_sense_transcript="Pat: bye", result="Good"
    )
    assert LIMIT - 100 < len(body) <= LIMIT
    assert body.count("[shortened]") == 1
    for kept in ("Short summary", "Pat: bye", "Good", "Kim: "):
        assert kept in body
    _has_its_facts(body, log_format)


@ALL
def test_then_the_ace_transcript_then_the_ai_note(log_format):
    body = compose(log_format, transcript=_texts(30_000), ring_sense_transcript=_texts(30_000), ai_note="Short summary")
    assert body.count("[shortened]") == 2
    assert "Short summary" in body
    assert LIMIT - 100 < len(body) <= LIMIT
    body = compose(log_format, transcript=_texts(30_000), ring_sense_transcript="x\n" * 9_000, ai_note=_texts(30_000))
    assert body.count("[shortened]") == 3
    assert LIMIT - 100 < len(body) <= LIMIT
    _has_its_facts(body, log_format)


@ALL
def test_the_note_is_cut_where_nothing_else_is_left(log_format):
    details = CallDetails(**{**FACTS, "note": _texts(30_000)}, transcript=_texts(30_000))
    body = compose_call(details, log_format=log_format, options=Options(), zone=UTC, limit=LIMIT)
    assert len(body) <= LIMIT
    assert REC in body
    assert read_note(body, log_format).endswith("[shortened]")


@ALL
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_keeps_within_the_limit_and_what_people_wrote(log_format, newline):
    mine = "My own remark"
    body = compose(log_format, transcript=_texts(10_000)) + (f"<p>{mine}</p>" if log_format is HTML else f"\n{mine}\n")
    details = CallDetails(ai_note=_texts(12_000), note="Newer", recording_link=f"{REC}0")
    after = update_call(
        body.replace("\n", newline), details, log_format=log_format, options=Options(), zone=UTC, limit=LIMIT
    )
    assert len(after) <= LIMIT
    assert mine in after
    assert f"{REC}0" in after
    assert read_note(after, log_format) == "Newer"
    again = update_call(after, details, log_format=log_format, options=Options(), zone=UTC, limit=LIMIT)
    assert len(again) <= LIMIT
    assert again.count("[shortened]") == after.count("[shortened]") == (2 if log_format is HTML else 1)


@pytest.mark.django_db
@ALL
def test_a_call_and_an_edit_are_logged_however_long_their_transcripts(client, monkeypatch, log_format):
    crm = remembering(client, monkeypatch, log_format, body_length=100_000, title_length=60)
    long = {"transcript": "word " * 33_400, "aiNote": "Short summary"}
    submission = call("1", INES, info={"customSubject": "s" * 1500}, note="The important note", **long)
    assert crm.post("/callLog", submission)["returnMessage"]["message"] == "Call logged"
    body = crm.bodies["call-1"]
    assert 99_000 < len(body) <= 100_000
    assert "[shortened]" in body
    assert "Short summary" in body
    assert read_note(body, log_format) == "The important note"
    assert crm.titles["call-1"] == "s" * 59 + "…"
    assert crm.patch("/callLog", {"sessionId": "1", "subject": "t" * 1500, "note": "Newer", **long})["successful"]
    assert len(crm.bodies["call-1"]) <= 100_000
    assert crm.titles["call-1"] == "t" * 59 + "…"
    assert CallLog.objects.get().crm_log_id == "call-1"
