"""Recognises a thread whose statement waits for another's transaction, and sets it aside until it need not.

Only where the database lets transactions run side by side: PostgreSQL. ``pg_blocking_pids`` tells who waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.threads import Actor

_sleep = time.sleep  # before the simulation takes its place
_LOOKS_EVERY = 0.002  # seconds of real time


class SetAside:
    """Threads whose statement is under way in the database, while others run.

    ``is_blocked``: whether the server process of that id waits for a lock. ``go_on``: called for a thread that is set
    aside; another is to run.
    """

    def __init__(self, go_on: Callable[[Actor], None]) -> None:
        self.is_blocked: Callable[[int], bool] | None = None
        self._go_on = go_on
        self._guard = threading.Lock()
        self._executing: Actor | None = None
        self._aside: dict[Actor, int] = {}
        self._pid = 0

    def watch(self, is_blocked: Callable[[int], bool]) -> None:
        """From now on threads are watched."""
        self.is_blocked = is_blocked
        threading.Thread(target=self._watch, daemon=True).start()

    def begins(self, actor: Actor, pid: int) -> None:
        """``actor`` begins a statement, in the server process ``pid``."""
        with self._guard:
            self._executing, self._pid = actor, pid

    def has_been(self, actor: Actor) -> bool:
        """The statement is over. Whether others have been let run meanwhile; the thread has to wait for its turn."""
        with self._guard:
            if self._executing is actor:
                self._executing = None
            return self._aside.pop(actor, None) is not None

    def able(self, actors: Sequence[Actor]) -> list[Actor]:
        """Those that can run. Whoever waited for a transaction that has ended meanwhile is among them, for certain."""
        while True:
            with self._guard:
                aside = dict(self._aside)
            if not aside:
                return list(actors)
            waiting = [actor for actor, pid in aside.items() if self._still_waits(actor, pid)]
            if able := [actor for actor in actors if actor not in waiting]:
                return able
            _sleep(_LOOKS_EVERY)  # a deadlock: the database ends it

    def _still_waits(self, actor: Actor, pid: int) -> bool:
        assert self.is_blocked is not None
        while True:
            with self._guard:
                if actor not in self._aside:
                    return False
            if self.is_blocked(pid):
                return True
            _sleep(_LOOKS_EVERY / 10)

    def _watch(self) -> None:
        seen: Actor | None = None
        while True:
            _sleep(_LOOKS_EVERY)
            with self._guard:
                actor, pid = self._executing, self._pid
            if actor is None or actor is not seen:
                seen = actor
                continue
            assert self.is_blocked is not None
            if not self.is_blocked(pid):
                continue
            with self._guard:
                if self._executing is not actor:
                    continue
                self._executing, self._aside[actor] = None, pid
            seen = None
            self._go_on(actor)
