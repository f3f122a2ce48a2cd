"""The page of a call, and of a conversation day: whether it is in the CRM, and everything that was done about it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from adapters import registry
from audit.models import CallLog, ConversationLog
from connectors.deliveries.models import Delivery
from connectors.desk.crm_links import contact_url, record_url
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.desk.templatetags.desk import day_of, short
from connectors.desk.timeline import Step, steps_of
from connectors.desk.waiting import verdict_on, waiting_of
from connectors.models import LookUp

_MOST_MESSAGES = 200


@needs("audit.view_calllog")
def call(request: HttpRequest, log_id: uuid.UUID) -> HttpResponse:
    """One call. At most twelve queries, sign-in and permissions included."""
    log = get_object_or_404(CallLog.objects.select_related("user"), pk=log_id)
    others = CallLog.objects.filter(session_id=log.session_id).exclude(pk=log.pk).select_related("user")
    way = {"Inbound": "Incoming call", "Outbound": "Outgoing call"}.get(log.direction, "Call")
    moment = log.started_at or log.created_at
    return _page(
        request,
        log,
        subject=log.session_id,
        noun="call",
        heading=f"{way}, {short(moment)}",
        began=log.started_at,
        others=list(others.order_by("-created_at")[:10]),
    )


@needs("audit.view_conversationlog")
def day(request: HttpRequest, log_id: uuid.UUID) -> HttpResponse:
    """One day of a conversation."""
    log = get_object_or_404(ConversationLog.objects.select_related("user"), pk=log_id)
    others = ConversationLog.objects.filter(conversation_id=log.conversation_id).exclude(pk=log.pk)
    found = others.select_related("user").order_by("-created_at")[:10] if log.conversation_id else []
    messages = list(log.messages.order_by("created_at", "message_id")[: _MOST_MESSAGES + 1])
    return _page(
        request,
        log,
        subject=log.conversation_log_id,
        noun="conversation",
        heading=f"Messages, {day_of(log.created_at)}",
        began=None,
        others=list(found),
        day_messages=messages[:_MOST_MESSAGES],
        has_more_messages=len(messages) > _MOST_MESSAGES,
        there=sum(message.delivery_id is None for message in messages),
    )


def _page(
    request: HttpRequest, log: CallLog | ConversationLog, *, subject: str, noun: str, heading: str, **more: Any
) -> HttpResponse:
    crm, agent = registry.display_name(log.platform), name_of(log.user)
    deliveries = Delivery.objects.of(log).select_related("user").order_by("position")
    waiting = [waiting_of(item, crm=crm, agent=name_of(item.user)) for item in deliveries]
    steps = steps_of(log, subject=subject, crm=crm, agent=agent)
    return page(
        request,
        "desk/call.html",
        title=f"{heading} · {agent} · {crm}",
        log=log,
        noun=noun,
        subject=subject,
        crm_name=crm,
        agent=agent,
        verdict=verdict_on(log, waiting, crm=crm, agent=agent, noun=noun),
        waiting=waiting,
        steps=steps,
        said="" if log.is_logged and not waiting else _last_said(steps),
        look_ups=_look_ups(log),
        contact_url=contact_url(log),
        record_url=record_url(log),
        may_read=settings.AUDIT_KEEP_BODIES and request.user.has_perm("audit.view_bodies"),
        **more,
    )


def _last_said(steps: Sequence[Step]) -> str:
    """What the CRM said to the last attempt; what support did since says nothing of it."""
    tried = [step for step in steps if step.is_attempt]
    return tried[-1].said if tried else ""


def _look_ups(log: CallLog | ConversationLog) -> list[LookUp]:
    """The agent's last look-ups of this number."""
    if log.user_id is None or not log.number_hash:
        return []
    rows = LookUp.objects.filter(number_hash=log.number_hash, user_id=log.user_id)
    return list(rows.defer("trace").order_by("-asked_at")[:5])
