"""The CRM at the other end of the HTTP client: the sandbox's own code, behind a transport that fails as schedules say.

Statuses, headers and bodies pass through the classification of production. A request of unknown outcome that takes
effect late does so within the ``settling_seconds`` of the adapter's manifest.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from adapters.testcrm.server_api import Answer, OAuthClient, Request, answer, refusal
from adapters.testcrm.server_store import Store
from simulation.world import world

_CONNECT_TIMEOUT = 3.05  # seconds; the settings' own default, as is the next
_READ_TIMEOUT = 10.0
#: Effects that come late, and an index that lags, together stay within ``settling_seconds``, which are 5.
_LATEST, _LAG = 2.4, 2.4
_PAGE = b"<html><body>Sorry, something is not right here.</body></html>"

#: What may happen to a request, and whether it is a verdict: of the CRM, or of what is taken for it.
FAULTS: Mapping[str, bool] = {
    "no connection": False,
    "lost before it was carried out": False,
    "lost after it was carried out": False,
    "carried out late": False,
    "limit with seconds": False,
    "limit with a date": False,
    "limit without a time": False,
    "408 before": False,
    "409 after": False,
    "423 locked": False,
    "500 before": False,
    "500 after": False,
    "502 before": False,
    "504 after": False,
    "503 with a time": False,
    "page with 403": True,
    "page with 404": True,
    "page with 200": True,
    "redirect": True,
    "too long": True,
    "refused": True,
    "forbidden": True,
    "login refused": True,
}


class SimulatedDatetime(datetime):
    """``datetime`` for the sandbox CRM, whose clock is the world's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(world.now, tz)


@dataclass(kw_only=True)
class Applied:
    """One write that the CRM carried out."""

    at: float
    method: str
    path: str
    body: Mapping[str, Any]
    record: str


@dataclass
class Crm:
    """What the CRM holds, and how it misbehaves."""

    rate: float = 0.0
    faults: tuple[str, ...] = ()
    lags: bool = False
    can_be_asked: bool = True
    store: Store = field(default_factory=lambda: Store(Path(":memory:")))
    client: OAuthClient = field(
        default_factory=lambda: OAuthClient(client_id="switchboard", client_secret="sandbox-secret")  # noqa: S106
    )
    applied: list[Applied] = field(default_factory=list)
    delivered: Counter[str] = field(default_factory=Counter)
    #: Markers, or ids, of records about which a verdict was given.
    judged: set[str] = field(default_factory=set)
    _late: list[tuple[float, Request]] = field(default_factory=list)
    _made_at: dict[str, float] = field(default_factory=dict)

    def heal(self) -> None:
        """From now on it is in good health; what is under way arrives."""
        self.rate, self.can_be_asked = 0.0, True
        world.now += _READ_TIMEOUT + 2 * _LATEST + _LAG
        self.settle()

    def settle(self) -> None:
        """What is due by now takes effect."""
        due = [item for item in self._late if item[0] <= world.now]
        self._late = [item for item in self._late if item[0] > world.now]
        for _, request in sorted(due, key=lambda item: item[0]):
            self._carry_out(request)

    def late(self, request: Request, ends: float) -> None:
        self._late.append((ends + world.rng.random() * _LATEST, request))

    def choose_fault(self) -> str:
        if not self.rate or world.rng.random() >= self.rate:
            return ""
        return world.rng.choice(self.faults)

    def serve(self, request: Request) -> Answer:
        self.settle()
        said = self._carry_out(request)
        if self.lags and request.method == "GET" and request.path == "/api/activities":
            found = json.loads(said.body)
            rows = found.get("activities", [])
            found["activities"] = [row for row in rows if self._made_at.get(row["id"], 0) + _LAG <= world.now]
            return Answer(body=json.dumps(found).encode())
        return said

    def _carry_out(self, request: Request) -> Answer:
        said = answer(self.store, self.client, request)
        if request.method in ("POST", "PATCH") and said.status < 300 and request.path.startswith("/api/"):
            (row,) = json.loads(said.body).values()
            record = str(row["id"])
            self._made_at.setdefault(record, world.now)
            write = Applied(at=world.now, method=request.method, path=request.path, body=request.body, record=record)
            self.applied.append(write)
            world.note(f"CRM carries out {request.method} {request.path} {record}")
        return said

    def marker_of(self, request: Request) -> str:
        """The external id of the record that a request is about, or whatever else identifies it."""
        if marker := request.query.get("external_id") or request.body.get("external_id"):
            return str(marker)
        number = request.path.rpartition("/")[2]
        found = [row for row in self.store.activities(None, limit=1000) if row["id"] == number]
        return str(found[0]["external_id"]) if found else request.path


crm = Crm()


class Transport:
    """In place of requests' transport: one exchange with ``crm``."""

    def send(self, prepared: requests.PreparedRequest, *, stream: bool, timeout: Any) -> requests.Response:
        started = world.now
        request = _read(prepared)
        world.switch(f"-> {request.method} {request.path} {dict(request.query)}")
        if world.now - started > _CONNECT_TIMEOUT:
            raise requests.ConnectTimeout
        fault = crm.choose_fault()
        if fault:
            world.count(f"CRM: {fault}")
            world.note(f"CRM: {fault}")
            crm.delivered[fault] += 1
            if FAULTS[fault]:
                crm.judged.add(crm.marker_of(request))
        said = _FAULTY[fault](request) if fault else crm.serve(request)
        world.switch(f"<- {said.status} {request.method} {request.path}")
        if world.now - started > _READ_TIMEOUT:
            raise requests.ReadTimeout
        return _response(said)


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
