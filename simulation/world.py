"""One simulated world: threads of which one runs at a time, processes that die, and time.

All choices come from ``rng``, so that a number replays a schedule. Production code meets the world through its
clocks, its database connection and the transport of its HTTP client; see ``installation``.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: Where simulated time begins; seconds since 1970.
_START = 1_800_000_000.0
#: A schedule that takes more switches than that does not end by itself.
_MOST_STEPS = 20_000
#: The longest pause of those in production that look again and again.
_POLL = 0.05  # seconds


class Killed(BaseException):
    """SIGKILL: raised at every further switch of a thread whose process is dead."""


class Endless(AssertionError):
    """The schedule does not come to an end."""


@dataclass(eq=False)
class Process:
    """What a simulated operating-system process has of its own: clocks, and the state of modules."""

    name: str
    wall: float = 0.0  # seconds that its wall clock is ahead of the database's
    monotonic: float = 0.0
    state: list[Any] = field(default_factory=list)


class Actor:
    """A thread of a simulated process, at work on its script."""

    def __init__(self, name: str, process: Process, script: Callable[[Actor], None]) -> None:
        self.name, self.process = name, process
        self.wake = 0.0
        self.waits_for: threading.Lock | None = None
        self.is_killed = self.may_be_killed = False
        self.error: BaseException | None = None
        self._script = script
        self.go = threading.Lock()
        self.go.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        self.go.acquire()
        _here.actor = self
        world.enter(self)
        try:
            self._script(self)
        except BaseException as error:
            self.error = error
        self.may_be_killed = False
        world.leave(self)

    def is_ready(self, now: float) -> bool:
        if self.is_killed:
            return True
        return self.wake <= now and (self.waits_for is None or not self.waits_for.locked())


_here = threading.local()


class World:
    """The one world of this (real) process; ``begin`` makes it new."""

    def __init__(self) -> None:
        #: What belongs to one process: object, name of its attribute, and what a new process has there.
        self.module_state: list[tuple[Any, str, Callable[[], Any]]] = []
        self.outside = Process("outside")
        self.begin(0)

    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = _START
        self.steps = 0
        self.actors: list[Actor] = []
        #: Processes that were killed, and those that were started in their places.
        self._dead: dict[Process, Process | None] = {}
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = None
        self.kills_left = self.jumps_left = self.clock_jumps_left = self.failing_statements_left = 0
        self.processes = 0
        self.outside = self.new_process("outside")
        self._main = threading.Lock()
        self._main.acquire()
        self.on_step: Callable[[], None] = lambda: None
        self._restore(self.outside)

    # --- processes and their time -------------------------------------------------------------------

    def new_process(self, name: str) -> Process:
        self.processes += 1
        state = [new() for _, _, new in self.module_state]
        return Process(f"{name}#{self.processes}", monotonic=1000.0 * self.processes - _START, state=state)

    def restart(self, actor: Actor) -> None:
        """The thread goes on in the process that was started in place of the one that was killed."""
        actor.is_killed = False
        while actor.process in self._dead:
            dead = actor.process
            if (successor := self._dead[dead]) is None:
                successor = self._dead[dead] = self.new_process(dead.name.split("#")[0])
            actor.process = successor
        self._restore(actor.process)

    @property
    def process(self) -> Process:
        actor = self.actor
        return actor.process if actor else self.outside

    @property
    def actor(self) -> Actor | None:
        return getattr(_here, "actor", None)

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def seconds(self) -> float:
        return self.now + self.process.wall

    def monotonic(self) -> float:
        return self.now + self.process.monotonic

    def database_time(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def _keep(self, process: Process) -> None:
        process.state = [getattr(owner, name) for owner, name, _ in self.module_state]

    def _restore(self, process: Process) -> None:
        for (owner, name, _), value in zip(self.module_state, process.state, strict=True):
            setattr(owner, name, value)

    # --- switches --------------------------------------------------------------------------------------

    def switch(self, what: str) -> None:
        """Another thread may run, and this one's process may be killed. Raises ``Killed``."""
        actor = self.actor
        if actor is None:
            return
        if actor.is_killed:
            raise Killed
        self.note(what)
        self._keep(actor.process)
        chosen = self._choose()
        if chosen is not actor:
            chosen.go.release()
            actor.go.acquire()
        self._restore(actor.process)
        if actor.is_killed:
            self.note("is dead")
            raise Killed

    def sleep(self, seconds: float) -> None:
        actor = self.actor
        if actor is None:
            self.now += seconds
            return
        if seconds <= _POLL:  # a machine may be slow to wake who only looks whether something has changed
            seconds = self.rng.choice((seconds, 0.5, 3.0))
        actor.wake = self.now + seconds
        self.switch(f"sleeps {seconds:.3f}")

    def take(self, turn: threading.Lock) -> None:
        """Takes a lock of production code; others run until it is free."""
        actor = self.actor
        while not turn.acquire(blocking=False):
            assert actor is not None, "the schedule's own code waits for a lock that nobody can release"
            actor.waits_for = turn
            try:
                self.switch("waits for the database")
            finally:
                actor.waits_for = None

    def run(self, actors: list[Actor]) -> None:
        """Runs the threads until all have ended."""
        self.actors = list(actors)
        self._keep(self.outside)
        for actor in actors:
            actor.start()
        if actors:
            self._choose().go.release()
            self._main.acquire()
        for actor in actors:
            actor.join()
        self._restore(self.outside)

    def enter(self, actor: Actor) -> None:
        self._restore(actor.process)

    def leave(self, actor: Actor) -> None:
        self._keep(actor.process)
        self.actors.remove(actor)
        if self.actors:
            self._choose().go.release()
        else:
            self._main.release()

    def _choose(self) -> Actor:
        rng = self.rng
        self.steps += 1
        self.now += rng.random() * 0.02
        if self.jumps_left and rng.random() < 0.02:
            self.jumps_left -= 1
            self.count("time passes")
            self.now += rng.choice((0.5, 6.0, 31.0, 140.0, 400.0, 90_000.0 if rng.random() < 0.1 else 3.0))
        if self.clock_jumps_left and rng.random() < 0.01:
            self.clock_jumps_left -= 1
            self.count("a wall clock jumps")
            rng.choice(self.actors).process.wall += rng.choice((-240.0, -5.0, 5.0, 240.0))
        if self.kills_left and rng.random() < 0.03:
            self._kill(rng.choice(self.actors))
        self.on_step()
        ready = [actor for actor in self.actors if actor.is_ready(self.now)]
        if not ready or self.steps > _MOST_STEPS:
            if self.steps > _MOST_STEPS:
                self.count("endless")
                for actor in self.actors:
                    actor.is_killed = True
                return rng.choice(self.actors)
            free = [actor for actor in self.actors if actor.waits_for is None or not actor.waits_for.locked()]
            self.now = max(self.now, min(actor.wake for actor in free))
            ready = [actor for actor in free if actor.is_ready(self.now)]
        return rng.choice(ready)

    def _kill(self, victim: Actor) -> None:
        threads = [actor for actor in self.actors if actor.process is victim.process and actor.may_be_killed]
        if not threads:
            return
        self.kills_left -= 1
        self.count("a process is killed")
        self.note(f"SIGKILL to {victim.process.name}")
        self._dead[victim.process] = None
        for actor in threads:
            actor.is_killed = True

    def statement_fails(self) -> bool:
        if self.actor is None or not self.failing_statements_left or self.rng.random() >= 0.01:
            return False
        self.failing_statements_left -= 1
        self.count("a statement fails")
        self.note("the statement fails")
        return True

    # --- what is told about it ---------------------------------------------------------------------------

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def note(self, what: str) -> None:
        if self.trace is not None:
            who = self.actor.name if self.actor else "outside"
            self.trace.append(f"{self.now - _START:10.3f} {who:10} {' '.join(what.split())[:150]}")


world = World()
