"""What Pipedrive's answers mean: refusals in the user's words, and 2xx answers that are none."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from adapters.contract import (
    AccessDenied,
    ConnectorError,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
    dig,
    reference_gone,
    said_gone,
)
from adapters.contract.reply_errors import names_a_record, reason_of, retry_after_of

#: Length of the vendor's burst window in seconds (developer documentation, "Rate limiting").
BURST_WINDOW = 2.0
#: The daily budget returns at midnight of the vendor's servers, which no header names: ask again in an hour.
DAILY_WAIT = 3600.0
#: How a refusal names what an activity refers to -> what that is.
_REFERENCES = {
    "deal": "deal",
    "lead": "lead",
    "person": "contact",
    "participant": "contact",
    "organi": "organization",
    "org_id": "organization",
    "owner": "owner",
    "user": "owner",
    "type": "activity type",
}
_REFUSALS = (400, 404, 409, 422)


def explain(reply: Reply) -> ConnectorError | None:
    """The error behind an answer of the API, saying what the user can do; None: the standard table applies.

    Status and ``success`` both count: a 2xx that says ``"success": false`` is a refusal too.
    """
    reason = vendor_text(reply.body)
    if (what := _gone_reference(reply)) is not None:
        return reference_gone(what, "Pipedrive", reason=reason, status=reply.status)
    if 200 <= reply.status < 300 and not dig(reply.body, "success", bool, True):
        return RequestRejected(reason=reason, status=reply.status)
    if reply.status == 402:
        return RateLimited(  # it says nothing about the request, and passes when the account is paid
            "The Pipedrive company account is not open.",
            advice="Ask its administrator to check the subscription.",
            reason=reason,
            status=402,
        )
    if reply.status == 403:
        return _refused(reply, reason)
    if reply.status == 410 and urlsplit(reply.url).path.startswith("/v1/"):  # said of retired v1 endpoints
        return UnexpectedResponse("Pipedrive no longer offers what this needs.", reason=reason, status=410)
    if reply.status in (404, 410) and names_a_record(reply):
        return RecordNotFound("This record no longer exists in Pipedrive.", reason=reason, status=reply.status)
    if reply.status == 404:
        message = "A record that this refers to no longer exists in Pipedrive."
        return RequestRejected(message, reason=reason, status=404)
    if reply.status == 429:
        return _limited(reply, reason)
    return None


def vendor_text(body: Any) -> str:
    """The vendor's explanation: ``error`` in both API versions, ``error_info`` where v1 says more; nothing private."""
    text = dig(body, "error", str, "")
    more = dig(body, "error_info", str, "")
    generic = "Please check developers.pipedrive.com"  # v1 puts this sentence under most errors
    return reason_of(f"{text} ({more})" if text and more and not more.startswith(generic) else text or more)


def _gone_reference(reply: Reply) -> str | None:
    """What a refused activity refers to and is gone, "" where Pipedrive does not say; None: it is not about that."""
    is_refused = reply.status in _REFUSALS or (reply.status < 300 and dig(reply.body, "success", bool, True) is False)
    if reply.method not in ("POST", "PATCH") or not is_refused or "/activities" not in urlsplit(reply.url).path:
        return None
    said = said_gone(f"{dig(reply.body, 'error', str, '')} {dig(reply.body, 'error_info', str, '')}", _REFERENCES)
    # A new activity has no record of its own that could be missing.
    return said or ("" if reply.method == "POST" and reply.status == 404 and reply.is_json else None)


def is_missing_scope(error: AccessDenied) -> bool:
    """Whether the token lacks a scope, as opposed to its user a permission: "Scope and URL mismatch"."""
    return error.status == 403 and "scope" in error.reason.lower()


def _refused(reply: Reply, reason: str) -> ConnectorError:
    # Sending on after 429s makes the vendor's gateway answer 403 with an HTML page instead of JSON.
    if not reply.is_json and "<" in reply.text:
        return RateLimited("Rate limit exceeded", retry_after=retry_after_of(reply), status=403)
    if "scope" in reason.lower():
        return AccessDenied(
            "This server's app lacks a permission in Pipedrive. Log out and connect again to grant it.",
            reason=reason,
            status=403,
        )
    return AccessDenied(
        "Your Pipedrive user does not have the permission that this needs. Ask a Pipedrive administrator.",
        reason=reason,
        status=403,
    )


def _limited(reply: Reply, reason: str) -> RateLimited:
    if reply.headers.get("x-daily-ratelimit-token-remaining", "").strip() == "0":
        return RateLimited(
            "Your company's daily Pipedrive API budget is used up. It is renewed at midnight.",
            retry_after=DAILY_WAIT,
            reason=reason,
        )
    retry_after = retry_after_of(reply)
    if retry_after is None:
        text = reply.headers.get("x-ratelimit-reset", "").strip()
        retry_after = float(text) if text.isascii() and text.isdigit() else BURST_WINDOW
    return RateLimited("Rate limit exceeded", retry_after=retry_after, reason=reason)
