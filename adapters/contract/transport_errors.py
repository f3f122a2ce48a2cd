"""What it means that no answer came: whether the CRM is away, and whether it may have acted."""

from __future__ import annotations

import requests

from adapters.contract.errors import AddressNotPublic, ConnectorError, CrmUnavailable, UnexpectedResponse
from adapters.contract.outbound_guard import AddressRefused
from adapters.contract.transfer import Malformed, NotSent


def failure_of(failure: Exception, *, is_read: bool, status: int) -> ConnectorError:
    """What a transport failure means; its text, which may hold the URL, is not passed on."""
    if isinstance(failure, AddressRefused):
        return AddressNotPublic(reason="the host's address is not a public one")
    if isinstance(failure, Malformed):
        return UnexpectedResponse(reason="the answer's headers are malformed", maybe_applied=not is_read)
    was_never_sent = isinstance(failure, NotSent | requests.ConnectTimeout)
    return CrmUnavailable(maybe_applied=not is_read and not was_never_sent, status=status)
