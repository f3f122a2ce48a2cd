"""The worker: takes what is due, sends it, and clears up once a minute. A fault ends one round only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from audit.middleware import on_behalf_of
from audit.models import MessageLog
from audit.sealing import seal_when_due
from connectors.deliveries import circuit, clock, logins
from connectors.deliveries.models import Delivery
from connectors.deliveries.outcome import Outcome
from connectors.deliveries.queue import State
from connectors.deliveries.sending import attempt
from connectors.deliveries.session_lock import SessionLock
from connectors.models import RequestCount
from connectors.observation import heartbeat

log = logging.getLogger("switchboard.deliveries")

_POLL = 0.5  # seconds
_SWEEP = 60.0  # seconds
#: Of a worker in a web process, whose requests come first.
_THREADS_BESIDE = 4
_MOST_SKEW = 3.0  # seconds
_LOCKS_KEPT = timedelta(hours=1)


def take_due(*, limit: int) -> list[Delivery]:
    """Takes deliveries whose time has come; the caller passes each to ``deliver``."""
    down, to_probe = circuit.down()
    return Delivery.objects.take_due(limit=limit, not_to=down, one_to=to_probe)


def deliver(delivery: Delivery) -> Outcome:
    """One attempt of a worker. Its lines and events have the id of the request that brought the change."""
    started = time.monotonic()
    with on_behalf_of(delivery.request_id, delivery=str(delivery.pk)):
        outcome = attempt(delivery, actor="worker")
        line = {
            "kind": delivery.kind,
            "platform": delivery.platform,
            "attempts": delivery.attempts,
            "error": type(outcome.error).__name__ if outcome.error else "",
            "milliseconds": round((time.monotonic() - started) * 1000),
        }
        log.info("delivery waits" if outcome.waits else "delivery done", extra=line)
    return outcome


def clear_up() -> None:
    """What a worker does from time to time besides sending."""
    logins.retry_logins()
    logins.retry_unreadable()
    forget_given_up()
    SessionLock.objects.filter(taken_at__lt=clock.now() - _LOCKS_KEPT).delete()
    RequestCount.objects.filter(ends_at__lt=clock.now()).delete()
    seal_when_due()
    _check_clock()


def forget_given_up() -> int:
    """Removes what was given up DELIVERY_KEEP_DAYS ago; returns how many."""
    since = clock.now() - timedelta(days=settings.DELIVERY_KEEP_DAYS)
    ids = list(Delivery.objects.filter(state=State.GIVEN_UP, next_attempt_at__lt=since).values_list("pk", flat=True))
    MessageLog.objects.filter(delivery_id__in=ids).delete()
    return Delivery.objects.filter(pk__in=ids, state=State.GIVEN_UP).delete()[0]


def _check_clock() -> None:
    """Leases follow the database's time, but tokens expire by this machine's."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        seconds = (timezone.now() - cursor.fetchone()[0]).total_seconds()
    if abs(seconds) > _MOST_SKEW:
        log.error("this machine's clock is %d seconds from the database's: set it", round(seconds))


def deliver_beside() -> Callable[[], None]:
    """Starts a worker in this process; what to call when it ends: it waits for what is being sent."""
    stop = threading.Event()
    worker = Worker(threads=_THREADS_BESIDE)
    thread = threading.Thread(target=worker.watch, args=(stop,), name="deliveries")
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end


class Worker:
    """Sends what is due with a number of threads; ``sent`` and ``waiting`` count the outcomes."""

    def __init__(self, *, threads: int) -> None:
        self.sent = self.waiting = 0
        self._threads = threads
        self._busy = 0
        self._changed = threading.Condition()

    def run_once(self, progress: Callable[[], None] = lambda: None) -> None:
        """Sends what is due now."""
        clear_up()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="deliver") as pool:
            while taken := take_due(limit=self._threads):
                list(pool.map(self._deliver, taken))
                progress()

    def watch(self, stop: threading.Event) -> None:
        """Sends what comes due until ``stop``; then ends after what is being sent."""
        swept = signed = float("-inf")
        with ThreadPoolExecutor(self._threads, thread_name_prefix="deliver") as pool:
            while not stop.is_set():
                taken: list[Delivery] = []
                try:
                    if time.monotonic() - signed > heartbeat.EVERY:
                        signed = time.monotonic()
                        heartbeat.leave_sign()
                    if time.monotonic() - swept > _SWEEP:
                        swept = time.monotonic()
                        clear_up()
                    places = self._free_places()
                    taken = take_due(limit=places) if places else []
                    for delivery in taken:
                        self._start(pool, delivery)
                except Exception:
                    log.exception("a round of the worker failed")
                    connections.close_all()  # a broken connection stays broken
                if not taken:
                    self._rest(stop)

    def _free_places(self) -> int:
        with self._changed:
            return self._threads - self._busy

    def _rest(self, stop: threading.Event) -> None:
        """Until something that is being sent ends; else for a moment, until something may be due."""
        with self._changed:
            if self._busy:  # what ends may have held up others
                self._changed.wait(_POLL)
                return
        stop.wait(_POLL)

    def _start(self, pool: ThreadPoolExecutor, delivery: Delivery) -> None:
        with self._changed:
            self._busy += 1
        pool.submit(self._deliver, delivery).add_done_callback(self._leave)

    def _leave(self, _: object) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify()

    def _deliver(self, delivery: Delivery) -> None:
        outcome = Outcome(waits=True)
        try:
            outcome = deliver(delivery)
        except Exception:  # the database, most likely: the delivery is free again when its lease has run out
            log.exception("delivery broke off", extra={"kind": delivery.kind, "platform": delivery.platform})
        finally:
            connections.close_all()
        with self._changed:
            self.waiting += outcome.waits
            self.sent += not outcome.waits
