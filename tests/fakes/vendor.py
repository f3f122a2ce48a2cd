"""Runs fake vendors as one process: TLS under the vendors' host names, behind a proxy that finds them on loopback.

``python -m tests.fakes.vendor tests.fakes.clio:FakeClio --folder DIR`` prints ``Vendor on http://127.0.0.1:PORT`` and
leaves the certificate to trust in ``DIR/vendor-ca.pem``. The port takes CONNECT for the vendors' hosts, and plain
requests from the test: ``GET /0/state``, ``GET /0/requests``, ``POST /0/call``, ``POST /0/faults`` for the first of the
vendors, ``/1/`` for the second.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import random
import re
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the vendor receives; ``headers`` by lower-case name, repeated query parameters joined in ``queries``."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    queries: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What it answers: ``json``, or ``text`` where that is None."""

    status: int = 200
    json: Any = None
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        super().__init__(status)
        self.answer = Answer(status=status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


class FakeVendor:
    """A vendor's account in memory. A subclass names its ``hosts`` and answers; one request at a time reaches it.

    Attributes without a leading underscore are what ``GET /state`` shows.
    """

    #: Exact names or ``*.example.com``.
    hosts: tuple[str, ...] = ()
    #: Requests it takes at the same time; one more is answered by ``crowded``. 0: any number.
    at_once: int = 0

    def crowded(self, request: Request) -> Answer:
        """The refusal of a request that comes while ``at_once`` others are being answered."""
        return Answer(status=429)

    def answer(self, request: Request) -> Answer:
        """May raise ``Refused``."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


@dataclass
class Fault:
    """Ordered misbehaviour of the requests it fits.

    ``method``, ``host`` and ``path`` are regular expressions (whole match; a path that ends open needs ``.*``).
    ``status`` with ``body`` and ``headers`` answers in the vendor's place; ``delay`` is seconds; ``drop`` closes the
    connection ``before`` or ``after`` the vendor acted. It counts down ``times`` (None: for ever), lets the first
    ``skip`` pass, and strikes with ``probability``.
    """

    method: str = ".*"
    host: str = ".*"
    path: str = ".*"
    status: int = 0
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    drop: str = ""
    times: int | None = None
    skip: int = 0
    probability: float = 1

    def strikes(self, request: Request) -> bool:
        texts = ((self.method, request.method), (self.host, request.host), (self.path, request.path))
        if self.times == 0 or not all(re.fullmatch(pattern, text) for pattern, text in texts):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if random.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Watched:
    """A vendor, what was asked of it, and the misbehaviour that was ordered."""

    def __init__(self, vendor: FakeVendor) -> None:
        self.vendor = vendor
        self.faults: list[Fault] = []
        self.seen: list[dict[str, Any]] = []
        self.running = 0
        self.lock = threading.Lock()

    def exchange(self, request: Request) -> Answer | None:
        """The answer; None: the connection is to be dropped."""
        started = time.monotonic()
        with self.lock:
            fault = next((fault for fault in self.faults if fault.strikes(request)), Fault())
            is_crowded = 0 < self.vendor.at_once <= self.running
            self.running += 1
        if fault.delay:
            time.sleep(fault.delay)
        answer: Answer | None
        if is_crowded:
            answer = self.vendor.crowded(request)
        elif fault.drop == "before":
            answer = None
        elif fault.status:
            answer = Answer(status=fault.status, json=fault.body, headers=fault.headers)
        else:
            answer = self._acted(request)
            if fault.drop == "after":
                answer = None
        line = {
            "method": request.method,
            "host": request.host,
            "path": request.path,
            "query": request.query,
            "status": answer.status if answer else 0,
            "started": started,
            "ended": time.monotonic(),
        }
        with self.lock:
            self.running -= 1
            self.seen.append(line)
        return answer

    def _acted(self, request: Request) -> Answer:
        with self.lock:
            try:
                return self.vendor.answer(request)
            except Refused as refused:
                return refused.answer

    def told(self, method: str, path: str, body: Any) -> Any:
        """The test's own requests."""
        with self.lock:
            if (method, path) == ("GET", "/state"):
                return _plain(self.vendor.state())
            if (method, path) == ("GET", "/requests"):
                seen, self.seen = self.seen, []
                return seen
            if (method, path) == ("POST", "/faults"):
                self.faults = [Fault(**rule) for rule in body]
                return len(self.faults)
            if (method, path) == ("POST", "/call"):
                return _plain(getattr(self.vendor, body["name"])(*body["args"], **body["kwargs"]))
        raise LookupError(path)


class VendorServer(ThreadingHTTPServer):
    """One port for the hosts of all vendors and for the test that watches them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, vendors: list[FakeVendor], folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "vendor-ca.pem"))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        hosts = sorted({host for vendor in vendors for host in vendor.hosts})
        authority.issue_cert(*hosts).configure_cert(self.tls)
        self.watched = [Watched(vendor) for vendor in vendors]

    def of_host(self, host: str) -> Watched | None:
        """The first vendor that has this host."""
        for watched in self.watched:
            if any(fnmatch.fnmatch(host, pattern) for pattern in watched.vendor.hosts):
                return watched
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients come and go; anything else is a fault of the fake and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):  # ssl.SSLError is one
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: VendorServer
    tunnel = ""
    watched: Watched | None = None

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        self.watched = self.server.of_host(host)
        if self.watched is None:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 502 no such host\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.tunnel = host
        self.close_connection = False

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        if self.watched is None:
            _, number, path = parts.path.split("/", 2)
            watched = self.server.watched[int(number)]
            self._reply(Answer(json=watched.told(self.command, f"/{path}", json.loads(body) if body else None)))
            return
        queries = parse_qsl(parts.query, keep_blank_values=True)
        answer = self.watched.exchange(
            Request(
                method=self.command,
                host=self.tunnel,
                path=parts.path,
                query=dict(queries),
                queries=queries,
                headers={key.lower(): value for key, value in self.headers.items()},
                body=body,
            )
        )
        if answer is None:
            self.close_connection = True
        else:
            self._reply(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    def _reply(self, answer: Answer) -> None:
        body = answer.text.encode() if answer.json is None else json.dumps(answer.json).encode()
        kind = "text/html" if answer.json is None else "application/json"
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what was asked is at ``/requests``."""


def _plain(value: Any) -> Any:
    """JSON of any state: keys as texts, sets as sorted lists."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vendors", nargs="+", help="module:Class of each fake")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    vendors = []
    for module, _, name in (vendor.partition(":") for vendor in options.vendors):
        vendors.append(getattr(importlib.import_module(module), name)())
    server = VendorServer(vendors, options.folder)
    sys.stdout.write(f"Vendor on http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    from tests.fakes import vendor  # the fakes raise that module's Refused, not this one's

    vendor.main()
