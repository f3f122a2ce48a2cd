"""Calls and conversation days as Redtail's activities.

Source: the vendor's API collection, "Activities": an activity is created open, and PUT changes only what it is sent.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import (
    AccessDenied,
    Assignee,
    CallLogChange,
    ContactRef,
    HttpClient,
    LoggedCall,
    LogMarker,
    LogRef,
    RecordNotFound,
    UnsupportedOperation,
    dig,
    is_deleted,
    require_id,
    text_or_null,
)
from adapters.redtail.replies import PagedList, full_name, moment_of, number_of, record_id

PHONE_CALL = 3  # activity code
#: No limit is published; this is what a text column commonly holds.
SUBJECT_LENGTH = 255
#: As the composer writes them, or an editor in Redtail.
_NOTE_HEADING = re.compile(r"<(?:b|strong)\b[^<>]*>\s*Agent\s+notes\s*</\w+>\s*(?:<br[^<>]*>)?", re.IGNORECASE)
_DETAILS_HEADING = re.compile(r"<(?:b|strong)\b[^<>]*>\s*Call\s+details\s*</", re.IGNORECASE)
_BREAK = re.compile(r"<br[^<>]*>", re.IGNORECASE)
_EMPTY_LINE = re.compile(r"<br[^<>]*>\s*<br[^<>]*>", re.IGNORECASE)
_SESSION_ID = re.compile(r"<(?:b|strong)\b[^<>]*>\s*Session\s+Id\s*</\w+>\s*:(?:\s|&nbsp;)*([^<\s]+)", re.IGNORECASE)
_MOST_PAGES = 40

Row = dict[str, Any]


def new_activity(
    *,
    subject: str,
    body: str,
    contact: ContactRef,
    started_at: datetime,
    ended_at: datetime,
    category: int,
    assignee: Assignee | None,
) -> Row:
    """The body of a new activity."""
    return {
        "subject": subject[:SUBJECT_LENGTH],
        "description": body,
        "start_date": timestamp(started_at),
        "end_date": timestamp(max(started_at, ended_at)),
        "activity_code_id": PHONE_CALL,
        "category_id": category,
        "repeats": "never",
        "linked_contacts": [{"contact_id": record_id(contact.id, noun="contact")}],
        **attendees(assignee),
    }


def attendees(assignee: Assignee | None) -> Row:
    """The member that gives an activity to somebody else; nothing where their Redtail id is not known.

    The administrator's mapping holds ids of Redtail; a connected user, whose own id is the user name, has it aside.
    """
    if assignee is None:
        return {}
    known = assignee.profile.extra.get("redtail_user_id") if assignee.profile else assignee.user_id
    user = number_of(known)
    return {} if user is None else {"attendees": [{"type": "Crm::Activity::Attendee::User", "user_id": user}]}


def read_activity(http: HttpClient, ref: LogRef) -> Row:
    """The activity with its contacts. Raises when its description cannot be read: an edit of nothing would wipe it."""
    path = f"activities/{record_id(ref.log_id, noun='activity')}"
    reply = http.get(path, headers={"include": "linked_contacts"})
    activity = dig(reply, "activity", dict, {})
    if is_deleted(activity):
        raise gone()
    text_or_null(activity, "description")  # raises
    return activity


def change(http: HttpClient, log_id: int, body: Mapping[str, Any]) -> None:
    """Changes an activity. Raises ``RecordNotFound`` when the answer says that it is deleted: nobody will see it."""
    reply = http.put(f"activities/{log_id}", json=dict(body))
    if is_deleted(dig(reply, "activity", dict, {})):
        raise gone()


def gone() -> RecordNotFound:
    return RecordNotFound("This activity was deleted in Redtail.")


def logged_call(activity: Row) -> LoggedCall:
    """An activity as a call log."""
    body = description(activity)
    start, end = moment_of(activity, "start_date"), moment_of(activity, "end_date")
    category = activity.get("category_id")
    return LoggedCall(
        subject=dig(activity, "subject", str, ""),
        body=body,
        note=_note_without_details(body),
        contact_name=full_name(dig(activity, "linked_contacts.0", dict, {})),
        started_at=start,
        duration=max(0, round((end - start).total_seconds())) if start and end else None,
        dispositions={} if category is None else {"category": category},
        raw={"activity": activity},
    )


def description(activity: Mapping[str, Any]) -> str:
    """The body; null in Redtail where somebody cleared it."""
    return dig(activity, "description", str, "")


def _note_without_details(body: str) -> str | None:
    """The note of a body whose second heading a person removed; None: it is read as everywhere."""
    heading = _NOTE_HEADING.search(body)
    end = _EMPTY_LINE.search(body, heading.end()) if heading else None
    if heading is None or end is None or _DETAILS_HEADING.search(body):
        return None
    return html.unescape(_BREAK.sub("\n", body[heading.end() : end.start()])).strip("\n")


def has_note(body: str) -> bool:
    """Whether there is a note in a body."""
    return bool(_NOTE_HEADING.search(body))


def call_changes(change: CallLogChange, current: LoggedCall) -> Row:
    """What an edit really changes; what it does not give stays as it is, the times above all."""
    changed: Row = {}
    if change.subject and change.subject[:SUBJECT_LENGTH] != current.subject:
        changed["subject"] = change.subject[:SUBJECT_LENGTH]
    if change.body and change.body.strip() and change.body != current.body:
        changed["description"] = change.body
    start = change.started_at or current.started_at
    if start is not None and (change.started_at is not None or change.duration is not None):
        duration = change.duration if change.duration is not None else current.duration or 0
        times = {"start_date": timestamp(start), "end_date": timestamp(start + timedelta(seconds=duration))}
        changed |= {key: value for key, value in times.items() if value != _stored(current, key)}
    given = attendees(change.assignee)
    if given and not _attends(current, given["attendees"][0]["user_id"]):
        changed |= given
    return changed


def _stored(current: LoggedCall, key: str) -> str:
    moment = moment_of(dig(current.raw, "activity", dict, {}), key)
    return timestamp(moment) if moment else ""


def _attends(current: LoggedCall, user: int) -> bool:
    return any(
        number_of(dig(row, "user_id", int, 0)) == user for row in dig(current.raw, "activity.attendees", list, [])
    )


def later_end(activity: Mapping[str, Any], ended_at: datetime) -> datetime:
    """A message that arrives late does not move the end of its day backwards."""
    stored = moment_of(activity, "end_date")
    return max(stored, ended_at) if stored else ended_at


def find_activity(http: HttpClient, marker: LogMarker, *, user_id: int | None) -> int | str | None:
    """The activity a marker describes among those of its contact; the order of the list is not documented.

    Raises ``UnsupportedOperation`` where they cannot all be seen: "not there" would lead to a second one.
    """
    contact = record_id(marker.contact.id, noun="contact")
    listing = PagedList(path=f"contacts/{contact}/activities", key="activities")
    try:
        found, total = listing.page(http)
        if total > _MOST_PAGES:
            raise UnsupportedOperation("looking through so many activities")
        for number in range(2, total + 1):
            found += listing.page(http, number)[0]
    except AccessDenied:
        raise UnsupportedOperation("finding logs without the permission to list them") from None
    except RecordNotFound:
        raise UnsupportedOperation("finding a log whose contact is gone") from None
    return next((require_id(row, "id") for row in found if _is_log_of(row, marker, user_id)), None)


def _is_log_of(row: Mapping[str, Any], marker: LogMarker, user_id: int | None) -> bool:
    """Same subject and second, written by this user, and no other session's id in it.

    Whether Redtail keeps fractions of a second and blanks at the end of a subject is not documented.
    """
    if is_deleted(row):
        return False
    if dig(row, "subject", str, "").split() != marker.subject[:SUBJECT_LENGTH].split():
        return False
    start = moment_of(row, "start_date")
    if marker.started_at is None or start is None or abs(start - marker.started_at) >= timedelta(seconds=1):
        return False
    author = number_of(row.get("added_by"))
    if author is not None and user_id is not None and author != user_id:  # a colleague logged the same session
        return False
    session = _SESSION_ID.search(description(row))
    return session is None or session[1] == marker.marker


def timestamp(moment: datetime) -> str:
    """A time as Redtail takes it: ISO 8601, UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
