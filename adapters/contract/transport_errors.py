"""What it means that no answer came: whether the CRM is away, and whether it may have acted."""

from __future__ import annotations

import ssl
from typing import Any

import requests
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
)

from adapters.contract.errors import AddressNotPublic, ConnectorError, CrmUnavailable, UnexpectedResponse
from adapters.contract.outbound_guard import AddressRefused


def failure_of(failure: Exception, *, is_read: bool, status: int) -> ConnectorError:
    """What a transport failure means; its text, which may hold the URL, is not passed on."""
    if isinstance(failure, AddressRefused):
        return AddressNotPublic(reason="the host's address is not a public one")
    if isinstance(failure, requests.exceptions.InvalidHeader):  # of the answer: ours were checked before
        return UnexpectedResponse(reason="the answer's headers are malformed", maybe_applied=not is_read)
    return CrmUnavailable(maybe_applied=not is_read and not _was_never_sent(failure), status=status)


def _was_never_sent(failure: BaseException) -> bool:
    """Whether the failure happened before the request left: no connection, no tunnel, no trust in the certificate.

    What broke behind a proxy counts by its cause: urllib3 calls a connection lost after the request left a proxy error
    too.
    """
    seen: list[Any] = [failure]
    while seen:
        cause = seen.pop()
        if isinstance(
            cause,
            requests.ConnectTimeout
            | ClosedPoolError
            | ConnectTimeoutError
            | NewConnectionError
            | ssl.SSLCertVerificationError,
        ):
            return True
        if isinstance(cause, ProxyError) and type(cause.original_error) is OSError:  # "Tunnel connection failed"
            return True
        if isinstance(cause, MaxRetryError):
            seen.append(cause.reason)
        if isinstance(cause, requests.RequestException | HTTPError):
            seen += [argument for argument in cause.args if isinstance(argument, Exception)]
    return False
