"""What the server holds about a person is found by number or contact, shown, and erased."""

from __future__ import annotations

import io
import json
import logging
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEvent, CallLog, ConversationLog, LogReason, LogState
from audit.numbers import ending_of, hashed_number
from connectors.api.authentication import issue_token
from connectors.deliveries.models import Circuit, Delivery
from connectors.models import CallDownEntry, ContactCreation, ContactMatch, LookUp, NoteDraft, PlaceholderContact
from tests.factories import CrmUserFactory

NUMBER, WRITTEN, OTHER = "+14155550133", "(415) 555-0133", "+14155550199"
NAME, NOTE = "Ada Quirk", "she wants the blue one"


def _columns(number):
    return {"number_hash": hashed_number(number), "number_ending": ending_of(number)}


def _holdings(client, number=NUMBER, contact="c-1", session="700"):
    """A row of each kind, and a call that waits for a CRM which is down."""
    user = CrmUserFactory()
    log = CallLog.objects.create(
        platform="testCRM", owner=user.owner, user=user, session_id=f"{session}1", contact_id=contact,
        crm_log_id=f"r{session}", state=LogState.LOGGED, **_columns(number),
    )  # fmt: skip
    day = ConversationLog.objects.create(
        platform="testCRM", owner=user.owner, user=user, conversation_log_id=f"{session}/day", contact_id=contact,
        **_columns(number),
    )  # fmt: skip
    LogReason.objects.create(call_log=log, text=f"{NAME} is no contact")
    LogReason.objects.create(conversation=day, text=f"{NAME} is no contact")
    trace = json.dumps({"forms": [number], "shown": [{"id": contact, "name": NAME}]})
    LookUp.objects.create(user=user, trace=trace, **_columns(number))
    CallDownEntry.objects.create(user=user, contact_id=contact, contact_name=NAME, phone_number=number, note=NOTE)
    shown = {"contact": [{"id": contact, "name": NAME, "phone": number}]}
    ContactMatch.objects.create(user=user, key=session, result=shown, fetched_at=timezone.now())
    ContactCreation.objects.create(
        platform="testCRM", owner=user.owner, key=session, result=shown["contact"][0], changed_at=timezone.now()
    )
    PlaceholderContact.objects.create(
        user=user, platform="testCRM", owner=user.owner, contact_id=contact, **_columns(number)
    )
    NoteDraft.objects.create(user=user, session_id=f"{session}1", note=NOTE, expires_at=timezone.now())
    down = timezone.now() + timedelta(hours=1)
    Circuit.objects.update_or_create(crm=f"testCRM:{user.host}", defaults={"failures": 9, "open_until": down})
    body = {
        "logInfo": {
            "sessionId": f"{session}2", "direction": "Outbound", "startTime": 1_767_000_000_000, "duration": 4,
            "from": {"phoneNumber": "+14155550100"}, "to": {"phoneNumber": number},
        },
        "contactId": contact, "contactName": NAME, "note": NOTE,
    }  # fmt: skip
    reply = client.post(f"/callLog?jwtToken={issue_token(user)}", body, content_type="application/json").json()
    assert "saved" in reply["returnMessage"]["message"], reply
    Delivery.objects.update(lease=None, lease_until=None)


ONE_OF_EACH = {
    "call logs": 1,
    "conversations": 1,
    "reasons": 2,
    "look ups": 1,
    "callbacks": 1,
    "cached look ups": 1,
    "created contacts": 1,
    "placeholder contacts": 1,
    "note drafts": 1,
    "kept changes": 1,
}


def _run(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def _counts(text):
    return {
        line.split(": ")[0]: int(line.split(": ")[1])
        for line in text.splitlines()
        if ": " in line and "run" not in line
    }


PERSONS = [
    ["--phone", NUMBER],
    ["--phone", WRITTEN],
    ["--contact", "c-1"],
    ["--contact", "c-1", "--platform", "testCRM"],
]


def _and_waiting_log(counts):
    """The call that waits has a row of its own, with what is known of the number by the version that wrote it."""
    return {**counts, "call logs": counts["call logs"] - 1} if counts["call logs"] == 2 else counts


@pytest.mark.django_db
@pytest.mark.parametrize("person", PERSONS)
def test_erasing_leaves_nothing_of_the_person_and_everything_of_others(client, person):
    _holdings(client)
    _holdings(client, number=OTHER, contact="c-2", session="800")
    assert _and_waiting_log(_counts(_run("erase_person", *person, "--dry-run"))) == ONE_OF_EACH
    assert LogReason.objects.count() == 4, "a dry run changes nothing"
    assert _and_waiting_log(_counts(_run("erase_person", *person))) == ONE_OF_EACH
    left = _counts(_run("export_person", *person, "--dry-run"))
    assert {name for name, number in left.items() if number} <= {"call logs", "conversations"}
    assert not CallLog.objects.filter(number_hash=hashed_number(NUMBER)).exists()
    assert CallLog.objects.get(session_id="7001").number_ending == ""
    assert CallLog.objects.get(session_id="7001").is_logged, "the record in the CRM is still known"
    assert CallLog.objects.get(session_id="7002").is_failed
    assert _and_waiting_log(_counts(_run("export_person", "--phone", OTHER, "--dry-run"))) == ONE_OF_EACH


@pytest.mark.django_db
def test_an_export_shows_texts_in_clear_and_is_recorded_without_them(client, caplog):
    _holdings(client)
    caplog.set_level(logging.DEBUG)
    rows = [json.loads(line) for line in _run("export_person", "--phone", NUMBER).splitlines()]
    by_kind = {row["kind"]: row for row in rows}
    assert by_kind["callbacks"]["note"] == by_kind["note drafts"]["text"] == NOTE
    assert NAME in by_kind["kept changes"]["text"]
    assert by_kind["callbacks"]["phone_number"] == NUMBER
    assert {row["platform"] for row in rows} == {"testCRM"}, "where"
    timed = ("reasons", "look ups", "note drafts", "kept changes", "cached look ups", "created contacts")
    assert all(f"{timezone.now():%Y-}" in json.dumps(by_kind[kind]) for kind in timed), "and when"
    _run("erase_person", "--phone", NUMBER)
    said = caplog.text + json.dumps(list(AuditEvent.objects.values()), default=str)
    for secret in (NUMBER, NUMBER[1:], hashed_number(NUMBER), NAME, NOTE):
        assert secret not in said
    event = AuditEvent.objects.get(action="person.erase")
    assert event.detail["note drafts"] == 1


@pytest.mark.django_db
def test_nobody_is_erased_by_nothing():
    for arguments in ([], ["--phone", "hello"]):
        with pytest.raises(CommandError):
            _run("erase_person", *arguments)
