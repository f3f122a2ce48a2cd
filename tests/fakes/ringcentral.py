"""A small RingCentral over real HTTP on loopback: OAuth server, extensions, call logs, messages and analytics.

Sources: RingCentral API reference, "Get Token", "Revoke Token", "Get Extension", "List Company Call Records",
"List Messages", "Get Calls Aggregate Data".
"""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CLIENT = ("rc-client", "rc-secret")
_BASIC = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": code, "errorCode": code, "message": message or code}


class RingCentral:
    """Extensions, codes and tokens are plain attributes that a test sets and looks at."""

    def __init__(self) -> None:
        self.url = ""
        #: Extension id -> account id and whether it is an administrator.
        self.extensions: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        self.access: dict[str, str] = {}
        self.refresh: dict[str, str] = {}
        self.revoked: list[str] = []
        self.refreshes = 0
        self.lifetime = 3600
        #: Seconds that a token request takes.
        self.slowness = 0.0
        #: Path prefix -> status and code that are answered there.
        self.failing: dict[str, tuple[int, str]] = {}
        #: Extension id -> records.
        self.calls: dict[str, list[dict[str, Any]]] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.aggregate: list[dict[str, Any]] = []
        self.per_page = 0
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self._numbers = itertools.count(1)
        self.lock = threading.Lock()

    def add_extension(self, extension_id: str, account_id: str, *, is_admin: bool) -> None:
        self.extensions[extension_id] = {"account": account_id, "is_admin": is_admin}

    def code_for(self, extension_id: str) -> str:
        """An interop code, as the extension gets it for its own user."""
        code = f"code-{next(self._numbers)}"
        self.codes[code] = extension_id
        return code

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Any:
        for prefix, (status, code) in self.failing.items():
            if path.startswith(prefix):
                raise Refused(status, code)
        if path.startswith("/restapi/oauth/"):
            if headers.get("Authorization") != _BASIC:
                raise Refused(401, "invalid_client")
            return self._oauth(path, dict(parse_qsl(body.decode())))
        owner = self.access.get((headers.get("Authorization") or "").removeprefix("Bearer "))
        if owner is None:
            raise Refused(401, "TokenInvalid", "OAU-213")
        if path == "/restapi/v1.0/account/~/extension/~":
            return self._extension(owner)
        if path == "/analytics/calls/v1/accounts/~/aggregation/fetch":
            return self._aggregated(owner, json.loads(body), query)
        return self._records(owner, path, query)

    def _oauth(self, path: str, form: dict[str, str]) -> Any:
        time.sleep(self.slowness)
        if path == "/restapi/oauth/revoke":
            token = form.get("token", "")
            number = token.rpartition("-")[2]  # either token of a pair ends both
            self.access.pop(f"access-{number}", None)
            self.refresh.pop(f"refresh-{number}", None)
            self.revoked.append(token)
            return None
        if form.get("grant_type") == "authorization_code":
            if not form.get("redirect_uri", "").endswith("/ringcentral/oauth/callback"):
                raise Refused(400, "invalid_request", "redirect_uri")
            owner = self.codes.pop(form.get("code", ""), None)  # works once
        else:
            owner = self.refresh.pop(form.get("refresh_token", ""), None)  # each works once
            self.refreshes += 1
        if owner is None:
            raise Refused(400, "invalid_grant")
        number = next(self._numbers)
        self.access[f"access-{number}"] = self.refresh[f"refresh-{number}"] = owner
        return {
            "access_token": f"access-{number}",
            "token_type": "bearer",
            "expires_in": self.lifetime,
            "refresh_token": f"refresh-{number}",
            "refresh_token_expires_in": 604_800,
            "owner_id": owner,
        }

    def _extension(self, owner: str) -> Any:
        known = self.extensions[owner]
        return {
            "id": int(owner),
            "account": {"id": known["account"]},
            "permissions": {"admin": {"enabled": known["is_admin"]}},
        }

    def _aggregated(self, owner: str, asked: dict[str, Any], query: dict[str, str]) -> Any:
        if not self.extensions[owner]["is_admin"]:
            raise Refused(403, "InsufficientPermissions")
        for name in ("counters", "timers"):
            assert asked["responseOptions"][name]
        assert asked["timeSettings"]["timeRange"].keys() == {"timeFrom", "timeTo"}
        rows, page = self.aggregate, int(query.get("page", "1"))
        size = self.per_page or len(rows) or 1
        return {
            "paging": {"page": page, "totalPages": -(-len(rows) // size) or 1},
            "data": {
                "groupedBy": asked["grouping"]["groupBy"],
                "records": rows[(page - 1) * size : page * size],
            },
        }

    def _records(self, owner: str, path: str, query: dict[str, str]) -> Any:
        _, _, rest = path.partition("/restapi/v1.0/account/~/extension/")
        wanted, _, kind = rest.partition("/")
        wanted = owner if wanted == "~" else wanted
        known = self.extensions.get(wanted)
        if known is None or known["account"] != self.extensions[owner]["account"]:
            raise Refused(404, "CMN-102", "Resource for parameter [extensionId] is not found")
        rows = {"call-log": self.calls, "message-store": self.messages}[kind].get(wanted, [])
        if kind == "message-store":
            rows = [row for row in rows if row["type"] == query.get("messageType", row["type"])]
        page, size = int(query["page"]), min(self.per_page or 1000, int(query["perPage"]))
        has_more = len(rows) > page * size
        return {
            "records": rows[(page - 1) * size : page * size],
            "navigation": {"nextPage": {"uri": "…"}} if has_more else {},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: RingCentral

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        status, answer = 200, None
        try:
            if not parts.path.startswith("/restapi/oauth/"):
                with self.fake.lock:
                    answer = self.fake.answer(self.command, parts.path, query, self.headers, body)
            else:
                answer = self.fake.answer(self.command, parts.path, query, self.headers, body)
        except Refused as refused:
            status, answer = refused.status, refused.body
        self.fake.asked.append((self.command, parts.path, query, status))
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what was asked is in ``asked``."""


@contextmanager
def running_ringcentral() -> Iterator[RingCentral]:
    """A fake at a free port of loopback until the block ends."""
    fake = RingCentral()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
