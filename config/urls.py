"""Mounts the admin and the API; paths are matched as the extension spells them (see connectors.api.paths)."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from connectors.desk.site import site
from connectors.observation.exposition import metrics
from connectors.observation.health import readiness

urlpatterns = [
    path("", include("connectors.console.urls")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),  # for people; no client asks for this path
    path("readyz", readiness),
    path("metrics", metrics),
    path("", include("connectors.api.urls")),
    path("", include("connectors.help.pages")),
    path("api/", include("connectors.api.documentation")),
    path("admin/", site.urls),
]
handler400 = "connectors.api.envelope.bad_request"
handler404 = "connectors.api.envelope.not_found"
handler500 = "connectors.api.envelope.server_error"
