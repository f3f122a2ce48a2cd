"""The addresses of the desk's pages, under ``/admin/desk/``; their names begin with ``admin:desk_``."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from connectors.desk import (
    call_page,
    contact_choice,
    crms_page,
    decision_page,
    export_page,
    look_up_page,
    marking,
    placeholder_page,
    queue_page,
    search_page,
    text_page,
    try_page,
    user_page,
)


def urls_of(site: AdminSite) -> list[URLPattern]:
    """Every page asks for a sign-in first."""
    return [
        path("desk/search/", site.admin_view(search_page.find), name="desk_search"),
        path("desk/call/<uuid:log_id>/", site.admin_view(call_page.call), name="desk_call"),
        path("desk/day/<uuid:log_id>/", site.admin_view(call_page.day), name="desk_day"),
        path("desk/user/<uuid:user_id>/", site.admin_view(user_page.user), name="desk_user"),
        path("desk/look-up/<uuid:look_up_id>/", site.admin_view(look_up_page.look_up), name="desk_look_up"),
        path("desk/queue/", site.admin_view(queue_page.queue), name="desk_queue"),
        path("desk/contacts/", site.admin_view(placeholder_page.placeholders), name="desk_placeholders"),
        path("desk/crms/", site.admin_view(crms_page.crms), name="desk_crms"),
        path("desk/crms/<slug:platform>/", site.admin_view(try_page.try_crm), name="desk_try"),
        path("desk/decide/<slug:key>/", site.admin_view(decision_page.decide), name="desk_decide"),
        path("desk/mark/<uuid:delivery_id>/", site.admin_view(marking.mark), name="desk_mark"),
        path("desk/contact/<uuid:delivery_id>/", site.admin_view(contact_choice.choose), name="desk_contact"),
        path("desk/export/", site.admin_view(export_page.export), name="desk_export"),
        path("desk/text/<uuid:delivery_id>/", site.admin_view(text_page.text), name="desk_text"),
    ]
