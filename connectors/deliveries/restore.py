"""After the database was restored from a back-up: nothing that went out since is sent a second time."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from audit.models import CallLog, ConversationLog
from audit.states import LogState
from connectors.deliveries import clock
from connectors.deliveries.models import Delivery, Restoration
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from connectors.services.leases import lease_of, settling_time


@dataclass(frozen=True, kw_only=True)
class Restored:
    """How many changes are looked for before they are sent, and how many wait for support."""

    in_doubt: int
    for_support: int


def after_restore() -> Restored:
    """Calls, texts and edits that wait may have reached their CRMs after the back-up was made.

    New calls and texts are looked for before they are sent: "not found" counts when all that was sent until now must
    show in the CRM. An edit would undo what was written over it since, so it waits for support. Calls and texts that
    took place before now, and have no row, are looked for when they come.
    """
    now = clock.now()
    with transaction.atomic():
        Restoration.objects.create(restored_at=now)
        Restoration.read_anew()
        waiting = Delivery.objects.filter(state__in=(State.WAITING, State.LOGIN, State.GIVEN_UP, State.PERSON))
        waiting.update(lease=None, lease_until=None)
        writes = waiting.filter(kind__in=(Kind.CREATE, Kind.TEXTS))
        in_doubt = 0
        for platform in set(writes.values_list("platform", flat=True)):
            shows_by = now + lease_of(platform) + settling_time(platform)
            in_doubt += writes.filter(platform=platform).update(settles_at=shows_by)
        for model in (CallLog, ConversationLog):
            rows = model._default_manager.filter(deliveries__in=writes).exclude(state=LogState.LOGGED)
            rows.update(state=LogState.UNCERTAIN)
        edits = waiting.filter(kind__in=(Kind.EDIT, Kind.DISPOSITION))
        for_support = edits.update(
            state=State.PERSON,
            last_error="restored",
            reason="May have been sent before the database was restored: look at the record, then send or give up.",
        )
        waiting.filter(kind=Kind.REVOKE).delete()
    return Restored(in_doubt=in_doubt, for_support=for_support)
