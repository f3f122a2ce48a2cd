"""Calls and conversation days as Clio's communications of type ``PhoneCommunication``.

Source: Clio API v4 documentation, "Communications".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from adapters.clio.replies import moment_of, record_id, timestamp
from adapters.contract import (
    Assignee,
    CallLogChange,
    CallLogEntry,
    ContactRef,
    Direction,
    Id,
    LoggedCall,
    MessageKind,
    MessageLogEntry,
    dig,
    text_or_null,
)
from adapters.contract.types import Info

READ_FIELDS = "id,subject,body,received_at,matter{id},senders{id,type,name},receivers{id,type,name}"
#: No limit is published; this is what a text column commonly holds.
SUBJECT_LENGTH = 255
NO_DETAILS = "No details available"
#: External properties that hold our markers, by which a log is found again.
SESSION_PROPERTY = "ringcentralSessionId"
CONVERSATION_PROPERTY = "ringcentralConversationLogId"
_MARKER_LENGTH = 100


def call(entry: CallLogEntry, user_id: Id) -> dict[str, Any]:
    """The communication for a call."""
    return _communication(
        subject=call_subject(entry),
        body=entry.body,
        received_at=entry.started_at,
        participants=_participants(entry.direction, entry.contact, writer(entry.assignee, user_id)),
        subscriber=user_id,
        submission=entry.submission,
        marker={"name": SESSION_PROPERTY, "value": marker_value(entry.session_id)},
    )


def conversation(entry: MessageLogEntry, body: str, user_id: Id, zone: tzinfo) -> dict[str, Any]:
    """The communication for a conversation day; its direction is that of the first message."""
    direction = entry.messages[0].direction if entry.messages else Direction.INBOUND
    return _communication(
        subject=_subject(entry, zone),
        body=body,
        received_at=entry.started_at,
        participants=_participants(direction, entry.contact, writer(entry.assignee, user_id)),
        subscriber=user_id,
        submission=entry.submission,
        marker={"name": CONVERSATION_PROPERTY, "value": marker_value(entry.conversation_log_id)},
    )


def _subject(entry: MessageLogEntry, zone: tzinfo) -> str:
    """The given subject; a day that begins with a fax has the year first, as the extension's users know it."""
    first = entry.messages[0] if entry.messages else None
    if first and first.kind is MessageKind.FAX:
        what = entry.subject.rpartition(" - ")[0] or entry.subject
        return f"{what} - {first.sent_at.astimezone(zone):%y/%m/%d}"
    return entry.subject


def call_subject(entry: CallLogEntry) -> str:
    """The user's subject, else one that names direction, contact and number."""
    if entry.has_custom_subject and entry.subject:
        return entry.subject
    preposition = "to" if entry.direction is Direction.OUTBOUND else "from"
    other = entry.callee if entry.direction is Direction.OUTBOUND else entry.caller
    phone = entry.contact.phone or other.phone_number
    subject = f"[Call] {entry.direction} Call {preposition} {entry.contact.name}"
    return f"{subject} [{phone}]" if phone else subject


def changes(change: CallLogChange, current: LoggedCall) -> dict[str, Any]:
    """What an edit really changes; absent values stay as they are in Clio."""
    data: dict[str, Any] = {}
    if change.subject and change.subject[:SUBJECT_LENGTH] != current.subject:
        data["subject"] = change.subject[:SUBJECT_LENGTH]
    if change.body and change.body.strip() and change.body != current.body:  # a blank body is refused
        data["body"] = change.body
    if change.started_at and not _is_same_moment(change.started_at, current.started_at):
        data["received_at"] = timestamp(change.started_at)
    if change.assignee:
        data |= _reassigned(current.raw, record_id(change.assignee.user_id, of="owner"))
    return data


def logged_call(data: Mapping[str, Any]) -> LoggedCall:
    """A communication as a call log. It has no duration: that stands in the body and in the time entry."""
    matter = dig(data, "matter.id", int, 0)
    return LoggedCall(
        subject=dig(data, "subject", str, ""),
        body=text_or_null(data, "body"),
        contact_name=next(
            (dig(person, "name", str, "") for person in _people(data) if dig(person, "type", str, "User") != "User"), ""
        ),
        started_at=moment_of(dig(data, "received_at", str, "")),
        dispositions={"matters": matter} if matter else {},
        raw=dict(data),
    )


def was_written_by(data: Mapping[str, Any], user_id: Id) -> bool:
    """Whether the communication is the user's: a colleague may have logged the same session."""
    wanted = record_id(user_id)
    return any(
        dig(person, "type", str, "") == "User" and dig(person, "id", int, 0) == wanted for person in _people(data)
    )


def chosen_matter(submission: Info) -> int | None:
    """The matter chosen in a form; None when there is none."""
    value = submission.get("matters")
    return None if value in (None, "", "none") else record_id(value, of="matter")


def writer(assignee: Assignee | None, user_id: Id) -> int:
    """The Clio user a log belongs to."""
    return record_id(assignee.user_id, of="owner") if assignee else record_id(user_id)


def marker_value(marker: str) -> str:
    """The marker as it is kept; a long one becomes its digest, since its end sets it apart."""
    return marker if len(marker) <= _MARKER_LENGTH else hashlib.sha256(marker.encode()).hexdigest()


def _communication(
    *,
    subject: str,
    body: str,
    received_at: datetime,
    participants: Mapping[str, Any],
    subscriber: Id,
    submission: Info,
    marker: Mapping[str, str],
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "subject": subject[:SUBJECT_LENGTH],
        "body": body if body.strip() else NO_DETAILS,
        "type": "PhoneCommunication",
        "received_at": timestamp(received_at),
        **participants,
        "notification_event_subscribers": [{"user_id": str(subscriber)}],
        "external_properties": [dict(marker)],
    }
    if matter := chosen_matter(submission):
        data["matter"] = {"id": matter}
    return data


def _participants(direction: Direction, contact: ContactRef, user: int) -> dict[str, Any]:
    user_end = [{"id": user, "type": "User"}]
    # "Contact" covers persons and companies on writing; reading says which.
    contact_end = [{"id": record_id(contact.id, of="contact"), "type": "Contact"}]
    if direction is Direction.OUTBOUND:
        return {"senders": user_end, "receivers": contact_end}
    return {"senders": contact_end, "receivers": user_end}


def _people(data: Any) -> list[Any]:
    return [*dig(data, "senders", list, []), *dig(data, "receivers", list, [])]


def _reassigned(data: Any, user: int) -> dict[str, Any]:
    for end in ("senders", "receivers"):
        users = [person for person in dig(data, end, list, []) if dig(person, "type", str, "") == "User"]
        if users:
            return {} if dig(users[0], "id", int, 0) == user else {end: [{"id": user, "type": "User"}]}
    return {}


def given_to(user_id: Id) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A new communication with this user in place of the one it was written for."""

    def change(data: dict[str, Any]) -> dict[str, Any]:
        ends = {
            end: [{"id": record_id(user_id), "type": "User"}]
            for end in ("senders", "receivers")
            if any(dig(person, "type", str, "") == "User" for person in data.get(end, ()))
        }
        return {**data, **ends}

    return change


def _is_same_moment(new: datetime, old: datetime | None) -> bool:
    return old is not None and timestamp(new) == timestamp(old)
