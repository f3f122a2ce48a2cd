"""Seals audit events in batches, off the request path.

A seal says which events a range of ids holds, with a hash of each, chained to the seal before and authenticated with a
key that the database does not know: whoever changes, removes or slips in an event by SQL is found by ``verify_audit``.
Every seal is written to the log as well: a database from which the last seals were cut off is found by that line.

A range may be sealed only when no event with an id in it can still be added. Ids are given out before the transaction
that uses them ends, so on PostgreSQL event 7 may be there a minute before event 6. Neither the age of events nor
``pg_snapshot_xmin`` excludes that by itself, since a transaction takes its event's id a moment before it counts as
running in a snapshot. A ``SHARE`` lock on the table does: it is granted only when no transaction that has inserted
events is open, and while it is held none can begin to; each takes the table's lock before its event's id. So whatever
id is given out later is higher than all that are there. The lock is held for one look at the highest id; inserts wait
behind it for ``_PATIENCE`` at most, and where it is not granted in that time the batch is sealed another time. On
SQLite one transaction writes at a time, which says the same.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from audit import traffic
from audit.models import AuditEvent
from audit.seal_keys import COLUMNS, chain_of, digest_of, packed, sealed
from audit.seals import AuditSeal

log = logging.getLogger("switchboard.audit")

#: Events under one seal.
BATCH = 5000
#: A worker seals when so many events are unsealed, or the oldest of them is so old.
WORTH_A_SEAL = 1000
SEALED_WITHIN = timedelta(minutes=5)
_AT_ONCE = 5  # batches that a worker seals before it sends again
_PATIENCE = "100ms"
_TRIES = 20
_LOCK_NOT_AVAILABLE = "55P03"


class NotClosed(Exception):
    """Transactions that add events went on without a pause: nothing was sealed, and it can be tried again."""


def seal_when_due() -> int:
    """What a worker does now and then: seals if it is worth a seal; returns how many events."""
    last = AuditSeal.objects.order_by("-last_id").values_list("last_id", flat=True).first() or 0
    unsealed = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    oldest = unsealed.values_list("occurred_at", flat=True).first()
    if oldest is None:
        return 0
    is_due = timezone.now() - oldest >= SEALED_WITHIN or unsealed[WORTH_A_SEAL - 1 : WORTH_A_SEAL].exists()
    try:
        return seal_all(batches=_AT_ONCE) if is_due else 0
    except NotClosed:
        return 0


def seal_all(progress: Callable[[int, int], None] = lambda done, total: None, *, batches: int = sys.maxsize) -> int:
    """Seals everything there is, in so many batches at most; returns how many events.

    ``progress``: ids done and in all. Raises ``NotClosed``.
    """
    highest, closed_at = _closed()
    last = AuditSeal.objects.aggregate(last=Max("last_id"))["last"] or 0
    first, number = last, 0
    while last < highest and batches > 0:
        seal = _seal(last, highest, closed_at)
        if seal is None:  # another process has sealed these
            break
        last, batches = seal.last_id, batches - 1
        number += seal.events
        progress(last - first, highest - first)
    return number


def _closed() -> tuple[int, datetime]:
    """The highest id below which, and the moment since which no event can be added. Raises ``NotClosed``."""
    for _ in range(_TRIES):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
                    cursor.execute(f"LOCK TABLE {AuditEvent._meta.db_table} IN SHARE MODE")
                highest = AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
                return highest, timezone.now()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
        time.sleep(0.05)
    raise NotClosed


def _seal(after: int, highest: int, closed_at: datetime) -> AuditSeal | None:
    """Seals the next batch; None when somebody else did."""
    events = AuditEvent.objects.filter(pk__gt=after, pk__lte=highest).order_by("pk")
    rows = list(events.values_list(*COLUMNS)[:BATCH])
    if not rows:
        return None
    first_id, last_id = after + 1, rows[-1][0]
    digests = b"".join(packed(first_id, row[0], digest_of(row)) for row in rows)
    until = max(row[1] for row in rows)
    before = AuditSeal.objects.order_by("-last_id").first()
    if (before.last_id if before else 0) != after:
        return None
    chain = chain_of(before.chain if before else "", first_id, last_id, until, closed_at, digests)
    try:
        with transaction.atomic():
            seal = AuditSeal.objects.create(
                first_id=first_id,
                last_id=last_id,
                events=len(rows),
                until=until,
                closed_at=closed_at,
                digests=digests,
                chain=chain,
                **sealed(chain),
            )
            traffic.add(_counted(rows))
    except IntegrityError:
        if AuditSeal.objects.filter(first_id=first_id).exists():
            return None
        raise
    log.info(
        "audit trail sealed",
        extra={"seal": seal.pk, "first_event": first_id, "last_event": last_id, "events": seal.events, "mac": seal.mac},
    )
    return seal


def _counted(rows: list[tuple[Any, ...]]) -> dict[traffic.Key, traffic.Count]:
    counts: dict[traffic.Key, traffic.Count] = {}
    for row in rows:
        event = dict(zip(COLUMNS, row, strict=True))
        if event["platform"] and event["action"] in traffic.ACTIONS:
            key = (traffic.hour_of(event["occurred_at"]), event["platform"], event["action"])
            counts.setdefault(key, traffic.Count()).add(
                outcome=event["outcome"], milliseconds=event["milliseconds"], crm_calls=event["crm_calls"]
            )
    return counts
