"""The table of failures: each bad answer a CRM can give, and what an adapter may make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
)
from tests.exchanges import Failure, Outcome, Sent, headers_of, text_of

#: A token as vendors repeat them in their messages; it must not be repeated by us.
MARKER = "marker-0123456789abcdef0123456789abcdef-secret"

Answer = Mapping[str, Any]
_WRONG_SHAPES = "shape: "
#: Failures after which it is unknown whether a write was carried out.
_IN_DOUBT = ("timeout", "drop", "500", "503", "empty", "html")

_BY_STATUS: dict[int, type[ConnectorError]] = {
    401: CredentialsRejected,
    403: AccessDenied,
    404: RecordNotFound,
    410: RecordNotFound,
    429: RateLimited,
}
#: Token endpoints and file servers have no records, and a file server's 401 says nothing about the login.
_ELSEWHERE: dict[tuple[str, int], type[ConnectorError]] = {
    ("token", 404): RequestRejected,
    ("token", 410): RequestRejected,
    ("media", 401): RequestRejected,
}


def failures(private: str) -> Iterator[Failure]:
    """Every failure of the table; ``private`` is what the vendor's messages repeat, beside a token."""
    said = f"Cannot do this for {private} with {MARKER}"
    plain: dict[str, Answer] = {
        "connect": {"error": "connect"},
        "timeout": {"error": "timeout"},
        "drop": {"error": "drop"},
        "401": {"status": 401, "json": {"message": said, "error": said}},
        "403": {"status": 403, "json": {"message": said, "errorMessage": said, "error": {"message": said}}},
        "404": {"status": 404, "json": {"message": said, "errorMessage": said, "error": said}},
        "429": {"status": 429, "json": {"message": said, "error": said}},
        "429 with Retry-After": {"status": 429, "headers": {"Retry-After": "7"}, "json": {"error": said}},
        "400": {"status": 400, "json": {"errorMessage": said, "error": {"message": said}}},
        "400 as text": {"status": 400, "json": {"message": said, "error": said, "error_info": said}},
        "500": {"status": 500, "json": {"message": said, "errorMessage": said, "error": {"message": said}}},
        "503": {"status": 503, "text": f"<html>{said}</html>"},
    }
    for name, answer in plain.items():
        yield Failure(name, lambda recorded, answer=answer: answer)
    yield Failure("empty", lambda recorded: {"status": _success(recorded), "text": ""})
    yield Failure("html", lambda recorded: {"status": 200, "text": f"<html><body>{said}</body></html>"})
    for name, twist in _TWISTS.items():
        yield Failure(_WRONG_SHAPES + name, lambda recorded, twist=twist: _twisted(recorded, twist))


def _twisted(recorded: Answer, twist: Callable[[Any], Any]) -> Answer:
    return {"status": _success(recorded), "json": twist(recorded.get("json"))}


def _success(recorded: Answer) -> int:
    status: int = recorded.get("status", 200)
    return status if 200 <= status < 300 else 200


def _leaves(value: Any) -> Any:
    """The same shape with a value of another type at each leaf."""
    if isinstance(value, dict):
        return {key: _leaves(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_leaves(item) for item in value]
    return {"unexpected": True} if isinstance(value, str) else [] if value is not None else {}


def _members(value: Any) -> Any:
    """The same members at the top, each a text."""
    return dict.fromkeys(value, "text") if isinstance(value, dict) else "text"


_TWISTS: dict[str, Callable[[Any], Any]] = {
    "object": lambda recorded: {},
    "list": lambda recorded: [5] if isinstance(recorded, list) else [],
    "text": lambda recorded: "text",
    "number": lambda recorded: 5,
    "members": _members,
    "leaves": _leaves,
}


def changes_nothing(failure: Failure, recorded: Answer) -> bool:
    """Whether the failure is the recorded answer itself."""
    return failure.answer(recorded) == recorded


def is_wrong_shape(failure: Failure) -> bool:
    return failure.name.startswith(_WRONG_SHAPES)


def may_have_been_applied(failure: Failure) -> bool:
    """Whether a write that met this failure may have been carried out all the same."""
    return failure.name in _IN_DOUBT or is_wrong_shape(failure)


def expected_errors(outcome: Outcome, *, is_login: bool) -> set[type[ConnectorError]]:
    """What the bad answers of a run may be turned into: by the standard table, or by the adapter's ``explain``."""
    return {kind for sent in outcome.sent for kind in _errors_for(sent, outcome, is_login=is_login)}


def explained(sent: Sent, outcome: Outcome) -> ConnectorError | None:
    """What the adapter's own ``explain`` makes of the answer to a request."""
    if "error" in sent.answer or sent.kind != "api" or outcome.adapter is None:
        return None
    text = text_of(sent.answer)
    return outcome.adapter.explain(
        Reply(
            status=sent.answer.get("status", 200),
            headers={name.lower(): value for name, value in headers_of(sent.answer).items()},
            body=sent.answer.get("json"),
            text=text,
            is_json="json" in sent.answer,
            method=sent.method,
            url=sent.url,
        )
    )


def _errors_for(sent: Sent, outcome: Outcome, *, is_login: bool) -> set[type[ConnectorError]]:
    if error := explained(sent, outcome):
        return {type(error)}
    if "error" in sent.answer:
        return {CrmUnavailable}
    status = sent.answer.get("status", 200)
    if status >= 500:
        return {CrmUnavailable}
    if status >= 400:
        return {_ELSEWHERE.get((sent.kind, status), _BY_STATUS.get(status, RequestRejected))}
    if status >= 300 or sent.failed:
        # A token reply without a token means that the login is over; one with an ``error`` is a refusal.
        refusal = {RequestRejected} if sent.kind == "token" else set()
        return {UnexpectedResponse, *refusal, *({CredentialsRejected} if is_login else ())}
    return set()
