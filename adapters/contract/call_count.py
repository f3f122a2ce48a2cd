"""Counts the CRM requests of one operation, and tells who wants to know of each one that has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

#: Of one operation so many exchanges are listed; all are counted.
MOST_LISTED = 30


class Exchange(NamedTuple):
    """One request and its answer, without any value that was sent; ``status`` 0: there was no answer."""

    method: str
    template: str
    status: int
    milliseconds: int
    #: The vendor's own id of it, "" where it gave none.
    request_id: str


class CallCounter:
    """What threads may count together: requests, and rounds of requests that overlap; with a list of the requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = self._rounds = self._under_way = 0
        self._exchanges: list[Exchange] = []

    @property
    def value(self) -> int:
        return self._value

    @property
    def rounds(self) -> int:
        return self._rounds

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The first ``MOST_LISTED`` that have ended, in that order."""
        return tuple(self._exchanges)

    def begin(self) -> None:
        with self._lock:
            self._value += 1
            self._rounds += not self._under_way
            self._under_way += 1

    def end(self, exchange: Exchange) -> None:
        with self._lock:
            self._under_way -= 1
            if len(self._exchanges) < MOST_LISTED:
                self._exchanges.append(exchange)


class Listener(Protocol):
    """``status`` 0: there was no answer."""

    def __call__(self, platform: str, status: int, seconds: float, /) -> None: ...


#: Holds an object, not a number: ``fan_out`` copies the context, and the copies share the object.
_counters: ContextVar[tuple[CallCounter, ...]] = ContextVar("crm_calls", default=())
_listeners: list[Listener] = []


@contextmanager
def count_calls() -> Iterator[CallCounter]:
    """Counts the exchanges within the block, ``fan_out`` threads included; automatic repetitions are not counted."""
    counter = CallCounter()
    token = _counters.set((*_counters.get(), counter))
    try:
        yield counter
    finally:
        _counters.reset(token)


def tell(listener: Listener) -> None:
    """Of every exchange that ends from now on, in this process."""
    _listeners.append(listener)


def begin() -> None:
    """Called by the HTTP client before each exchange."""
    for counter in _counters.get():
        counter.begin()


def end(
    platform: str, status: int, seconds: float, *, method: str = "", template: str = "", request_id: str = ""
) -> None:
    """Called after it, however it ended."""
    exchange = Exchange(method, template, status, round(seconds * 1000), request_id)
    for counter in _counters.get():
        counter.end(exchange)
    for listener in _listeners:
        listener(platform, status, seconds)
