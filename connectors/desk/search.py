"""Finds calls, conversations, look-ups and agents by what a user can tell of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import BooleanField, Case, ExpressionWrapper, Q, QuerySet, Value, When

from audit.models import AuditEvent, CallLog, ConversationLog, MessageLog
from connectors.deliveries.models import Delivery
from connectors.desk.asked import Asked
from connectors.models import CrmUser, LookUp

#: Of each kind so many are shown.
MOST = 50
Log = TypeVar("Log", CallLog, ConversationLog)


@dataclass
class Found:
    """What was found, newest first. ``only_ending``: no log has the whole number, these have its last four digits."""

    agents: Sequence[CrmUser] = ()
    calls: Sequence[CallLog] = ()
    days: Sequence[ConversationLog] = ()
    look_ups: Sequence[LookUp] = ()
    #: Events of a reference that belong to no log.
    events: Sequence[AuditEvent] = ()
    only_ending: bool = False
    has_more: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.agents or self.calls or self.days or self.look_ups or self.events)

    @property
    def only_one(self) -> Any:
        """The single thing found; None where there are several, or none."""
        things = [*self.agents, *self.calls, *self.days, *self.look_ups]
        return things[0] if len(things) == 1 and not self.events and not self.only_ending else None


def search(asked: Asked) -> Found:
    """At most seven queries, each by an index but that of the agents, who are few."""
    agents = _agents(asked.name) if asked.name else []
    events = list(AuditEvent.objects.filter(request_id=asked.reference)[:MOST]) if asked.reference else []
    waiting = list(Delivery.objects.filter(request_id=asked.reference)[:MOST]) if asked.reference else []
    subjects = [event.subject for event in events if event.subject]
    ids = asked.id if not (agents and asked.day) else ""  # "kim tuesday" is nobody's id
    calls = _calls(asked, agents, ids, subjects, [item.call_log_id for item in waiting if item.call_log_id])
    days = _days(asked, agents, ids, subjects, [item.conversation_id for item in waiting if item.conversation_id])
    look_ups = _look_ups(asked, agents)
    exact_calls, exact_days = _exact(calls), _exact(days)
    is_exact = bool(exact_calls or exact_days or look_ups or agents)
    found = Found(
        agents=agents,
        calls=(exact_calls if is_exact else calls)[:MOST],
        days=(exact_days if is_exact else days)[:MOST],
        look_ups=look_ups,
        only_ending=not is_exact and bool(calls or days),
        has_more=max(len(calls), len(days)) > MOST,
    )
    if not (found.calls or found.days or found.look_ups):
        found.events = sorted(events, key=lambda event: event.pk)
    return found


def _exact(logs: list[Log]) -> list[Log]:
    return [log for log in logs if not vars(log)["is_only_like"]]


def _agents(name: str) -> list[CrmUser]:
    rows = CrmUser.objects.filter(Q(name__icontains=name) | Q(email__icontains=name) | Q(wire_id=name))
    return list(rows.order_by("-last_seen_at")[:MOST])


def _calls(
    asked: Asked, agents: Sequence[CrmUser], ids: str, subjects: Sequence[str], keys: Sequence[Any]
) -> list[CallLog]:
    exact = Q(session_id__in=subjects) | Q(pk__in=keys) if subjects or keys else Q()
    if ids:
        exact |= Q(session_id=ids) | Q(telephony_session_id=ids)
    return _rows(CallLog.objects.all(), asked, agents, ids, exact, day="started_at")


def _days(
    asked: Asked, agents: Sequence[CrmUser], ids: str, subjects: Sequence[str], keys: Sequence[Any]
) -> list[ConversationLog]:
    exact = Q(conversation_log_id__in=subjects) | Q(pk__in=keys) if subjects or keys else Q()
    if ids:
        held = MessageLog.objects.filter(message_id=ids).values_list("conversation_id", flat=True)[:MOST]
        exact |= Q(conversation_log_id=ids) | Q(conversation_id=ids) | Q(pk__in=list(held))
    return _rows(ConversationLog.objects.all(), asked, agents, ids, exact, day="created_at")


def _rows(rows: QuerySet[Log], asked: Asked, agents: Sequence[CrmUser], ids: str, exact: Q, *, day: str) -> list[Log]:
    """One more than are shown, each with ``is_only_like``: only the last four digits are those of the number.

    Nothing was asked for: none. A name beside nothing else leads to the agent only.
    """
    if ids:
        exact |= Q(crm_log_id=ids) | Q(contact_id=ids)
    if asked.e164:
        exact |= Q(number_hash=asked.number_hash)
    if asked.ending:
        exact |= Q(number_ending=asked.ending)
    like = Q(number_ending=asked.like) if asked.like else Q()
    is_by_day = bool(asked.span and (agents or not asked.name))
    if not exact and not like and not is_by_day:
        return []
    chosen = rows.filter(exact | like).select_related("user")
    if agents and (asked.number or asked.ending or asked.day):
        chosen = chosen.filter(user__in=[agent.pk for agent in agents])
    if asked.span:
        chosen = chosen.filter(**{f"{day}__gte": asked.span[0], f"{day}__lt": asked.span[1]})
    is_like: Any = Case(When(exact, then=Value(False)), default=Value(True)) if like and exact else Value(bool(like))
    marked = chosen.annotate(is_only_like=ExpressionWrapper(is_like, output_field=BooleanField()))
    return list(marked.order_by(*(["is_only_like"] if like and exact else []), "-created_at")[: MOST + 1])


def _look_ups(asked: Asked, agents: Sequence[CrmUser]) -> list[LookUp]:
    any_of = Q()
    if asked.reference:
        any_of |= Q(request_id=asked.reference)
    if asked.e164:
        any_of |= Q(number_hash=asked.number_hash)
    elif asked.ending:
        any_of |= Q(number_ending=asked.ending)
    if not any_of:
        return []
    rows = LookUp.objects.filter(any_of).defer("trace").select_related("user")
    if agents:
        rows = rows.filter(user__in=[agent.pk for agent in agents])
    if asked.span:
        rows = rows.filter(asked_at__gte=asked.span[0], asked_at__lt=asked.span[1])
    return list(rows.order_by("-asked_at")[:20])
