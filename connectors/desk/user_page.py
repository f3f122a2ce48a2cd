"""The page of a connected user: who it is, whether the login works, what waits, and what they did on a day."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from adapters import registry
from audit.models import AuditEvent, CallLog, ConversationLog
from connectors.deliveries.models import Delivery
from connectors.desk.asked import read
from connectors.desk.meanings import meaning_of
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.desk.settings_in_force import settings_of
from connectors.desk.waiting import waiting_of
from connectors.models import CrmUser, LookUp

_MOST = 100
#: Asked by the extension all the time, and by nobody in particular.
_BACKGROUND = ("call_log.read",)


@needs("connectors.view_crmuser")
def user(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    """One connected user; ``day`` (ISO): the day shown, default today. At most twelve queries."""
    row = get_object_or_404(CrmUser, pk=user_id)
    crm, agent = registry.display_name(row.platform), name_of(row)
    day = _day(request.GET.get("day", ""))
    first, last = _span(day)
    received = Q(created_at__gte=first, created_at__lt=last)
    calls = CallLog.objects.filter(received | Q(started_at__gte=first, started_at__lt=last), user=row)
    days = ConversationLog.objects.filter(received, user=row)
    deliveries = Delivery.objects.filter(user=row).select_related("call_log", "conversation").order_by("accepted_at")
    events = AuditEvent.objects.filter(actor=row.actor, platform=row.platform, owner=row.owner)
    done = events.filter(occurred_at__gte=first, occurred_at__lt=last).exclude(action__in=_BACKGROUND)
    look_ups = LookUp.objects.filter(user=row, asked_at__gte=first, asked_at__lt=last)
    return page(
        request,
        "desk/user.html",
        title=f"{agent} · {crm}",
        row=row,
        agent=agent,
        crm_name=crm,
        trouble=_trouble(row, crm, agent),
        waiting=[waiting_of(item, crm=crm, agent=agent) for item in deliveries[:_MOST]],
        calls=list(calls.order_by("-created_at")[:_MOST]),
        days=list(days.order_by("-created_at")[:_MOST]),
        done=list(done.order_by("-occurred_at")[:_MOST]),
        look_ups=list(look_ups.defer("trace").select_related("user").order_by("-asked_at")[:_MOST]),
        settings=settings_of(row),
        day=day,
        is_today=day == timezone.localdate(),
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        most=_MOST,
    )


def _day(text: str) -> date:
    return read(text).day or timezone.localdate()


def _span(day: date) -> tuple[datetime, datetime]:
    zone = timezone.get_current_timezone()
    first, after = (datetime.combine(day + timedelta(days=more), time.min, tzinfo=zone) for more in (0, 1))
    return first, after


def _trouble(row: CrmUser, crm: str, agent: str) -> tuple[str, str] | None:
    """What is wrong with the login, and what to do; None: nothing is known to be."""
    if row.last_error:
        meaning = meaning_of(row.last_error, crm=crm, agent=agent)
        return meaning.happened[:1].upper() + meaning.happened[1:], meaning.to_do
    if not row.is_connected:
        return f"{agent} is not connected", f"Ask {agent} to connect {crm} in the extension."
    return None
