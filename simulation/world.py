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

from simulation.threads import Actor, Killed, here, threads
from simulation.waiting import SetAside

#: Where simulated time begins; seconds since 1970.
START = 1_800_000_000.0
#: A schedule that takes more switches than that does not end by itself.
_MOST_STEPS = 20_000
#: The longest pause of those in production that look again and again.
_POLL = 0.05  # seconds
_LEAPS = (0.5, 6.0, 31.0, 140.0, 400.0)  # seconds
_LONGEST = 13 * 86_400.0  # seconds; what is given up is removed after DELIVERY_KEEP_DAYS, 14
_SUSPENSIONS = (3.0, 12.0, 60.0, 160.0, 400.0)  # seconds
_LONG_LEAPS = (4_000.0, 90_000.0, 290_000.0)  # a token expires; a day; longer than DELIVERY_MAX_AGE_HOURS


@dataclass(frozen=True)
class Release:
    """What is installed: the version, and how many keys the configuration has; a new process starts with the newest."""

    version: int = 1
    keys: int = 1


@dataclass(eq=False)
class Process:
    """What a simulated operating-system process has of its own: clocks, and the state of modules."""

    name: str
    wall: float = 0.0  # seconds that its wall clock is ahead of the database's
    monotonic: float = 0.0
    state: list[Any] = field(default_factory=list)


class World:
    """The one world of this (real) process; ``begin`` makes it new."""

    def __init__(self) -> None:
        #: What belongs to one process: object, name of its attribute, and what a new process has there.
        self.module_state: list[tuple[Any, str, Callable[[], Any]]] = []
        self.set_aside = SetAside(self._go_on_without)
        self.outside = Process("outside")
        self.begin(0)

    def begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.steps = 0
        self.release = Release()
        self.actors: list[Actor] = []
        #: Processes that were killed, and those that were started in their places.
        self._dead: dict[Process, Process | None] = {}
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = None
        self.kills_left = self.jumps_left = self.clock_jumps_left = self.failing_statements_left = 0
        self.suspensions_left = 0
        #: Seconds of the leaps that this schedule may contain.
        self.leaps: tuple[float, ...] = _LEAPS
        #: How likely one is at a switch.
        self.leap_share = 0.02
        self.processes = 0
        #: Held while nothing may run but the operator.
        self.gate = threading.Lock()
        self.on_step: Callable[[], None] = lambda: None
        self.start_outside()

    def start_outside(self) -> None:
        """A new process, of the release that is installed now, for what is done when no thread runs."""
        self.outside = self.new_process("outside")
        self._restore(self.outside)

    def allow_long_leaps(self) -> None:
        self.leaps = (*_LEAPS, *_LONG_LEAPS)

    # --- processes and their time -------------------------------------------------------------------

    def new_process(self, name: str) -> Process:
        self.processes += 1
        state = [new() for _, _, new in self.module_state]
        return Process(f"{name}#{self.processes}", monotonic=1000.0 * self.processes - START, state=state)

    def begin_work(self, actor: Actor) -> None:
        """From now on the thread may be killed; before, it goes over to the process that took the place of a dead one.

        Waits while nothing may run but the operator.
        """
        while self.gate.locked():
            actor.waits_for = self.gate
            try:
                self.switch("waits until servers and workers are started")
            finally:
                actor.waits_for = None
        self._leave_dead_process(actor)
        actor.may_be_killed = True

    def end_work(self, actor: Actor) -> None:
        """The thread is idle: it does not notice when its process is killed."""
        actor.is_killed = actor.may_be_killed = False

    def _leave_dead_process(self, actor: Actor) -> None:
        if actor.process not in self._dead:
            return
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
        return here.actor

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
            self.note(what)
        if actor is None or actor.is_alone:
            return
        if actor.is_killed:
            raise Killed
        self.note(what)
        self._keep(actor.process)
        chosen = self._choose()
        if chosen is not actor:
            chosen.go.release()
            actor.go.acquire()
        self._resume(actor)

    def _resume(self, actor: Actor) -> None:
        self._restore(actor.process)
        if actor.is_killed:
            self.note("is dead")
            raise Killed

    def execute(self, connection: Any, execute: Callable[[], Any]) -> Any:
        """Runs a statement that may have to wait for a lock in the database; others run meanwhile."""
        actor = self.actor
        if actor is None or actor.is_alone:
            return execute()
        self.set_aside.begins(actor, connection.info.backend_pid)
        try:
            return execute()
        finally:
            if self.set_aside.has_been(actor):
                actor.go.acquire()
                self._resume(actor)

    def _go_on_without(self, actor: Actor) -> None:
        """Called by the watching thread: the statement of ``actor`` waits for another's transaction."""
        self.count("a statement waits for another transaction")
        self._keep(actor.process)
        self._choose().go.release()

    def sleep(self, seconds: float) -> None:
        actor = self.actor
        if actor is None:
            self.now += seconds
            return
        if seconds <= _POLL:  # a machine may be slow to wake who only looks whether something has changed
            seconds = self.rng.choice((seconds, 4.0, 13.0))
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
        finished = threading.Lock()
        finished.acquire()
        for actor in actors:
            threads.start(actor, enter=self._enter, leave=lambda actor: self._leave(actor, finished))
        if actors:
            self._choose().go.release()
            finished.acquire()
        self._restore(self.outside)

    def _enter(self, actor: Actor) -> None:
        self._restore(actor.process)

    def _leave(self, actor: Actor, finished: threading.Lock) -> None:
        self._keep(actor.process)
        self.actors.remove(actor)
        if self.actors:
            self._choose().go.release()
        else:
            finished.release()

    def _choose(self) -> Actor:
        rng = self.rng
        self.steps += 1
        self.now += rng.random() * 0.02
        if self.jumps_left and rng.random() < self.leap_share:
            self.jumps_left -= 1
            self.count("time passes")
            leap = rng.choice(self.leaps)
            self.now += leap if self.now + leap < START + _LONGEST else _LEAPS[0]
        if self.clock_jumps_left and rng.random() < 0.01:
            self.clock_jumps_left -= 1
            self.count("a wall clock jumps")
            rng.choice(self.actors).process.wall += rng.choice((-240.0, -5.0, 5.0, 240.0))
        if self.kills_left and rng.random() < 0.03:
            self.kills_left -= self.kill(rng.choice(self.actors).process)
        if self.suspensions_left and rng.random() < 0.03:
            self.suspensions_left -= 1
            self._suspend(rng.choice(self.actors).process, rng.choice(_SUSPENSIONS))
        self.on_step()
        if self.steps > _MOST_STEPS:
            self.count("endless")
            for actor in self.actors:
                actor.is_killed = True
        able = self.set_aside.able(self.actors)
        ready = [actor for actor in able if actor.is_ready(self.now)]
        if not ready:
            free = [actor for actor in able if actor.waits_for is None or not actor.waits_for.locked()]
            self.now = max(self.now, min(actor.wake for actor in free))
            ready = [actor for actor in free if actor.is_ready(self.now)]
        return rng.choice(ready)

    def _suspend(self, process: Process, seconds: float) -> None:
        """Its machine sleeps, while others go on: its monotonic clock stands still, its wall clock does not."""
        self.count("a process is suspended")
        self.note(f"{process.name} is suspended for {seconds} s")
        process.monotonic -= seconds
        for actor in self.actors:
            if actor.process is process:
                actor.wake = max(actor.wake, self.now) + seconds

    def may_die(self, share: float) -> None:
        """Called where a death matters most: it comes to the running process with this likelihood."""
        if self.kills_left and self.actor is not None and self.rng.random() < share:
            self.kills_left -= self.kill(self.process)

    def kill(self, process: Process) -> bool:
        """SIGKILL. False where the process has nothing to do at the moment."""
        busy = [actor for actor in self.actors if actor.process is process and actor.may_be_killed]
        if busy:
            self.count("a process is killed")
            self.note(f"SIGKILL to {process.name}")
            self._dead[process] = None
        for actor in busy:
            actor.is_killed = True
        return bool(busy)

    def end_processes(self, survivor: Actor) -> None:
        """SIGKILL to all others. They are started anew when the gate is open again."""
        for actor in self.actors:
            if actor is not survivor and actor.process is not survivor.process:
                self.kill(actor.process)
                self._dead.setdefault(actor.process, None)

    def statement_fails(self) -> bool:
        actor = self.actor
        if actor is None or not actor.may_be_killed or not self.failing_statements_left:
            return False
        if self.rng.random() >= 0.01:
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
            self.trace.append(f"{self.now - START:10.3f} {who:10} {' '.join(what.split())[:150]}")


world = World()
