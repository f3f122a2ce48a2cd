"""In place of the transport of the HTTP client: one exchange with the CRM, which may go wrong in every way there is."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from adapters.testcrm.server_api import Answer, Request, refusal, reply
from simulation.crm import FAULTS, crm
from simulation.world import world

_CONNECT_TIMEOUT = 3.05  # seconds; the settings' own default, as is the next
_READ_TIMEOUT = 10.0
#: Seconds that a slow exchange takes, within the time limits.
_SLOW_TO_CONNECT, _SLOW_TO_ANSWER = (0.5, 2.5), (0.5, 7.0)
#: How likely a process dies when the CRM has carried out what it asked for, and it does not know yet.
_DIES_AFTER_A_WRITE = 0.12
_PAGE = b"<html><body>Sorry, something is not right here.</body></html>"


class Transport:
    """In place of requests' transport: one exchange with ``crm``."""

    def send(self, prepared: requests.PreparedRequest, *, stream: bool, timeout: Any) -> requests.Response:
        started = world.now
        request = _read(prepared)
        crm.has_stored(world.actor)
        _take_time(_SLOW_TO_CONNECT)
        world.switch(f"-> {request.method} {request.path} {dict(request.query)}")
        if world.now - started > _CONNECT_TIMEOUT:
            raise requests.ConnectTimeout
        fault = crm.choose_fault(request)
        said = _FAULTY[fault](request) if fault else crm.serve(request)
        if request.method != "GET" and said.status < 300:
            world.may_die(_DIES_AFTER_A_WRITE)
        if request.path == "/oauth/token" and said.status == 200:
            crm.renews(world.actor)
        _take_time(_SLOW_TO_ANSWER)
        world.switch(f"<- {said.status} {request.method} {request.path}")
        if world.now - started > _READ_TIMEOUT:
            crm.has_ended_logins |= request.path == "/oauth/token"
            raise requests.ReadTimeout
        return _response(said)


def _take_time(seconds: Sequence[float]) -> None:
    if world.rng.random() < crm.slow_share:
        world.count("an exchange is slow")
        world.sleep(world.rng.choice(seconds))


def _lost(request: Request) -> Answer:
    world.sleep(_READ_TIMEOUT)
    raise requests.ReadTimeout


def _lost_late(request: Request) -> Answer:
    crm.late(request, world.now + _READ_TIMEOUT)
    return _lost(request)


def _dropped(request: Request) -> Answer:
    crm.serve(request)
    world.switch("the connection breaks")
    raise requests.ConnectionError(ProtocolError("Connection aborted."))


def _no_connection(request: Request) -> Answer:
    world.sleep(_CONNECT_TIMEOUT)
    raise requests.ConnectTimeout


def _after(said: Answer) -> Any:
    def act(request: Request) -> Answer:
        crm.serve(request)
        return said

    return act


def _http_date(request: Request) -> Answer:
    moment = datetime.fromtimestamp(world.now + 7, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return refusal(429, "limit", "Too many requests.", Retry_After=moment)


def _too_long(request: Request) -> Answer:
    return crm.serve(request) if request.method == "GET" else refusal(413, "too_long", "The body is too long.")


def _client_refused(request: Request) -> Answer:
    """Only the token endpoint looks at the application's own credentials."""
    if not request.path.startswith("/oauth/"):
        return crm.serve(request)
    return reply({"error": "invalid_client", "error_description": "The client secret has expired."}, 401)


def _page(status: int, **headers: str) -> Answer:
    return Answer(status=status, body=_PAGE, content_type="text/html", headers=headers)


_FAULTY: Mapping[str, Any] = {
    "no connection": _no_connection,
    "lost before it was carried out": _lost,
    "lost after it was carried out": _dropped,
    "carried out late": _lost_late,
    "limit with seconds": lambda _: refusal(429, "limit", "Too many requests.", Retry_After="3"),
    "limit with a date": _http_date,
    "limit without a time": lambda _: refusal(429, "limit", "Too many requests."),
    "408 before": lambda _: refusal(408, "timeout", "Too slow."),
    "409 after": _after(refusal(409, "conflict", "Another request is at work.")),
    "423 locked": lambda _: refusal(423, "locked", "Somebody edits it."),
    "500 before": lambda _: refusal(500, "error", "Internal error."),
    "500 after": _after(refusal(500, "error", "Internal error.")),
    "502 before": lambda _: _page(502),
    "504 after": _after(_page(504)),
    "503 with a time": lambda _: _page(503, Retry_After="20"),
    "page with 403": lambda _: _page(403),
    "page with 404": lambda _: _page(404),
    "page with 200": lambda _: _page(200),
    "redirect": lambda _: _page(302, Location="https://login.example/"),
    "too long": _too_long,
    "refused": lambda _: refusal(422, "invalid", "A value is not allowed."),
    "forbidden": lambda _: refusal(403, "forbidden", "You may not do that."),
    "client refused": _client_refused,
    "login refused": lambda _: refusal(401, "invalid_key", "This API key is not known."),
}
assert set(_FAULTY) == set(FAULTS)


def _read(prepared: requests.PreparedRequest) -> Request:
    address = urlsplit(str(prepared.url))
    body = prepared.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    is_json = "json" in prepared.headers.get("Content-Type", "")
    fields = json.loads(text) if is_json and text else dict(parse_qsl(text))
    return Request(
        method=str(prepared.method),
        path=address.path,
        query=dict(parse_qsl(address.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in prepared.headers.items()},
        body=fields,
    )


def _response(said: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = said.status
    response.headers = CaseInsensitiveDict({"Content-Type": said.content_type, **said.headers})
    response.raw = HTTPResponse(io.BytesIO(said.body), status=said.status, preload_content=False)
    return response
