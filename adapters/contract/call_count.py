"""Counts the CRM requests of one operation, and tells who wants to know of each one that has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class CallCounter:
    """Numbers that threads may raise together: requests, and rounds of requests that overlap."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = self._rounds = self._under_way = 0

    @property
    def value(self) -> int:
        return self._value

    @property
    def rounds(self) -> int:
        return self._rounds

    def begin(self) -> None:
        with self._lock:
            self._value += 1
            self._rounds += not self._under_way
            self._under_way += 1

    def end(self) -> None:
        with self._lock:
            self._under_way -= 1


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


def end(platform: str, status: int, seconds: float) -> None:
    """Called after it, however it ended."""
    for counter in _counters.get():
        counter.end()
    for listener in _listeners:
        listener(platform, status, seconds)
