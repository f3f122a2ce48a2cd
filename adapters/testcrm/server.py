"""The sandbox CRM: a small CRM in its own process, to be connected to, looked at, and made to fail in tests.

``python -m adapters.testcrm.server --port 8070 --database var/sandbox-crm.sqlite3`` serves until SIGTERM or SIGINT.
It is for development and tests only: anybody who reaches it can read everything. What it answers is in
``server_api``, its pages are in ``server_pages``, its rows in ``server_store``; none of it is part of an adapter.

Each person may order trouble for themselves, see ``server_trouble``. With ``--allow-faults`` it also takes orders that
concern everybody, so that a test can see what happens when a CRM misbehaves:

- ``POST /__faults__`` ``{"rules": [{"method": "POST", "path_prefix": "/api/activities", ...}]}``, each rule with one of
  ``"status": 503`` (and ``"retry_after": 2``), ``"delay_ms": 500``, ``"drop": "before" | "after_commit"`` (the
  connection is closed instead of an answer), and ``"times": n`` (default 1, null: always). ``method`` and
  ``path_prefix`` may be left out. Rules are tried in order; a used-up one is gone.
- ``GET /__requests__``: ``{"count": n, "requests": [{"method", "path"}]}`` under /api and /oauth since the last reset.
- ``POST /__reset__``: forgets rules and requests. Rows stay.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.testcrm.server_api import Answer, OAuthClient, Request, answer, refusal, reply
from adapters.testcrm.server_store import Refused, Store
from adapters.testcrm.server_trouble import Trouble

logger = logging.getLogger("sandbox_crm")

_BODY_LIMIT = 1_000_000
_FAULT_KEYS = {"method", "path_prefix", "status", "retry_after", "delay_ms", "drop", "times"}


class Faults:
    """The misbehaviour that was ordered, and the requests seen since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[dict[str, Any]] = []
        self._requests: list[dict[str, str]] = []

    def order(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", "/__faults__":
                rules = [{"times": 1, **rule} for rule in request.body.get("rules", [])]
                if any(set(rule) - _FAULT_KEYS for rule in rules):
                    return refusal(422, "invalid", f"A rule's keys are: {', '.join(sorted(_FAULT_KEYS))}.")
                with self._lock:
                    self._rules.extend(rules)
                return reply({"rules": len(rules)})
            case "GET", "/__requests__":
                with self._lock:
                    return reply({"count": len(self._requests), "requests": self._requests})
            case "POST", "/__reset__":
                with self._lock:
                    self._rules.clear()
                    self._requests.clear()
                return reply({})
            case _:
                return refusal(404, "not_found", "There is nothing at this address.")

    def take(self, request: Request) -> dict[str, Any]:
        """Notes the request and returns the rule that applies to it; ``{}`` when none does."""
        with self._lock:
            self._requests.append({"method": request.method, "path": request.path})
            for rule in self._rules:
                if rule.get("method", request.method) == request.method and request.path.startswith(
                    rule.get("path_prefix", "")
                ):
                    if rule["times"] is not None:
                        rule["times"] -= 1
                        if rule["times"] <= 0:
                            self._rules.remove(rule)
                    return rule
        return {}


class SandboxServer(ThreadingHTTPServer):
    """One thread per connection; ``close`` lets requests that are being answered finish."""

    daemon_threads = True
    request_queue_size = 512  # many clients may connect in the same moment

    def __init__(
        self,
        address: tuple[str, int],
        *,
        store: Store,
        client: OAuthClient,
        latency: float = 0,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(address, Handler)
        self.store = store
        self.client = client
        self.latency = latency
        self.faults = faults
        self.trouble = Trouble()
        self._busy = 0
        self._changed = threading.Condition()

    @contextmanager
    def busy(self) -> Iterator[None]:
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._busy == 0, timeout=5)
        self.store.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Called by socketserver while the exception is being handled."""
        if not isinstance(sys.exception(), ConnectionError):  # a client that went away is no news
            logger.error("A request could not be answered", exc_info=sys.exc_info())


class Handler(BaseHTTPRequestHandler):
    """Reads a request, applies ordered faults, writes the answer."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "SandboxCRM"
    sys_version = ""
    timeout = 120
    # Headers and body leave in one packet; two would cost the client a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def serve(self) -> None:
        with self.server.busy():
            try:
                request = self._read()
            except Refused as refused:
                self.close_connection = True
                return self._write(refusal(refused.status, refused.code, refused.message))
            if request.path.startswith("/__") and self.server.faults:
                return self._write(self.server.faults.order(request))
            self._answer(request)

    do_GET = do_POST = do_PATCH = do_DELETE = serve

    def _answer(self, request: Request) -> None:
        if request.path == "/demonstration":
            return self._write(self._demonstrated(request))
        is_api = request.path.startswith(("/api/", "/oauth/"))
        fault = self.server.faults.take(request) if self.server.faults and is_api else {}
        if is_api and not fault:
            fault = self.server.trouble.take(self.server.store, request)
        time.sleep(fault.get("delay_ms", 0) / 1000 + (self.server.latency if is_api else 0))
        if fault.get("drop") == "before":
            self.close_connection = True
            return
        if "status" in fault:
            headers = {"Retry_After": str(fault["retry_after"])} if "retry_after" in fault else {}
            return self._write(
                refusal(int(fault["status"]), "ordered", fault.get("message", "This failure was ordered."), **headers)
            )
        result = answer(self.server.store, self.server.client, request)
        if fault.get("drop") == "after_commit":
            self.close_connection = True
            return
        self._write(result)

    def _demonstrated(self, request: Request) -> Answer:
        try:
            return self.server.trouble.answer(self.server.store, request)
        except Refused as refused:
            return refusal(refused.status, refused.code, refused.message)

    def _read(self) -> Request:
        split = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            length = -1
        if not 0 <= length <= _BODY_LIMIT or "transfer-encoding" in headers:
            raise Refused(413, "too_large", f"A body has a Content-Length of at most {_BODY_LIMIT} bytes.")
        return Request(
            method=self.command,
            path=split.path,
            query=dict(parse_qsl(split.query, keep_blank_values=True)),
            headers=headers,
            body=_decode(self.rfile.read(length), headers.get("content-type", "")),
        )

    def _write(self, result: Answer) -> None:
        self.send_response(result.status)
        if result.status != 204:
            self.send_header("Content-Type", result.content_type)
            self.send_header("Content-Length", str(len(result.body)))
        for name, value in result.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(result.body)
        self.wfile.flush()  # while the request still counts as busy, or a stop may come before the answer leaves

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines hold phone numbers and names."""


def _decode(body: bytes, content_type: str) -> dict[str, Any]:
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        value = json.loads(body) if body else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "malformed", "The body must be a JSON object.")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m adapters.testcrm.server", description="The sandbox CRM.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8070, help="0: any free port; the log names it")
    parser.add_argument("--database", type=Path, default=Path("var/sandbox-crm.sqlite3"))
    parser.add_argument("--latency-ms", type=float, default=0, help="wait this long before every API answer")
    parser.add_argument("--token-seconds", type=int, default=3600, help="lifetime of OAuth access tokens")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="a further address for OAuth; may be repeated"
    )
    parser.add_argument("--allow-faults", action="store_true", help="take orders to fail; for tests")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    server = SandboxServer(
        (options.host, options.port),
        store=Store(options.database, token_seconds=options.token_seconds),
        client=OAuthClient(
            client_id=os.environ.get("TEST_CRM_CLIENT_ID") or "switchboard",
            client_secret=os.environ.get("TEST_CRM_CLIENT_SECRET") or "sandbox-secret",
            redirect_uris=tuple(options.redirect_uri),
        ),
        latency=options.latency_ms / 1000,
        faults=Faults() if options.allow_faults else None,
    )
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    logger.info("Sandbox CRM on http://%s:%s", options.host, server.server_address[1])
    stop.wait()
    server.close()
    logger.info("Sandbox CRM stopped")


if __name__ == "__main__":
    main()
