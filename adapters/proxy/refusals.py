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
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
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
#: With a status of 500 and above this says no more than the status: the CRM may have done what was asked.
_MAY_BE_DONE = "unavailableErrorCodes"


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
        if (is_success and not self._says_no(reply.body)) or not reply.is_json:
            return None
        said = dig(answer, place(self.message_path), str, "") if self.message_path else reply.body
        meaning = self._meaning_of_code(answer)
        if reply.status >= 500 and meaning in ("", _MAY_BE_DONE):
            return None
        if meaning:
            return MEANINGS[meaning](reason=reason_of(said), status=reply.status)
        if is_success:
            return RequestRejected(reason=reason_of(said), status=reply.status)
        return verdict_of(replace(reply, body=said)) if self.message_path and reply.status >= 400 else None

    def _meaning_of_code(self, answer: Mapping[str, Any]) -> str:
        """The key under which the definition lists the answer's code, in whatever letter case; "" for any other."""
        if not self.code_path:
            return ""
        code = _word(dig(answer, place(self.code_path), object, None))
        return next((meaning for listed, meaning in self.codes.items() if _word(listed) == code), "")

    def _says_no(self, body: Any) -> bool:
        answer = {"body": body}
        if isinstance(body, dict) and any(_word(key) == "success" and _word(body[key]) in _FALSE for key in body):
            return True
        if body is None:  # nothing was said
            return False
        if self.success_path and _word(dig(answer, place(self.success_path), object, None)) not in _TRUE:
            return True
        return bool(self.error_path) and dig(answer, place(self.error_path), object, None) not in _EMPTY


def _word(value: object) -> str:
    """A code or flag as it is compared: CRMs write them as texts, numbers and booleans, in any letter case."""
    return str(value).strip().casefold()
