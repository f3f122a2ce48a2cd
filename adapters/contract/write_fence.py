"""Keeps a write from being sent after the right to send it has run out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Moments of the monotonic clock, which stands still while a machine is suspended, and of the wall clock.
_until: ContextVar[tuple[float, float]] = ContextVar("writes_until", default=(float("inf"), float("inf")))


@contextmanager
def writes_until(moment: float) -> Iterator[None]:
    """Within the block, ``fan_out`` threads included, no write is sent after that ``time.monotonic()``.

    Nor after as much time by the wall clock: a machine that was suspended in between has lost the right, too.
    """
    previous = _until.set((moment, time.time() + moment - time.monotonic()))
    try:
        yield
    finally:
        _until.reset(previous)


def may_write() -> bool:
    """Asked by the HTTP client before each write."""
    monotonic, wall = _until.get()
    return time.monotonic() < monotonic and time.time() < wall
