"""Looks again for a record that was written twice after all, and tells support."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from adapters.contract import CrmAdapter, Id, LogMarker
from audit.models import CallLog
from audit.recorder import record as record_event
from connectors.deliveries import clock
from connectors.deliveries.accepting import accept
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from connectors.services.crm_access import with_adapter
from connectors.services.leases import settling_time

log = logging.getLogger("switchboard.deliveries")
_WHY = "It is in the CRM; an earlier attempt may have written it too, which is looked for once more."


def accept_look(delivery: Delivery) -> None:
    """Where a record was written again because it was not found: an attempt that lands very late would double it."""
    if delivery.rewrites is None:
        return
    look = accept(kind=Kind.LOOK_AGAIN, user=delivery.user, change=delivery.rewrites, record=delivery.record)
    look.next_attempt_at, look.reason = clock.now() + settling_time(delivery.platform), _WHY
    look.save(update_fields=["next_attempt_at", "reason"])


def look_again(delivery: Delivery, marker: LogMarker, **_: Any) -> None:
    """Searches for a record of the same call or day beside the one that is known; one that is there is reported."""
    record = delivery.record
    assert record is not None

    def is_known(log_id: Id) -> bool:
        return str(log_id) == record.crm_log_id or record.belongs_to_another(log_id)

    def find(adapter: CrmAdapter) -> Id | None:
        sought = replace(marker, is_anothers=is_known)
        return adapter.find_call_log(sought) if isinstance(record, CallLog) else adapter.find_message_log(sought)

    found = with_adapter(delivery.user, find)
    record.refresh_from_db()  # the record may have been written since this look was taken up
    if found is None or is_known(found):
        return
    log.error("a record stands twice in a CRM", extra={"platform": delivery.platform, "subject": delivery.subject})
    record_event(
        "log.doubled",
        actor="worker",
        outcome="failure",
        platform=delivery.platform,
        owner=record.owner,
        subject=delivery.subject,
        target=str(found),
        error="Doubled",
        detail={"known": record.crm_log_id},
    )
