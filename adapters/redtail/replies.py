"""What Redtail's answers mean, and how its lists, ids and times are read.

Source: the vendor's API collection: errors are ``{"message": "..."}``, lists carry ``meta.total_pages``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    HttpClient,
    Id,
    RecordNotFound,
    Reply,
    RequestRejected,
    ServerMisconfigured,
    UnexpectedResponse,
    dig,
    reference_gone,
    rows,
    said_gone,
)
from adapters.contract.reply_errors import reason_of

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
#: Part of the path -> what it holds, and one of them.
_NOUNS = {
    "contacts": ("contacts", "contact"),
    "activities": ("activities", "activity"),
    "lists": ("the account's lists", "entry"),
}


def explain(reply: Reply) -> ConnectorError | None:
    """The error behind a refusal, saying what the user can do; None: the standard table applies."""
    status, reason = reply.status, reason_of(reply.body)
    path = urlsplit(reply.url).path
    part = next((part for part in path.split("/") if part in _NOUNS), "")
    many, one = _NOUNS.get(part, ("this connection", "record"))
    if status == 401:
        is_login = path.endswith("/authentication")
        said = "did not accept the user name and password" if is_login else "no longer accepts this login"
        return CredentialsRejected(f"Redtail {said}. Please connect again.", reason=reason)
    if status == 403:  # said of a role; the login itself is good
        verb = "use" if not part else "read" if reply.method in ("GET", "HEAD") else "write"
        return AccessDenied(
            f"Your Redtail user may not {verb} {many}. Ask your Redtail administrator for the permission.",
            reason=reason,
        )
    names_one = part and re.search(rf"/{part}/[0-9]+", path)
    if status in (404, 410) and names_one:
        return RecordNotFound(f"This {one} no longer exists in Redtail.", reason=reason)
    if status in (400, 404, 422) and part == "activities" and reply.is_json and (what := _gone_reference(reason)):
        return reference_gone(what, "Redtail", reason=reason, status=status)
    if status in (404, 410) and (reply.is_json or not part):
        return ServerMisconfigured(
            "Redtail does not offer this address. Tell your administrator to check REDTAIL_API_SERVER.", reason=reason
        )
    if status in (400, 422):
        return RequestRejected("Redtail refused the request.", reason=reason)
    return None


def _gone_reference(reason: str) -> str:
    """What an activity refers to and Redtail refuses, because it was deleted or merged since; empty: it is not that.

    Redtail refuses a contact and a category for no other reason.
    """
    for name, what in (("contact", "contact"), ("categor", "category")):
        if name in reason.lower():
            return what
    return said_gone(reason, {"attendee": "owner", "user": "owner"})


@dataclass(frozen=True, kw_only=True)
class PagedList:
    """A list that comes in pages: ``?page=N`` from 1. ``key``: the member of the answer that holds the rows."""

    path: str
    key: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def page(self, http: HttpClient, number: int = 1) -> tuple[list[dict[str, Any]], int]:
        """The rows of one page, and how many pages there are."""
        params = {**self.params, "page": str(number)} if number > 1 else dict(self.params)
        reply = http.get(self.path, params=params, headers=self.headers)
        if not isinstance(reply, dict) or not isinstance(reply.get(self.key), list):
            raise UnexpectedResponse(reason=f"expected a list of objects at '{self.key}'")
        return rows(reply, self.key), dig(reply, "meta.total_pages", int, 1)

    def all(self, http: HttpClient, *, most_pages: int) -> list[dict[str, Any]]:
        """All rows, one page after the other, so that it may be called within ``fan_out``."""
        found, total = self.page(http)
        for number in range(2, min(total, most_pages) + 1):
            found += self.page(http, number)[0]
        return found


def record_id(value: Id, *, noun: str) -> int:
    """A record id as the JSON number Redtail uses; it also goes into paths.

    Raises for a text that cannot be one: ``ReferenceGone`` for the "contact" of an activity, else ``RequestRejected``.
    """
    text = str(value)
    if not _NUMBER.fullmatch(text) and noun == "contact":
        raise reference_gone(noun, "Redtail")
    if not _NUMBER.fullmatch(text):
        raise RequestRejected(f"This is not a Redtail {noun}.", reason="an id is not a number")
    return int(text)


def number_of(value: Any) -> int | None:
    """A whole number that may have come as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if _NUMBER.fullmatch(str(value)) else None


def moment_of(row: Mapping[str, Any], key: str) -> datetime | None:
    """A time of a record; one without an offset is UTC, as times are sent. None where there is none."""
    try:
        moment = datetime.fromisoformat(dig(row, key, str, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def full_name(row: Mapping[str, Any]) -> str:
    """First, middle and last name; for businesses and trusts, which have none, the name of the whole."""
    parts: Sequence[str] = [dig(row, key, str, "") for key in ("first_name", "middle_name", "last_name")]
    name = " ".join(" ".join(parts).split())
    return name or dig(row, "full_name", str, "").strip() or dig(row, "company_name", str, "").strip()
