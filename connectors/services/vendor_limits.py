"""What processes tell each other of a vendor's limits: requests started and in flight, and pauses the vendor wants.

In Redis where there is one, else in the database. Windows and pauses go by the database's time: a machine whose clock
is minutes fast would keep the others from a CRM for as long.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError

from adapters.contract.manifest import Pace
from audit.durability import unflushed
from connectors.deliveries import clock
from connectors.models import RequestCount
from connectors.services import vendor_places
from connectors.services.request_counts import add_to_count, store_errors

log = logging.getLogger("switchboard.throttle")


class SharedLimits:
    """``pacing.Share`` over all processes. While the store is out of reach each process knows of itself only."""

    def granted(self, key: str, wanted: int, pace: Pace, /) -> tuple[int, float]:
        """As ``pacing.Share`` says."""
        try:
            now = clock.now().timestamp()
        except DatabaseError:
            return wanted, 0.0
        number = int(now // pace.seconds)
        count = add_to_count(f"pace:{number}:{_short(key)}", wanted, ends=(number + 1) * pace.seconds)
        return max(0, min(wanted, pace.starts - count + wanted)) if count else wanted, _seconds_closed(key, now)

    def lend(self, key: str, wanted: int, pace: Pace, /) -> list[str]:
        """As ``pacing.Share`` says."""
        places = [f"place:{number}:{_short(key)}" for number in range(pace.in_flight)]
        try:
            return vendor_places.lend(places, wanted, at=clock.now())
        except store_errors() as error:
            log.warning("requests in flight are not shared", extra={"error": type(error).__name__})
            return [f"alone:{number}:{_short(key)}" for number in range(wanted)]  # no row: others may have the places

    def give_back(self, places: Sequence[str], /) -> None:
        """As ``pacing.Share`` says."""
        try:
            vendor_places.give_back(places)
        except store_errors() as error:
            log.warning("places are not given back", extra={"error": type(error).__name__})

    def close(self, key: str, seconds: float, /) -> None:
        """As ``pacing.Share`` says."""
        name = f"closed:{_short(key)}"
        try:
            until = clock.now().timestamp() + seconds
            if settings.REDIS_URL:
                cache.set(name, until, timeout=seconds)
                return
            with unflushed():
                RequestCount.objects.bulk_create(
                    [RequestCount(key=name, ends_at=datetime.fromtimestamp(until, UTC))],
                    update_conflicts=True,
                    unique_fields=["key"],
                    update_fields=["ends_at"],
                )
        except store_errors() as error:
            log.warning("a pause is not told to other processes", extra={"error": type(error).__name__})


def _seconds_closed(key: str, now: float) -> float:
    name = f"closed:{_short(key)}"
    try:
        if settings.REDIS_URL:
            until = float(cache.get(name, 0))
        else:
            row = RequestCount.objects.filter(pk=name).values_list("ends_at", flat=True).first()
            until = row.timestamp() if row else 0.0
    except store_errors():
        return 0.0
    return max(0.0, until - now)


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
