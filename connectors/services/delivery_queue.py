"""The changes that are accepted but not yet in the CRM: accept one, take its lease, finish, postpone or park it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from audit.models import CallLog, ConversationLog, Delivery, DeliveryKind, LogState, MessageLog, WaitsFor
from connectors.models import CrmUser
from connectors.services.delivery_payloads import to_json
from connectors.services.leases import lease_of

_LONGEST_BACKOFF = 600.0  # seconds
_LONGEST_PAUSE = 24 * 3600.0  # seconds, whatever a CRM asks for: longer than any limit that is counted by the day
_GIVEN_UP_AT_ONCE = 500
_BETWEEN_REFUSED_LOGINS = timedelta(hours=1)
_CANNOT_BE_FOUND = "Undecidable"  # the error of a record that the CRM cannot be asked for
#: The process that accepted a change carries it out itself; a worker does only when it died before it began.
_OWN_PROCESS_FIRST = timedelta(seconds=30)


def accept(
    *,
    kind: DeliveryKind,
    user: CrmUser,
    change: Any,
    call_log: CallLog | None = None,
    conversation: ConversationLog | None = None,
    position: int | None = None,
    leased: bool = False,
) -> Delivery:
    """Keeps a change, in the caller's transaction.

    ``position``: for a record made in this transaction; else the next one, in the order of commits, since counting up
    locks the record's row until the transaction ends. ``leased``: the caller carries the change out at once.
    """
    record = call_log or conversation
    now = timezone.now()
    delivery = Delivery(
        kind=kind,
        user=user,
        platform=user.platform,
        crm=f"{user.platform}:{user.host}"[:320],
        call_log=call_log,
        conversation=conversation,
        position=position or (next_position(record) if record else 0),
        payload=to_json(change),
        accepted_at=now,
        next_attempt_at=now + _OWN_PROCESS_FIRST,
        not_before=now,
    )
    if leased:
        delivery.lease, delivery.lease_until, delivery.attempts = uuid.uuid4(), now + lease_of(user.platform), 1
    delivery.save(force_insert=True)
    return delivery


def next_position(record: CallLog | ConversationLog) -> int:
    """The place behind everything accepted for a record; locks its row until the transaction ends."""
    rows = type(record)._default_manager.filter(pk=record.pk)
    rows.update(last_position=F("last_position") + 1)
    return int(rows.values_list("last_position", flat=True).get())


def passed_over(by: Any) -> Q:
    """Earlier changes that those of a user do not wait for: nobody knows when they go out.

    Messages of a colleague among them, which are added to the day's record in any order; an edit is not.
    """
    of_colleague = Q(waits_for=WaitsFor.LOGIN, kind=DeliveryKind.WRITE_MESSAGES) & ~Q(user=by)
    return Q(waits_for=WaitsFor.PERSON) | of_colleague


def _ready() -> QuerySet[Delivery]:
    """Deliveries whose turn it is: nobody is at work on the record, and no earlier change of it waits.

    A log is written before the edits of it, in whatever order they were accepted: they cannot be carried out first.
    """
    now = timezone.now()
    same_record = Q(call_log=OuterRef("call_log")) | Q(conversation=OuterRef("conversation"))
    is_earlier = Q(position__lt=OuterRef("position")) & ~passed_over(OuterRef("user"))
    before = Delivery.objects.filter(same_record).filter(is_earlier | Q(lease_until__gte=now))
    free = Delivery.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now))
    return free.filter(Q(kind=DeliveryKind.CREATE_CALL_LOG) | ~Exists(before))


def take(delivery_id: uuid.UUID, *, if_due: bool = False) -> Delivery | None:
    """The delivery as it stands now, leased to the caller; None while it is not its turn, or somebody is at it.

    ``if_due``: only if its time has come, too; a user who asks again need not wait for that.
    """
    lease = uuid.uuid4()
    until = timezone.now() + settings.DELIVERY_LEASE
    rows = (_due(()) if if_due else _ready()).filter(pk=delivery_id)
    if not rows.update(lease=lease, lease_until=until, attempts=F("attempts") + 1):
        return None
    rows = Delivery.objects.select_related("user", "call_log", "conversation")
    taken = rows.filter(pk=delivery_id, lease=lease).first()
    if taken and lease_of(taken.platform) > settings.DELIVERY_LEASE:
        taken.lease_until = timezone.now() + lease_of(taken.platform)
        rows.filter(pk=delivery_id, lease=lease).update(lease_until=taken.lease_until)
    return taken


def _due(not_to: Collection[str]) -> QuerySet[Delivery]:
    due = _ready().filter(waits_for=WaitsFor.NOTHING, next_attempt_at__lte=timezone.now()).exclude(crm__in=not_to)
    return due.order_by("next_attempt_at")


def due_ids(*, limit: int, not_to: Collection[str] = ()) -> list[uuid.UUID]:
    """Deliveries whose time has come, oldest first. ``not_to``: CRMs that are down."""
    return list(_due(not_to).values_list("pk", flat=True)[:limit])


def take_due(*, limit: int, not_to: Collection[str] = (), one_to: Collection[str] = ()) -> list[Delivery]:
    """Takes the leases of such deliveries. ``one_to``: CRMs that are to be probed with a single one."""
    due = _due(not_to)
    if not connection.features.has_select_for_update_skip_locked:
        return _taken(due[:limit], one_to)
    with transaction.atomic():  # workers on other machines pass over the rows locked here
        return _taken(due.select_for_update(skip_locked=True)[:limit], one_to)


def _taken(due: QuerySet[Delivery], one_to: Collection[str]) -> list[Delivery]:
    taken: list[Delivery] = []
    for delivery_id, crm in due.values_list("pk", "crm"):
        is_probed = crm in one_to and any(delivery.crm == crm for delivery in taken)
        if not is_probed and (delivery := take(delivery_id, if_due=True)):
            taken.append(delivery)
    return taken


def leave_to_workers(delivery: Delivery) -> bool:
    """The process that accepted a change waits for its turn no longer. False when it is carried out already."""
    Delivery.objects.filter(pk=delivery.pk, attempts=0, lease=None).update(next_attempt_at=timezone.now())
    return Delivery.objects.filter(pk=delivery.pk).exists()


def seconds_to_write(delivery: Delivery) -> float:
    """How long the holder of the lease may still begin to write: what it sends must be over when the lease ends."""
    if delivery.lease_until is None:
        return 0.0
    return (delivery.lease_until - lease_of(delivery.platform) / 3 - timezone.now()).total_seconds()


def replace_change(delivery: Delivery, change: Any) -> None:
    """Puts a newer version of the same change in its place; the caller holds the lease."""
    delivery.payload = to_json(change)
    delivery.save(update_fields=["payload"])


def hand_over(delivery: Delivery, user: CrmUser) -> None:
    """Sends the change with the login of a colleague who asks for it; the caller holds the lease."""
    if delivery.user_id == user.pk:
        return
    delivery.user = user
    delivery.save(update_fields=["user"])
    if delivery.kind == DeliveryKind.CREATE_CALL_LOG and delivery.call_log:
        CallLog.objects.filter(pk=delivery.call_log.pk).update(user=user)


def finish(delivery: Delivery, *, log_id: str | int | None = None) -> bool:
    """The change is in the CRM. False when the lease was lost meanwhile: another process has the last word then."""
    with transaction.atomic():
        if delivery.kind == DeliveryKind.WRITE_MESSAGES:
            MessageLog.objects.filter(delivery=delivery).update(delivery=None)
        if not _mine(delivery).delete()[0]:
            transaction.set_rollback(True)
            return False
        record = delivery.call_log or delivery.conversation
        if log_id is not None and record is not None:
            in_doubt = record.state == LogState.UNCERTAIN and delivery.kind == DeliveryKind.WRITE_MESSAGES
            record.complete(log_id)
            if in_doubt and record.deliveries.exists():  # what may be there is among the messages that follow, perhaps
                record.move_to(LogState.UNCERTAIN)
    return True


def settle(delivery: Delivery, crm_id: str) -> bool:
    """Support has found the record in the CRM: it counts as written, under this id. False: a worker has taken it since.

    Raises ``ValueError`` with a sentence for whoever decides, where it cannot be so.
    """
    record = delivery.call_log or delivery.conversation
    if record is None or delivery.kind not in (DeliveryKind.CREATE_CALL_LOG, DeliveryKind.WRITE_MESSAGES):
        raise ValueError("Only a new call log or new messages can be in the CRM already. Send an edit again instead.")
    if record.crm_log_id:
        log_id = record.wire_log_id()
    elif crm_id:
        log_id = _as_vendor_types_it(record, crm_id)
    else:
        raise ValueError("Enter the id that the record has in the CRM.")
    if record.belongs_to_another(log_id):
        raise ValueError(f"{log_id} is another log's record.")
    return delivery.lease is None and finish(delivery, log_id=log_id)


def _as_vendor_types_it(record: CallLog | ConversationLog, crm_id: str) -> str | int:
    """Ids are numbers at some vendors and texts at others: the newest record known shows which."""
    known = type(record)._default_manager.filter(platform=record.platform).exclude(crm_log_id="")
    newest = known.order_by("-created_at").first()
    is_number = newest.crm_log_id_is_number if newest else True
    return int(crm_id) if is_number and crm_id.isascii() and crm_id.isdigit() else crm_id


def begin_in_doubt(delivery: Delivery) -> None:
    """The record may be in the CRM: the process that was writing it has died."""
    record = delivery.call_log or delivery.conversation
    if record is not None:
        record.state, record.last_error = LogState.UNCERTAIN, "process ended"
        rows = type(record)._default_manager.filter(pk=record.pk, deliveries__lease=delivery.lease)
        rows.update(state=record.state, last_error=record.last_error, updated_at=timezone.now())


def begin_write(delivery: Delivery) -> bool:
    """The record counts as being written from now on. False when the lease was lost meanwhile."""
    record = delivery.call_log or delivery.conversation
    if record is None or record.state == LogState.CLAIMED:
        return True
    record.state, record.last_error = LogState.CLAIMED, ""
    rows = type(record)._default_manager.filter(pk=record.pk, deliveries__lease=delivery.lease)
    return bool(rows.update(state=record.state, last_error="", updated_at=timezone.now()))


def drop(delivery: Delivery, *, error: str, state: LogState | None = None) -> bool:
    """Nothing of the change is kept. False when a worker has taken it since.

    ``state``: of a record that the CRM has refused just now. One that is given up stays uncertain if it may be in the
    CRM, so that whoever logs it again looks first.
    """
    with transaction.atomic():
        if not _mine(delivery).delete()[0]:
            return False
        MessageLog.objects.filter(delivery=delivery.pk).delete()
        record = delivery.call_log or delivery.conversation
        if state is None and record is not None:
            record.refresh_from_db()
            may_be_there = record.state in (LogState.CLAIMED, LogState.UNCERTAIN)
            if delivery.kind == DeliveryKind.WRITE_MESSAGES and record.crm_log_id:
                may_be_there |= delivery.attempts > 0  # the state tells of later messages, perhaps
            state = LogState.UNCERTAIN if may_be_there else LogState.FAILED
        _unwritten(delivery, state or LogState.FAILED, error)
    return True


def postpone(delivery: Delivery, *, error: str, state: LogState, seconds: float = 0.0) -> None:
    """Tries again later: after the back-off, and not within ``seconds``."""
    now = timezone.now()
    not_before = now + timedelta(seconds=min(seconds, _LONGEST_PAUSE))
    _release(
        delivery,
        state,
        error=error,
        waits_for=WaitsFor.NOTHING,
        not_before=not_before,
        next_attempt_at=max(not_before, now + timedelta(seconds=backoff(delivery.attempts))),
    )


def park(delivery: Delivery, waits_for: WaitsFor, *, error: str, state: LogState) -> None:
    """Leaves the change until the user logs in again, or until support decides."""
    _release(delivery, state, error=error, waits_for=waits_for, next_attempt_at=timezone.now())


def _release(delivery: Delivery, state: LogState, *, error: str, **columns: Any) -> None:
    with transaction.atomic():
        released = _mine(delivery).update(lease=None, lease_until=None, last_error=error[:64], **columns)
        if released:
            _unwritten(delivery, state, error)


def _unwritten(delivery: Delivery, state: LogState, error: str) -> None:
    """The state of a record that is not in the CRM; an edit does not change the state of what it edits."""
    record = delivery.call_log or delivery.conversation
    if record is None or delivery.kind not in (DeliveryKind.CREATE_CALL_LOG, DeliveryKind.WRITE_MESSAGES):
        return
    is_append_in_doubt = delivery.kind == DeliveryKind.WRITE_MESSAGES and state == LogState.UNCERTAIN
    if record.crm_log_id and not is_append_in_doubt:
        state = LogState.LOGGED
    record.move_to(state, error=error)


def _mine(delivery: Delivery) -> Any:
    return Delivery.objects.filter(pk=delivery.pk, lease=delivery.lease)


def backoff(attempts: int) -> float:
    """Seconds before the next attempt: doubled each time up to ten minutes, with jitter of one half."""
    longest = min(settings.DELIVERY_RETRY_SECONDS * 2 ** min(max(attempts - 1, 0), 20), _LONGEST_BACKOFF)
    return float(longest * random.uniform(0.5, 1))  # noqa: S311 - spreads load, hides nothing


def wake(user: CrmUser) -> int:
    """The user can be served again: everything of theirs is due now. Returns how many changes there are.

    What was accepted at another account of the CRM waits on for a login there.
    """
    of_this_account = Q(call_log__owner=user.owner) | Q(conversation__owner=user.owner)
    waiting = Delivery.objects.filter(of_this_account, user=user).exclude(waits_for=WaitsFor.PERSON)
    return waiting.update(waits_for=WaitsFor.NOTHING, next_attempt_at=timezone.now())


def retry_logins() -> None:
    """Makes due, once an hour, what waits for a login though its user is connected: a CRM may refuse one in error."""
    since = timezone.now() - _BETWEEN_REFUSED_LOGINS
    waiting = Delivery.objects.filter(waits_for=WaitsFor.LOGIN, next_attempt_at__lt=since)
    for delivery in waiting.exclude(user__access_token="").select_related("user", "call_log", "conversation"):
        record = delivery.call_log or delivery.conversation
        if record is None or record.owner == delivery.user.owner:
            Delivery.objects.filter(pk=delivery.pk, waits_for=WaitsFor.LOGIN).update(waits_for=WaitsFor.NOTHING)


def send_now(deliveries: QuerySet[Delivery]) -> int:
    """Support has decided to try again. Returns how many are due now.

    A log that only a person can look for counts as looked for: it is not in the CRM.
    """
    free = deliveries.filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))
    looked_for = free.filter(waits_for=WaitsFor.PERSON, last_error=_CANNOT_BE_FOUND)
    with transaction.atomic():
        for model in (CallLog, ConversationLog):
            rows = model._default_manager.filter(deliveries__in=looked_for, state=LogState.UNCERTAIN, crm_log_id="")
            rows.update(state=LogState.QUEUED, updated_at=timezone.now())
        return free.update(waits_for=WaitsFor.NOTHING, next_attempt_at=timezone.now())


def wake_crm(crm: str) -> None:
    """The CRM answers again: what waited for it is due now."""
    waiting = Delivery.objects.filter(crm=crm, waits_for=WaitsFor.NOTHING, lease=None)
    waiting.filter(next_attempt_at__gt=F("not_before")).update(next_attempt_at=F("not_before"))


def too_old() -> list[Delivery]:
    """Deliveries that nobody could carry out within the time allowed; the oldest ones, if there are very many.

    A list: SQLite does not let a connection write whose reading is overtaken by another writer.
    """
    now = timezone.now()
    oldest = now - timedelta(hours=settings.DELIVERY_MAX_AGE_HOURS)
    rows = Delivery.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), accepted_at__lt=oldest)
    return list(rows.select_related("user", "call_log", "conversation").order_by("accepted_at")[:_GIVEN_UP_AT_ONCE])
