"""What support decides about changes that nobody sends by themselves."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.models import HANDED_BACK, CallLog, ConversationLog
from audit.states import LogState
from connectors.deliveries import circuit, clock
from connectors.deliveries.changes import CallEdit, CallSubmission, from_json
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Decision, IfSent, Kind, Next, Told, if_sent
from connectors.deliveries.queue import State
from connectors.services.note_drafts import hand_back_note

#: Error of a change whose record the CRM cannot be asked for.
_CANNOT_BE_ASKED = "UnsupportedOperation"


def if_sent_now(delivery: Delivery) -> IfSent:
    """What ``send_again`` would do with it."""
    return if_sent(
        kind=Kind(delivery.kind),
        known=delivery.known,
        is_at_work=is_at_work(delivery),
        can_be_asked=delivery.last_error != _CANNOT_BE_ASKED,
        has_login=delivery.has_its_login,
    )


def is_at_work(delivery: Delivery) -> bool:
    """Whether a worker is sending it at this moment."""
    return delivery.lease_until is not None and delivery.lease_until >= clock.now()


def send_again(deliveries: QuerySet[Delivery]) -> int:
    """Support has decided to try again. Returns how many are due now.

    A CRM that counts as down is probed at once: else "now" would be when its pause is over. A log that only a person
    can look for counts as looked for: it is not in the CRM.
    """
    free = Delivery.objects.filter(pk__in=deliveries.values("pk")).free()
    looked_for = free.filter(state=State.PERSON, last_error=_CANNOT_BE_ASKED)
    now = clock.now()
    circuit.probe_now(set(free.values_list("crm", flat=True)))
    with transaction.atomic():
        for model in (CallLog, ConversationLog):
            rows = model._default_manager.filter(deliveries__in=looked_for, state=LogState.UNCERTAIN, crm_log_id="")
            rows.update(state=LogState.QUEUED, updated_at=timezone.now())
        looked_for.update(settles_at=None)
        columns = {"next_attempt_at": now, "hold_until": now, "odd_answers": 0, "unreadable_with": ""}
        return free.update(state=State.WAITING, **columns)


def mark_as_logged(delivery: Delivery, crm_id: str) -> bool:
    """Support has found the record in the CRM: it counts as written, under this id. False: a worker has taken it since.

    Raises as ``id_to_mark``.
    """
    log_id = id_to_mark(delivery, crm_id)
    return not is_at_work(delivery) and delivery.finish(log_id=log_id)


def id_to_mark(delivery: Delivery, crm_id: str) -> str | int:
    """The id that the record would have, as the vendor types it.

    Raises ``ValueError`` with a sentence for whoever decides, where it cannot be this change's record.
    """
    record = delivery.record
    if record is None or delivery.kind not in (Kind.CREATE, Kind.TEXTS):
        raise ValueError("Only a new call log or new messages can be in the CRM already. Send an edit again instead.")
    if record.crm_log_id and crm_id not in ("", record.crm_log_id):
        raise ValueError(f"The CRM has it as {record.crm_log_id} already: only what follows its record is missing.")
    if record.crm_log_id:
        log_id = record.wire_log_id()
    elif crm_id:
        log_id = _as_vendor_types_it(record, crm_id)
    else:
        raise ValueError("Enter the id that the record has in the CRM.")
    if record.belongs_to_another(log_id) or _is_of_the_other_kind(record, log_id):
        raise ValueError(f"{log_id} is another log's record.")
    return log_id


def _is_of_the_other_kind(record: CallLog | ConversationLog, log_id: str | int) -> bool:
    """Whether it is the record of a call where this is a conversation, or the other way round."""
    other = ConversationLog if isinstance(record, CallLog) else CallLog
    rows = other._default_manager.filter(platform=record.platform, owner=record.owner, crm_log_id=str(log_id))
    return rows.exists()


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
    return not is_at_work(delivery) and delivery.park(decision, State.GIVEN_UP, error="given up")


def may_be_handed_back(delivery: Delivery) -> bool:
    """Whether the agent can log it anew: a call of which no record is known."""
    return delivery.kind == Kind.CREATE and delivery.call_log is not None and not delivery.call_log.crm_log_id


def hand_back(delivery: Delivery) -> bool:
    """The agent logs the call anew: nothing of it is sent any more. False: a worker has taken it since.

    The note, of the newest edit if there is one, waits as a draft for HANDED_BACK_FOR, and is taken when the call is
    logged without one. Edits of the log go with it. Raises ``ValueError`` where it is no call without a record, and
    ``Undecipherable`` or ``UnreadableChange`` where the note cannot be read: nothing is lost that way.
    """
    log = delivery.call_log
    if log is None or not may_be_handed_back(delivery):
        raise ValueError("Only a call that has no record in the CRM can be handed back.")
    note = from_json(delivery.payload, CallSubmission).entry.note
    others = list(Delivery.objects.of(log).exclude(pk=delivery.pk).order_by("position"))
    for edit in others:
        note = (edit.kind == Kind.EDIT and from_json(edit.payload, CallEdit).change.note) or note
    if any(is_at_work(item) for item in (delivery, *others)):
        return False
    forgotten = Decision(next=Next.FORGET, told=Told.REASON)
    with transaction.atomic():
        if not delivery.drop(replace(forgotten, record=_unwritten(delivery)), error=HANDED_BACK):
            return False
        for item in others:
            item.drop(forgotten, error=HANDED_BACK)
        if note:
            hand_back_note(user=delivery.user, session_id=log.session_id, note=note)
    return True


def erase(delivery: Delivery) -> bool:
    """Its text is removed at once: the person it is about has asked for that. False: a worker has taken it since."""
    decision = Decision(next=Next.FORGET, told=Told.REASON, record=_unwritten(delivery))
    return not is_at_work(delivery) and delivery.drop(decision, error="erased")


def _unwritten(delivery: Delivery) -> LogState | None:
    """The state of a log that nobody brings into the CRM any more; None: it is there, or this is an edit of it."""
    is_open = delivery.record is not None and delivery.record.crm_log_id == ""
    if not is_open or delivery.kind not in (Kind.CREATE, Kind.TEXTS):
        return None
    return LogState.UNCERTAIN if delivery.is_in_doubt else LogState.FAILED
