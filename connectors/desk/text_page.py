"""The text of a change that waits: for auditors only, where the installation allows it, and each view is recorded."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from audit.fields import Undecipherable
from audit.recorder import record
from connectors.deliveries.changes import CallEdit, CallSubmission, Conversation, UnreadableChange, from_json
from connectors.deliveries.models import Delivery
from connectors.deliveries.terms import Kind
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.desk.waiting import what_of


@dataclass(frozen=True)
class _Part:
    title: str
    text: str


@needs("audit.view_bodies")
def text(request: HttpRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """What would be sent. 404 unless AUDIT_KEEP_BODIES is on."""
    if not settings.AUDIT_KEEP_BODIES:
        raise Http404
    rows = Delivery.objects.select_related("user", "call_log", "conversation")
    delivery = get_object_or_404(rows.exclude(kind__in=(Kind.REVOKE, Kind.LOOK_AGAIN)), pk=delivery_id)
    record(
        "staff.read_text",
        actor=f"staff:{request.user.get_username()}",
        platform=delivery.platform,
        owner=delivery.user.owner,
        subject=delivery.subject,
    )
    return page(
        request,
        "desk/text.html",
        title=f"Text of a change · {name_of(delivery.user)}",
        what=what_of(delivery),
        delivery=delivery,
        parts=_parts(delivery),
    )


def _parts(delivery: Delivery) -> list[_Part]:
    """Its texts; none where they cannot be read with the keys or the version of this server."""
    kinds: dict[str, type[Any]] = {Kind.CREATE: CallSubmission, Kind.EDIT: CallEdit, Kind.TEXTS: Conversation}
    kind = kinds.get(delivery.kind)
    if kind is None:
        return []
    try:
        change = from_json(delivery.payload, kind)
    except (Undecipherable, UnreadableChange):
        return []
    if isinstance(change, Conversation):
        return [_Part(f"Message {number}", item.text) for number, item in enumerate(change.messages, 1)]
    source = change.entry if isinstance(change, CallSubmission) else change.change
    named = {"Subject": source.subject, "Note": source.note, "AI note": change.details.ai_note}
    return [_Part(title, body) for title, body in named.items() if body]
