"""What Insightly's refusals mean, in words that name what the user can do."""

from __future__ import annotations

from urllib.parse import urlsplit

from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    reference_gone,
    said_gone,
)
from adapters.contract.reply_errors import names_a_record, reason_of, retry_after_of
from adapters.contract.wording import says_nothing_of_its_own

#: A burst is over after a second; the daily quota returns at a time no header names: ask again in an hour.
BURST_WAIT = 1.0
DAILY_WAIT = 3600.0
#: How a refusal names what an event, or a link, refers to -> what that is.
_REFERENCES = {"owner": "owner", "user": "owner", "assign": "owner"}
_LINKED = {
    "organi": "organisation",
    "opportunity": "opportunity",
    "project": "project",
    "contact": "contact",
    "lead": "contact",
}


def explain(reply: Reply) -> ConnectorError | None:
    """The error behind an answer of the API; None: the standard table applies."""
    reason = reason_of(reply.body)
    if (what := _gone_reference(reply, reason)) is not None:
        return reference_gone(what, "Insightly", reason=reason, status=reply.status)
    if reply.status == 401:
        return CredentialsRejected(
            "Insightly no longer accepts the key. Connect again with the key from your Insightly user settings.",
            final=True,
            reason=reason,
            status=401,
        )
    if reply.status == 402:
        return RateLimited(  # it says nothing about the request, and passes when there is room again
            "Your Insightly plan's record limit is reached.",
            advice="Ask your Insightly administrator.",
            reason=reason,
            status=402,
        )
    if reply.status == 403:
        return AccessDenied(
            "Your Insightly user does not have the permission that this needs. Ask an Insightly administrator.",
            reason=reason,
            status=403,
        )
    if reply.status in (404, 410) and names_a_record(reply):
        return RecordNotFound("This record no longer exists in Insightly.", reason=reason, status=reply.status)
    if reply.status in (404, 410):
        return RequestRejected(
            "A record that this refers to no longer exists in Insightly.", reason=reason, status=reply.status
        )
    return _limited(reply, reason) if reply.status == 429 else None


def is_own(reply: Reply) -> bool:
    """Whether the API wrote an answer: its refusals are JSON or have no body at all (API help, "Errors")."""
    return not reply.text or (reply.is_json and not says_nothing_of_its_own(reply.body))


def _gone_reference(reply: Reply, reason: str) -> str | None:
    """What an event or a link refers to and is gone, "" where Insightly does not say; None: it is not about that."""
    path = urlsplit(reply.url).path
    if reply.method not in ("POST", "PUT") or "/Events" not in path or reply.status not in (400, 404, 410, 422):
        return None
    is_new = reply.method == "POST" and reply.status in (404, 410)  # what is new cannot be missing itself
    names = _LINKED if path.endswith("/Links") else _REFERENCES
    return said_gone(reason, names) or ("" if is_new else None)


def _limited(reply: Reply, reason: str) -> RateLimited:
    wait = retry_after_of(reply)
    # X-RateLimit-Remaining counts the day, not the second (API help, "Rate limiting").
    if reply.headers.get("x-ratelimit-remaining", "").strip() == "0":
        return RateLimited(
            "Your company's daily Insightly API quota is used up.",
            retry_after=DAILY_WAIT if wait is None else wait,
            reason=reason,
        )
    return RateLimited("Rate limit exceeded", retry_after=wait or BURST_WAIT, reason=reason)
