"""The addresses of the desk's pages, under ``/admin/desk/``; their names begin with ``admin:desk_``."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from connectors.desk import queue_page, search_page


def urls_of(site: AdminSite) -> list[URLPattern]:
    """Every page asks for a sign-in first."""
    return [
        path("desk/search/", site.admin_view(search_page.search), name="desk_search"),
        path("desk/queue/", site.admin_view(queue_page.queue), name="desk_queue"),
    ]
