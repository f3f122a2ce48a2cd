"""One request to a CRM and its answer, as libcurl transfers them."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pycurl
from urllib3 import HTTPResponse

from adapters.contract import kept
from adapters.contract.errors import CrmUnavailable
from adapters.contract.outbound_guard import AddressRefused, is_public

#: From so many bytes on, a body that is still leaving counts as a sign of life.
_LARGE_BODY = 64 * 1024
_MALFORMED = (pycurl.E_FTP_WEIRD_SERVER_REPLY, pycurl.E_UNSUPPORTED_PROTOCOL)
#: An idle connection that a firewall has forgotten is noticed before it is used again.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class NoAnswer(Exception):
    """None came; if not ``NotSent``, the request may have been carried out. No ``OSError``: requests would wrap it."""


class NotSent(NoAnswer):
    """There was no connection, no tunnel or no trust in the certificate: nothing of the request left."""


class Stale(NotSent):
    """The kept connection had been closed, or held what nobody had asked for."""


class TooLate(NoAnswer):
    """Nothing came in time."""


class Malformed(NoAnswer):
    """What came was no answer in HTTP."""


class TooLarge(NoAnswer):
    """The answer exceeds the limit."""


@dataclass(kw_only=True, slots=True)
class Question:
    """A request as it leaves. Times are seconds: to connect, between two signs of life, and for all of it.

    ``tries``: how often it may leave; libcurl sends it again where a kept connection turns out to be closed.
    ``is_fresh``: it takes no kept connection.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | str | None
    connect_timeout: float
    read_timeout: float
    seconds: float
    max_bytes: int
    tries: int
    ca_bundle: str
    proxy: str
    only_public: bool
    is_fresh: bool = False


class Answer:
    """An answer as a whole: what is used of ``requests.Response`` and of its ``raw``.

    ``headers``: by their names in lower case. ``raw.read1`` gives the body, once, unpacked.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status_code, self.headers, self._body = status, headers, body

    @property
    def raw(self) -> Answer | HTTPResponse:
        if "content-encoding" not in self.headers:
            return self
        # libcurl refuses encodings that it does not know, and some CRMs name one of characters there
        return HTTPResponse(io.BytesIO(self._body), self.headers, preload_content=False)

    def read1(self, size: int = -1, decode_content: bool = True) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing: the connection is free already."""


class Transfer:
    """One request on its way; all but the first and last step happen in the event loop."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._sent = 0
        self._is_refused = self._is_too_large = self._is_stale = False
        self._opened: list[int] = []
        self._lines: list[bytes] = []
        self._body = bytearray()
        self._failure: BaseException | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.handle = self._prepared()

    def _prepared(self) -> pycurl.Curl:
        question, handle = self._question, pycurl.Curl()
        setopt = handle.setopt
        setopt(pycurl.URL, question.url)
        setopt(pycurl.PATH_AS_IS, 1)
        setopt(pycurl.PROXY, question.proxy)  # empty: also none of the environment
        setopt(pycurl.NOPROXY, "")
        setopt(pycurl.CAINFO, question.ca_bundle)
        setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        setopt(pycurl.NOSIGNAL, 1)
        setopt(pycurl.FRESH_CONNECT, int(question.is_fresh))
        setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(question.connect_timeout))
        setopt(pycurl.TIMEOUT_MS, _milliseconds(question.seconds))
        setopt(pycurl.HTTPHEADER, _header_lines(question.headers))
        if question.method == "HEAD":
            setopt(pycurl.NOBODY, 1)
        elif question.method != "GET" or question.body:
            body = question.body or b""
            setopt(pycurl.POSTFIELDS, body.encode() if isinstance(body, str) else body)
            setopt(pycurl.CUSTOMREQUEST, question.method)
            if len(body) > _LARGE_BODY:
                setopt(pycurl.NOPROGRESS, 0)
                setopt(pycurl.XFERINFOFUNCTION, self._on_its_way())
        setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        setopt(pycurl.SOCKOPTFUNCTION, self._has_opened)
        setopt(pycurl.PREREQFUNCTION, self._about_to_send)
        setopt(pycurl.HEADERFUNCTION, self._take_header)
        setopt(pycurl.WRITEFUNCTION, self._take)
        return handle

    def _open(self, purpose: int, address: Any) -> Any:
        if not self._may_reach(str(address.addr[0])):
            return pycurl.SOCKET_BAD
        opened = socket.socket(address.family, address.socktype, address.protocol)
        for option in _SOCKET_OPTIONS:
            opened.setsockopt(*option)
        return opened

    def _has_opened(self, descriptor: int, _: int) -> int:
        self._opened.append(descriptor)
        return int(pycurl.SOCKOPT_OK)

    def _may_reach(self, address: str) -> bool:
        if self._question.only_public and not is_public(address):
            self._is_refused = True
            return False
        return True

    def _about_to_send(self, address: str, local_address: str, _: int, local_port: int) -> int:
        """Called when there is a connection, before the request leaves: each time that it would leave."""
        if not self._may_reach(address) or self._sent == self._question.tries:
            return int(pycurl.PREREQFUNC_ABORT)
        if self._opened:
            kept.remember((local_address, local_port), self._opened)
            self._opened = []
        elif kept.has_spoken((local_address, local_port)):  # libcurl itself looks for those once a second only
            self._is_stale = True
            return int(pycurl.PREREQFUNC_ABORT)
        self._sent += 1
        self._lives()
        if self._watch is None:
            self._watch = self._loop.call_later(self._question.read_timeout, self._look)
        return int(pycurl.PREREQFUNC_OK)

    def _lives(self) -> None:
        self._heard_at = self._loop.time()

    def _look(self) -> None:
        """Ends the transfer where the CRM has fallen silent."""
        left = self._heard_at + self._question.read_timeout - self._loop.time()
        if left <= 0:
            self._future.cancel()
        else:
            self._watch = self._loop.call_later(left, self._look)

    def _on_its_way(self) -> Callable[[int, int, int, int], None]:
        before = -1

        def note(_: int, __: int, ___: int, uploaded: int) -> None:
            nonlocal before
            if uploaded != before:
                before = uploaded
                self._lives()

        return note

    def _take_header(self, line: bytes) -> None:
        self._lives()
        if line.startswith(b"HTTP/"):  # a preliminary answer came before
            self._lines.clear()
        self._lines.append(line)

    def _take(self, part: bytes) -> int | None:
        self._lives()
        self._body += part
        if len(self._body) > self._question.max_bytes:
            self._is_too_large = True
            return 0
        return None

    def begin(self, multi: pycurl.AsyncCurlMulti, done: Callable[[], None]) -> None:
        """Called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._done = done
        try:
            self._future = multi.add_handle(self.handle)
        except (pycurl.error, RuntimeError) as failure:
            self._failure = failure
            done()
        else:
            self._future.add_done_callback(self._end)

    def _end(self, future: asyncio.Future[pycurl.Curl]) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._failure = asyncio.CancelledError() if future.cancelled() else future.exception()
        self._done()

    def answer(self) -> Answer:
        """To be called once, when it has ended. Raises as ``connections.ask`` says."""
        status = int(self.handle.getinfo(pycurl.RESPONSE_CODE))
        self.handle.close()  # it and we hold each other: nothing is left for the garbage collector
        if self._failure is not None:
            raise self._meaning() from None
        return Answer(status, _headers_of(self._lines), bytes(self._body))

    def _meaning(self) -> Exception:
        code = self._failure.args[0] if isinstance(self._failure, pycurl.error) else None
        if self._is_too_large:
            return TooLarge()
        if self._sent:
            if code is None or code == pycurl.E_OPERATION_TIMEDOUT:
                return TooLate()
            return Malformed() if code in _MALFORMED else NoAnswer()
        if self._is_refused:
            return AddressRefused()
        if self._is_stale:
            return Stale()
        if code == pycurl.E_SSL_CACERT_BADFILE:
            return CrmUnavailable(reason="the certificates to trust cannot be read")
        return NotSent()


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _header_lines(headers: Mapping[str, str]) -> list[bytes]:
    """Those given, and none that libcurl would add; a header without a value ends with a semicolon there."""
    lines = []
    absent = {"accept", "content-type", "expect", "user-agent"}
    for name, value in headers.items():
        lower = name.lower()
        absent.discard(lower)
        if lower != "content-length":
            lines.append((f"{name}: {value}" if value else f"{name};").encode("latin-1"))
    return lines + [f"{name}:".encode() for name in absent]


def _headers_of(lines: list[bytes]) -> dict[str, str]:
    """By their names in lower case; values of the same name are joined. What follows the body is not among them."""
    found: dict[str, str] = {}
    for line in lines[1:]:
        if not line.strip():
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
