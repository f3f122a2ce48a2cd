"""What the answer of a token endpoint means: it decides on a login, never on a record."""

from __future__ import annotations

import re

from adapters.contract.errors import (
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    ErrorKind,
    RequestRejected,
    ServerMisconfigured,
    UnexpectedResponse,
)
from adapters.contract.payload import dig
from adapters.contract.reply_errors import passing, retry_after_of
from adapters.contract.types import Reply
from adapters.contract.wording import says_client_refused, says_login_over, says_passing, says_user_closed

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)


def token_error(reply: Reply, said: ConnectorError | None = None) -> ConnectorError | None:
    """The error behind an answer; None for a 2xx that does not say it is one.

    ``said``: what the adapter's ``explain`` makes of it; a limit, a login that is over for good and a server that is
    not accepted are believed. Else the login is over only where the answer says so: in any form that vendors use,
    but not in a page for people, and not with a 5xx. ``RequestRejected``: a refusal that says something else.
    Of what the vendor said only the code is kept: the rest may repeat the token.
    """
    error = _believed(said) if reply.status < 500 else None
    error = error or _meaning(reply)
    if error is not None:
        error.status, error.reason = error.status or reply.status, error.reason and _code(reply)
    return error


def _believed(said: ConnectorError | None) -> ConnectorError | None:
    is_over = isinstance(said, CredentialsRejected) and said.final
    return said if said and (is_over or said.kind in (ErrorKind.LIMIT, ErrorKind.MISCONFIGURED)) else None


def _meaning(reply: Reply) -> ConnectorError | None:
    status, reason = reply.status, _code(reply)
    if status >= 500:
        return CrmUnavailable(retry_after=retry_after_of(reply), status=status, maybe_applied=True)
    if 300 <= status < 400:
        return UnexpectedResponse(status=status)
    is_success = 200 <= status < 300
    if is_success and dig(reply.body, "access_token", str, ""):
        return None
    if (error := passing(reply, is_read=False)) is not None:
        return error
    if says_client_refused(reply.body, reply.text):
        return ServerMisconfigured(reason=reason, status=status)
    if says_login_over(reply.body, reply.text):
        return CredentialsRejected(final=True, reason=reason, status=status)
    if says_passing(reply.body):
        return CrmUnavailable(reason=reason, status=status)
    if says_user_closed(reply.body, reply.text):
        return CredentialsRejected(final=True, reason=reason, status=status)
    if is_success and not dig(reply.body, "error", object, None):
        return None
    return RequestRejected(reason=reason, status=status) if reply.is_json else UnexpectedResponse(status=status)


def _code(reply: Reply) -> str:
    """The error code where RFC 6749 has it; nothing that could be private."""
    code = dig(reply.body, "error", str, "")
    return code if _CODE.fullmatch(code) else ""
