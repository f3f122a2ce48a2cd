"""What an answer means that says "no", whatever its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.contract import (
    BodyTooLong,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    contact_gone,
    dig,
    reference_gone,
)
from adapters.contract.reply_errors import reason_of, verdict_of
from adapters.proxy.reading import place

_EMPTY: tuple[object, ...] = (None, "", False, 0, "0", [], {})
#: What a write can do without: the choices of the form.
CHOICE = "choice"
_TRUE = (True, "true", "True", "TRUE", "1")
#: Key of a definition -> what the error codes listed there mean, whatever the status.
MEANINGS: Mapping[str, Callable[..., ConnectorError]] = {
    "sessionErrorCodes": CredentialsRejected,
    "limitErrorCodes": RateLimited,
    "unavailableErrorCodes": CrmUnavailable,
    "goneErrorCodes": RecordNotFound,
    "contactGoneErrorCodes": lambda **said: contact_gone("the CRM", **said),
    "choiceGoneErrorCodes": lambda **said: reference_gone(CHOICE, "the CRM", **said),
    "tooLongErrorCodes": BodyTooLong,
}


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Where an answer says that it is a refusal, and why."""

    message_path: str = ""
    #: Must be true in every 2xx.
    success_path: str = ""
    #: Must be empty in every 2xx.
    error_path: str = ""
    code_path: str = ""
    #: Error code -> key of ``MEANINGS``.
    codes: Mapping[str, str] = field(default_factory=dict)

    def meaning(self, reply: Reply) -> ConnectorError | None:
        """The error behind an answer; None: the status alone says it."""
        answer = {"body": reply.body}
        is_success = 200 <= reply.status < 300
        if (is_success and not self._says_no(reply.body)) or reply.status >= 500 or not reply.is_json:
            return None
        code = str(dig(answer, place(self.code_path), object, None)) if self.code_path else ""
        said = dig(answer, place(self.message_path), str, "") if self.message_path else reply.body
        if code in self.codes:
            return MEANINGS[self.codes[code]](reason=reason_of(said), status=reply.status)
        if is_success:
            return RequestRejected(reason=reason_of(said), status=reply.status)
        return verdict_of(replace(reply, body=said)) if self.message_path and reply.status >= 400 else None

    def _says_no(self, body: Any) -> bool:
        answer = {"body": body}
        if isinstance(body, dict) and str(body.get("success")).lower() == "false":
            return True
        if body is None:  # nothing was said
            return False
        if self.success_path and dig(answer, place(self.success_path), object, None) not in _TRUE:
            return True
        return bool(self.error_path) and dig(answer, place(self.error_path), object, None) not in _EMPTY
