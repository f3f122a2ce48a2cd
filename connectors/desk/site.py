"""Django's admin under our name, with the desk's pages in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from adapters import registry
from connectors.staff_sign_in import AuditedSite

#: What the navigation leads to: name of the URL, what it is called, and who may see it.
NAVIGATION = (
    ("index", "Start", ""),
    ("desk_queue", "Queue", "deliveries.view_delivery"),
    ("audit_calllog_changelist", "Calls", "audit.view_calllog"),
    ("audit_conversationlog_changelist", "Conversations", "audit.view_conversationlog"),
    ("connectors_crmuser_changelist", "Users", "connectors.view_crmuser"),
    ("desk_placeholders", "Contacts", "connectors.view_crmuser"),
    ("desk_crms", "CRMs", "deliveries.view_delivery"),
    ("audit_auditevent_changelist", "Trail", "audit.view_auditevent"),
    ("auth_user_changelist", "Staff", "auth.view_user"),
)


class SupportSite(AuditedSite):
    """Lists, the pages of the desk under ``desk/``, and a search box on each of them."""

    final_catch_all_view = False  # the extension's own paths begin with /admin/ too: an unknown one is no sign-in page
    enable_nav_sidebar = False
    site_header = "Switchboard"
    site_title = "Switchboard"
    index_title = "Support desk"
    site_url = None  # the address without a path leads here
    index_template = "admin/support_index.html"

    def get_urls(self) -> list[Any]:
        from connectors.desk.urls import urls_of  # its pages are pages of this site

        return [*urls_of(self), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page has, with the navigation: what its reader may see."""
        links = [
            {"name": name, "url": reverse(f"admin:{url}"), "is_here": request.path == reverse(f"admin:{url}")}
            for url, name, permission in NAVIGATION
            if not permission or request.user.has_perm(permission)
        ]
        return {**super().each_context(request), "navigation": links}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The start page; with the CRMs that the extension does not offer since they are not set up."""
        from connectors.desk.start_page import start  # models: this module is imported before there are any

        lacking = [
            (manifest.display_name, ", ".join(missing))
            for manifest in registry.manifests().values()
            if (missing := registry.missing_secrets(manifest))
        ]
        return super().index(request, {"not_set_up": lacking, **start(request), **(extra_context or {})})


site = SupportSite(name="admin")
