"""Which commits have to be on disk before the next thing happens: all of them, but for those that say otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction


@contextmanager
def unflushed(*, is_single: bool = False) -> Iterator[None]:
    """One transaction whose commit does not wait for the disk: after a power cut, and only then, it may be missing.

    For what nobody was told is saved: traces of reads, caches, counters. Everything else is flushed by the commit, and
    takes what was committed here before along. Within a transaction it has no effect: that one's end decides.

    ``is_single``: there is one statement in it. PostgreSQL, which flushes the commits of many connections together,
    flushes that: to tell it otherwise would take further statements.
    """
    if connection.in_atomic_block or (is_single and connection.vendor == "postgresql"):
        yield
    elif connection.vendor == "sqlite":  # where the setting cannot be changed within a transaction
        connection.ensure_connection()
        handle = connection.connection
        with connection.wrap_database_errors:
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


def keep_trying(store: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Stores what exists nowhere else by now, such as renewed tokens: a database that restarts meanwhile is waited for.

    ``store`` is called again, on a new connection, after an ``OperationalError`` or ``InterfaceError``; the last of
    these is raised after ``seconds``, and the first one at once within a transaction.
    """
    give_up = time.monotonic() + seconds
    while True:
        try:
            store()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > give_up:
                raise
            connection.close()
            time.sleep(0.2)
        else:
            return
