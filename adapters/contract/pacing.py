"""Keeps below a vendor's request limit before the vendor has to say so."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from adapters.contract import waiting
from adapters.contract.errors import RateLimited

if TYPE_CHECKING:
    from adapters.contract.manifest import Pace

#: Seconds a request may wait for its turn; someone is waiting for the reply.
LONGEST_WAIT = 8.0
#: Seconds after which a vendor is asked again, whatever wait it asked for: it may have erred, and nobody at the phone
#: is kept out for hours by it. What waits in the background keeps to what the vendor asked for.
LONGEST_CLOSED = 900.0
_KEPT_LIMITERS = 4096


class Limiter:
    """One connected user's share of a vendor's limit.

    It knows the requests of this process only: with n worker processes up to n times the pace is possible. That is
    enough to keep one busy lookup from being refused; the vendor's own 429 remains the last word.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._starts: deque[float] = deque()
        self._closed_until = 0.0

    @property
    def is_idle(self) -> bool:
        with self._condition:
            return not self._running and time.monotonic() >= self._closed_until

    @contextmanager
    def turn(self, pace: Pace | None) -> Iterator[None]:
        """One request's turn. Raises ``RateLimited`` at once if its wait would be too long.

        While closed that is so for every wait longer than the pace's ``patience``.
        """
        self._enter(pace)
        try:
            yield
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify()

    def close_for(self, seconds: float) -> None:
        """The vendor accepts nothing for so many seconds: requests until then fail or wait here.

        For ``LONGEST_CLOSED`` at most.
        """
        until = time.monotonic() + min(seconds, LONGEST_CLOSED)
        with self._condition:
            self._closed_until = max(self._closed_until, until)
            self._condition.notify_all()

    def _enter(self, pace: Pace | None) -> None:
        with self._condition:
            if self._enters(pace, give_up=time.monotonic() + LONGEST_WAIT) is None:
                return
        waiting.in_thread(lambda: self._wait_to_enter(pace))

    def _wait_to_enter(self, pace: Pace | None) -> None:
        give_up = time.monotonic() + LONGEST_WAIT
        with self._condition:
            while (seconds := self._enters(pace, give_up=give_up)) is not None:
                self._condition.wait(seconds)

    def _enters(self, pace: Pace | None, *, give_up: float) -> float | None:
        """None: it is this request's turn. Else seconds after which to ask again, or as soon as another one ends."""
        now = time.monotonic()
        closed = self._closed_until - now
        if closed > (pace.patience if pace else 0):
            raise RateLimited(retry_after=closed, status=0)
        wait = max(self._seconds_to_next_start(pace, now), closed)
        is_full = pace is not None and 0 < pace.in_flight <= self._running
        if not is_full and wait <= 0:
            self._running += 1
            if pace is not None and pace.starts:
                self._starts.append(now)
            return None
        remaining = give_up - now
        if remaining <= 0 or wait > remaining:
            raise RateLimited(retry_after=max(wait, 1.0), status=0)
        return remaining if is_full else wait

    def _seconds_to_next_start(self, pace: Pace | None, now: float) -> float:
        if pace is None or not pace.starts:
            return 0.0
        while self._starts and self._starts[0] <= now - pace.seconds:
            self._starts.popleft()
        return self._starts[0] + pace.seconds - now if len(self._starts) >= pace.starts else 0.0


_limiters: dict[str, Limiter] = {}
_guard = threading.Lock()


def limiter_for(key: str) -> Limiter:
    """The process's limiter for a connected user (platform, host and user id in one text)."""
    with _guard:
        limiter = _limiters.pop(key, None) or Limiter()
        _limiters[key] = limiter  # newest last
        if len(_limiters) > _KEPT_LIMITERS:
            for old in [name for name, item in _limiters.items() if item.is_idle and item is not limiter][:100]:
                del _limiters[old]
        return limiter
