"""Which activity type a call or message log gets, from the account's own list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from adapters.contract import (
    AccountCache,
    ConnectorError,
    CredentialsRejected,
    HttpClient,
    Options,
    RequestRejected,
    dig,
    precondition,
    require,
    rows,
)

CACHE_KEY = "activityTypes"
MAX_AGE = timedelta(hours=24)
#: Word in a type's title -> administrator's setting that names the type instead.
SETTINGS = {"call": "pipedriveCallActivityType", "sms": "pipedriveSMSActivityType"}

#: ``{"const": key_string, "title": name}``, the form in which the client shows choices.
TypeList = list[dict[str, str]]


def fetch(http: HttpClient) -> TypeList:
    """The active types of the account, in the vendor's order (``GET /v1/activityTypes``; there is no v2 of it)."""
    payload = http.get("/v1/activityTypes")
    return [
        {"const": require(row, "key_string", str), "title": require(row, "name", str)}
        for row in rows(payload, "data")
        if dig(row, "active_flag", bool, False)
    ]


def try_fetch(http: HttpClient) -> TypeList | ConnectorError:
    """The same, with the error in its place where they cannot be read."""
    try:
        return fetch(http)
    except ConnectorError as error:
        return error


def fresh(http: HttpClient, cache: AccountCache, keyword: str, options: Options) -> str:
    """Key of the type for ``keyword`` by a list read now: Pipedrive refused the one that the kept list led to.

    Raises ``RequestRejected`` when there is none.
    """
    cache.forget(CACHE_KEY)
    with precondition():
        types = fetch(http)
    cache.put(CACHE_KEY, types)
    if not (found := choose(types, keyword=keyword, options=options)):
        raise missing(keyword)
    return found


def choose(types: Sequence[dict[str, Any]], *, keyword: str, options: Options) -> str:
    """Key of the type for ``keyword`` ("call", "sms"): the administrator's, else the first with the word in its title.

    Empty when there is none.
    """
    wanted = options.text(SETTINGS[keyword])
    if wanted and any(item["const"] == wanted for item in types):
        return wanted
    return next((str(item["const"]) for item in types if keyword in str(item["title"]).lower()), "")


def is_settled(types: Sequence[dict[str, Any]], *, keyword: str, options: Options) -> bool:
    """Whether a kept list answers the question; if not, the account may have gained a type since."""
    wanted = options.text(SETTINGS[keyword])
    return choose(types, keyword=keyword, options=options) == wanted if wanted else _has(types, keyword)


def kept(cache: AccountCache) -> TypeList | None:
    """The list if it is younger than a day."""
    return cache.get(CACHE_KEY, max_age=MAX_AGE)  # type: ignore[no-any-return]


def keep_or_fall_back(cache: AccountCache, outcome: TypeList | ConnectorError) -> TypeList:
    """Stores a fetched list; in place of an error, the last one known. Raises the error when there is none."""
    if not isinstance(outcome, ConnectorError):
        cache.put(CACHE_KEY, outcome)
        return outcome
    stale = cache.get_stale(CACHE_KEY)
    if stale is None or isinstance(outcome, CredentialsRejected):
        raise outcome
    return stale  # type: ignore[no-any-return]


def missing(keyword: str) -> RequestRejected:
    """The refusal to log without a type."""
    return RequestRejected(
        f'Logging needs an active Pipedrive activity type with "{keyword}" in its name.',
        advice="Add one in Pipedrive under Company settings > Activities, "
        "or have an admin assign one under Admin > Account settings.",
    )


def _has(types: Sequence[dict[str, Any]], keyword: str) -> bool:
    return any(keyword in str(item["title"]).lower() for item in types)
