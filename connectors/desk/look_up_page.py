"""Why a look-up found somebody, or nobody."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from adapters import registry
from connectors.desk.meanings import meaning_of
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.models import LookUp
from connectors.services.look_up_traces import read_trace


@needs("audit.view_calllog")
def look_up(request: HttpRequest, look_up_id: uuid.UUID) -> HttpResponse:
    """One look-up that the CRM was asked for. What it returned is shown without names: ids and reasons suffice."""
    row = get_object_or_404(LookUp.objects.select_related("user"), pk=look_up_id)
    crm, trace = registry.display_name(row.user.platform), read_trace(row)
    agent = name_of(row.user)
    return page(
        request,
        "desk/look_up.html",
        title=f"Look-up · {agent} · {crm}",
        row=row,
        trace=trace,
        forms=[_masked(form) for form in trace.get("forms", ())],
        by_ending=trace.get("by_ending", ()),
        meaning=meaning_of(trace["error"], crm=crm, agent=agent) if trace.get("error") else None,
        crm_name=crm,
        agent=agent,
        kept_for=settings.CONTACT_CACHE // timedelta(minutes=1),
        days=settings.LOOK_UP_TRACES.days,
    )


def _masked(form: str) -> str:
    """The form of a number without the number: ``(•••) •••-1212``."""
    left = sum(char.isdigit() for char in form)
    masked = []
    for char in form:
        masked.append("•" if char.isdigit() and left > 4 else char)
        left -= char.isdigit()
    return "".join(masked)
