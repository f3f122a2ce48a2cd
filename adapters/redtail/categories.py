"""The account's categories: choices of the forms, cached for a day, and what an activity's category is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from adapters.contract import (
    AccountCache,
    Choice,
    ConnectorError,
    CredentialsRejected,
    HttpClient,
    Notice,
    NoticeLevel,
    Options,
    dig,
    is_deleted,
    readable,
    require_id,
)
from adapters.contract.types import Info
from adapters.redtail.replies import PagedList, number_of

#: Of activities for which nothing was chosen.
DEFAULT_CATEGORY = 2
_LIST = PagedList(path="lists/categories", key="categories")
_MOST_PAGES = 10
CACHE_KEY = "redtail.categories"
_MAX_AGE = timedelta(hours=24)


def read_categories(http: HttpClient) -> list[dict[str, Any]]:
    """``[{"const": id, "title": name}]`` of those that were not deleted."""
    living = [row for row in _LIST.all(http, most_pages=_MOST_PAGES) if not is_deleted(row)]
    return readable(living, lambda row: {"const": require_id(row, "id"), "title": dig(row, "name", str, "")})[0]


def chosen_category(submission: Info) -> int | None:
    """The category chosen in a form; None when there is none."""
    return number_of(submission.get("category"))


def category_of(submission: Info, options: Options) -> int:
    """The form's choice, else the user's own default, else the account's."""
    chosen = chosen_category(submission)
    if chosen is None:
        chosen = number_of(options.values.get("defaultCategory"))
    return DEFAULT_CATEGORY if chosen is None else chosen


def replacement(http: HttpClient, cache: AccountCache, refused: int) -> int:
    """Another category in place of one that Redtail refused, by a list read now: the account's default, else the first.

    The default where the list cannot be read.
    """
    cache.forget(CACHE_KEY)
    try:
        rows = read_categories(http)
    except CredentialsRejected:
        raise
    except ConnectorError:
        return DEFAULT_CATEGORY
    cache.put(CACHE_KEY, rows)
    living = [number for row in rows if (number := number_of(row["const"])) not in (None, refused)]
    return DEFAULT_CATEGORY if DEFAULT_CATEGORY in living or not living else living[0]


class Categories:
    """The list for the length of one operation. A failure to read it hinders nothing: the last known one serves."""

    def __init__(self, http: HttpClient, cache: AccountCache) -> None:
        self._http = http
        self._cache = cache
        self._rows = cache.get(CACHE_KEY, max_age=_MAX_AGE)

    def missing_reads(self) -> list[Callable[[], Any]]:
        """What is to be sent along with other requests; its outcome goes to ``take``."""
        return [] if isinstance(self._rows, list) else [lambda: read_categories(self._http)]

    def take(self, outcomes: Sequence[Any]) -> None:
        for outcome in outcomes:
            if not isinstance(outcome, ConnectorError):
                self._cache.put(CACHE_KEY, outcome)
                self._rows = outcome

    def rows(self) -> list[dict[str, Any]]:
        """``[{"const": id, "title": name}]``, read where none is fresh. Raises where none can be read nor is known."""
        for read in self.missing_reads():
            try:
                self.take([read()])
            except CredentialsRejected:
                raise
            except ConnectorError:
                if not isinstance(self._known(), list):
                    raise
        return list(self._known())

    @property
    def notice(self) -> Notice | None:
        """What is missing from the forms: no list could be read, and none is known."""
        if isinstance(self._known(), list):
            return None
        return Notice(message="The categories could not be read from Redtail.", level=NoticeLevel.WARNING)

    def info(self) -> Info:
        """``additionalInfo`` of every contact and of the offer to create one: the form fails where it is missing."""
        known = self._known()
        rows = known if isinstance(known, list) else []
        return {"category": tuple(Choice(const=row["const"], title=row["title"]) for row in rows)}

    def _known(self) -> Any:
        return self._rows if isinstance(self._rows, list) else self._cache.get_stale(CACHE_KEY)
