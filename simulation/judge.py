"""Compares what is in the CRM with what the windows were told. Nothing here asks how production came to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from audit.models import CallLog
from connectors.deliveries.models import Delivery
from simulation.crm import crm
from simulation.expectation import Expectation, Told
from simulation.script import text_of
from simulation.world import world

#: How long the same new contact counts as the same click, see ``contact_creations``.
_SAME_CLICK = 30.0


def findings(expected: Expectation) -> list[str]:
    """What must not be; empty where all is well. Called when everything was sent that can be."""
    rows = crm.store.activities(None, limit=10_000)
    return [
        *expected.surprises,
        *_calls(expected, rows),
        *_texts(expected, rows),
        *_contacts(expected),
        *_people(expected, rows),
        *(f"left over: {delivery} {delivery.state} {delivery.last_error}" for delivery in Delivery.objects.all()),
        *(["the schedule does not end"] if world.counts["endless"] else []),
    ]


def _calls(expected: Expectation, rows: list[dict[str, Any]]) -> Iterator[str]:
    for session in expected.subjects("log"):
        found = [row for row in rows if row["kind"] == "call" and row["external_id"] == session]
        if len(found) > 1:
            yield f"{session} doubled: {[row['id'] for row in found]}"
        if session in expected.deleted:
            continue
        accepted = any(told.accepted and not _is_refused(told, expected) for told in expected.of("log", session))
        if accepted and not found:
            states = list(CallLog.objects.filter(session_id=session).values_list("state", flat=True))
            yield f"{session} lost: accepted, not in the CRM; row {states}"
        for log in CallLog.objects.filter(session_id=session):
            ids = [row["id"] for row in found]
            if log.is_logged != (log.crm_log_id in ids) or (len(ids) == 1 and not log.is_logged):
                yield f"{session}: the row says {log.state} {log.crm_log_id!r}, the CRM has {ids}"
        if len(found) == 1:
            yield from _changes(expected, session, "edit", found[0]["body"] or "", "body")
            yield from _changes(expected, session, "dispose", found[0]["address"] or "", "address")


def _is_refused(told: Told, expected: Expectation) -> bool:
    """Whether the log, kept or under way by then, was refused to somebody who waited for it later."""
    return any(later.refused and later.ended >= told.ended for later in expected.of("log", told.subject))


def _changes(expected: Expectation, session: str, kind: str, final: str, member: str) -> Iterator[str]:
    """Each accepted change was carried out, and none was undone by one that was accepted before it."""
    refused = max((told.ended for told in expected.of("log", session) if told.refused), default=0.0)
    changes = [told for told in expected.of(kind, session) if told.began > refused]  # others were of no log
    accepted = [told for told in changes if told.accepted]
    versions = [str(write.body.get(member) or "") for write in crm.applied if _is_of(write.path, session)]
    for told in accepted:
        if told.text not in final and not any(told.text in version for version in versions):
            yield f"{kind} {told.text} of {session} lost"
    if session in crm.judged or not accepted:
        return  # what the CRM refused is sent when support has decided, out of its turn
    last = [told for told in changes if told.text in final]
    if not last:
        yield f"{kind} of {session}: none of {[told.text for told in accepted]} is there in the end"
    elif all(any(_before(told, later) for later in accepted) for told in last):
        yield f"{kind} of {session}: {last[0].text} undid what came after it"


def _is_of(path: str, session: str) -> bool:
    number = path.rpartition("/")[2]
    return any(write.record == number and write.body.get("external_id") == session for write in crm.applied)


def _before(first: Told, second: Told) -> bool:
    return first.text != second.text and first.ended < second.began


def _texts(expected: Expectation, rows: list[dict[str, Any]]) -> Iterator[str]:
    for day in expected.subjects("texts"):
        records = [row for row in rows if row["kind"] == "conversation" and row["external_id"].startswith(day)]
        whole = "\n".join(row["body"] or "" for row in records)
        markers = Counter(row["external_id"] for row in records)
        if doubled := [marker for marker, count in markers.items() if count > 1]:
            yield f"records of {doubled} doubled"
        accepted = {number for told in expected.of("texts", day) if told.accepted for number in told.text.split()}
        for number in sorted({number for told in expected.of("texts", day) for number in told.text.split()}):
            count = whole.count(text_of(day, int(number)))
            if count > 1:
                yield f"text {number} of {day} stands there {count} times"
            if not count and number in accepted and day not in expected.deleted:
                yield f"text {number} of {day} lost"


def _contacts(expected: Expectation) -> Iterator[str]:
    for name in expected.subjects("contact"):
        count = len(crm.store.contacts(None, name=name))
        asked = list(expected.of("contact", name))
        done = sorted(told.ended for told in asked if told.accepted)
        # The same contact asked for long after it was made is another one.
        clicks = 1 + sum(told.began > done[0] + _SAME_CLICK - 15 for told in asked) if done else 1
        if count > clicks:
            yield f"{name} stands there {count} times, asked for {clicks} times"
        if done and not count:
            yield f"{name} lost"


def _people(expected: Expectation, rows: list[dict[str, Any]]) -> Iterator[str]:
    for record, text in expected.by_people.items():
        row = next((row for row in rows if row["id"] == record), None)
        if row is not None and text not in (row["body"] or ""):
            yield f"what a person wrote into {record} is gone"
