"""The addresses of the desk's pages, under ``/admin/desk/``; their names begin with ``admin:desk_``."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from connectors.desk import contact_choice, decision_page, marking, queue_page, search_page


def urls_of(site: AdminSite) -> list[URLPattern]:
    """Every page asks for a sign-in first."""
    return [
        path("desk/search/", site.admin_view(search_page.search), name="desk_search"),
        path("desk/queue/", site.admin_view(queue_page.queue), name="desk_queue"),
        path("desk/decide/<slug:key>/", site.admin_view(decision_page.decide), name="desk_decide"),
        path("desk/mark/<uuid:delivery_id>/", site.admin_view(marking.mark), name="desk_mark"),
        path("desk/contact/<uuid:delivery_id>/", site.admin_view(contact_choice.choose), name="desk_contact"),
    ]
