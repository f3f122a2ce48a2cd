"""The search box of every page: whatever a user can tell of a call leads to it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.models import CallLog, ConversationLog
from connectors.desk.asked import read
from connectors.desk.page import needs, page
from connectors.desk.search import MOST, Found, search
from connectors.models import CrmUser, LookUp

_ADDRESSES: dict[type, str] = {
    CallLog: "admin:desk_call",
    ConversationLog: "admin:desk_day",
    CrmUser: "admin:desk_user",
    LookUp: "admin:desk_look_up",
}


@needs("audit.view_calllog")
def find(request: HttpRequest) -> HttpResponse:
    """What fits ``q``; where that is one thing, its page."""
    asked = read(request.GET.get("q", ""))
    found = search(asked) if asked.text else Found()
    if len(found.agents) == 1 and asked.day and not (asked.number or asked.ending):  # what did she do yesterday?
        return redirect(f"{reverse('admin:desk_user', args=[found.agents[0].pk])}?day={asked.day}")
    if (one := found.only_one) is not None:
        return redirect(_ADDRESSES[type(one)], one.pk)
    last_seen = []
    if asked.text and found.is_empty:
        last_seen = list(CrmUser.objects.exclude(last_seen_at=None).order_by("-last_seen_at")[:10])
    return page(
        request,
        "desk/search.html",
        title=f"Search: {asked.text}" if asked.text else "Search",
        asked=asked.text,
        query=asked,
        found=found,
        most=MOST,
        last_seen=last_seen,
    )
