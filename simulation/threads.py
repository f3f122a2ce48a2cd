"""The threads of simulated processes. They are kept from schedule to schedule, with their database connections."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.world import Process


class Killed(BaseException):
    """SIGKILL: raised at every further switch of a thread whose process is dead."""


class Actor:
    """A thread of a simulated process, at work on its script."""

    def __init__(self, name: str, process: Process, script: Callable[[Actor], None]) -> None:
        self.name, self.process, self.script = name, process, script
        self.wake = 0.0
        self.waits_for: threading.Lock | None = None
        self.is_killed = self.may_be_killed = False
        #: Nothing else runs until this one allows it again.
        self.is_alone = False
        self.go = threading.Lock()
        self.go.acquire()

    def is_ready(self, now: float) -> bool:
        if self.is_killed:
            return True
        return self.wake <= now and (self.waits_for is None or not self.waits_for.locked())


class _Here(threading.local):
    actor: Actor | None = None


here = _Here()


class Threads:
    """Real threads, as many as the busiest schedule so far has needed."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[Callable[[], None]]] = []

    def start(self, actor: Actor, *, enter: Callable[[Actor], None], leave: Callable[[Actor], None]) -> None:
        """Has a thread wait for ``actor.go``, and then do the script."""
        inbox = self._idle.pop() if self._idle else self._new()

        def work() -> None:
            actor.go.acquire()
            here.actor = actor
            enter(actor)
            try:
                contextvars.Context().run(actor.script, actor)
            finally:
                actor.may_be_killed = actor.is_killed = False
                here.actor = None
                self._idle.append(inbox)
                leave(actor)

        inbox.put(work)

    def _new(self) -> queue.SimpleQueue[Callable[[], None]]:
        inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

        def run() -> None:
            while True:
                inbox.get()()

        threading.Thread(target=run, daemon=True).start()
        return inbox


threads: Any = Threads()
