"""Events, which call logs and message logs are here: what is written, what is read, and which one is ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import (
    Assignee,
    CallLogChange,
    Id,
    LoggedCall,
    LogMarker,
    LogRef,
    MessageLogChange,
    RecordNotFound,
    UnexpectedResponse,
    dig,
    is_deleted,
    text_or_null,
)
from adapters.insightly import links
from adapters.insightly.people import moment

#: The vendor publishes no limit; longer titles are cut to what its web page shows.
TITLE_LENGTH = 255
_SESSION_ID = re.compile(r"^[-*•–]\s+Session\s+Id\s*:[^\S\n]*(\S+)", re.MULTILINE)


def utc(time: datetime) -> str:
    """A time as the vendor takes it: ISO 8601 in UTC, whole seconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def end_of(started_at: datetime, duration: int | None) -> datetime:
    """When a call ended; a call of unknown length ends where it starts."""
    return started_at + timedelta(seconds=max(duration or 0, 0))


def new_event(
    *, title: str, details: str, started_at: datetime, ended_at: datetime, assignee: Assignee | None
) -> dict[str, Any]:
    """The body of a new event without its links. Unassigned, it belongs to the owner of the key."""
    event = {
        "TITLE": title[:TITLE_LENGTH],
        "DETAILS": details,
        "START_DATE_UTC": utc(started_at),
        "END_DATE_UTC": utc(max(started_at, ended_at)),  # an event that ends before it starts is refused
    }
    return {**event, "OWNER_USER_ID": links.number(assignee.user_id)} if assignee else event


def verified(record: Any, ref: LogRef) -> Mapping[str, Any]:
    """The event that was asked for.

    Raises ``RecordNotFound`` for a deleted one, and ``UnexpectedResponse`` for anything else: on top of an empty answer
    an edit would wipe what people wrote.
    """
    if not isinstance(record, dict) or record.get("EVENT_ID") != links.number(ref.log_id):
        raise UnexpectedResponse(reason="expected the event that was asked for")
    if is_deleted(record):
        raise RecordNotFound("This record no longer exists in Insightly.")
    return record


def logged_call(record: Mapping[str, Any], contact_name: str) -> LoggedCall:
    """A call log from an event; details cleared in Insightly are null there, an empty body here."""
    started, ended = moment(record, "START_DATE_UTC"), moment(record, "END_DATE_UTC")
    return LoggedCall(
        subject=dig(record, "TITLE", str, ""),
        body=text_or_null(record, "DETAILS"),
        contact_name=contact_name,
        started_at=started,
        duration=round((ended - started).total_seconds()) if started and ended else None,
        dispositions=links.dispositions(record),
        raw=record,
    )


def changes(change: CallLogChange, current: LoggedCall) -> dict[str, Any]:
    """The members of an event that an edit changes; a PUT leaves absent ones as they are.

    Dates go along only when a start or a duration was submitted, the other one taken from the event: an edit of the
    note alone must not move the call.
    """
    body: dict[str, Any] = {}
    if change.subject is not None and change.subject[:TITLE_LENGTH] != current.subject:
        body["TITLE"] = change.subject[:TITLE_LENGTH]
    if change.body is not None and change.body != current.body:
        body["DETAILS"] = change.body
    body |= _new_times(change, current)
    if change.assignee is not None:
        owner = links.number(change.assignee.user_id)
        if owner != dig(current.raw, "OWNER_USER_ID", int, 0):
            body["OWNER_USER_ID"] = owner
    return body


def _new_times(change: CallLogChange, current: LoggedCall) -> dict[str, str]:
    start = change.started_at or current.started_at
    if start is None or (change.started_at is None and change.duration is None):
        return {}
    duration = current.duration if change.duration is None else change.duration
    start = start.astimezone(UTC).replace(microsecond=0)
    if (start, duration) == (current.started_at, current.duration):
        return {}
    return {"START_DATE_UTC": utc(start), "END_DATE_UTC": utc(end_of(start, duration))}


def with_messages(change: MessageLogChange, record: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a day's event that new messages change; its end moves forward only."""
    details = text_or_null(record, "DETAILS")
    extended = change.append(details, change.messages)
    if extended == details:
        return {}
    ended = moment(record, "END_DATE_UTC")
    is_later = ended is None or change.ended_at.replace(microsecond=0) > ended
    return {"DETAILS": extended, **({"END_DATE_UTC": utc(change.ended_at)} if is_later else {})}


def is_log_of(record: Mapping[str, Any], marker: LogMarker, owner: Id) -> bool:
    """Whether an event is the log a marker describes: title, second, owner and person; no other session's id in it."""
    if marker.started_at is None or dig(record, "TITLE", str, "") != marker.subject[:TITLE_LENGTH]:
        return False
    if moment(record, "START_DATE_UTC") != marker.started_at.astimezone(UTC).replace(microsecond=0):
        return False
    if is_deleted(record) or str(record.get("OWNER_USER_ID") or owner) != str(owner):
        return False
    if not links.is_linked_to(record, marker.contact):
        return False
    session = _SESSION_ID.search(dig(record, "DETAILS", str, ""))
    return session is None or session[1] == marker.marker
