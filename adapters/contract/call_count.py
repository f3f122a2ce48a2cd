"""Counts the CRM requests of one operation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class CallCounter:
    """A number that threads may raise together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0

    @property
    def value(self) -> int:
        return self._value

    def add_one(self) -> None:
        with self._lock:
            self._value += 1


#: Holds an object, not a number: ``fan_out`` copies the context, and the copies share the object.
_counters: ContextVar[tuple[CallCounter, ...]] = ContextVar("crm_calls", default=())


@contextmanager
def count_calls() -> Iterator[CallCounter]:
    """Counts the exchanges within the block, ``fan_out`` threads included; automatic repetitions are not counted."""
    counter = CallCounter()
    token = _counters.set((*_counters.get(), counter))
    try:
        yield counter
    finally:
        _counters.reset(token)


def add_one() -> None:
    """Called by the HTTP client for each exchange."""
    for counter in _counters.get():
        counter.add_one()
