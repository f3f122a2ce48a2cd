"""A card for each CRM: whether it is set up, what to register where, and how it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse

from adapters import registry
from adapters.contract import Manifest
from adapters.readiness.login import authorisation, uses_oauth
from connectors.desk.page import needs, page
from connectors.desk.start_page import Crm, health
from connectors.models import CrmUser

_LOGINS = {"oauth": "OAuth 2.0", "api_key": "an API key", "password": "user name and password"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """``missing``: variables without which it does not work; ``optional``: those that have a default."""

    platform: str
    name: str
    missing: list[str]
    variables: list[str]
    optional: list[str]
    login: str
    redirect_uri: str
    scopes: str
    connected: int
    last_login: datetime | None
    health: Crm


@needs("deliveries.view_delivery")
def crms(request: HttpRequest) -> HttpResponse:
    """Those that are set up first; what cannot be used on this server at the end."""
    users = CrmUser.objects.values("platform").annotate(
        last=Max("connected_at"), connected=Count("pk", filter=~Q(access_token=""))
    )
    logins = {row["platform"]: row for row in users.order_by()}
    state = health()
    cards = [
        _card(manifest, state[platform], logins.get(platform, {}))
        for platform, manifest in registry.manifests().items()
    ]
    cards.sort(key=lambda card: (bool(card.missing), card.name.lower()))
    return page(request, "desk/crms.html", title="CRMs", cards=cards, broken=sorted(registry.broken().items()))


def _card(manifest: Manifest, state: Crm, login: Mapping[str, object]) -> Card:
    last, connected = login.get("last"), login.get("connected")
    return Card(
        platform=manifest.name,
        name=manifest.display_name,
        missing=registry.missing_secrets(manifest),
        variables=list(manifest.server.secrets),
        optional=list(manifest.server.settings),
        login=_LOGINS[manifest.server.auth.type],
        redirect_uri=authorisation(manifest)[1] if uses_oauth(manifest) else "",
        scopes=_scopes(manifest),
        connected=connected if isinstance(connected, int) else 0,
        last_login=last if isinstance(last, datetime) else None,
        health=state,
    )


def _scopes(manifest: Manifest) -> str:
    """What the login asks for; "" where that is chosen on the application's page at the vendor's."""
    if not uses_oauth(manifest):
        return ""
    scope = str(manifest.client["auth"]["oauth"].get("scope") or "")
    return scope.removeprefix("scope=").replace("+", " ").replace("%20", " ")
