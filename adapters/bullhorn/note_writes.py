"""Writes notes, without what they refer to and is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.bullhorn.account_data import ACTIONS, AccountLists
from adapters.bullhorn.notes import living
from adapters.bullhorn.refusals import NOTE
from adapters.contract import (
    AccessDenied,
    AccountCache,
    Dispensable,
    HttpClient,
    Id,
    precondition,
    require,
    require_id,
    send_without_gone,
    text_or_null,
    without_keys,
)

_READ_ONLY = (
    "It seems like your Bullhorn account does not have permission to update Note. "
    "Refer to details for more information."
)
_READ_ONLY_ADVICE = (
    "Turn on one-time call logging in the logging settings, so that a call is logged once, when it is over; "
    "or ask your Bullhorn administrator for permission to edit notes."
)
_AUTHOR = Dispensable(what="owner", noun="assigned user", without=without_keys("commentingPerson"))


def add(
    http: HttpClient, cache: AccountCache, note: dict[str, Any], *, otherwise: str
) -> tuple[Id, tuple[Dispensable, ...]]:
    """The id of a new note, and what was left out of it; ``otherwise``: the action in place of one that is gone."""

    def send(values: dict[str, Any]) -> Id:
        return require_id(http.put(f"entity/{NOTE}", json=values), "changedEntityId")

    def with_other_action(values: dict[str, Any]) -> dict[str, Any]:
        AccountLists(http, cache).forget(ACTIONS)
        return {**values, "action": otherwise}

    action = Dispensable(what="note action", without=with_other_action)
    return send_without_gone(send, note, (_AUTHOR, action))


def change(http: HttpClient, cache: AccountCache, note_id: int, fields: Mapping[str, Any]) -> tuple[Dispensable, ...]:
    """What was left out of the change because it is gone. Raises ``AccessDenied`` saying what helps."""

    def send(values: dict[str, Any]) -> None:
        if not values:
            return
        try:
            reply = http.post(f"entity/{NOTE}/{note_id}", json=values)
        except AccessDenied as error:
            raise AccessDenied(_READ_ONLY, advice=_READ_ONLY_ADVICE, reason=error.reason, status=error.status) from None
        require_id(reply, "changedEntityId")

    def without_action(values: dict[str, Any]) -> dict[str, Any]:
        AccountLists(http, cache).forget(ACTIONS)
        return without_keys("action")(values)

    action = Dispensable(what="note action", without=without_action)
    return send_without_gone(send, dict(fields), (_AUTHOR, action))[1]


def present_text(http: HttpClient, note_id: int) -> str:
    """The text of a note before it grows. Deleted notes stay readable, and take changes that nobody sees."""
    with precondition(reads_the_record=True):
        reply = http.get(f"entity/{NOTE}/{note_id}", params={"fields": "id,comments,isDeleted"})
        return text_or_null(living(require(reply, "data", dict)), "comments")
