"""A vendor's limit is kept by all processes together. Two limiters of one key stand for two processes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from adapters.contract import RateLimited, pacing
from adapters.contract.manifest import Pace
from adapters.contract.pacing import Limiter
from connectors.deliveries import clock
from connectors.models import RequestCount
from connectors.services.vendor_limits import SharedLimits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _middle_of_a_window(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(clock, "now", lambda: datetime.fromtimestamp(NOW, UTC))


NOW = 1_800_000_000.0 + 1200
PACE = Pace(starts=8, seconds=3600)


def starts_of(limiter: Limiter, most: int) -> int:
    for number in range(most):
        try:
            with limiter.turn(PACE):
                pass
        except RateLimited:
            return number
    return most


def test_processes_start_no_more_together_than_one_may():
    first, second = Limiter("a user"), Limiter("a user")
    started = [starts_of(limiter, 2) for limiter in (first, second) * 4]
    assert sum(started) == 8
    with pytest.raises(RateLimited) as told, first.turn(PACE):
        pytest.fail("a ninth request")
    assert round(told.value.retry_after) == 2400  # to the end of the hour


def test_threads_that_begin_together_ask_once_and_none_is_refused(monkeypatch):
    asked, all_there = [], threading.Barrier(7)

    class Slow:
        def granted(self, key, wanted, pace):
            asked.append(wanted)
            time.sleep(0.3)  # the others come meanwhile
            return max(0, min(wanted, 50 - sum(asked) + wanted)), 0.0

        def close(self, key, seconds):
            pass

    monkeypatch.setattr(pacing, "_shares", [Slow()])
    limiter, pace = Limiter("a user"), Pace(starts=50, seconds=3600)

    def start():
        all_there.wait()
        with limiter.turn(pace):
            return True

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(start) for _ in range(6)]
        all_there.wait()
        assert all(run.result() for run in runs)
    assert asked == [12]


def test_another_user_has_a_limit_of_their_own():
    assert starts_of(Limiter("a user"), 10) == 8
    assert starts_of(Limiter("another user"), 10) == 8


def test_what_one_process_needs_not_another_one_has():
    assert starts_of(Limiter("a user"), 1) == 1
    assert starts_of(Limiter("a user"), 10) >= 6


def test_without_a_store_each_process_keeps_to_the_limit_by_itself(monkeypatch):
    monkeypatch.setattr("connectors.services.vendor_limits.add_to_count", lambda *args, **named: 0)
    assert starts_of(Limiter("a user"), 10) == 8


def test_a_request_without_a_limit_of_starts_is_not_counted():
    with Limiter("a user").turn(Pace(in_flight=2)):
        pass
    assert not RequestCount.objects.exists()


def test_a_pause_that_the_vendor_asks_of_one_process_is_kept_by_the_others():
    first, second, third = Limiter("a user"), Limiter("a user"), Limiter("another user")
    first.close_for(60)
    with pytest.raises(RateLimited) as told, second.turn(PACE):
        pytest.fail("a request within the pause")
    assert 59 < told.value.retry_after <= 60
    with third.turn(PACE):
        pass


def test_a_pause_that_is_over_keeps_nobody_back():
    RequestCount.objects.create(key="closed:x", ends_at=datetime.fromtimestamp(time.time() - 1, UTC))
    Limiter("a user").close_for(-1)
    with Limiter("a user").turn(PACE):
        pass


def test_without_a_store_a_pause_binds_the_process_that_was_told(monkeypatch):
    def refuse(*args, **named):
        raise OperationalError

    monkeypatch.setattr(RequestCount.objects, "bulk_create", refuse)
    first, second = Limiter("a user"), Limiter("a user")
    first.close_for(60)
    with pytest.raises(RateLimited), first.turn(PACE):
        pytest.fail("a request within the pause")
    with second.turn(PACE):
        pass


def test_a_machine_whose_clock_is_fast_lengthens_no_pause_and_counts_in_the_same_window(monkeypatch):
    fast, right = SharedLimits(), SharedLimits()
    monkeypatch.setattr(time, "time", lambda: NOW + 7200)
    fast.close("a user", 2)
    assert fast.granted("a user", 5, PACE) == (5, 2)
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert right.granted("a user", 5, PACE) == (3, 2)
