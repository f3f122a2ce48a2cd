"""Shares of this process's threads: what waits for one CRM, or for one user, leaves threads for everybody else."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from adapters.contract import RateLimited
from audit.middleware import current_request_id

_CRMS_KEPT = 1000

_changed = threading.Condition()
_held: Counter[str] = Counter()
_moved_at: dict[str, float] = {}


class CrmBusy(RateLimited):
    """Too many requests wait for this CRM at the moment.

    It was not asked. A log is kept and sent later; a look-up may be tried again.
    """

    def __init__(self) -> None:
        super().__init__(retry_after=5.0, status=0)
        self.advice = "It answers slowly, or not at all. Please try again in a moment."


@contextmanager
def share_of_threads(*, crm: str, user: str) -> Iterator[None]:
    """Holds a place for work at a CRM; only for requests, whose threads everybody shares.

    Five eighths of the threads may be at work for one CRM, half of them for one user, seven eighths for all CRMs
    together. Beyond that a request stands in line while the CRM goes on answering. Raises ``CrmBusy`` at once where it
    does not: in ``WEB_QUEUE_SECONDS`` no work for it ended or began.
    """
    if not current_request_id():
        yield
        return
    most = _most(crm, user)
    with _changed:
        begun = time.monotonic()
        while any(_held[name] >= limit for name, limit in most.items()):
            moved = _moved_at.get(crm, 0.0) if _held[f"crm {crm}"] else begun
            remaining = moved + settings.WEB_QUEUE_SECONDS - time.monotonic()
            if remaining <= 0:
                raise CrmBusy
            _changed.wait(remaining)
        _held.update(most.keys())
        _note_move(crm)
    try:
        yield
    finally:
        with _changed:
            for name in most:
                _held[name] -= 1
                if not _held[name]:
                    del _held[name]
            _note_move(crm)
            _changed.notify_all()


def _note_move(crm: str) -> None:
    if len(_moved_at) >= _CRMS_KEPT:
        _moved_at.clear()
    _moved_at[crm] = time.monotonic()


def _most(crm: str, user: str) -> dict[str, int]:
    threads = settings.WEB_THREADS
    return {
        "all": max(1, threads * 7 // 8),
        f"crm {crm}": max(1, threads * 5 // 8),
        f"user {user}": max(1, threads // 2),
    }
