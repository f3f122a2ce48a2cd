"""The closed list of errors that cross the adapter boundary, each named for what the caller does next."""

from __future__ import annotations

import inspect


class ConnectorError(Exception):
    """The CRM operation could not be completed."""

    #: Whether the same request may succeed later without anybody changing anything.
    try_later = False

    def __init__(
        self, message: str = "", *, reason: str = "", maybe_applied: bool = False, status: int = 0, advice: str = ""
    ) -> None:
        """
        ``message``: a sentence for the user; default: the first line of the class docstring.
        ``reason``: the vendor's own explanation, shown as a detail; never a secret, never a phone number.
        ``maybe_applied``: for a write, whether the CRM may have carried it out all the same.
        ``status``: the vendor's HTTP status, 0 where there was none.
        ``advice``: what the user can do about it, in place of the general advice; ``message`` is then the headline.
        """
        self.message = message or (inspect.getdoc(type(self)) or "").split("\n", 1)[0]
        self.reason = reason
        self.maybe_applied = maybe_applied
        self.status = status
        self.advice = advice
        super().__init__(self.message)


class CredentialsRejected(ConnectorError):
    """The CRM no longer accepts the stored login.

    401, ``invalid_grant``, a token reply without ``access_token``. The user has to connect again.
    """

    def __init__(self, message: str = "", *, final: bool = False, reason: str = "", status: int = 0) -> None:
        """``final``: the refresh token itself was refused, so no refresh can help (``invalid_grant``)."""
        super().__init__(message, reason=reason, status=status)
        self.final = final


class AccessDenied(ConnectorError):
    """The CRM account does not have the permission that this needs."""


class RecordNotFound(ConnectorError):
    """The record no longer exists in the CRM."""


class RequestRejected(ConnectorError):
    """The CRM refused the request."""


class RateLimited(ConnectorError):
    """The CRM's request limit is reached."""

    try_later = True

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, reason: str = "", status: int = 429
    ) -> None:
        """``retry_after``: seconds after which the vendor accepts requests again; None when it did not say."""
        super().__init__(message, reason=reason, status=status)
        self.retry_after = retry_after


class CrmUnavailable(ConnectorError):
    """The CRM cannot be reached at the moment.

    No connection, a timeout, or a 5xx answer.
    """

    try_later = True

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        reason: str = "",
        maybe_applied: bool = False,
        status: int = 0,
        advice: str = "",
    ) -> None:
        """``retry_after``: as for ``RateLimited``."""
        super().__init__(message, reason=reason, maybe_applied=maybe_applied, status=status, advice=advice)
        self.retry_after = retry_after


class UnexpectedResponse(ConnectorError):
    """The CRM answered in a way that was not understood."""


class UnsupportedOperation(ConnectorError):
    """This CRM does not offer that."""


class AlreadyLogged(ConnectorError):
    """A log for this session exists already."""
