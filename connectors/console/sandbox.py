"""The sandbox CRM as the console shows it: the trouble that the visitor has ordered, and their records."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from adapters import registry
from adapters.contract import ConnectorError, CredentialsRejected
from connectors.console.access import for_the_tokens_owner
from connectors.deliveries import circuit
from connectors.deliveries.logins import wake
from connectors.models import CrmUser
from connectors.services.crm_access import build_adapter, refresh_credentials

_PATH = "/demonstration"


@for_the_tokens_owner
def sandbox(request: HttpRequest, user: CrmUser) -> JsonResponse:
    """``GET``: ``{"trouble", "activities"}``, newest first; ``POST {"trouble": kind}`` orders, and "" ends it.

    It concerns the visitor's own account at the sandbox. What waited for the end of the trouble is due at once.
    """
    manifest = registry.manifests().get(user.platform)
    if manifest is None or not manifest.server.sandbox:
        return JsonResponse({"error": "This is not a sandbox CRM."}, status=404)
    if request.method not in ("GET", "POST"):
        return JsonResponse({"error": "This address takes GET and POST."}, status=405)
    try:
        order = _order(request) if request.method == "POST" else None
    except ValueError:
        return JsonResponse({"error": 'The body must be {"trouble": a text}.'}, status=400)
    try:
        shown = _asked(user, order)
    except CredentialsRejected:
        return JsonResponse({"error": "The sandbox has ended this login. Please log in again."}, status=409)
    except ConnectorError as error:
        return JsonResponse({"error": error.reason or "The sandbox did not answer. Is it running?"}, status=502)
    if order == "" and shown is not None:
        circuit.note_answer(user.crm)
        wake(user)
    if shown is None:
        return JsonResponse({"error": "This CRM's adapter is one that has no switches."}, status=404)
    return JsonResponse(shown)


def _order(request: HttpRequest) -> str:
    body = json.loads(request.body)
    kind = body.get("trouble") if isinstance(body, dict) else None
    if not isinstance(kind, str):
        raise ValueError(kind)
    return kind


def _asked(user: CrmUser, order: str | None) -> dict[str, Any] | None:
    """Past the CRM's pace, shares and circuit: what is ordered there would keep this away, too.

    None where the adapter puts the login into each request by itself, as definitions do.
    """
    if user.needs_refresh(timezone.now()):
        refresh_credentials(user, used=user.access_token)
    adapter = build_adapter(
        platform=user.platform,
        user=user.profile(),
        credentials=user.credentials(),
        owner=user.owner,
        pace_key=f"console:{user.pk}",
    )
    if not adapter.auth_headers(adapter.context):
        return None
    reply = adapter.http.get(_PATH) if order is None else adapter.http.post(_PATH, json={"trouble": order})
    return dict(reply)
