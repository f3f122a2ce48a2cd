"""Plays the exchanges of a fixture in place of the CRM: whatever leaves through ``requests`` is answered here."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from tests.comparison import Asked, Expected

Answer = Mapping[str, Any]

_ERRORS: dict[str, Callable[[], Exception]] = {
    "timeout": lambda: requests.ReadTimeout("no answer in time"),
    "connect": lambda: requests.ConnectTimeout("no connection"),
    "drop": lambda: requests.ConnectionError("connection dropped"),
}


class Unmatched(AssertionError):
    """The adapter sent a request that the fixture does not know."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A bad answer in place of the recorded one: at the exchange with this index, and to requests that follow it
    without being in the fixture. ``answer``: from the recorded answer to the one sent, both as fixtures write them."""

    name: str
    answer: Callable[[Answer], Answer]
    index: int = 0


class Player:
    """Answers the requests of one run. ``exchanges``: as the fixture writes them, each with its ``Expected``.

    ``noted(request, asked, answer, is_failed, has_timeout)`` is called for each request that is answered.
    """

    def __init__(
        self,
        exchanges: Sequence[tuple[Expected, Answer]],
        failure: Failure | None,
        noted: Callable[[requests.PreparedRequest, Asked, Answer, bool, bool], None],
    ) -> None:
        self._exchanges = exchanges
        self._failure = failure
        self._noted = noted
        self._used: set[int] = set()
        #: Explanations of requests that the fixture does not know.
        self.unmatched: list[str] = []

    @property
    def unused(self) -> list[str]:
        """``GET https://host/path`` of those that the fixture still waits for."""
        waited = enumerate(self._exchanges)
        return [f"{expected.method} {expected.url}" for index, (expected, _) in waited if index not in self._used]

    def answer(self, request: requests.PreparedRequest, *, has_timeout: bool) -> Answer:
        """The answer as a fixture writes it. Raises ``Unmatched``."""
        asked, failure = Asked(request), self._failure
        index = self._recorded(asked)
        if index is None and failure is None:
            self.unmatched.append(self._explained(request, asked))
            raise Unmatched(self.unmatched[-1])
        is_failed = failure is not None and index in (None, failure.index)
        reply: Answer = {"status": 200, "json": {}} if index is None else self._exchanges[index][1]
        if index is not None:
            self._used.add(index)
        if failure is not None and is_failed:
            reply = failure.answer(reply)
        self._noted(request, asked, reply, is_failed, has_timeout)
        return reply

    def _recorded(self, asked: Asked) -> int | None:
        """The exchange that stands for this request; each stands for one, but for those repeated by the client."""
        again = None
        for index, (expected, reply) in enumerate(self._exchanges):
            if expected.difference(asked):
                continue
            if index not in self._used:
                return index
            is_failed = self._failure is not None and index == self._failure.index
            if again is None and (is_failed or _may_repeat(reply)):
                again = index
        return again

    def _explained(self, request: requests.PreparedRequest, asked: Asked) -> str:
        lines = [
            f"  not {expected.method} {expected.url}: {expected.difference(asked)}" for expected, _ in self._exchanges
        ]
        return "\n".join([f"no exchange for {request.method} {request.url}", *lines])


@contextmanager
def played_by(player: Player) -> Iterator[None]:
    """Within the block the player answers, in all threads; nothing reaches the network."""

    def send(
        adapter: HTTPAdapter, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any
    ) -> requests.Response:
        reply = player.answer(request, has_timeout=bool(timeout))
        if "error" in reply:
            raise _ERRORS[reply["error"]]()
        return _response(request, reply)

    real = HTTPAdapter.send
    HTTPAdapter.send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = real  # type: ignore[method-assign]


class _Body(io.BytesIO):
    """What ``requests.Response.raw`` is read by."""

    def read1(self, size: int | None = -1, decode_content: bool = True) -> bytes:
        return super().read1(size)

    def release_conn(self) -> None:
        """There is no connection."""


def _response(request: requests.PreparedRequest, reply: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.get("status", 200)
    response.headers = CaseInsensitiveDict(headers_of(reply))
    response.request, response.url = request, str(request.url)
    response.raw = _Body(text_of(reply).encode())
    return response


def text_of(reply: Answer) -> str:
    """The body of a fixture's answer."""
    return json.dumps(reply["json"]) if "json" in reply else str(reply.get("text", ""))


def headers_of(reply: Answer) -> dict[str, str]:
    kind = "application/json" if "json" in reply else "text/html" if reply.get("text") else ""
    return {**({"Content-Type": kind} if kind else {}), **reply.get("headers", {})}


def _may_repeat(reply: Answer) -> bool:
    """The HTTP client repeats reads after these; one exchange stands for all tries."""
    return "error" in reply or reply.get("status") in (502, 503, 504)
