"""Pages and hooks that only one vendor needs, as its manifest declares them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from adapters import registry
from adapters.contract import Credentials, RouteRequest, UserProfile
from adapters.contract.manifest import Route
from connectors.services.crm_access import build_adapter
from connectors.services.sessions import forget


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        found = request.POST.dict()
    return found if isinstance(found, dict) else {}


def _view(platform: str, route: Route) -> Callable[[HttpRequest], HttpResponse]:
    @csrf_exempt
    def answer(request: HttpRequest) -> HttpResponse:
        name = route.methods.get(request.method or "")
        if name is None:
            return HttpResponse("Method not allowed", status=405, content_type="text/plain; charset=utf-8")
        adapter = build_adapter(platform=platform, user=UserProfile(id="", name=""), credentials=Credentials())
        reply = adapter.handle_route(
            name,
            RouteRequest(
                method=request.method or "",
                query=request.GET.dict(),
                body=_body(request),
                headers={key.lower(): value for key, value in request.headers.items()},
                server_url=settings.APP_SERVER,
            ),
        )
        for user in reply.forget:
            forget(platform=platform, crm_user_id=user.user_id, account_id=user.account_id)
        page = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
        if reply.inline_code:
            page["Content-Security-Policy"] = _policy_with(reply.inline_code)
        return page

    return answer


def _policy_with(inline_code: tuple[str, ...]) -> str:
    """The policy of all pages, and the hashes of the code the adapter vouches for (CSP level 3, section 2.3.1)."""
    digests = (hashlib.sha256(code.encode()).digest() for code in inline_code)
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    widened = {name: [*directives[name], *hashes] for name in ("script-src", "style-src")}
    return str(build_policy(config={**directives, **widened}))


def patterns() -> list[URLPattern]:
    """One URL for each route of each enabled manifest."""
    return [
        path(route.path.strip("/"), _view(platform, route))
        for platform, manifest in registry.manifests().items()
        for route in manifest.server.routes
    ]
