"""The choices for forms: note actions, and the statuses of each kind of person; cached for a day, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from adapters.bullhorn.notes import PENDING_ACTION
from adapters.contract import (
    AccessDenied,
    AccountCache,
    Choice,
    ConnectorError,
    HttpClient,
    Notice,
    NoticeLevel,
    UnexpectedResponse,
    dig,
    fan_out_outcomes,
    require,
    rows,
)
from adapters.contract.types import Info

ACTIONS = "commentActionList"
#: Key on the wire -> contact type of the client and Bullhorn's entity.
_STATUSES = {
    "leadStatuses": ("Lead", "Lead"),
    "candidateStatuses": ("Candidate", "Candidate"),
    "contactStatuses": ("Contact", "ClientContact"),
}
KEYS = (ACTIONS, *_STATUSES)
_MAX_AGE = timedelta(hours=24)

Option = dict[str, Any]


class AccountLists:
    """The four lists for the length of one operation; one that may not be read is empty and hinders nothing."""

    def __init__(self, http: HttpClient, cache: AccountCache) -> None:
        self._http = http
        self._cache = cache
        self._lists: dict[str, list[Option]] = {}
        self._asked: tuple[str, ...] = ()
        self._is_whole = True

    @property
    def notice(self) -> Notice | None:
        """What is missing from the forms: a list that could not be read, where none is known.

        One that the user may not see is missing for good: not worth a warning per call.
        """
        if self._is_whole:
            return None
        return Notice(message="Some choices could not be read from Bullhorn.", level=NoticeLevel.WARNING)

    def forget(self, key: str) -> None:
        """Bullhorn refused a choice of this list: the next look-up reads it anew."""
        self._cache.forget(_cache_key(key))

    def forget_status(self, contact_type: str) -> None:
        """As ``forget``, for the statuses of a contact type."""
        for key, (name, _) in _STATUSES.items():
            if name == contact_type:
                self.forget(key)

    def missing_reads(self, keys: Iterable[str] = KEYS) -> list[Callable[[], list[Option]]]:
        """The reads that the cache does not spare; their outcomes go to ``take``."""
        for key in keys:
            cached = self._cache.get(_cache_key(key), max_age=_MAX_AGE)
            if isinstance(cached, list):
                self._lists[key] = cached
        self._asked = tuple(key for key in keys if key not in self._lists)
        return [lambda key=key: self._read(key) for key in self._asked]  # type: ignore[misc]

    def take(self, outcomes: Sequence[Any]) -> None:
        """Keeps what was read; in place of a failure the last known list."""
        for key, outcome in zip(self._asked, outcomes, strict=True):
            if isinstance(outcome, ConnectorError):
                stale = self._cache.get_stale(_cache_key(key))
                self._lists[key] = stale if isinstance(stale, list) else []
                self._is_whole = self._is_whole and (isinstance(stale, list) or isinstance(outcome, AccessDenied))
            else:
                self._cache.put(_cache_key(key), outcome)
                self._lists[key] = outcome

    def fill(self, keys: Iterable[str] = KEYS) -> None:
        """Reads what is missing, in one round."""
        reads = self.missing_reads(keys)
        self.take(fan_out_outcomes(lambda read: read(), reads))

    def all(self) -> dict[str, list[Option]]:
        """All four. Raises the error only where none could be read and none is known."""
        outcomes = fan_out_outcomes(lambda read: read(), self.missing_reads())
        self.take(outcomes)
        if not any(self._lists.values()):
            for outcome in outcomes:
                if isinstance(outcome, ConnectorError):
                    raise outcome
        return {key: self._lists[key] for key in KEYS}

    def contact_info(self) -> Info:
        """``additionalInfo`` of a contact.

        The check box is shown only where its key is present, and a form whose selection is missing breaks in the
        extension: where no action is known, the one written by default is the only choice.
        """
        actions = _choices(self._lists.get(ACTIONS, ())) or (Choice(const=PENDING_ACTION, title=PENDING_ACTION),)
        return {"copyToContactComments": False, "noteActions": actions}

    def offer_info(self) -> Info:
        """``additionalInfo`` of the offer to create a contact: statuses by type, and what every contact has."""
        statuses = {
            contact_type: {"status": _choices(self._lists.get(key, ()))} for key, (contact_type, _) in _STATUSES.items()
        }
        return {**statuses, **self.contact_info()}

    def _read(self, key: str) -> list[Option]:
        if key == ACTIONS:
            actions = require(self._http.get("settings/commentActionList"), ACTIONS, list)
            return [{"const": action, "title": action} for action in actions if isinstance(action, str) and action]
        reply = self._http.get(f"meta/{_STATUSES[key][1]}", params={"fields": "status"})
        if not isinstance(reply, dict):
            raise UnexpectedResponse(reason="expected a list of objects at 'fields'")
        field = next((field for field in rows(reply, "fields") if field.get("name") == "status"), {})
        return [
            {"const": value, "title": dig(option, "label", str, "") or value}
            for option in rows(field, "options")
            if (value := dig(option, "value", str, ""))
        ]


def _choices(options: Iterable[Option]) -> tuple[Choice, ...]:
    return tuple(Choice(const=option["const"], title=option["title"]) for option in options)


def _cache_key(key: str) -> str:
    return f"bullhorn.{key}"
