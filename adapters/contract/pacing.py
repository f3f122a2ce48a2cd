"""Keeps below a vendor's request limit before the vendor has to say so."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

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


class Share(Protocol):
    """What all processes know of a vendor's limits, by the limiter's key."""

    def granted(self, key: str, wanted: int, pace: Pace, /) -> tuple[int, float]:
        """How many of ``wanted`` starts it may be in the present window of ``pace.seconds``.

        And the seconds for which the vendor wants a pause, 0 for none.
        """

    def close(self, key: str, seconds: float, /) -> None:
        """The vendor wants a pause: tells the others."""


_shares: list[Share] = []


def share_through(share: Share) -> None:
    """From now on all processes that have the same ``share`` keep to a vendor's starts and pauses together."""
    _shares[:] = [share]


class Limiter:
    """One connected user's share of a vendor's limit.

    Starts are counted over all processes, see ``share_through``: a few are asked for at a time. Whoever asks learns of
    a pause that the vendor wants, too. How many requests are in flight this process knows of itself only.
    """

    def __init__(self, key: str = "") -> None:
        self._key = key
        self._condition = threading.Condition()
        self._running = 0
        self._starts: deque[float] = deque()
        self._closed_until = 0.0
        self._window, self._granted = -1, 0
        #: Whether a thread is asking for starts. The others wait for its answer: together they would reserve all.
        self._is_asking = False
        self._changes = 0

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
                self._changes += 1
                self._condition.notify()

    def close_for(self, seconds: float) -> None:
        """The vendor accepts nothing for so many seconds: requests until then fail or wait here.

        For ``LONGEST_CLOSED`` at most.
        """
        seconds = min(seconds, LONGEST_CLOSED)
        self._close(seconds)
        if self._key and _shares:
            _shares[0].close(self._key, seconds)

    def _close(self, seconds: float) -> None:
        with self._condition:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
            self._changes += 1
            self._condition.notify_all()

    def _enter(self, pace: Pace | None) -> None:
        give_up = time.monotonic() + LONGEST_WAIT
        while True:
            with self._condition:
                seconds, seen = self._enters(pace, give_up=give_up), self._changes
            if seconds is None:
                return
            if seconds > 0:
                waiting.in_thread(partial(self._wait, seconds, seen))
            elif pace is not None:
                self._ask(pace)

    def _wait(self, seconds: float, seen: int) -> None:
        """Until another one ends, or for so many seconds; not at all where one has ended since ``seen``."""
        with self._condition:
            if self._changes == seen:
                self._condition.wait(seconds)

    def _ask(self, pace: Pace) -> None:
        """Asks all processes' share for a few starts; without the lock, since others go on meanwhile."""
        window, left = _window_of(pace), 0
        try:
            granted, closed_for = _shares[0].granted(self._key, max(1, pace.starts // 4), pace)
            left = granted or -1
            if closed_for > 0:
                self._close(min(closed_for, LONGEST_CLOSED))
        finally:
            with self._condition:
                self._window, self._granted, self._is_asking = window, left, False
                self._changes += 1
                self._condition.notify_all()

    def _enters(self, pace: Pace | None, *, give_up: float) -> float | None:
        """None: it is this request's turn. Else seconds after which to ask again, or as soon as another one ends.

        0: starts have to be asked for.
        """
        now = time.monotonic()
        closed = self._closed_until - now
        if closed > (pace.patience if pace else 0):
            raise RateLimited(retry_after=closed, status=0)
        wait = max(self._seconds_to_next_start(pace, now), closed)
        is_full = pace is not None and 0 < pace.in_flight <= self._running
        if not is_full and wait <= 0:
            if pace is not None and pace.starts and _shares and self._key:
                window = _window_of(pace)
                if window == self._window and self._granted < 0:  # the others have had them all
                    wait = (window + 1) * pace.seconds - time.time() + 0.001
                elif self._is_asking:
                    return 1.0
                elif window != self._window or not self._granted:
                    self._is_asking = True
                    return 0.0
                else:
                    self._granted -= 1
            if wait <= 0:
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


def _window_of(pace: Pace) -> int:
    return int(time.time() // pace.seconds)


_limiters: dict[str, Limiter] = {}
_guard = threading.Lock()


def limiter_for(key: str) -> Limiter:
    """The process's limiter for a connected user (platform, host and user id in one text)."""
    with _guard:
        limiter = _limiters.pop(key, None) or Limiter(key)
        _limiters[key] = limiter  # newest last
        if len(_limiters) > _KEPT_LIMITERS:
            for old in [name for name, item in _limiters.items() if item.is_idle and item is not limiter][:100]:
                del _limiters[old]
        return limiter
