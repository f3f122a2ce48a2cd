"""A vendor's limits are kept by all processes together. Limiters of one key stand for processes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import InterfaceError, OperationalError, connections

from adapters.contract import RateLimited, pacing
from adapters.contract.manifest import Pace
from adapters.contract.pacing import Limiter
from connectors.deliveries import clock
from connectors.models import RequestCount
from connectors.services.vendor_limits import SharedLimits
from tests.test_throttling import REDIS, redis_is_there

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


IN_FLIGHT = Pace(in_flight=3)
#: When what is lent at NOW has run out.
LATER = datetime.fromtimestamp(NOW + pacing.PLACE_LENT_FOR + 1, UTC)


def in_flight_together(limiters, requests, *, pace=IN_FLIGHT, seconds=0.02):
    """The most requests that are in flight at once, where each limiter has so many."""
    running, most, lock = 0, 0, threading.Lock()

    def ask(limiter):
        nonlocal running, most
        with limiter.turn(pace):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(seconds)
            with lock:
                running -= 1
        connections.close_all()

    with ThreadPoolExecutor(len(limiters) * requests) as pool:
        list(pool.map(ask, [limiter for _ in range(requests) for limiter in limiters]))
    return most


def test_processes_have_no_more_in_flight_together_than_one_may():
    limiters = [Limiter("a user") for _ in range(3)]
    assert in_flight_together(limiters, 6) == 3
    assert not RequestCount.objects.exists()  # every place is left again


def test_one_process_has_all_places_while_the_others_have_nothing_to_ask():
    first, second = Limiter("a user"), Limiter("a user")
    assert [in_flight_together([limiter], 6) for limiter in (first, second)] == [3, 3]


def test_the_places_of_a_process_that_died_are_lent_again_when_they_run_out(monkeypatch):
    died, other = Limiter("a user"), Limiter("a user")
    monkeypatch.setattr(pacing, "LONGEST_WAIT", 0.2)
    with died.turn(IN_FLIGHT):
        with other.turn(IN_FLIGHT), other.turn(IN_FLIGHT), pytest.raises(RateLimited), other.turn(IN_FLIGHT):
            pytest.fail("a fourth place")
        monkeypatch.setattr(clock, "now", lambda: LATER)
        with other.turn(IN_FLIGHT), other.turn(IN_FLIGHT), other.turn(IN_FLIGHT):
            pass


def test_a_place_that_has_run_out_is_not_given_back(monkeypatch):
    slow, other, at = Limiter("a user"), Limiter("a user"), time.monotonic()
    with ExitStack() as requests:
        slow_one = requests.enter_context(ExitStack())
        slow_one.enter_context(slow.turn(Pace(in_flight=1)))
        monkeypatch.setattr(time, "monotonic", lambda: at + pacing.PLACE_LENT_FOR + 1)
        monkeypatch.setattr(clock, "now", lambda: LATER)
        requests.enter_context(other.turn(Pace(in_flight=1)))
        slow_one.close()
        assert RequestCount.objects.count() == 1
    assert not RequestCount.objects.exists()


def test_a_long_request_keeps_no_place_but_its_own(monkeypatch):
    first, second, at = Limiter("a user"), Limiter("a user"), time.monotonic()
    with first.turn(IN_FLIGHT):
        with first.turn(IN_FLIGHT):
            monkeypatch.setattr(time, "monotonic", lambda: at + 2)
        assert RequestCount.objects.count() == 1
        with second.turn(IN_FLIGHT), second.turn(IN_FLIGHT):
            pass
    assert not RequestCount.objects.exists()


def test_a_process_that_is_never_idle_leaves_places_to_others(monkeypatch):
    monkeypatch.setattr(pacing, "_LEAVES_ALL_IN", 0.3)
    busy, other, ended = Limiter("a user"), Limiter("a user"), threading.Event()

    def go_on(_):
        while not ended.is_set():
            with busy.turn(IN_FLIGHT):
                time.sleep(0.01)
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(go_on, number) for number in range(6)]
        try:
            for _ in range(3):
                with other.turn(IN_FLIGHT):
                    time.sleep(0.01)
        finally:
            ended.set()
        for run in running:
            run.result()
    assert not RequestCount.objects.exists()


def test_nobody_is_counted_whom_an_error_kept_out(monkeypatch):
    def refuse(*args, **named):
        raise ZeroDivisionError

    limiter = Limiter("a user")
    with monkeypatch.context() as broken:
        broken.setattr(SharedLimits, "lend", refuse)
        with pytest.raises(ZeroDivisionError), limiter.turn(IN_FLIGHT):
            pytest.fail("no place was lent")
    assert limiter.is_idle
    with limiter.turn(IN_FLIGHT), limiter.turn(IN_FLIGHT), limiter.turn(IN_FLIGHT):
        pass


def test_a_process_without_a_store_takes_no_place_of_another(monkeypatch):
    def refuse(*args, **named):
        raise InterfaceError

    first, second = Limiter("a user"), Limiter("a user")
    with first.turn(IN_FLIGHT):
        with monkeypatch.context() as broken:
            broken.setattr("connectors.services.vendor_places.lend", refuse)
            with second.turn(IN_FLIGHT):
                pass
        assert RequestCount.objects.count() == 1


def test_without_a_store_each_process_keeps_to_its_own_requests_in_flight(monkeypatch):
    def refuse(*args, **named):
        raise OperationalError

    monkeypatch.setattr("connectors.services.vendor_places.lend", refuse)
    monkeypatch.setattr("connectors.services.vendor_places.give_back", refuse)
    assert in_flight_together([Limiter("a user")], 6) == 3


@pytest.mark.services
@pytest.mark.enable_socket
@pytest.mark.skipif(not redis_is_there(), reason=f"no Redis at {REDIS}")
def test_places_are_shared_through_redis_where_it_is_there(settings):
    settings.REDIS_URL = REDIS
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS}}
    name = f"a user {uuid4()}"
    assert in_flight_together([Limiter(name) for _ in range(3)], 6) == 3
    assert not RequestCount.objects.exists()
    with Limiter(name).turn(IN_FLIGHT):
        assert in_flight_together([Limiter(name)], 6) == 2
    assert in_flight_together([Limiter(name)], 6) == 3
