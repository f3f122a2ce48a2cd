"""The account's categories: choices of the forms, cached for a day, and what an activity's category is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from adapters.contract import AccountCache, Choice, ConnectorError, HttpClient, Options, dig, require_id
from adapters.contract.types import Info
from adapters.redtail.replies import PagedList, number_of

#: Of activities for which nothing was chosen.
DEFAULT_CATEGORY = 2
_LIST = PagedList(path="lists/categories", key="categories")
_MOST_PAGES = 10
_CACHE_KEY = "redtail.categories"
_MAX_AGE = timedelta(hours=24)


def read_categories(http: HttpClient) -> list[dict[str, Any]]:
    """``[{"const": id, "title": name}]`` of those that were not deleted."""
    return [
        {"const": require_id(row, "id"), "title": dig(row, "name", str, "")}
        for row in _LIST.all(http, most_pages=_MOST_PAGES)
        if not dig(row, "deleted", bool, False)
    ]


def chosen_category(submission: Info) -> int | None:
    """The category chosen in a form; None when there is none."""
    return number_of(submission.get("category"))


def category_of(submission: Info, options: Options) -> int:
    """The form's choice, else the user's own default, else the account's."""
    chosen = chosen_category(submission)
    if chosen is None:
        chosen = number_of(options.values.get("defaultCategory"))
    return DEFAULT_CATEGORY if chosen is None else chosen


class Categories:
    """The list for the length of one operation. A failure to read it hinders nothing: the last known one serves."""

    def __init__(self, http: HttpClient, cache: AccountCache) -> None:
        self._http = http
        self._cache = cache
        self._rows = cache.get(_CACHE_KEY, max_age=_MAX_AGE)

    def missing_reads(self) -> list[Callable[[], Any]]:
        """What is to be sent along with other requests; its outcome goes to ``take``."""
        return [] if isinstance(self._rows, list) else [lambda: read_categories(self._http)]

    def take(self, outcomes: Sequence[Any]) -> None:
        for outcome in outcomes:
            if not isinstance(outcome, ConnectorError):
                self._cache.put(_CACHE_KEY, outcome)
                self._rows = outcome

    def info(self) -> Info:
        """``additionalInfo`` of every contact and of the offer to create one: the form fails where it is missing."""
        known = self._rows if isinstance(self._rows, list) else self._cache.get_stale(_CACHE_KEY)
        rows = known if isinstance(known, list) else []
        return {"category": tuple(Choice(const=row["const"], title=row["title"]) for row in rows)}
