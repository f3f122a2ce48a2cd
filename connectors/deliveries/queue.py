"""Whose turn it is: which kept changes may be sent now, and who has taken one."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, models, transaction
from django.db.models import F, OuterRef, Q

from audit.models import CallLog, ConversationLog
from audit.prepared import PreparedQuery, PreparedUpdate
from connectors.deliveries import clock
from connectors.deliveries.policy import Kind
from connectors.deliveries.prepared import Now, PreparedExists
from connectors.services.leases import lease_of

if TYPE_CHECKING:
    from connectors.deliveries.models import Delivery


class State(models.TextChoices):
    """What a delivery waits for."""

    WAITING = "waiting", "its turn"
    LOGIN = "login", "the user's next login"
    PERSON = "person", "a decision of support"
    GIVEN_UP = "given_up", "nothing: given up"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Whose turn it is."""

    def of(self, record: CallLog | ConversationLog) -> DeliveryQuerySet:
        """The changes kept for one call or conversation day."""
        return self.filter(**{"call_log" if isinstance(record, CallLog) else "conversation": record})

    def free(self, at: datetime | None = None) -> DeliveryQuerySet:
        """Those at which nobody is at work."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=at or clock.now()))

    def ready(self, at: datetime | None = None) -> DeliveryQuerySet:
        """Free deliveries whose turn it is: nobody is at work on the record, and no earlier change of it waits.

        Asked of all deliveries; narrowed down afterwards. ``at``: the present time, where the SQL is prepared.
        """
        assert not self.query.where, "the condition is that of all deliveries"
        return (_in_turn(self.model) if at is None else _in_turn_at(self.model, at)).free(at)

    def due(self, *, not_to: Collection[str] = (), at: datetime | None = None) -> DeliveryQuerySet:
        """Ready deliveries whose time has come, oldest first. ``not_to``: CRMs that are down."""
        waiting = self.ready(at).filter(state=State.WAITING, next_attempt_at__lte=at or clock.now())
        return waiting.exclude(crm__in=not_to).order_by("next_attempt_at")

    def take(self, delivery_id: uuid.UUID, platform: str = "", *, if_due: bool = False) -> Delivery | None:
        """The delivery as it stands now, leased to the caller; None while it is not its turn.

        ``platform``: where the caller knows it. ``if_due``: only if its time has come, too; a user who asks again need
        not wait for that.
        """
        platform = platform or self.filter(pk=delivery_id).values_list("platform", flat=True).first() or ""
        if not platform:
            return None
        lease = self._lent(delivery_id, platform, if_due=if_due)
        return self._read(delivery_id, lease) if lease else None

    def take_due(self, *, limit: int, not_to: Collection[str] = (), one_to: Collection[str] = ()) -> list[Delivery]:
        """Takes what is due. ``one_to``: CRMs that are to be probed with a single one."""
        if connection.features.has_select_for_update_skip_locked:
            with transaction.atomic():  # workers on other machines pass over the rows locked here
                lent = self._lent_due(limit, not_to, one_to)
        else:
            lent = self._lent_due(limit, not_to, one_to)
        return [delivery for item in lent if (delivery := self._read(*item))]

    def _lent(self, delivery_id: uuid.UUID, platform: str, *, if_due: bool) -> uuid.UUID | None:
        """The lease; None while it is not its turn."""
        lease, now = uuid.uuid4(), clock.now()
        is_lent = _taking(self.model).lend[if_due](delivery_id, lease, now, now + lease_of(platform))
        return lease if is_lent else None

    def _read(self, delivery_id: uuid.UUID, lease: uuid.UUID) -> Delivery | None:
        """The delivery as it stands when the lease is committed, unless others are at work on its record by then.

        Two processes may have taken two changes of one record at the same moment, since neither saw the other's lease
        before its commit. Each gives back what it took; None then.
        """
        taking = _taking(self.model)
        found = next(iter(taking.read(delivery_id, lease, clock.now())), None)
        if found is None:
            taking.give_back(delivery_id, lease)
        return found

    def _lent_due(
        self, limit: int, not_to: Collection[str], one_to: Collection[str]
    ) -> list[tuple[uuid.UUID, uuid.UUID]]:
        """Deliveries and their leases."""
        lent: list[tuple[uuid.UUID, uuid.UUID]] = []
        probed: set[str] = set()
        for found in _due(self.model, limit)(clock.now(), *sorted(not_to)):
            if found.crm in probed or not (lease := self._lent(found.pk, found.platform, if_due=True)):
                continue
            lent.append((found.pk, lease))
            probed |= {found.crm} & set(one_to)
        return lent


@dataclass(frozen=True, kw_only=True)
class _Taking:
    """``lend``: to whoever asks, where it is its turn; ``True``: and where its time has come."""

    lend: Mapping[bool, PreparedUpdate]
    read: PreparedQuery[Delivery]
    give_back: PreparedUpdate


@functools.cache
def _taking(model: type[Delivery]) -> _Taking:
    def lent(rows: DeliveryQuerySet, delivery_id: uuid.UUID, lease: uuid.UUID, until: datetime) -> Any:
        return rows.filter(pk=delivery_id), {"lease": lease, "lease_until": until, "attempts": F("attempts") + 1}

    def alone(delivery_id: uuid.UUID, lease: uuid.UUID, now: datetime) -> DeliveryQuerySet:
        at_work = PreparedExists(_others(model).filter(lease_until__gte=now))
        rows = model.objects.filter(_STARTS | ~at_work, pk=delivery_id, lease=lease)
        return rows.select_related("user", "call_log", "conversation")

    given_back = {"lease": None, "lease_until": None, "attempts": F("attempts") - 1}
    return _Taking(
        lend={
            False: PreparedUpdate(lambda pk, lease, now, until: lent(model.objects.ready(now), pk, lease, until)),
            True: PreparedUpdate(
                lambda pk, lease, now, until: lent(model.objects.due(at=now).order_by(), pk, lease, until)
            ),
        },
        read=PreparedQuery(alone),
        give_back=PreparedUpdate(lambda pk, lease: (model.objects.filter(pk=pk, lease=lease), given_back)),
    )


@functools.cache
def _due(model: type[Delivery], limit: int) -> PreparedQuery[Delivery]:
    """What is due now, at most so many; locked, where others pass over that."""

    def due(now: datetime, *not_to: str) -> DeliveryQuerySet:
        rows = model.objects.due(not_to=not_to, at=now).only("pk", "crm", "platform")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        return rows[:limit]

    return PreparedQuery(due)


@functools.cache
def _in_turn(model: type[Delivery]) -> DeliveryQuerySet:
    """As ``_in_turn_at`` the time of each question. Put together once, with its SQL."""
    return _in_turn_at(model, Now())


def _in_turn_at(model: type[Delivery], now: Any) -> DeliveryQuerySet:
    """Deliveries before which no other of the same record has to be sent.

    An attempt of unknown outcome may still reach the CRM, so nothing of the same record is sent until it counts as
    settled. A log is written before the edits of it, in whatever order they were accepted. Texts in doubt go first:
    others may wait for what is found of them, before they leave a record that is full. Those that may have made the
    day's record go before those of colleagues, too: only the login that they were tried with finds it.
    """
    is_earlier = Q(position__lt=OuterRef("position")) & ~passed_over(OuterRef("user"))
    is_at_work = Q(lease_until__gte=now) | Q(settles_at__gt=now)
    hides_record = _may_have_made_the_day() & ~Q(user=OuterRef("user"))
    others = _others(model)
    goes_first = Q(kind=Kind.TEXTS, settles_at__isnull=False) & ~PreparedExists(others.filter(is_at_work))
    before = others.filter(is_earlier | is_at_work | hides_record)
    return model.objects.filter(_STARTS | goes_first | ~PreparedExists(before))


#: A new log, and a second look for it, are sent whoever else is at work on the record.
_STARTS = Q(kind__in=(Kind.CREATE, Kind.LOOK_AGAIN))


def _others(model: type[Delivery]) -> models.QuerySet[Delivery]:
    """The other changes of the same record."""
    same_record = Q(call_log=OuterRef("call_log")) | Q(conversation=OuterRef("conversation"))
    return model._default_manager.filter(same_record).exclude(pk=OuterRef("pk")).exclude(kind=Kind.LOOK_AGAIN)


def _may_have_made_the_day() -> Q:
    """Texts in doubt, while nobody knows a record of their day. No join: an update has to see rows as they stand."""
    days = ConversationLog._default_manager.filter(pk=OuterRef("conversation"), crm_log_id="")
    return Q(PreparedExists(days), kind=Kind.TEXTS, settles_at__isnull=False)


def passed_over(by: Any) -> Q:
    """Earlier changes that those of a user do not wait for: nobody knows when they go out.

    Texts of a colleague among them, which are added to the day's record in any order; an edit is not.
    """
    of_colleague = Q(kind=Kind.TEXTS) & ~Q(user=by)
    is_stuck = Q(state__in=(State.PERSON, State.GIVEN_UP)) | (Q(state=State.LOGIN) & of_colleague)
    return is_stuck & ~(of_colleague & _may_have_made_the_day())
