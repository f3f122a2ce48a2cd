"""Places for requests in flight at a vendor that allows so many at once; each is lent to one process at a time.

In Redis where there is one, else in the database.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from adapters.contract.pacing import PLACE_LENT_FOR
from audit.durability import unflushed
from audit.prepared import PreparedDeletion
from connectors.models import RequestCount


def lend(names: Sequence[str], wanted: int, *, at: datetime) -> list[str]:
    """Lends free ones of these places, at most so many, for ``PLACE_LENT_FOR``. ``at``: the database's time."""
    if settings.REDIS_URL:
        return _lend_in_redis(names, wanted)
    stored = connection.ops.adapt_datetimefield_value
    now, until = stored(at), stored(at + timedelta(seconds=PLACE_LENT_FOR))
    with unflushed(is_single=True), connection.cursor() as cursor:
        cursor.execute(_lending(connection.vendor, len(names)), [until, *names, now, wanted, now])
        return [name for (name,) in cursor.fetchall()]


def give_back(names: Sequence[str]) -> None:
    """Others may have these places now."""
    if settings.REDIS_URL:
        cache.delete_many(names)
        return
    with unflushed(is_single=True):
        _giving_back(*names)


_giving_back = PreparedDeletion(lambda *names: RequestCount.objects.filter(pk__in=names))


def _lend_in_redis(names: Sequence[str], wanted: int) -> list[str]:
    taken = cache.get_many(names)
    lent: list[str] = []
    for name in names:
        if len(lent) < wanted and name not in taken and cache.add(name, 1, timeout=PLACE_LENT_FOR):
            lent.append(name)
    return lent


@functools.cache
def _lending(vendor: str, number: int) -> str:
    """Both databases call the column of a list of values ``column1``."""
    table = connection.ops.quote_name(RequestCount._meta.db_table)
    names = ", ".join(["(%s)"] * number)
    until = "CAST(%s AS timestamptz)" if vendor == "postgresql" else "%s"
    free = f"NOT EXISTS (SELECT 1 FROM {table} WHERE key = column1 AND ends_at >= %s)"  # noqa: S608  # nosec - no values
    return (
        f"INSERT INTO {table} (key, hits, ends_at) "  # noqa: S608  # nosec - no values
        f"SELECT column1, 0, {until} FROM (VALUES {names}) AS places WHERE {free} LIMIT %s "
        f"ON CONFLICT (key) DO UPDATE SET ends_at = EXCLUDED.ends_at WHERE {table}.ends_at < %s RETURNING key"
    )
