"""Whose turn it is: requests that may ask a CRM stand in the line of that CRM, all others in one that never waits."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("switchboard.front")

Work = Callable[[], None]
#: Hands a request to one thread: its lane, and what is to be done.
_Hand = SimpleQueue[tuple[str, Work]]
#: The line of requests that ask no CRM.
LOCAL = ""


class Lanes:
    """Threads, and lines of requests before them.

    Requests of one CRM take five eighths of the threads, those of all CRMs seven eighths; the rest is for what the
    database alone answers. A line that has not moved for ``patience`` seconds is let in, as far as there are threads:
    ``services.shares`` then tells those requests at once that the CRM is busy.
    """

    def __init__(self, *, threads: int, patience: float) -> None:
        self._most = {"one": max(1, threads * 5 // 8), "all": max(1, threads * 7 // 8)}
        self._patience = patience
        self._guard = threading.Lock()
        self._lines: dict[str, deque[Work]] = {}
        self._at_work: Counter[str] = Counter()
        self._moved_at: dict[str, float] = {}
        #: What begins as soon as a thread is free; free threads, of which the one that ended last begins next: what it
        #: uses is still in the processor's cache.
        self._ready: deque[tuple[str, Work]] = deque()
        self._free: list[_Hand] = []
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"request-{number}", daemon=True).start()

    def put(self, lane: str, work: Work) -> bool:
        """Has it done as soon as it is its turn; whether that is now."""
        with self._guard:
            if lane not in self._lines and self._admits(lane):
                self._begin(lane, work)
                return True
            self._lines.setdefault(lane, deque()).append(work)
            return self._let_in(lane)

    def look_after(self, lane: str) -> bool:
        """To be called after each patience while there is a line: lets in one that does not move.

        Whether there is a line still.
        """
        with self._guard:
            self._let_in(lane)
            return lane in self._lines

    def _serve(self) -> None:
        mine: _Hand = SimpleQueue()
        with self._guard:
            self._give_next(mine)
        while True:
            lane, work = mine.get()
            try:
                work()
            except BaseException:  # a thread that ends would be missing for good
                log.exception("a request was not answered")
            del work
            with self._guard:
                self._give_next(mine)
                self._end(lane)

    def _give_next(self, thread: _Hand) -> None:
        if self._ready:
            thread.put(self._ready.popleft())
        else:
            self._free.append(thread)

    def _begin(self, lane: str, work: Work) -> None:
        self._at_work[lane] += 1
        self._moved_at[lane] = time.monotonic()
        if self._free:
            self._free.pop().put((lane, work))
        else:
            self._ready.append((lane, work))

    def _end(self, lane: str) -> None:
        self._at_work[lane] -= 1
        if self._at_work[lane]:
            self._moved_at[lane] = time.monotonic()
        else:
            del self._at_work[lane], self._moved_at[lane]
        if not self._lines:
            return
        for waiting in list(self._lines):  # the one that was let in last is asked last
            if self._admits(waiting):
                line = self._lines.pop(waiting)
                self._begin(waiting, line.popleft())
                if line:
                    self._lines[waiting] = line

    def _admits(self, lane: str) -> bool:
        if lane == LOCAL:
            return True
        crms = self._at_work.total() - self._at_work[LOCAL]
        return self._at_work[lane] < self._most["one"] and crms < self._most["all"]

    def _let_in(self, lane: str) -> bool:
        if lane not in self._lines or time.monotonic() - self._moved_at.get(lane, 0) < self._patience:
            return False
        moved = self._moved_at.get(lane)
        for work in self._lines.pop(lane):
            self._begin(lane, work)
        if moved is not None:  # to be refused is no move
            self._moved_at[lane] = moved
        return True
