"""Keeps a write from being sent after the right to send it has run out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("writes_until", default=float("inf"))


@contextmanager
def writes_until(moment: float) -> Iterator[None]:
    """Within the block, ``fan_out`` threads included, no write is sent after that ``time.monotonic()``."""
    previous = _until.set(moment)
    try:
        yield
    finally:
        _until.reset(previous)


def may_write() -> bool:
    """Asked by the HTTP client before each write."""
    return time.monotonic() < _until.get()
