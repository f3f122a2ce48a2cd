"""The closed list of errors that cross the adapter boundary, each named for what the caller does next."""

from __future__ import annotations

import inspect
from enum import StrEnum


class ErrorKind(StrEnum):
    """What an error means for the change that met it: all that a decision about that change has to look at."""

    #: The CRM refused for now and did nothing: a limit, a lock, "not yet".
    LIMIT = "limit"
    #: Nothing answered that could have carried the request out.
    DOWN = "down"
    #: The CRM may have carried the change out: it is looked for before it is sent again.
    IN_DOUBT = "in_doubt"
    #: What answered is not the CRM, or did not speak its language. Certainly nothing was carried out.
    NOT_UNDERSTOOD = "not_understood"
    #: The CRM refused the text for its length; a shorter one may be accepted.
    TOO_LONG = "too_long"
    #: The record that the request names does not exist (any more).
    GONE = "gone"
    #: The stored login is not accepted; the user has to connect again.
    LOGIN_OVER = "login_over"
    #: The CRM's verdict on this change, in its own words.
    REFUSED = "refused"
    #: The CRM does not offer the operation.
    UNSUPPORTED = "unsupported"
    #: An error in this server.
    OWN_FAULT = "own_fault"
    #: The operator has to mend this server's set-up; the user and the login are all right.
    MISCONFIGURED = "misconfigured"


class ConnectorError(Exception):
    """The CRM operation could not be completed."""

    #: Whether the same request may succeed later without anybody changing anything.
    try_later = False
    #: Seconds after which the vendor accepts requests again; None when it did not say.
    retry_after: float | None = None
    #: The kind of the error where the change was certainly not carried out.
    kind_if_not_applied = ErrorKind.REFUSED

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
        self.message = message or self._usual_message()
        self.reason = reason
        self.maybe_applied = maybe_applied
        self.status = status
        self.advice = advice
        super().__init__(self.message)

    @classmethod
    def _usual_message(cls) -> str:
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]

    @property
    def said(self) -> str:
        """What is known beyond the kind of the error, for support: the adapter's sentence and the vendor's reason."""
        own = "" if self.message == self._usual_message() else self.message
        return "\n".join(text for text in (own, self.reason) if text)

    def sentence(self, crm: str) -> str:
        """The error in a line of its own, where it says more than its kind; else empty. ``crm``: the CRM's name."""
        return f"{self.message} {self.advice}" if self.advice else ""

    @property
    def kind(self) -> ErrorKind:
        """What it means for the change at hand; ``maybe_applied`` outweighs all else."""
        return ErrorKind.IN_DOUBT if self.maybe_applied else self.kind_if_not_applied


class CredentialsRejected(ConnectorError):
    """The CRM no longer accepts the stored login.

    401, ``invalid_grant``, a token reply without ``access_token``. The user has to connect again.
    """

    kind_if_not_applied = ErrorKind.LOGIN_OVER

    def __init__(self, message: str = "", *, final: bool = False, reason: str = "", status: int = 0) -> None:
        """``final``: the refresh token itself was refused, so no refresh can help (``invalid_grant``)."""
        super().__init__(message, reason=reason, status=status)
        self.final = final


class AccessDenied(ConnectorError):
    """The CRM account does not have the permission that this needs."""


class RecordNotFound(ConnectorError):
    """The record no longer exists in the CRM.

    The record that the request's own address names, as said by the CRM itself in its own JSON; never one that a body
    refers to.
    """

    kind_if_not_applied = ErrorKind.GONE


class RequestRejected(ConnectorError):
    """The CRM refused the request."""


class AddressNotPublic(RequestRejected):
    """The name of the CRM's host leads to no public address at the moment.

    A name server, or what stands in its place, answers so; nothing was sent, and it may pass.
    """

    try_later = True
    kind_if_not_applied = ErrorKind.DOWN


class BodyTooLong(RequestRejected):
    """The text is too long for the CRM.

    413, or a refusal that the adapter's ``explain`` knows for one of the length.
    """

    kind_if_not_applied = ErrorKind.TOO_LONG


class ServerMisconfigured(ConnectorError):
    """The CRM does not accept this server's own credentials.

    ``invalid_client``, ``unauthorized_client``: the application's id and secret, not the user's login. Only the
    operator can help.
    """

    kind_if_not_applied = ErrorKind.MISCONFIGURED

    def sentence(self, crm: str) -> str:
        """What anybody but the operator is told; ``crm``: the CRM's name."""
        if self.message != type(self)().message:
            return self.message
        return f"This server's credentials for {crm} are wrong; tell your administrator."


class ReferenceGone(RequestRejected):
    """Something that this refers to no longer exists in the CRM.

    A record that the body of a write names (contact, deal, owner, category ...), not the one that the write addresses.
    """

    def __init__(
        self, message: str = "", *, what: str, reason: str = "", status: int = 0, maybe_applied: bool = False
    ) -> None:
        """``what``: as a person calls it ("contact", "deal"); "" where the CRM does not say what is gone."""
        super().__init__(message, reason=reason, status=status, maybe_applied=maybe_applied)
        self.what = what


class RateLimited(ConnectorError):
    """The CRM's request limit is reached.

    Or the record is locked, or the CRM asks to come back later: it did nothing.
    """

    try_later = True
    kind_if_not_applied = ErrorKind.LIMIT

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        reason: str = "",
        status: int = 429,
        advice: str = "",
    ) -> None:
        super().__init__(message, reason=reason, status=status, advice=advice)
        self.retry_after = retry_after


class CrmUnavailable(ConnectorError):
    """The CRM cannot be reached at the moment.

    No connection, a timeout, or a 5xx answer; a request that failed before the one that matters (a token, a session,
    a look at the record).
    """

    try_later = True
    kind_if_not_applied = ErrorKind.DOWN

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
        super().__init__(message, reason=reason, maybe_applied=maybe_applied, status=status, advice=advice)
        self.retry_after = retry_after


class UnexpectedResponse(ConnectorError):
    """The CRM answered in a way that was not understood.

    A redirect, a page for people, an answer of another shape than documented: not the CRM's verdict on anything.
    """

    kind_if_not_applied = ErrorKind.NOT_UNDERSTOOD


class UnsupportedOperation(ConnectorError):
    """This CRM does not offer that."""

    kind_if_not_applied = ErrorKind.UNSUPPORTED


class AlreadyLogged(ConnectorError):
    """A log for this session exists already."""
