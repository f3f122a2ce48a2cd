"""Activities as this adapter writes and reads them (API v2, which is strict about JSON types)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.contract import (
    ContactRef,
    Dispensable,
    Id,
    LoggedCall,
    LogMarker,
    RequestRejected,
    dig,
    text_or_null,
    without_keys,
)

SUBJECT_LENGTH = 255
#: As the composer writes it, or an editor in Pipedrive.
_SESSION_ID = re.compile(r"<(?:b|strong)\b[^<>]*>\s*Session\s+Id\s*</\w+>\s*:(?:\s|&nbsp;)*([^<\s]+)", re.IGNORECASE)


def number(value: Any) -> int:
    """A Pipedrive id as the JSON number v2 insists on. Raises ``RequestRejected`` for anything else."""
    text = str(value).strip().removesuffix("-pipedrive")
    if not (text.isascii() and text.isdigit()):
        raise RequestRejected("This is not a Pipedrive record.", reason="an id is not a number")
    return int(text)


def due(moment: datetime) -> dict[str, str]:
    """``due_date`` and ``due_time``: the vendor takes and gives both in UTC, whatever the user's zone."""
    moment = moment.astimezone(UTC)
    return {"due_date": f"{moment:%Y-%m-%d}", "due_time": f"{moment:%H:%M}"}


def duration(seconds: int) -> str:
    """``HH:MM``, begun minutes counted in full: 300 -> 00:05, 3599 -> 01:00."""
    minutes = -(-max(seconds, 0) // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def chosen(value: Any) -> Any:
    """A form value, None where nothing is chosen: the client's "none", an empty text, null."""
    return None if value in (None, "", "none") else value


def links(submission: Mapping[str, Any]) -> dict[str, Any]:
    """``deal_id`` or ``lead_id`` of a form; an activity cannot hang on both, and the deal wins. Absent, not empty."""
    if deal := chosen(submission.get("deals")):
        return {"deal_id": number(deal)}
    if lead := chosen(submission.get("leads")):
        return {"lead_id": str(lead)}
    return {}


def moved_links(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As ``links`` for an existing activity: one kind replaces the other; an explicit nothing removes a kind."""
    if link := links(fields):
        return {"deal_id": None, "lead_id": None, **link}
    return {key: None for name, key in (("deals", "deal_id"), ("leads", "lead_id")) if name in fields}


def _without_link(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Where an edit moves an activity to a deal that is gone, it stays where it is."""
    return lambda body: without_keys("deal_id", "lead_id")(body) if body.get(key) else body


DISPENSABLE_LINKS = (
    Dispensable(what="deal", without=_without_link("deal_id")),
    Dispensable(what="lead", without=_without_link("lead_id")),
)


def new_activity(
    *,
    contact: ContactRef,
    owner: Id,
    subject: str,
    type_key: str,
    body: str,
    started_at: datetime,
    submission: Mapping[str, Any],
) -> dict[str, Any]:
    """The request body for a done activity, without its organisation and duration."""
    return {
        "owner_id": number(owner),
        "subject": subject[:SUBJECT_LENGTH],
        "type": type_key,
        "done": True,
        **due(started_at),
        "note": body,
        # person_id is read-only in v2: the primary participant defines it
        "participants": [{"person_id": number(contact.id), "primary": True}],
        **links(submission),
    }


def logged_call(record: Mapping[str, Any], contact_name: str) -> LoggedCall:
    """A call log from an activity; a note cleared in Pipedrive is null there, an empty body here."""
    return LoggedCall(
        subject=dig(record, "subject", str, ""),
        body=text_or_null(record, "note"),
        contact_name=contact_name,
        started_at=_started_at(record),
        duration=_seconds(dig(record, "duration", str, "")),
        dispositions={"deals": record.get("deal_id"), "leads": record.get("lead_id")},
        raw=record,
    )


def is_log_of(record: Mapping[str, Any], marker: LogMarker) -> bool:
    """Whether an activity is the log a marker describes: same subject, minute and duration, no other session's id."""
    if marker.started_at is None or dig(record, "subject", str, "") != marker.subject[:SUBJECT_LENGTH]:
        return False
    expected = due(marker.started_at)
    if (record.get("due_date"), dig(record, "due_time", str, "")[:5]) != (expected["due_date"], expected["due_time"]):
        return False
    if marker.duration is not None and _seconds(dig(record, "duration", str, "")) != _seconds(
        duration(marker.duration)
    ):
        return False
    session = _SESSION_ID.search(dig(record, "note", str, ""))
    return session is None or session[1] == marker.marker


def _started_at(record: Mapping[str, Any]) -> datetime | None:
    day, clock = dig(record, "due_date", str, ""), dig(record, "due_time", str, "")
    if not day or not clock:
        return None
    try:
        return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _seconds(text: str) -> int | None:
    match = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text, re.ASCII)
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0) if match else None
