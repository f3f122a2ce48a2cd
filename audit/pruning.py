"""Removes audit events whose time of retention is over: whole sealed batches, of which the seals stay."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditEvent
from audit.recorder import record
from audit.seal_keys import pruning_text, sealed
from audit.seals import AuditPruning, AuditSeal

_AT_ONCE = 5000  # ids


def prune(*, dry_run: bool = False, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Removes, or only counts, events older than AUDIT_RETENTION_DAYS; returns how many. May be stopped and run again.

    A mark that says up to where, authenticated as seals are, is committed first: triggers let pass what it names, and
    ``verify_audit`` finds a mark that somebody else made. ``progress``: ids done and in all.
    """
    last_id = _last_to_go()
    if not last_id:
        return 0
    gone = AuditEvent.objects.filter(pk__lte=last_id)
    if dry_run:
        return gone.count()
    _mark(last_id)
    first, removed = gone.order_by("pk").values_list("pk", flat=True).first(), 0
    if first is None:
        return 0
    for lower in range(first, last_id + 1, _AT_ONCE):
        upper = min(lower + _AT_ONCE - 1, last_id)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit_auditevent WHERE id BETWEEN %s AND %s", [lower, upper])
            removed += cursor.rowcount
        progress(upper - first + 1, last_id - first + 1)
    record("audit.prune", actor="operator", subject=str(last_id), detail={"removed": removed})
    return removed


def _last_to_go() -> int:
    """The last event of the newest batch all of which is old enough, and all before it; 0: there is none."""
    oldest = timezone.now() - settings.AUDIT_RETENTION
    first_to_stay = AuditSeal.objects.filter(until__gte=oldest).order_by("last_id").first()
    old = AuditSeal.objects.filter(until__lt=oldest)
    if first_to_stay is not None:
        old = old.filter(last_id__lt=first_to_stay.last_id)
    return old.order_by("-last_id").values_list("last_id", flat=True).first() or 0


def _mark(last_id: int) -> None:
    if AuditPruning.objects.filter(last_id__gte=last_id).exists():
        return
    now = timezone.now()
    AuditPruning.objects.create(last_id=last_id, pruned_at=now, **sealed(pruning_text(last_id, now)))
