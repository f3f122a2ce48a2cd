"""The standard meaning of a vendor's HTTP answer."""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.contract.errors import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RecordNotFound,
    RequestRejected,
    UnexpectedResponse,
)
from adapters.contract.types import Reply

_REASON_KEPT = 200
#: Looked at of a message, however long it is: the expression below takes the square of a word's length.
_REASON_READ = 2000
_REASON_KEYS = ("error_description", "message", "Message", "errorMessage", "error", "errors")
#: Telephone numbers and tokens that a vendor repeats in its message.
_PRIVATE = re.compile(r"(?=[A-Za-z_+/=.-]*\d)[A-Za-z0-9_+/=.-]{32,}|\+?\d[\d ().-]{5,}\d")

_PIECES = re.compile(r"\n|<[^<>]*>|: ")


def error_for(reply: Reply, *, is_read: bool) -> ConnectorError:
    """The error behind an answer that is not a 2xx."""
    status, reason = reply.status, reason_of(reply.body)
    if status == 401:
        return CredentialsRejected(reason=reason, status=status)
    if status == 403:
        return AccessDenied(reason=reason, status=status)
    if status in (404, 410):
        return RecordNotFound(reason=reason, status=status)
    if status == 429:
        return RateLimited(retry_after=retry_after_of(reply), reason=reason)
    if 400 <= status < 500:
        return RequestRejected(reason=reason, status=status)
    if status >= 500:
        wait = retry_after_of(reply)
        return CrmUnavailable(retry_after=wait, reason=reason, status=status, maybe_applied=not is_read)
    return UnexpectedResponse(reason="a redirect was refused", status=status, maybe_applied=False)


def media_error_for(reply: Reply, *, is_read: bool) -> ConnectorError | None:
    """The error behind a file server's answer; None for a 2xx. It never concerns the login at the CRM."""
    if 200 <= reply.status < 300:
        return None
    error = error_for(reply, is_read=is_read)
    return RequestRejected(status=reply.status) if isinstance(error, CredentialsRejected) else error


def retry_after_of(reply: Reply) -> float | None:
    """Seconds from the ``Retry-After`` header, a number or a date; None when there is none."""
    text = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError, OverflowError):
            return None
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


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
    for echo in sorted(echoes, key=len, reverse=True):
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
