"""The table of failures: each bad answer a CRM can give, and what an adapter may make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters.contract import (
    AccessDenied,
    BodyTooLong,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    ErrorKind,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
)
from tests.exchanges import Outcome, Sent
from tests.played import Failure, headers_of, text_of

#: A token as vendors repeat them in their messages; it must not be repeated by us.
MARKER = "marker-0123456789abcdef0123456789abcdef-secret"

Answer = Mapping[str, Any]
_WRONG_SHAPES = "shape: "
#: Failures after which it is unknown whether a write was carried out.
_IN_DOUBT = ("timeout", "drop", "500", "503", "empty", "html", "408", "409")
_PAGE = {"text": "<!DOCTYPE html><title>Just a moment...</title><h1>Not here</h1>", "headers": {"Server": "proxy"}}

#: In an answer of the CRM's own.
_BY_STATUS: dict[int, type[ConnectorError]] = {
    400: RequestRejected,
    401: CredentialsRejected,
    403: AccessDenied,
    404: RecordNotFound,
    410: RecordNotFound,
    413: BodyTooLong,
    422: RequestRejected,
}
#: Whoever says it.
_PASSING: dict[int, type[ConnectorError]] = {
    408: CrmUnavailable,
    409: CrmUnavailable,
    423: RateLimited,
    425: RateLimited,
    429: RateLimited,
    477: RateLimited,
}
#: What an adapter may know better than the table: its own limits, logins, and whose fault it is.
_KNOWN_BETTER = (ErrorKind.LIMIT, ErrorKind.DOWN, ErrorKind.IN_DOUBT, ErrorKind.LOGIN_OVER, ErrorKind.MISCONFIGURED)


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


def passing_failures() -> Iterator[Failure]:
    """Refusals that pass by themselves, and answers of whatever stands before the CRM."""
    said: Answer = {"json": {"message": "Not now", "error": "Not now"}}
    table: dict[str, Answer] = {
        "408": {"status": 408, **said},
        "409": {"status": 409, **said},
        "423 with Retry-After": {"status": 423, "headers": {"Retry-After": "2"}, **said},
        "425": {"status": 425, **said},
        "477 with Retry-After": {"status": 477, "headers": {"Retry-After": "5"}, **said},
        "403 with Retry-After": {"status": 403, "headers": {"Retry-After": "5"}, **said},
        "302": {"status": 302, "headers": {"Location": "https://status.example.com/maintenance"}},
        "400 page": {"status": 400, **_PAGE},
        "403 page": {"status": 403, **_PAGE},
        "404 page": {"status": 404, **_PAGE},
        "404 empty": {"status": 404, "text": ""},
        "405": {"status": 405, **said},
        "410": {"status": 410, **said},
        "413 page": {"status": 413, **_PAGE},
        "too long": {"status": 422, "json": {"message": "'body' must be a text of at most 100000 characters."}},
    }
    for name, answer in table.items():
        yield Failure(name, lambda recorded, answer=answer: answer)


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
    return outcome.adapter.explain(_reply(sent))


def _reply(sent: Sent) -> Reply:
    return Reply(
        status=sent.answer.get("status", 200),
        headers={name.lower(): value for name, value in headers_of(sent.answer).items()},
        body=sent.answer.get("json"),
        text=text_of(sent.answer),
        is_json="json" in sent.answer,
        method=sent.method,
        url=sent.url,
    )


def is_verdict(sent: Sent, outcome: Outcome) -> bool:
    """Whether the answer to a request is the CRM's own word on it: nothing was written then."""
    status = sent.answer.get("status", 200)
    error = explained(sent, outcome)
    return error is not None and not error.maybe_applied and status not in _PASSING


def _errors_for(sent: Sent, outcome: Outcome, *, is_login: bool) -> set[type[ConnectorError]]:
    if "error" in sent.answer:
        return {CrmUnavailable}
    status = sent.answer.get("status", 200)
    if 200 <= status < 300 and not sent.failed:
        return set()
    if sent.kind == "token":
        said = outcome.adapter.explain(_reply(sent)) if outcome.adapter else None
        return _token_errors(sent, status, said, is_login=is_login)
    if sent.kind == "media":
        return {_passing_error(sent, status) or _elsewhere(status) or RequestRejected}
    said, is_own = explained(sent, outcome), outcome.adapter is not None and outcome.adapter.is_own(_reply(sent))
    if said is not None and (said.kind in _KNOWN_BETTER or status < 300):
        return {type(said)}
    if error := _passing_error(sent, status):
        return {error}
    if said is not None and said.kind is ErrorKind.NOT_UNDERSTOOD:
        return {UnexpectedResponse}
    login = {CredentialsRejected} if is_login and status < 300 else set()
    if not is_own and status not in (401, 413):
        return {_elsewhere(status) or UnexpectedResponse, *login}
    if said is not None and is_own:
        return {type(said), BodyTooLong} if type(said) is RequestRejected else {type(said)}
    found = _elsewhere(status) or _BY_STATUS.get(status, UnexpectedResponse)
    if found is RecordNotFound and sent.method == "POST":  # a collection: no record is named
        found = RequestRejected if status == 404 else UnexpectedResponse
    return {found, *login, *({BodyTooLong} if found is RequestRejected else ())}


def _passing_error(sent: Sent, status: int) -> type[ConnectorError] | None:
    has_wait = 400 <= status < 500 and status != 401 and "Retry-After" in headers_of(sent.answer)
    return _PASSING.get(status) or (RateLimited if has_wait else None)


def _elsewhere(status: int) -> type[ConnectorError] | None:
    return CrmUnavailable if status >= 500 else UnexpectedResponse if status < 400 else None


def _token_errors(sent: Sent, status: int, said: ConnectorError | None, *, is_login: bool) -> set[type[ConnectorError]]:
    """A token endpoint decides on the login only, and only in clear words, which none of the table has."""
    if said is not None and said.kind is ErrorKind.LIMIT and status < 500:
        return {type(said)}
    if error := (_passing_error(sent, status) if status < 500 else None):
        return {error}
    if status < 300:  # a reply without a token; one with an ``error`` is a refusal
        return {UnexpectedResponse, RequestRejected, *({CredentialsRejected} if is_login else ())}
    return {_elsewhere(status) or (RequestRejected if "json" in sent.answer else UnexpectedResponse)}
