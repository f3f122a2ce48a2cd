"""Mounts the admin and the API; paths are matched as the extension spells them (see connectors.api.paths)."""

from __future__ import annotations

from django.urls import include, path

from connectors.admin import site

urlpatterns = [
    path("", include("connectors.api.urls")),
    path("api/", include("connectors.api.documentation")),
    path("admin/", site.urls),
]
handler400 = "connectors.api.envelope.bad_request"
handler404 = "connectors.api.envelope.not_found"
handler500 = "connectors.api.envelope.server_error"
