"""What a request of the page made the server ask the CRM, out of the audit trail."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, JsonResponse

from audit.models import AuditEvent
from connectors.console.access import for_the_tokens_owner
from connectors.models import CrmUser


@for_the_tokens_owner
def crm_calls(request: HttpRequest, user: CrmUser) -> JsonResponse:
    """``GET /console/crm-calls?request=<X-Request-Id>``: the events of that request, oldest first.

    A worker's later attempts carry the id of the request that brought the change, so they are here, too. Of requests
    of anybody else there is nothing to see.
    """
    events = AuditEvent.objects.filter(request_id=request.GET.get("request", "")[:64], platform=user.platform)
    login = Q(action="session.connect", target=user.wire_id)
    if not request.GET.get("request") or not events.filter(Q(actor=user.actor) | login).exists():
        return JsonResponse({"events": []})
    own = events.filter(login | Q(owner=user.owner)).order_by("pk")
    return JsonResponse({"events": [_shown(event) for event in own[:50]]})


def _shown(event: AuditEvent) -> dict[str, Any]:
    return {
        "at": event.occurred_at,
        "action": event.action,
        "byWorker": event.actor == "worker",
        "outcome": event.outcome,
        "error": event.error,
        "milliseconds": event.milliseconds,
        "crmCalls": event.crm_calls,
        "requests": [
            {"method": method, "path": path, "status": status, "milliseconds": milliseconds}
            for method, path, status, milliseconds, *_ in event.detail.get("requests", [])
        ],
    }
