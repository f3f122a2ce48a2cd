"""What the web server calls for each request: reads the body, finds a thread, hands Django's answer back.

One event loop of the process does this. Bodies that never end and requests that stand in line cost no thread.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from connectors.front.body import Overdue, read_body
from connectors.front.environ import environ_of
from connectors.front.lanes import LOCAL, Lanes

_PLAIN = [("content-type", "text/plain"), ("access-control-allow-origin", "*")]
#: What may ask a CRM before it answers; ``GET /callLog`` only where it is asked for details.
AT_CRM = frozenset(
    {
        "/accountData",
        "/admin/serverLoggingSettings",
        "/admin/userMapping",
        "/apiKeyLogin",
        "/authValidation",
        "/callDisposition",
        "/callLog",
        "/contact",
        "/custom/contact/search",
        "/licenseStatus",
        "/messageLog",
        "/oauth-callback",
        "/ringcentral/admin/report",
        "/ringcentral/admin/userReport",
        "/ringcentral/oauth/callback",
        "/unAuthorize",
        "/user/refreshInfo",
    }
)

#: Characters; ours have some hundreds. What is longer is not kept.
_LONGEST_TOKEN = 4096


class Front:
    """The RSGI application around a WSGI one."""

    def __init__(
        self,
        application: Callable[..., Any],
        *,
        threads: int,
        patience: float,
        when_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._application = application
        self._patience = patience
        self._when_stopped = when_stopped
        self._lanes = Lanes(threads=threads, patience=patience)
        #: Lines that will be looked after; of the event loop.
        self._looked_after: set[str] = set()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """``/healthz`` waits for nothing: neither for a thread nor for the database."""
        if scope.path == "/healthz" and scope.method in ("GET", "HEAD"):
            protocol.response_bytes(200, _PLAIN, b"ok")
            return
        try:
            body = await read_body(protocol, scope.headers)
        except Overdue:
            closing = [*_PLAIN, ("connection", "close")]
            protocol.response_bytes(408, closing, b"Invalid request: it did not arrive in time.")
            return
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        environ = environ_of(scope, body)

        def work() -> None:
            try:
                _answer(self._application, environ, protocol, loop)
            finally:
                loop.call_soon_threadsafe(_note, answered)

        lane = lane_of(environ)
        if not self._lanes.put(lane, work):
            self._look_later(loop, lane)
        await answered

    def _look_later(self, loop: asyncio.AbstractEventLoop, lane: str) -> None:
        """Looks after a line as long as there is one: it may have moved just before a look, and never again."""

        def look() -> None:
            self._looked_after.discard(lane)
            if self._lanes.look_after(lane):
                self._look_later(loop, lane)

        if lane not in self._looked_after:
            self._looked_after.add(lane)
            loop.call_later(self._patience, look)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The process ends; requests have been answered."""
        self._when_stopped()


def _note(answered: asyncio.Future[None]) -> None:
    if not answered.done():
        answered.set_result(None)


def _answer(
    application: Callable[..., Any], environ: dict[str, Any], protocol: Any, loop: asyncio.AbstractEventLoop
) -> None:
    """An answer whose length is not known is handed on part by part, any other as a whole."""
    head: list[Any] = [500, []]

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        head[:] = [int(status[:3]), headers]

    parts = application(environ, start_response)
    try:
        if getattr(parts, "streaming", False) and not any(name.lower() == "content-length" for name, _ in head[1]):
            transport = protocol.response_stream(head[0], head[1])
            for part in parts:
                asyncio.run_coroutine_threadsafe(_send(transport, part), loop).result()
        else:
            content = b"".join(parts)
            protocol.response_bytes(head[0], head[1], content)
    finally:
        if close := getattr(parts, "close", None):
            close()


async def _send(transport: Any, part: bytes) -> None:
    """Returns when the connection has taken it: a slow reader slows the answer, and nothing piles up."""
    await transport.send_bytes(part)


def lane_of(environ: dict[str, Any]) -> str:
    """The CRM that the request may ask, as its token names it; its signature is not looked at here."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path not in AT_CRM or environ["REQUEST_METHOD"] == "OPTIONS":
        return LOCAL
    if path == "/callLog" and environ["REQUEST_METHOD"] == "GET" and "requireDetails=true" not in query:
        return LOCAL
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        token = parse_qs(query).get("jwtToken", [""])[0] if "jwtToken=" in query else ""
    return f"crm {_platform_of(token)}" if len(token) <= _LONGEST_TOKEN else "crm "


@functools.lru_cache(4096)
def _platform_of(token: str) -> str:
    """Kept for tokens seen lately: a user's requests have the same one for weeks."""
    _, _, claims = token.partition(".")
    claims = claims.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return ""
    return str(found.get("platform", ""))[:64] if isinstance(found, dict) else ""
