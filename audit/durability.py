"""Which commits have to be on disk before the next thing happens: all of them, but for those that say otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def unflushed() -> Iterator[None]:
    """One transaction whose commit does not wait for the disk: after a power cut, and only then, it may be missing.

    For what nobody was told is saved: traces of reads, caches, counters. Everything else is flushed by the commit, and
    takes what was committed here before along. Within a transaction it has no effect: that one's end decides.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":  # where the setting cannot be changed within a transaction
        connection.ensure_connection()
        handle = connection.connection
        handle.execute("PRAGMA synchronous = NORMAL")
        try:
            with transaction.atomic():
                yield
        finally:
            if connection.connection is handle:  # a lost connection was closed
                handle.execute("PRAGMA synchronous = FULL")
    else:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL synchronous_commit TO OFF")
            yield
