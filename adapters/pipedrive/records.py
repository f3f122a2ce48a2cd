"""Reads of activities and persons, one by one and by lists of ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.contract import (
    AccessDenied,
    DirectoryUser,
    HttpClient,
    Id,
    RecordNotFound,
    RequestRejected,
    dig,
    is_deleted,
    readable,
    require,
    require_id,
    rows,
)
from adapters.pipedrive.activities import number
from adapters.pipedrive.lookup import IDS_PER_REQUEST, LIST_PAGE

_FIND_PAGES = 5


def activity(http: HttpClient, log_id: str) -> Mapping[str, Any]:
    record = require(http.get(f"/api/v2/activities/{number(log_id)}"), "data", dict)
    if is_deleted(record):  # deleted records stay readable for 30 days
        raise gone()
    return record


def change(http: HttpClient, log_id: int, values: Mapping[str, Any]) -> None:
    """Changes an activity. Raises ``RecordNotFound`` when it was deleted, though it took the change: nobody sees it."""
    record = require(http.patch(f"/api/v2/activities/{log_id}", json=dict(values)), "data", dict)
    require_id(record, "id")
    if is_deleted(record):
        raise gone()


def activities(http: HttpClient, log_ids: Sequence[Id]) -> dict[int, Mapping[str, Any]]:
    """Up to 100 by their numbers; deleted ones are missing."""
    payload = http.get("/api/v2/activities", params=_by_ids(log_ids))
    return {require(row, "id", int): row for row in rows(payload, "data") if not is_deleted(row)}


def users(http: HttpClient) -> tuple[DirectoryUser, ...]:
    """Those that are active."""

    def user_of(row: Mapping[str, Any]) -> DirectoryUser:
        return DirectoryUser(id=require_id(row, "id"), name=dig(row, "name", str, ""), email=dig(row, "email", str, ""))

    found = rows(http.get("/v1/users"), "data")
    active = [row for row in found if not dig(row, "is_deleted", bool, False) and dig(row, "active_flag", bool, True)]
    return tuple(readable(active, user_of)[0])


def written_since(http: HttpClient, moment: datetime, *, person: Id, owner: Id) -> Iterator[Mapping[str, Any]]:
    """Activities of a person and an owner that were written or changed since then."""
    params: dict[str, Any] = {
        "person_id": number(person),
        "owner_id": number(owner),
        "updated_since": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",  # fractions of a second are refused
        "limit": LIST_PAGE,
    }
    for _ in range(_FIND_PAGES):
        payload = http.get("/api/v2/activities", params=params)
        yield from (row for row in rows(payload, "data") if not is_deleted(row))
        params["cursor"] = dig(payload, "additional_data.next_cursor", str, "")
        if not params["cursor"]:
            return


def names(http: HttpClient, people: Sequence[Id]) -> dict[int, str]:
    """The names of up to 100 persons by their numbers."""
    payload = http.get("/api/v2/persons", params=_by_ids(people))
    return {require(row, "id", int): dig(row, "name", str, "") for row in rows(payload, "data")}


def organisation(http: HttpClient, person: int) -> dict[str, int] | None:
    """``{"org_id": ...}`` where the person has an organisation, else nothing in it; None: there is no such person.

    Nothing in it also where it could not be read: the log is worth more.
    """
    try:
        record = require(http.get(f"/api/v2/persons/{person}"), "data", dict)
    except RecordNotFound:
        return None
    except (AccessDenied, RequestRejected):
        return {}
    if is_deleted(record):
        return None
    found = dig(record, "org_id", int, 0)
    return {"org_id": found} if found else {}


def gone() -> RecordNotFound:
    return RecordNotFound("This record no longer exists in Pipedrive.")


def parts(ids: Sequence[Id]) -> list[Sequence[Id]]:
    """The ids in lists that one request takes."""
    return [ids[start : start + IDS_PER_REQUEST] for start in range(0, len(ids), IDS_PER_REQUEST)]


def _by_ids(ids: Sequence[Id]) -> dict[str, Any]:
    return {"ids": ",".join(str(number(item)) for item in ids), "limit": IDS_PER_REQUEST}
