"""The agent's note, copied into the comments of the person it is about, where the user ticked the box."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from adapters.bullhorn.notes import record_id
from adapters.bullhorn.search import kind_of
from adapters.contract import (
    ConnectorError,
    ContactRef,
    HttpClient,
    Id,
    LogResult,
    Notice,
    NoticeLevel,
    RecordNotFound,
    dig,
    require,
)


def is_wanted(submission: Mapping[str, Any], note: str | None) -> bool:
    """Whether the box is ticked and there is a note."""
    return submission.get("copyToContactComments") in (True, "true") and bool((note or "").strip())


def copy_note(
    http: HttpClient, log_id: Id, contact: ContactRef | None, note: str, moment: datetime, zone: tzinfo
) -> LogResult:
    """Copies the note; a failure is only told, since the call itself is logged and must not be logged again."""
    kind = kind_of(contact.type) if contact else None
    if contact is None or kind is None:
        return LogResult(log_id=log_id, notice=_not_copied("Bullhorn does not say whom the call is about."))
    try:
        path = f"entity/{kind.entity}/{record_id(contact.id)}"
        reply = http.get(path, params={"fields": "id,comments"})
        combined = _with_comment(dig(require(reply, "data", dict), "comments", str, ""), note, moment, zone)
        if combined is not None:
            http.post(path, json={"comments": combined})
    except RecordNotFound as error:
        return LogResult(log_id=log_id, notice=_not_copied(error.message), gone=("contact",))
    except ConnectorError as error:
        return LogResult(log_id=log_id, notice=_not_copied(error.message))
    return LogResult(log_id=log_id)


def _not_copied(reason: str) -> Notice:
    message = "Call logged, but the note could not be copied to the contact's comments."
    return Notice(message=message, level=NoticeLevel.WARNING, details=(reason,))


def _with_comment(comments: str, note: str, moment: datetime, zone: tzinfo) -> str | None:
    """A person's comments with the dated note in front; None when it is there already."""
    text = html.escape(note.strip(), quote=False).replace("\n", "<br>")
    line = f"{moment.astimezone(zone):%Y-%m-%d}: {text}"
    if line in comments:
        return None
    return f"{line}<br>{comments}" if comments else line
