"""What follows once an activity exists: it is completed, and the agent's note is put beside it.

The activity is logged whatever happens here, so a failure is a warning, never a reason to write it again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from adapters.contract import (
    ConnectorError,
    CrmUnavailable,
    Dispensable,
    HttpClient,
    Id,
    Notice,
    NoticeLevel,
    UnexpectedResponse,
    fan_out_outcomes,
    require,
    send_without_gone,
    text_or_null,
)
from adapters.redtail.categories import DEFAULT_CATEGORY
from adapters.redtail.replies import PagedList

_TAG = re.compile(r"<[^>]*>")
_NOT_COMPLETED = "It could not be marked as completed in Redtail."
_NO_NOTE = "The note stands in its description, but could not be added to the activity's notes."


def finish(
    http: HttpClient, activity: Id, *, what: str, note: str = "", category: int = 0, may_be_done: bool = False
) -> Notice | None:
    """Completes the activity and adds the note, at once; ``what`` was logged, for the warning if one fails.

    ``may_be_done``: by an earlier attempt, so the note is added only if it is not there.
    """
    steps: list[tuple[str, Callable[[], None]]] = [(_NOT_COMPLETED, partial(_complete, http, activity))]
    if note.strip():
        steps.append((_NO_NOTE, partial(_add_note, http, activity, note, category, look_first=may_be_done)))
    outcomes = fan_out_outcomes(lambda step: step[1](), steps)
    failed = [(text, error) for (text, _), error in zip(steps, outcomes, strict=True) if error is not None]
    return _warning(f"{what} logged, but not everything could be written.", failed) if failed else None


def note_added(http: HttpClient, activity: Id, note: str, category: int) -> Notice | None:
    """Adds the first note of a call that was logged without one; a warning where that fails."""
    try:
        _add_note(http, activity, note, category)
    except ConnectorError as error:
        return _warning("Call log updated, but not everything could be written.", [(_NO_NOTE, error)])
    return None


def _warning(message: str, failed: list[tuple[str, ConnectorError]]) -> Notice:
    details = tuple(line for text, error in failed for line in (text, error.message, error.reason) if line)
    return Notice(message=message, level=NoticeLevel.WARNING, ttl=5000, details=details)


def _add_note(http: HttpClient, activity: Id, note: str, category: int, *, look_first: bool = False) -> None:
    """One activity note."""
    body = {"category_id": category, "note_type": 1, "body": html.escape(note, quote=False).replace("\n", "<br>")}
    path = f"activities/{activity}/notes"
    is_there = partial(_has_note, http, path, note)
    if look_first and is_there():
        return
    default = Dispensable(what="category", without=lambda body: {**body, "category_id": DEFAULT_CATEGORY})
    send_without_gone(lambda values: _written(partial(http.post, path, json=values), is_there), body, [default])


def _complete(http: HttpClient, activity: Id) -> None:
    path = f"activities/{activity}"
    _written(partial(http.put, path, json={"completed": True}), partial(_is_completed, http, path))


def _written(write: Callable[[], Any], is_there: Callable[[], bool]) -> None:
    """Writes; after an answer that was lost once more, but only where Redtail shows that nothing arrived."""
    try:
        write()
    except (CrmUnavailable, UnexpectedResponse) as error:
        if error.maybe_applied and is_there():
            return
        if isinstance(error, UnexpectedResponse) and not error.maybe_applied:  # a page instead of an answer
            raise
        write()


def _is_completed(http: HttpClient, path: str) -> bool:
    return require(http.get(path), "activity.completed", bool)


def _has_note(http: HttpClient, path: str, note: str) -> bool:
    found, _ = PagedList(path=path, key="notes").page(http)
    return any(_words(text_or_null(row, "body")) == note.split() for row in found)


def _words(body: str) -> list[str]:
    return html.unescape(_TAG.sub(" ", body)).split()
