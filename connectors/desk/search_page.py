"""The search box of every page: whatever a user can tell of a call leads to it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from connectors.desk.page import needs, page


@needs("audit.view_calllog", "audit.view_conversationlog")
def search(request: HttpRequest) -> HttpResponse:
    """The calls and conversations that fit ``q``."""
    return page(request, "desk/search.html", title="Search", asked=request.GET.get("q", "").strip()[:200])
