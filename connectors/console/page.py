"""The page at ``/``: plays the extension through the public API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from adapters import registry
from connectors.console.access import may_use


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """The console; the sign-in page for those who may not use it, and the desk where the console is off."""
    if not settings.CONSOLE:
        return redirect("admin:index")
    if not may_use(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    reply = render(request, "console/console.html", {"facts": _facts()})
    reply["Cache-Control"] = "no-store"
    return reply


def _facts() -> dict[str, Any]:
    """What the page cannot ask the public API for: names and addresses, no secret."""
    shown = registry.manifests()
    sandboxes = [
        {"platform": name, "url": manifest.base_url(secrets=registry.secrets_for(manifest))}
        for name, manifest in sorted(shown.items(), key=lambda item: -len(item[1].server.capabilities))
        if manifest.server.sandbox
    ]
    return {
        "sandboxes": sandboxes,
        "sandboxUrls": sorted({row["url"] for row in sandboxes}),
        "notSetUp": [
            {"platform": name, "crm": manifest.display_name, "missing": missing}
            for name, manifest in shown.items()
            if (missing := registry.missing_secrets(manifest))
        ],
        "desk": reverse("admin:desk_search"),
        "apiReference": reverse("docs"),
    }
