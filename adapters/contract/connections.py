"""libcurl's connections to CRMs: one pool for all threads of the process, which one event loop drives."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pycurl

from adapters.contract import waiting
from adapters.contract.transfer import Answer, Question, Stale, Transfer

#: Idle connections that are kept, of all hosts together.
_IDLE = 1024


def ask(question: Question) -> Answer:
    """Waits for the answer, in its turn where others wait in the same thread.

    Raises ``NoAnswer`` and its kinds, ``AddressRefused``, and ``CrmUnavailable`` where the file of certificates cannot
    be read.
    """
    try:
        return _asked(question)
    except Stale:
        return _asked(replace(question, is_fresh=True))


def _asked(question: Question) -> Answer:
    transfer = Transfer(question)
    if _is_ending:
        asyncio.run(_moved_here(transfer))
    else:
        driver = _driver()
        waiting.until_called(lambda done: driver.begin(transfer, done), driver.wake)
    return transfer.answer()


async def _moved_here(transfer: Transfer) -> None:
    """Without the driver: while a process ends, Python 3.12 begins no further thread."""
    ended = asyncio.Event()
    transfer.begin(pycurl.AsyncCurlMulti(), ended.set)
    await ended.wait()


class _Driver:
    """The thread whose event loop moves all transfers of the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, _IDLE)
        self._new: deque[tuple[Transfer, Callable[[], None]]] = deque()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crm-connections", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def begin(self, transfer: Transfer, done: Callable[[], None]) -> None:
        """From any thread; nothing happens before ``wake``."""
        self._new.append((transfer, done))

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._begin_new)

    def _begin_new(self) -> None:
        while self._new:
            transfer, done = self._new.popleft()
            transfer.begin(self._multi, done)

    def stop(self) -> None:
        """At the process's exit; what is asked even later is moved by whoever asks."""
        global _is_ending
        _is_ending = True
        _drivers.remove(self)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1)


_drivers: list[_Driver] = []
_is_ending = False
_guard = threading.Lock()
#: Those of the processes that this one was forked from: to close their connections would end them there, too.
_inherited: list[_Driver] = []


def _driver() -> _Driver:
    if not _drivers:
        with _guard:
            if not _drivers:
                _drivers.append(_Driver())
    return _drivers[0]


def _leave_to_the_parent() -> None:
    global _guard
    _guard = threading.Lock()
    for driver in _drivers:
        atexit.unregister(driver.stop)
    _inherited.extend(_drivers)
    _drivers.clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)
