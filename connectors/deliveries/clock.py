"""The time by which leases and pauses are kept: the database's, which all machines share.

``now`` is the only place where it is read. A machine whose own clock is wrong, or that was suspended, then agrees with
the others about whose turn it is.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

_MEASURED_EVERY = 60.0  # seconds
_guard = threading.Lock()
_offset: timedelta | None = None
_measured_at = 0.0


def now() -> datetime:
    """The database's time. SQLite has none: its processes share one machine, and that machine's clock.

    For PostgreSQL the distance to this machine's running time is measured once a minute, so that most calls cost no
    statement. The running time counts while the machine is suspended, and does not follow changes of its clock.
    """
    global _offset, _measured_at
    if connection.vendor != "postgresql":
        return timezone.now()
    running = _running_seconds()
    with _guard:
        if _offset is None or running - _measured_at >= _MEASURED_EVERY:
            _offset, _measured_at = _database_time() - _since_start(running), running
        return _since_start(running) + _offset


def _running_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _since_start(running: float) -> datetime:
    return datetime.fromtimestamp(running, UTC)


def _database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
