"""Calls and messages as Bullhorn ``Note`` entities.

Source: Bullhorn REST API documentation, "Note" in the entity reference (field types and lengths).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from adapters.bullhorn.search import KINDS, PersonKind, kind_of, milliseconds_of, moment_of
from adapters.contract import (
    Assignee,
    CallLogEntry,
    ContactRef,
    Id,
    LoggedCall,
    LogRef,
    MessageLogEntry,
    RecordNotFound,
    RequestRejected,
    dig,
    is_deleted,
    rows,
    text_or_null,
)
from adapters.contract.types import Info

#: What a call's note is called until the user chooses.
PENDING_ACTION = "pending note"
_ACTION_LENGTH = 30
_EXTERNAL_ID_LENGTH = 100
_ASSOCIATIONS = {"Contact": "clientContacts", "Candidate": "candidates", "Lead": "leads"}
READ_FIELDS = ",".join(
    (
        "id",
        "action",
        "comments",
        "dateAdded",
        "minutesSpent",
        "isDeleted",
        *(f"{association}(id,firstName,lastName)" for association in _ASSOCIATIONS.values()),
    )
)


def call_note(entry: CallLogEntry) -> dict[str, Any]:
    """The note for a call."""
    note = {
        "comments": entry.body,
        "action": chosen_action(entry.submission) or PENDING_ACTION,
        "personReference": person_reference(entry.contact),
        "dateAdded": milliseconds_of(entry.started_at),
        "externalID": external_id(entry.session_id),
    }
    if entry.duration is not None:
        note["minutesSpent"] = minutes_of(entry.duration)
    return note | author(entry.assignee)


def message_note(entry: MessageLogEntry) -> dict[str, Any]:
    """The note for a conversation day."""
    note = {
        "comments": entry.body,
        "action": chosen_action(entry.submission),
        "personReference": person_reference(entry.contact),
        "dateAdded": milliseconds_of(entry.started_at),
        "externalID": external_id(entry.conversation_log_id),
    }
    return note | author(entry.assignee)


def chosen_action(submission: Info) -> str:
    """The note action of a form; empty when none was chosen. A custom one may be longer than Bullhorn takes."""
    action = dig(submission, "noteActions", str, "").strip()
    return "" if action == "none" else action[:_ACTION_LENGTH]


def external_id(marker: str) -> str:
    """The marker as Bullhorn can hold it; a longer one becomes its digest, since its end sets it apart."""
    return marker if len(marker) <= _EXTERNAL_ID_LENGTH else hashlib.sha256(marker.encode()).hexdigest()


def minutes_of(seconds: int) -> int:
    """Whole minutes, as the field takes no fraction; a call that took place at all counts as one."""
    return max(1, (seconds + 30) // 60) if seconds > 0 else 0


def person_reference(contact: ContactRef) -> dict[str, Any]:
    """The person a note is about. The client's type ``Contact`` is Bullhorn's ``ClientContact``."""
    kind = kind_of(contact.type)
    if kind is None:
        raise RequestRejected("The contact's type is not one that Bullhorn knows.")
    return {"id": record_id(contact.id), "personSubtype": kind.entity}


def record_id(value: Id) -> int:
    """A record id, which Bullhorn keeps as a number and the client may send as text."""
    if isinstance(value, int):
        return value
    if not (value.isascii() and value.isdigit()):
        raise RequestRejected("This is not a Bullhorn record.", reason="an id is not a number")
    return int(value)


def author(assignee: Assignee | None) -> dict[str, Any]:
    """``commentingPerson`` for a log written for somebody else; nothing where their Bullhorn id is not known.

    The administrator's mapping holds ``CorporateUser`` ids; a connected user has theirs in the profile.
    """
    if assignee is None:
        return {}
    user_id = assignee.profile.extra.get("corporate_user_id") if assignee.profile else assignee.user_id
    if isinstance(user_id, str) and user_id.isascii() and user_id.isdigit():
        user_id = int(user_id)
    if not isinstance(user_id, int):
        return {}
    return {"commentingPerson": {"id": user_id, "personSubtype": "CorporateUser"}}


def note_id(ref: LogRef) -> int:
    """The note's id. Raises ``RequestRejected`` for a text that cannot be one: it goes into the path."""
    return record_id(ref.log_id)


def living(note: dict[str, Any]) -> dict[str, Any]:
    """The note as read. Raises ``RecordNotFound`` for a deleted one, which stays readable."""
    if is_deleted(note):
        raise RecordNotFound("The record no longer exists in Bullhorn.")
    return note


def logged_call(note: Mapping[str, Any]) -> LoggedCall:
    """A note as a call log.

    ``subject`` stays empty and ``note`` unknown: Bullhorn has neither field, both are read out of the body. The
    duration too: whole minutes would turn 0:20 into 1:00.
    """
    action = dig(note, "action", str, "")
    return LoggedCall(
        body=text_or_null(note, "comments"),
        contact_name=_first_name(note),
        started_at=moment_of(note, "dateAdded"),
        dispositions={"noteActions": action} if action else {},
        raw=dict(note),
    )


def person_of(note: Mapping[str, Any]) -> tuple[PersonKind, int] | None:
    """Kind and id of the first person a note is linked to."""
    for kind in KINDS:
        for person in rows(note, f"{_ASSOCIATIONS[kind.type]}.data") if _has(note, kind) else ():
            return kind, record_id(person.get("id", ""))
    return None


def _has(note: Mapping[str, Any], kind: PersonKind) -> bool:
    return bool(dig(note, f"{_ASSOCIATIONS[kind.type]}.data", list, []))


def _first_name(note: Mapping[str, Any]) -> str:
    for kind in KINDS:
        for person in rows(note, f"{_ASSOCIATIONS[kind.type]}.data") if _has(note, kind) else ():
            return f"{dig(person, 'firstName', str, '')} {dig(person, 'lastName', str, '')}".strip()
    return ""
