"""Writes audit events: the only place that does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import transaction

from audit.durability import unflushed
from audit.middleware import current_request_id
from audit.models import AuditEvent
from audit.prepared import insert

#: Actions that only read: their events need not be on disk before the answer is given.
_TRACES = frozenset({"contact.find", "contact.search", "call_log.read"})


@dataclass(kw_only=True)
class Recording:
    """What the caller fills in while the event is going on."""

    target: str = ""
    crm_calls: int = 0
    #: Set for a failure that is not raised.
    error: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    #: Called in the transaction that writes the event, and before it: what is stored beside it costs no commit of its
    #: own, and may still fill in the event.
    along: Callable[[], object] | None = None


class Listener(Protocol):
    """Told of every event, as it is written."""

    def __call__(self, *, action: str, platform: str, outcome: str) -> None: ...


_listeners: list[Listener] = []


def tell(listener: Listener) -> None:
    """From now on; the trail itself imports nothing of those who want to know."""
    _listeners.append(listener)


def record(
    action: str,
    *,
    actor: str,
    outcome: str = "success",
    platform: str = "",
    owner: str = "",
    subject: str = "",
    target: str = "",
    error: str = "",
    milliseconds: int = 0,
    crm_calls: int = 0,
    detail: dict[str, Any] | None = None,
) -> None:
    """Writes one event. ``detail``: counts, reasons and flags only."""
    for listener in _listeners:
        listener(action=action, platform=platform, outcome=outcome)
    event = AuditEvent(
        request_id=current_request_id(),
        actor=actor[:255],
        action=action,
        platform=platform,
        owner=owner,
        outcome=outcome,
        error=error[:64],
        subject=subject[:255],
        target=target[:255],
        milliseconds=milliseconds,
        crm_calls=crm_calls,
        detail=detail or {},
    )
    insert(event)


@contextmanager
def audited(action: str, *, actor: str, platform: str = "", owner: str = "", subject: str = "") -> Iterator[Recording]:
    """Records the block as one event, whether it succeeds or raises."""
    recording = Recording()
    started = time.monotonic()
    try:
        yield recording
    except BaseException as error:
        recording.error = recording.error or type(error).__name__
        raise
    finally:
        along = recording.along
        with unflushed() if action in _TRACES else transaction.atomic() if along else nullcontext():
            if along:
                along()
            record(
                action,
                actor=actor,
                outcome="failure" if recording.error else "success",
                platform=platform,
                owner=owner,
                subject=subject,
                target=recording.target,
                error=recording.error,
                milliseconds=round((time.monotonic() - started) * 1000),
                crm_calls=recording.crm_calls,
                detail=recording.detail,
            )
