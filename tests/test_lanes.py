"""Which requests begin at once, and in which thread."""

from __future__ import annotations

import base64
import threading
import time

import pytest

from connectors.front import application
from connectors.front.application import lane_of
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


def test_what_asks_no_crm_waits_for_nobody(requests):
    lines = Lanes(threads=16, patience=3600)
    asked = requests(lines)
    asked.put(LOCAL, 16)
    asked.wait_for(16)


def test_a_line_is_looked_after_until_there_is_none(requests):
    lines = Lanes(threads=16, patience=0.05)
    asked = requests(lines)
    asked.put("crm a", 12)
    asked.wait_for(10)
    _until(lambda: not lines.look_after("crm a"))
    asked.wait_for(2)


def test_a_thread_outlives_whatever_a_request_raises(requests):
    lines = Lanes(threads=2, patience=3600)

    def ends():
        raise SystemExit

    for _ in range(5):
        lines.put(LOCAL, ends)
    asked = requests(lines)
    asked.put(LOCAL, 2)
    asked.wait_for(2)


def test_requests_of_crms_leave_threads_to_the_others(requests):
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


def test_the_line_of_a_request_is_known_by_its_token_and_no_long_one_is_kept():
    def line(token):
        return lane_of(
            {"PATH_INFO": "/contact", "QUERY_STRING": f"jwtToken={token}&x=1", "REQUEST_METHOD": "GET"},
        )

    claims = base64.urlsafe_b64encode(b'{"platform": "clio"}').decode().rstrip("=")
    assert [line(f"a.{claims}.b") for _ in range(2)] == ["crm clio"] * 2
    kept = application._platform_of.cache_info().currsize
    assert line(f"a.{claims}.{'b' * 5000}") == "crm "
    assert application._platform_of.cache_info().currsize == kept
