"""The worker's side of deliveries: what is due, what is too old, and a loop that outlives its faults."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, connections
from django.utils import timezone

from adapters.contract import ConnectorError
from audit.models import Delivery
from audit.recorder import record
from connectors.services import circuits, delivery_queue
from connectors.services.deliveries import Outcome, attempt

log = logging.getLogger("switchboard.deliveries")

_POLL = 0.5  # seconds
_SWEEP = 60.0  # seconds
_MOST_SKEW = 3.0  # seconds


def take_due(*, limit: int) -> list[Delivery]:
    """Takes deliveries whose time has come; the caller passes each to ``deliver``."""
    return delivery_queue.take_due(limit=limit, not_to=circuits.down(), one_to=circuits.to_probe())


def deliver(delivery: Delivery) -> Outcome:
    """One attempt of a worker."""
    try:
        return attempt(delivery, actor="worker")
    except ConnectorError as error:  # a revocation the CRM refused: there is nothing more to do
        return Outcome(error=error)


def clear_up() -> None:
    """What a worker does from time to time besides sending."""
    give_up_old()
    delivery_queue.retry_logins()
    _check_clock()


def _check_clock() -> None:
    """Leases end by the clock of each machine: one that is fast takes over what another is still writing."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        seconds = (timezone.now() - cursor.fetchone()[0]).total_seconds()
    if abs(seconds) > _MOST_SKEW:
        log.error("this machine's clock is %d seconds from the database's: set it, or logs may double", round(seconds))


def give_up_old() -> int:
    """Forgets what could not be delivered within DELIVERY_MAX_AGE_HOURS; the rows say so. Returns how many."""
    count = 0
    for delivery in delivery_queue.too_old():
        if not delivery_queue.drop(delivery, error="expired"):
            continue
        record(
            delivery.kind,
            actor="worker",
            outcome="failure",
            platform=delivery.platform,
            owner=delivery.user.owner,
            subject=delivery.subject,
            error="expired",
            detail={"attempts": delivery.attempts, "waited_for": delivery.waits_for, "last": delivery.last_error},
        )
        count += 1
    return count


def watch(*, stop: Callable[[], bool], run: Callable[[Delivery], Any], free: Callable[[], int]) -> None:
    """Hands due deliveries to ``run`` while ``free`` places remain, until ``stop``; clears up once a minute.

    A fault, such as a database that is away for a while, ends one round only.
    """
    swept = float("-inf")
    while not stop():
        taken: list[Delivery] = []
        try:
            if time.monotonic() - swept > _SWEEP:
                swept = time.monotonic()
                clear_up()
            places = free()
            taken = take_due(limit=places) if places else []
            for delivery in taken:
                run(delivery)
        except Exception:
            log.exception("a round of the worker failed")
            connections.close_all()  # a broken connection stays broken
            taken = []
        if not taken:
            time.sleep(_POLL)
