"""What Clio's answers mean: refusals in the user's words, and lists that come in pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
    UnexpectedResponse,
    dig,
    reference_gone,
    rows,
    said_gone,
)
from adapters.contract.reply_errors import reason_of

#: More than any contact has; keeps a paging loop of the vendor's from becoming ours.
_MOST_PAGES = 20
_NUMBER = re.compile(r"[0-9]{1,18}")
_NOUNS = {
    "users": "users",
    "contacts": "contacts",
    "matters": "matters",
    "relationships": "matters",
    "communications": "communications",
    "activities": "time entries",
    "documents": "documents",
}
#: How a refusal names what a record refers to -> what that is; "": the record itself.
_REFERENCES = {
    "communication": "",
    "matter": "matter",
    "contact": "contact",
    "person": "contact",
    "company": "contact",
    "sender": "contact",
    "receiver": "contact",
    "participant": "contact",
    "user": "owner",
}


def explain(reply: Reply) -> ConnectorError | None:
    """The error behind a non-2xx answer, saying what the user can do; None: the standard table applies.

    Source: Clio API v4 documentation, "Errors": ``{"error": {"type", "message"}}``; 401 has the OAuth shape; 404 also
    for a matter, contact or user that a new record refers to; 410 for an API version that is offered no more.
    """
    said = dig(reply.body, "error.message", str, "")
    reason = reason_of(said)  # may name a phone number
    if reply.status == 403:
        return AccessDenied(_permission(reply), reason=reason, status=403)
    if reply.status == 410 and "version" in reason.lower():
        return UnexpectedResponse("Clio no longer offers what this needs.", reason=reason, status=410)
    if reply.method in ("POST", "PATCH") and reply.status in (400, 404, 410, 422) and reply.is_json:
        what = said_gone(said, _REFERENCES)
        if what or (reply.method == "POST" and reply.status in (404, 410)):  # what is new cannot be missing itself
            return reference_gone(what, "Clio", reason=reason, status=reply.status)
    if reply.status in (404, 410):
        return RecordNotFound("This record no longer exists in Clio.", reason=reason, status=reply.status)
    if reply.status in (400, 422):
        return RequestRejected("Clio refused the request.", reason=reason, status=reply.status)
    return None


def _permission(reply: Reply) -> str:
    verb = "read" if reply.method in ("GET", "HEAD") else "write"
    parts = urlsplit(reply.url).path.removesuffix(".json").split("/")
    noun = next((_NOUNS[name] for part in parts if (name := part.removesuffix(".json")) in _NOUNS), "this data")
    return (
        f"Your Clio user, or the RingCentral application in Clio, may not {verb} {noun}. "
        "Ask a Clio administrator for the permission, then connect again."
    )


def all_rows(http: HttpClient, hostname: str, path: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a list, over all its pages."""
    return [row for page in _pages(http, hostname, path, params) for row in page]


def readable_rows(
    http: HttpClient, hostname: str, path: str, params: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], bool]:
    """The records that could be read, and whether these are all. Raises ``CredentialsRejected`` only."""
    found: list[dict[str, Any]] = []
    try:
        for page in _pages(http, hostname, path, params):
            found += page
    except CredentialsRejected:
        raise
    except ConnectorError:
        return found, False
    return found, True


def _pages(http: HttpClient, hostname: str, path: str, params: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The pages of a list, one by one.

    ``meta.paging.next`` is an absolute URL: it is followed on the user's own host only, since the token goes with it.
    """
    payload = http.get(path, params=params)
    yield data_rows(payload)
    for _ in range(_MOST_PAGES):
        following = dig(payload, "meta.paging.next", str, "")
        if not following:
            return
        if not _is_api_of(hostname, following):
            raise UnexpectedResponse(reason="the next page is on another host")
        payload = http.get(following)
        yield data_rows(payload)


def _is_api_of(hostname: str, url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.netloc == hostname and parts.path.startswith("/api/v4/")


def data_rows(payload: Any) -> list[dict[str, Any]]:
    """``data`` of a list answer. Raises ``UnexpectedResponse`` when there is none."""
    if not isinstance(payload, dict) or "data" not in payload:
        raise UnexpectedResponse(reason="expected a list of objects at 'data'")
    return rows(payload, "data")


def record_id(value: Id, *, of: str = "") -> int:
    """A record id, which Clio keeps as a number and others as text; stored log ids may have a suffix after a dot.

    Raises ``RequestRejected`` for a text that cannot be one: it goes into paths. ``of``: what a write refers to
    ("matter"); then it is ``ReferenceGone``.
    """
    text = str(value).split(".", 1)[0]
    if not _NUMBER.fullmatch(text):
        if of:
            raise reference_gone(of, "Clio")
        raise RequestRejected("This is not a Clio record.", reason="an id is not a number")
    return int(text)


def moment_of(text: str) -> datetime | None:
    """A time as Clio writes it; None when absent or not a time with an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def timestamp(moment: datetime) -> str:
    """A time as Clio takes it: ISO 8601, UTC, milliseconds."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
