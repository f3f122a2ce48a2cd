"""Keeps below a vendor's request limit before the vendor has to say so."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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
#: Seconds for which a place is lent: a process that dies keeps the others from it for as long.
PLACE_LENT_FOR = 30.0
_KEPT_LIMITERS = 4096
#: Seconds before that, from which on a process counts a place no more: to give it back late would take it from another.
_LAPSES_BEFORE = 4.0
#: Seconds in which a process leaves all its places, one by one, though requests wait for one here: others have their
#: turn, the sooner the fewer they have, and each place is lent anew before it runs out.
_LEAVES_ALL_IN = 4.0
#: Seconds between two requests for a place while other processes have them all.
_ASKS_EVERY = 0.1


class Share(Protocol):
    """What all processes know of a vendor's limits, by the limiter's key."""

    def granted(self, key: str, wanted: int, pace: Pace, /) -> tuple[int, float]:
        """How many of ``wanted`` starts it may be in the present window of ``pace.seconds``.

        And the seconds for which the vendor wants a pause, 0 for none.
        """

    def lend(self, key: str, wanted: int, pace: Pace, /) -> list[str]:
        """At most ``wanted`` of the ``pace.in_flight`` places for requests in flight: those that nobody has.

        Each is lent for ``PLACE_LENT_FOR``.
        """

    def give_back(self, places: Sequence[str], /) -> None:
        """Places that are not in use any more."""

    def close(self, key: str, seconds: float, /) -> None:
        """The vendor wants a pause: tells the others."""


_shares: list[Share] = []


def share_through(share: Share) -> None:
    """From now on all processes that have the same ``share`` keep to a vendor's limits and pauses together."""
    _shares[:] = [share]


class Limiter:
    """One connected user's share of a vendor's limits.

    Starts are counted over all processes, see ``share_through``: a few are asked for at a time. Whoever asks learns of
    a pause that the vendor wants, too. For requests in flight places are lent, and left when they are not in use.
    """

    def __init__(self, key: str = "") -> None:
        self._key = key
        self._condition = threading.Condition()
        self._running = 0
        self._starts: deque[float] = deque()
        self._closed_until = 0.0
        self._window, self._granted = -1, 0
        #: Places that are lent, and when; oldest first. And when to ask again after there were none.
        self._places: deque[tuple[str, float]] = deque()
        self._ask_again_at = self._leave_again_at = 0.0
        #: Requests that stand in line here.
        self._waiting = 0
        #: Whether a thread is asking for starts or places. The others wait for its answer: together they would reserve
        #: all.
        self._is_asking = False
        self._changes = 0

    @property
    def is_idle(self) -> bool:
        with self._condition:
            is_unused = not (self._running or self._waiting or self._places)
            return is_unused and time.monotonic() >= self._closed_until

    @contextmanager
    def turn(self, pace: Pace | None) -> Iterator[None]:
        """One request's turn. Raises ``RateLimited`` at once if its wait would be too long.

        While closed that is so for every wait longer than the pace's ``patience``.
        """
        with self._condition:
            self._waiting += 1
        try:
            self._enter(pace)
        except BaseException:
            self._leave(waiting=1)
            raise
        try:
            yield
        finally:
            self._leave(running=1)

    def _leave(self, *, waiting: int = 0, running: int = 0) -> None:
        """One waits, or runs, no more."""
        with self._condition:
            self._waiting -= waiting
            self._running -= running
            self._changes += 1
            self._condition.notify()
            spare = self._spare_places()
        if spare:
            _shares[0].give_back(spare)

    def _spare_places(self) -> list[str]:
        """Places to be left to other processes. Those that have run out are not given back: others may have them."""
        now, spare = self._without_lapsed_places(), []
        while len(self._places) > self._running and (not self._waiting or now >= self._leave_again_at):
            if self._waiting:
                self._leave_again_at = now + _LEAVES_ALL_IN / len(self._places)
                self._ask_again_at = now + 2 * _ASKS_EVERY  # others come first
            spare.append(self._places.popleft()[0])
        return spare

    def _without_lapsed_places(self) -> float:
        """The present time, after which no place is counted that is not lent any more."""
        now = time.monotonic()
        while self._places and now - self._places[0][1] >= PLACE_LENT_FOR - _LAPSES_BEFORE:
            self._places.popleft()
        return now

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
                step, seen = self._next_step(pace, give_up=give_up), self._changes
            if step is None:
                return
            if isinstance(step, float):
                waiting.about_to_wait()
                waiting.in_thread(partial(self._wait, step, seen))
            elif pace is not None:
                step(pace)

    def _wait(self, seconds: float, seen: int) -> None:
        """Until another one ends, or for so many seconds; not at all where one has ended since ``seen``."""
        with self._condition:
            if self._changes == seen:
                self._condition.wait(seconds)

    def _ask_for_starts(self, pace: Pace) -> None:
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

    def _ask_for_places(self, pace: Pace) -> None:
        """Asks for as many places as requests wait here; without the lock."""
        lent: Sequence[str] = ()
        asked_at = time.monotonic()
        try:
            lent = _shares[0].lend(self._key, max(1, min(self._waiting, pace.in_flight - len(self._places))), pace)
        finally:
            with self._condition:
                self._places.extend((place, asked_at) for place in lent)
                self._ask_again_at = 0.0 if lent else time.monotonic() + _ASKS_EVERY
                self._is_asking = False
                if lent:  # else whoever asked asks again, and the others need not look
                    self._changes += 1
                    self._condition.notify_all()

    def _next_step(self, pace: Pace | None, *, give_up: float) -> Callable[[Pace], None] | float | None:
        """None: it is this request's turn. Else what has to be asked for, or seconds after which to look again.

        Or as soon as another one ends.
        """
        now = self._without_lapsed_places()
        closed = self._closed_until - now
        if closed > (pace.patience if pace else 0):
            raise RateLimited(retry_after=closed, status=0)
        wait = max(self._seconds_to_next_start(pace, now), closed)
        is_full = pace is not None and 0 < pace.in_flight <= self._running
        is_shared = bool(_shares and self._key)
        if not is_full and wait <= 0 and pace is not None and is_shared:
            if pace.in_flight and self._running >= len(self._places):
                wait = self._ask_again_at - now
                if wait <= 0:
                    return self._asks(self._ask_for_places, give_up - now)
            elif pace.starts:
                window = _window_of(pace)
                if window == self._window and self._granted < 0:  # the others have had them all
                    wait = (window + 1) * pace.seconds - time.time() + 0.001
                elif window != self._window or not self._granted:
                    return self._asks(self._ask_for_starts, give_up - now)
                else:
                    self._granted -= 1
        if not is_full and wait <= 0:
            self._running += 1
            self._waiting -= 1
            if pace is not None and pace.starts:
                self._starts.append(now)
            return None
        remaining = give_up - now
        if remaining <= 0 or wait > remaining:
            raise RateLimited(retry_after=max(wait, 1.0), status=0)
        return remaining if is_full else wait

    def _asks(self, ask: Callable[[Pace], None], remaining: float) -> Callable[[Pace], None] | float:
        """``ask``, or seconds to wait while another thread asks for something. Raises ``RateLimited`` after that."""
        if self._is_asking and remaining <= 0:
            raise RateLimited(retry_after=1.0, status=0)
        if self._is_asking:
            return min(remaining, 1.0)
        self._is_asking = True
        return ask

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
