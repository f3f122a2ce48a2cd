"""Which requests begin at once, and in which thread."""

from __future__ import annotations

import threading
import time

import pytest

from connectors.front import lanes
from connectors.front.lanes import LOCAL, Lanes


class _Requests:
    """Requests that go on until they are told to end."""

    def __init__(self, lines: Lanes) -> None:
        self._lines, self._begun = lines, threading.Semaphore(0)
        self._may_end = threading.Event()
        self.threads: list[str] = []

    def put(self, lane: str, count: int) -> None:
        for _ in range(count):
            self._lines.put(lane, self._work)

    def _work(self) -> None:
        self.threads.append(threading.current_thread().name)
        self._begun.release()
        assert self._may_end.wait(60)

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._begun.acquire(timeout=60)

    def end(self) -> None:
        self._may_end.set()


@pytest.fixture
def requests():
    made = []

    def make(lines):
        made.append(_Requests(lines))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_an_eighth_of_the_threads_answers_from_the_database_at_once(requests, monkeypatch):
    monkeypatch.setattr(lanes, "_LOCAL_PATIENCE", 3600)
    lines = Lanes(threads=24, patience=3600)
    asked = requests(lines)
    asked.put(LOCAL, 8)
    asked.wait_for(3)
    lines.look_after(LOCAL)
    assert len(asked.threads) == 3
    asked.end()
    asked.wait_for(5)


def test_more_of_them_begin_where_none_ends(requests, monkeypatch):
    monkeypatch.setattr(lanes, "_LOCAL_PATIENCE", 0)
    lines = Lanes(threads=16, patience=3600)
    asked = requests(lines)
    asked.put(LOCAL, 2)
    asked.wait_for(2)
    asked.put(LOCAL, 3)
    lines.look_after(LOCAL)
    asked.wait_for(3)


def test_requests_of_crms_leave_threads_to_the_others(requests, monkeypatch):
    monkeypatch.setattr(lanes, "_LOCAL_PATIENCE", 3600)
    lines = Lanes(threads=16, patience=3600)
    of_crms, others = requests(lines), requests(lines)
    of_crms.put("crm a", 20)
    of_crms.put("crm b", 20)
    of_crms.wait_for(14)
    others.put(LOCAL, 2)
    others.wait_for(2)
    assert len(of_crms.threads) == 14


def test_the_thread_that_ended_last_begins_next(requests):
    lines = Lanes(threads=8, patience=3600)
    names = []
    for _ in range(20):
        one = requests(lines)
        _until(lambda: len(lines._free) == 8)
        one.put("crm a", 1)
        one.wait_for(1)
        one.end()
        names += one.threads
    assert len(set(names)) == 1


def _until(is_so):
    give_up = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.001)
