"""What support decides about changes that nobody sends by themselves."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.models import CallLog, ConversationLog
from audit.states import LogState
from connectors.deliveries import clock
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Decision, Kind, Next, Told
from connectors.deliveries.queue import State

#: Error of a change whose record the CRM cannot be asked for.
_CANNOT_BE_ASKED = "UnsupportedOperation"


def send_again(deliveries: QuerySet[Delivery]) -> int:
    """Support has decided to try again. Returns how many are due now.

    A log that only a person can look for counts as looked for: it is not in the CRM.
    """
    free = Delivery.objects.filter(pk__in=deliveries.values("pk")).free()
    looked_for = free.filter(state=State.PERSON, last_error=_CANNOT_BE_ASKED)
    now = clock.now()
    with transaction.atomic():
        for model in (CallLog, ConversationLog):
            rows = model._default_manager.filter(deliveries__in=looked_for, state=LogState.UNCERTAIN, crm_log_id="")
            rows.update(state=LogState.QUEUED, updated_at=timezone.now())
        looked_for.update(settles_at=None)
        return free.update(state=State.WAITING, next_attempt_at=now, hold_until=now, odd_answers=0)


def mark_as_logged(delivery: Delivery, crm_id: str) -> bool:
    """Support has found the record in the CRM: it counts as written, under this id. False: a worker has taken it since.

    Raises ``ValueError`` with a sentence for whoever decides, where it cannot be so.
    """
    record = delivery.record
    if record is None or delivery.kind not in (Kind.CREATE, Kind.TEXTS):
        raise ValueError("Only a new call log or new messages can be in the CRM already. Send an edit again instead.")
    if record.crm_log_id:
        log_id = record.wire_log_id()
    elif crm_id:
        log_id = _as_vendor_types_it(record, crm_id)
    else:
        raise ValueError("Enter the id that the record has in the CRM.")
    if record.belongs_to_another(log_id):
        raise ValueError(f"{log_id} is another log's record.")
    return delivery.lease is None and delivery.finish(log_id=log_id)


def _as_vendor_types_it(record: CallLog | ConversationLog, crm_id: str) -> str | int:
    """Ids are numbers at some vendors and texts at others: the newest record known shows which."""
    known = type(record)._default_manager.filter(platform=record.platform).exclude(crm_log_id="")
    newest = known.order_by("-created_at").first()
    is_number = newest.crm_log_id_is_number if newest else True
    return int(crm_id) if is_number and crm_id.isascii() and crm_id.isdigit() else crm_id


def give_up(delivery: Delivery) -> bool:
    """Nobody sends it any more; its text stays encrypted for DELIVERY_KEEP_DAYS. False: a worker has taken it since.

    A log that may be in the CRM stays uncertain, so that whoever logs it again makes us look first.
    """
    decision = Decision(
        next=Next.GIVE_UP,
        told=Told.TOO_LATE,
        record=_unwritten(delivery),
        support="Given up by support; is kept for DELIVERY_KEEP_DAYS.",
    )
    return delivery.lease is None and delivery.park(decision, State.GIVEN_UP, error="given up")


def erase(delivery: Delivery) -> bool:
    """Its text is removed at once: the person it is about has asked for that. False: a worker has taken it since."""
    decision = Decision(next=Next.FORGET, told=Told.REASON, record=_unwritten(delivery))
    return delivery.lease is None and delivery.drop(decision, error="erased")


def _unwritten(delivery: Delivery) -> LogState | None:
    """The state of a log that nobody brings into the CRM any more; None: it is there, or this is an edit of it."""
    is_open = delivery.record is not None and delivery.record.crm_log_id == ""
    if not is_open or delivery.kind not in (Kind.CREATE, Kind.TEXTS):
        return None
    return LogState.UNCERTAIN if delivery.is_in_doubt else LogState.FAILED
