"""Waits for many answers in one thread: while one call waits for a CRM, the next one goes on."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

Result = TypeVar("Result")

#: Calls of one fan-out that are under way at once; the others follow as these end.
_AT_ONCE = 32

_turns: contextvars.ContextVar[_Turns | None] = contextvars.ContextVar("turns", default=None)


_before: list[Callable[[], None]] = []


def before_waiting(call: Callable[[], None]) -> None:
    """``call`` is made whenever a thread is about to wait for a CRM: it gives back what others could use meanwhile."""
    if call not in _before:
        _before.append(call)


def about_to_wait() -> None:
    """Called before each request, in the thread that will wait for the answer."""
    for call in _before:
        call()


def run_in_turns(calls: Sequence[Callable[[], Any]]) -> list[Future[Any]]:
    """Runs the calls in this thread, each until it waits for an answer or another thread; their outcomes, in order.

    Each has a copy of the context. What blocks in any other way holds up all of them.
    """
    turns = _Turns(calls)
    turns.run()
    return turns.outcomes


def until_called(begin: Callable[[Callable[[], None]], None], wake: Callable[[], None] | None = None) -> None:
    """Begins something that another thread does, and waits until that thread makes the call which ``begin`` is given.

    Within ``run_in_turns`` the other calls have their turn meanwhile. ``wake`` tells the other thread that something
    has begun; once for all that begin together.
    """
    turns = _turns.get()
    if turns is not None:
        turns.until_called(begin, wake)
        return
    called = threading.Event()
    begin(called.set)
    if wake is not None:
        wake()
    called.wait()


def in_thread(call: Callable[[], Result]) -> Result:
    """The call's result. Within ``run_in_turns`` it runs in a thread of its own: for what blocks, and is rare."""
    if _turns.get() is None:
        return call()
    outcome: Future[Result] = Future()

    def begin(done: Callable[[], None]) -> None:
        def work() -> None:
            _turns.set(None)
            _fill(outcome, call)
            done()

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="fan-out", daemon=True).start()

    until_called(begin)
    return outcome.result()


class _Turns:
    def __init__(self, calls: Sequence[Callable[[], Any]]) -> None:
        self._todo = deque(calls)
        self.outcomes: list[Future[Any]] = []
        self._under_way = 0
        #: Who can go on.
        self._ready: SimpleQueue[greenlet] = SimpleQueue()
        self._wakes: set[Callable[[], None]] = set()

    def run(self) -> None:
        while self._todo or self._under_way:
            if self._todo and self._under_way < _AT_ONCE:
                self._under_way += 1
                self._switch_to(self._begun(self._todo.popleft()))
                continue
            while self._wakes:
                self._wakes.pop()()
            self._switch_to(self._ready.get())

    def until_called(self, begin: Callable[[Callable[[], None]], None], wake: Callable[[], None] | None) -> None:
        waits = getcurrent()
        begin(lambda: self._ready.put(waits))
        if wake is not None:
            self._wakes.add(wake)
        assert waits.parent is not None
        waits.parent.switch()

    def _begun(self, call: Callable[[], Any]) -> greenlet:
        outcome: Future[Any] = Future()
        self.outcomes.append(outcome)

        def work() -> None:
            _turns.set(self)
            _fill(outcome, call)

        started = greenlet(work)
        started.gr_context = contextvars.copy_context()
        return started

    def _switch_to(self, other: greenlet) -> None:
        other.switch()
        if other.dead:
            self._under_way -= 1


def _fill(outcome: Future[Any], call: Callable[[], Any]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)
