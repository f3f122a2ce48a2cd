"""Keeps a change: from its commit on it is accepted, whatever happens to the request that brought it."""

from __future__ import annotations

import functools
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet

from audit.middleware import current_request_id
from audit.models import CallLog, ConversationLog
from audit.prepared import PreparedUpdate, insert
from connectors.deliveries import clock
from connectors.deliveries.changes import stored
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from connectors.models import CrmUser
from connectors.services.leases import lease_of, settling_time

#: The process that accepted a change carries it out itself; a worker does only when it died before it began.
_OWN_PROCESS_FIRST = timedelta(seconds=30)


def accept(
    *,
    kind: Kind,
    user: CrmUser,
    change: Any,
    record: CallLog | ConversationLog | None = None,
    position: int | None = None,
    leased: bool = False,
    begun: bool = True,
    shows_by: datetime | None = None,
) -> Delivery:
    """Keeps a change, in the caller's transaction.

    ``position``: for a record made in this transaction; else the next one, in the order of commits, since counting up
    locks the record's row until the transaction ends. ``leased``: the caller carries the change out at once; unless it
    has still to ``begin`` (not ``begun``), the CRM may have it from now on. ``shows_by``: an earlier attempt of
    somebody's may have reached the CRM; from this moment on "not found" means that it has not.
    """
    now = clock.now()
    delivery = Delivery(
        kind=kind,
        user=user,
        platform=user.platform,
        crm=user.crm,
        call_log=record if isinstance(record, CallLog) else None,
        conversation=record if isinstance(record, ConversationLog) else None,
        position=position or (next_position(record) if record else 0),
        payload=stored(user.platform, change),
        request_id=current_request_id()[:64],
        accepted_at=now,
        next_attempt_at=now + _OWN_PROCESS_FIRST,
        hold_until=now,
    )
    if leased:
        delivery.lease, delivery.lease_until, delivery.attempts = uuid.uuid4(), now + lease_of(user.platform), 1
    if shows_by is not None:
        delivery.settles_at = shows_by
    elif leased and begun:
        delivery.settles_at, delivery.has_begun = now + lease_of(user.platform) + settling_time(user.platform), True
    insert(delivery)
    return delivery


def next_position(record: CallLog | ConversationLog) -> int:
    """The place behind everything accepted for a record; locks its row until the transaction ends."""
    rows = _counted_up(record)
    return int(rows.values_list("last_position", flat=True).get())


def lock(record: ConversationLog) -> int:
    """``next_position``, and the row as it stands from then on: others may have changed it since it was read."""
    _counted_up(record)
    record.refresh_from_db()
    return record.last_position


def _counted_up(record: CallLog | ConversationLog) -> QuerySet[Any]:
    _count_up(type(record))(record.pk)
    return type(record)._default_manager.filter(pk=record.pk)


@functools.cache
def _count_up(model: type[CallLog | ConversationLog]) -> PreparedUpdate:
    further = {"last_position": F("last_position") + 1}
    return PreparedUpdate(lambda pk: (model._default_manager.filter(pk=pk), further))
