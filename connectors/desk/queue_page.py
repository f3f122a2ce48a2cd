"""What waits to be sent, by CRM and reason, with its age."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from connectors.desk.page import needs, page


@needs("deliveries.view_delivery")
def queue(request: HttpRequest) -> HttpResponse:
    """Groups of what waits."""
    return page(request, "desk/queue.html", title="Queue")
