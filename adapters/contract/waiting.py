"""Waits for many answers in one thread: while one call waits for a CRM, the next one goes on."""

from __future__ import annotations

import contextvars
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
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
    """Runs the calls in this thread, each until it waits for a socket or another thread; their outcomes, in order.

    Each has a copy of the context. What blocks in any other way holds up all of them.
    """
    turns = _Turns(calls)
    try:
        turns.run()
    finally:
        turns.close()
    return turns.outcomes


def until_readable(file_number: int, seconds: float | None) -> bool:
    """Lets other calls have their turn until there is something to read; False when there was nothing in time.

    Outside of ``run_in_turns`` True at once: the caller blocks as it would anyway.
    """
    turns = _turns.get()
    return turns is None or turns.until_readable(file_number, seconds)


def is_in_turns() -> bool:
    """Whether other calls in this thread wait for their turn."""
    return _turns.get() is not None


def in_thread(call: Callable[[], Result]) -> Result:
    """The call's result. Within ``run_in_turns`` it runs in a thread of its own: for what blocks, and is rare."""
    turns = _turns.get()
    return call() if turns is None else turns.in_thread(call)


class _Turns:
    def __init__(self, calls: Sequence[Callable[[], Any]]) -> None:
        self._todo = deque(calls)
        self.outcomes: list[Future[Any]] = []
        self._under_way = 0
        self._poll = select.poll()
        #: By file number, who waits for it and until when.
        self._readers: dict[int, tuple[greenlet, float]] = {}
        #: Whose threads have ended, and the pipe through which these tell.
        self._returned: deque[greenlet] = deque()
        self._pipe: tuple[int, int] | None = None

    def run(self) -> None:
        while self._todo or self._under_way:
            while self._todo and self._under_way < _AT_ONCE:
                self._begin(self._todo.popleft())
            if self._under_way:
                self._resume_some()

    def close(self) -> None:
        for end in self._pipe or ():
            os.close(end)

    def until_readable(self, file_number: int, seconds: float | None) -> bool:
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        self._readers[file_number] = (getcurrent(), deadline)
        self._poll.register(file_number, select.POLLIN)
        return bool(self._wait())

    def in_thread(self, call: Callable[[], Result]) -> Result:
        if self._pipe is None:
            self._pipe = os.pipe()
            self._poll.register(self._pipe[0], select.POLLIN)
        outcome: Future[Result] = Future()
        waiting = getcurrent()

        def work() -> None:
            _turns.set(None)
            _fill(outcome, call)
            self._returned.append(waiting)
            assert self._pipe is not None
            os.write(self._pipe[1], b".")

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="fan-out", daemon=True).start()
        self._wait()
        return outcome.result()

    def _begin(self, call: Callable[[], Any]) -> None:
        outcome: Future[Any] = Future()
        self.outcomes.append(outcome)

        def work() -> None:
            _turns.set(self)
            _fill(outcome, call)

        started = greenlet(work)
        started.gr_context = contextvars.copy_context()
        self._under_way += 1
        self._switch_to(started)

    def _switch_to(self, waiting: greenlet, answer: bool = True) -> None:
        waiting.switch(answer) if waiting else waiting.switch()
        if waiting.dead:
            self._under_way -= 1

    @staticmethod
    def _wait() -> Any:
        parent = getcurrent().parent
        assert parent is not None
        return parent.switch()

    def _resume_some(self) -> None:
        """Waits until somebody can go on, and lets all who can."""
        now = time.monotonic()
        first = min((deadline for _, deadline in self._readers.values()), default=float("inf"))
        milliseconds = None if first == float("inf") else max(0.0, first - now) * 1000 + 1
        found = self._poll.poll(milliseconds)
        for file_number, _ in found:
            if self._pipe and file_number == self._pipe[0]:
                os.read(file_number, 1)
                self._switch_to(self._returned.popleft())
            else:
                self._switch_to(self._taken(file_number))
        if first < float("inf"):
            now = time.monotonic()
            late = [number for number, (_, deadline) in self._readers.items() if deadline <= now]
            for file_number in late:
                self._switch_to(self._taken(file_number), answer=False)

    def _taken(self, file_number: int) -> greenlet:
        self._poll.unregister(file_number)
        return self._readers.pop(file_number)[0]


def _fill(outcome: Future[Any], call: Callable[[], Any]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)
