"""Counts requests per caller in windows of time, over all processes.

In Redis where there is one, else in the database.

Each process counts by itself and adds what it counted to the shared count a batch at a time: a request seldom pays for
the count. What a limit may be exceeded by is one batch per process; a small limit has a batch of one and is exact.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection

from audit.durability import unflushed
from connectors.models import RequestCount
from connectors.observation import metrics

log = logging.getLogger("switchboard.throttle")

_BATCHES_PER_LIMIT = 40


@dataclass
class _Window:
    """What this process knows of one scope's present window: per key the shared count, and hits not yet shared."""

    number: int = -1
    shared: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)


_windows: dict[str, _Window] = {}
_lock = threading.Lock()


def seconds_to_wait(scope: str, caller: str, *, now: float | None = None) -> float | None:
    """Counts one request of ``caller``; None while it is within the scope's limit, else the rest of the window.

    The limit is ``settings.THROTTLES[scope]``: requests, seconds. When the store is out of reach the process goes by
    its own count.
    """
    limit, seconds = settings.THROTTLES[scope]
    now = time.time() if now is None else now
    number = int(now // seconds)
    key = hashlib.sha256(caller.encode()).hexdigest()[:32]  # addresses and ids are not stored
    batch = max(1, limit // _BATCHES_PER_LIMIT)
    with _lock:
        window = _windows.setdefault(scope, _Window())
        if window.number != number:
            window.number, window.shared, window.pending = number, {}, {}
        window.pending[key] = window.pending.get(key, 0) + 1
        count = window.shared.get(key, 0) + window.pending[key]
        hits = window.pending.pop(key) if window.pending[key] >= batch else 0
    if hits:
        count = max(count, add_to_count(f"throttle:{scope}:{number}:{key}", hits, ends=(number + 1) * seconds))
        with _lock:
            if window.number == number:
                window.shared[key] = max(count, window.shared.get(key, 0))
    if count <= limit:
        return None
    metrics.throttled(scope)
    return (number + 1) * seconds - now


def forget_counts() -> None:
    """Starts this process's own counts anew, for tests."""
    with _lock:
        _windows.clear()


def add_to_count(key: str, hits: int, *, ends: float) -> int:
    """Adds to the shared count and returns it; 0 when the store is out of reach."""
    try:
        if settings.REDIS_URL:
            cache.add(key, 0, timeout=ends - time.time() + 60)
            return int(cache.incr(key, hits))
        return _share_in_database(key, hits, ends)
    except store_errors() as error:  # a limit that cannot be counted must not stop the service
        log.warning("requests not counted", extra={"error": type(error).__name__})
        return 0


def store_errors() -> tuple[type[Exception], ...]:
    """What a store that is out of reach raises."""
    if not settings.REDIS_URL:
        return (Error,)
    from redis.exceptions import RedisError  # a tenth of the start, and some megabytes, where there is no Redis

    return (RedisError, Error)


def _share_in_database(key: str, hits: int, ends: float) -> int:
    stored = connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(ends, UTC))
    with unflushed(is_single=True), connection.cursor() as cursor:
        cursor.execute(_addition(), [key, hits, stored])
        return int(cursor.fetchone()[0])


@functools.cache
def _addition() -> str:
    table = connection.ops.quote_name(RequestCount._meta.db_table)
    return (
        f"INSERT INTO {table} (key, hits, ends_at) VALUES (%s, %s, %s) "  # noqa: S608  # nosec - no values
        f"ON CONFLICT (key) DO UPDATE SET hits = {table}.hits + EXCLUDED.hits RETURNING hits"
    )
