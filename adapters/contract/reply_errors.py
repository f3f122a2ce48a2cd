"""What a vendor's HTTP answer means, the same for all adapters."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.contract.errors import (
    AccessDenied,
    BodyTooLong,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    ErrorKind,
    RateLimited,
    RecordNotFound,
    RequestRejected,
    UnexpectedResponse,
)
from adapters.contract.types import Reply
from adapters.contract.url_template import ends_in_id
from adapters.contract.wording import says_passing, says_too_long

#: Kinds of errors that are the CRM's word on the request itself.
_VERDICTS = frozenset({ErrorKind.REFUSED, ErrorKind.GONE, ErrorKind.TOO_LONG, ErrorKind.UNSUPPORTED})
#: What the CRM's words may turn into "later".
_MAY_PASS = _VERDICTS | {ErrorKind.LOGIN_OVER, ErrorKind.MISCONFIGURED}
#: Request time-out, conflict (a lock, a second request at once): it may have been carried out.
_MAYBE_APPLIED = (408, 409)
#: Locked, too early, too many requests, a migration in progress: nothing was done.
_LATER = (423, 425, 429, 477)
#: ``Retry-After`` from here on is a moment, not a number of seconds: they lie between 2001 and 5138.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS, _BEYOND_THE_CALENDAR = 1e9, 1e11, 1e14
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_REASON_KEPT = 200
#: Looked at of a message, however long it is: the expression below takes the square of a word's length.
_REASON_READ = 2000
_REASON_KEYS = ("error_description", "message", "Message", "errorMessage", "error", "errors")
#: Telephone numbers and tokens that a vendor repeats in its message.
_PRIVATE = re.compile(r"(?=[A-Za-z_+/=.-]*\d)[A-Za-z0-9_+/=.-]{32,}|\+?\d[\d ().-]{5,}\d")

_PIECES = re.compile(r"\n|<[^<>]*>|: ")


def error_of(reply: Reply, said: ConnectorError | None, *, is_read: bool, is_own: bool) -> ConnectorError | None:
    """The error behind an answer; None for a success.

    ``said``: what the adapter's ``explain`` makes of it. ``is_own``: whether the CRM itself wrote it, not something
    that stands before it. What ``said`` is counts, but for a verdict on the request: that is believed only of an answer
    of the CRM's own, and not where the status or ``Retry-After`` say that the refusal passes by itself.
    """
    is_verdict = said is not None and said.kind in _VERDICTS
    is_exact = said is not None and said.kind in (ErrorKind.LIMIT, ErrorKind.LOGIN_OVER)
    if (later := _said_later(reply, said)) is not None:
        return later
    if 200 <= reply.status < 300 and (said is None or (is_verdict and not is_own)):
        return None
    error = said if is_exact else passing(reply, is_read=is_read)
    if error is None and not is_own and (said is None or is_verdict):
        error = _page(reply, is_read=is_read)
    error = error or said or verdict_of(reply, is_read=is_read)
    error.status = error.status or reply.status
    if type(error) is RequestRejected and not is_read and says_too_long(reply.body):
        return BodyTooLong(error.message if said else "", reason=error.reason, status=error.status, advice=error.advice)
    return error


def _said_later(reply: Reply, said: ConnectorError | None) -> RateLimited | None:
    """The error of a refusal that passes by itself, in the CRM's words: a lock, a limit, maintenance; else None."""
    is_refusal = said is not None if 200 <= reply.status < 300 else reply.status in (400, 401, 403, 404, 422)
    if not is_refusal or (said is not None and said.kind not in _MAY_PASS):
        return None
    if not reply.is_json or says_too_long(reply.body) or not says_passing(reply.body):
        return None
    message = "The CRM asks to try again later."
    wait = retry_after_of(reply)
    return RateLimited(message, retry_after=wait, reason=reason_of(reply.body), status=reply.status)


def passing(reply: Reply, *, is_read: bool) -> CrmUnavailable | RateLimited | None:
    """The error of an answer that says "later", whatever else it says; None for any other."""
    status, reason, wait = reply.status, reason_of(reply.body), retry_after_of(reply)
    if status in _MAYBE_APPLIED:
        return CrmUnavailable(retry_after=wait, reason=reason, status=status, maybe_applied=not is_read)
    if status in _LATER or (400 <= status < 500 and status != 401 and wait is not None):
        message = "" if status == 429 else "The CRM asks to try again later."
        return RateLimited(message, retry_after=wait, reason=reason, status=status)
    return None


def _page(reply: Reply, *, is_read: bool) -> ConnectorError:
    """The error of an answer that is not in the CRM's own words: no verdict on the request."""
    status = reply.status
    if status in (401, 413) or status >= 500:  # these mean the same whoever says them
        return verdict_of(reply, is_read=is_read)
    if status < 400:
        return UnexpectedResponse(reason="a redirect was refused", status=status)
    return UnexpectedResponse(reason=f"{status} without the CRM's own words", status=status)


def verdict_of(reply: Reply, *, is_read: bool = True) -> ConnectorError:
    """The standard meaning of a status in an answer of the CRM's own."""
    status, reason = reply.status, reason_of(reply.body)
    if status >= 500:
        wait = retry_after_of(reply)
        return CrmUnavailable(retry_after=wait, reason=reason, status=status, maybe_applied=not is_read)
    if status == 401:
        return CredentialsRejected(reason=reason, status=status)
    if status == 403:
        return AccessDenied(reason=reason, status=status)
    if status in (404, 410) and names_a_record(reply):
        return RecordNotFound(reason=reason, status=status)
    if status == 413:
        return BodyTooLong(reason=reason, status=status)
    if status in (400, 404, 422):
        return RequestRejected(reason=reason, status=status)
    if status < 400:
        return UnexpectedResponse(reason="a redirect was refused", status=status)
    return UnexpectedResponse(reason=reason or f"status {status}", status=status)


def names_a_record(reply: Reply) -> bool:
    """Whether the request's address names a record; a ``POST`` to a collection does not: it makes one there.

    A 404 to such a ``POST`` is about something that its body refers to.
    """
    return reply.method != "POST" or ends_in_id(reply.url)


def media_error_for(reply: Reply) -> ConnectorError | None:
    """The error behind a file server's answer; None for a 2xx. It never concerns the login or a record at the CRM."""
    if 200 <= reply.status < 300:
        return None
    if error := passing(reply, is_read=True):
        return error
    if reply.status >= 500 or reply.status < 400:
        return verdict_of(reply)
    return RequestRejected(status=reply.status)


def retry_after_of(reply: Reply) -> float | None:
    """Seconds from the ``Retry-After`` header; None when there is none that can be read.

    Seconds or an HTTP date (RFC 9110), or the moment in seconds or milliseconds since 1970, as some vendors have it.
    """
    text = reply.headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _BEYOND_THE_CALENDAR:
            return None
        if number < _EPOCH_SECONDS:
            return max(number, 0.0)
        seconds = number / 1000 if number >= _EPOCH_MILLISECONDS else number
        return max(seconds - time.time(), 0.0)
    try:
        moment = parsedate_to_datetime(text)
        return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time(), 0.0)
    except (ValueError, IndexError, OverflowError, TypeError):
        return None


def reason_of(body: Any) -> str:
    """The vendor's short message in a JSON body, without numbers and tokens that may be private; else empty."""
    if isinstance(body, list):
        return reason_of(body[0]) if body and isinstance(body[0], dict | str) else ""
    if isinstance(body, dict):
        return next((text for key in _REASON_KEYS if (text := reason_of(body.get(key)))), "")
    return _PRIVATE.sub("…", " ".join(body[:_REASON_READ].split()))[:_REASON_KEPT] if isinstance(body, str) else ""


def without_echo(reason: str, *, headers: Mapping[str, str], payload: Any) -> str:
    """The reason without what we sent ourselves: credentials out of ``headers``, names and notes out of ``payload``.

    Of a payload only texts with a blank or an @ count: single words are rather the vendor's own terms.
    """
    if not reason:
        return ""
    echoes = {word for value in headers.values() for word in _credentials_in(value)}
    echoes |= {text for text in _texts(payload) if len(text) >= 5 and (" " in text or "@" in text)}
    fitting = [echo for echo in echoes if len(echo) <= len(reason)]  # a transcript makes a pattern that takes long
    for echo in sorted(fitting, key=len, reverse=True):
        reason = re.sub(re.escape(echo), "…", reason, flags=re.IGNORECASE)
    return reason


def _credentials_in(header: str) -> list[str]:
    scheme, _, value = header.partition(" ")
    words = [value or scheme]
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            words += base64.b64decode(value).decode("utf-8", errors="replace").split(":")
    return [word for word in words if len(word) >= 6]


def _texts(payload: Any) -> Iterator[str]:
    if isinstance(payload, str):
        yield payload.strip()
        yield from (piece.strip() for piece in _PIECES.split(payload))  # the note within the body of a log
    elif isinstance(payload, Mapping):
        for value in payload.values():
            yield from _texts(value)
    elif isinstance(payload, list | tuple):
        for value in payload:
            yield from _texts(value)
