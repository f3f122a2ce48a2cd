"""Pages for users of the extension, who have no account here: how to connect, what is new, where to get help."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import re_path
from django.views.decorators.http import require_safe

from adapters import registry
from adapters.contract import Manifest
from connectors.help import links
from connectors.help.logos import logo
from connectors.release_notes import RELEASE_NOTES

_SHOWN_FIELDS = ("selection", "inputField", "checkbox")
_FORMS = (("callLog", "Log of a call"), ("messageLog", "Log of messages"), ("newContact", "New contact"))
_ABILITIES = (
    ("find_contacts_by_name", "Search for contacts by name"),
    ("set_disposition", "Change the choices of a logged call afterwards"),
    ("list_users", "Log for colleagues, as an administrator maps them"),
)


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    support = settings.PUBLIC_LINKS["SUPPORT"]
    context = {"author": links.author(), "support": support, "pages": links.page(), **context}
    return render(request, f"help/{template}.html", context)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What this server is, and which CRMs it connects."""
    offered = [(name, manifest.display_name) for name, manifest in registry.configured().items()]
    return _page(request, "index", offered=offered, manifest_url=f"{links.server_url()}/crmManifest")


def _offered(platform: str) -> Manifest:
    manifest = registry.configured().get(registry.find_platform(platform) or "")
    if manifest is None:
        raise Http404
    return manifest


@require_safe
def crm(request: HttpRequest, platform: str) -> HttpResponse:
    """How to connect one CRM and what is logged in it, told from its manifest."""
    manifest = _offered(platform)
    client = manifest.client_half({**registry.secrets_for(manifest), "APP_SERVER": links.server_url()})
    form = client.get("auth", {}).get("apiKey", {}).get("page", {})
    page = client.get("page", {})
    return _page(
        request,
        "crm",
        platform=manifest.name,
        crm=manifest.display_name,
        is_oauth=client.get("auth", {}).get("type") == "oauth",
        environment=client.get("environment", {}),
        warning=form.get("warning", ""),
        login_fields=[field for field in form.get("content", []) if field.get("required")],
        contact_types=[kind["display"] for kind in client.get("contactTypes", [])],
        abilities=[text for name, text in _ABILITIES if name in manifest.server.capabilities],
        forms=[(title, _fields(page.get(form_name, {}))) for form_name, title in _FORMS],
        sections=[(section["name"], _items(section)) for section in client.get("settings", [])],
    )


def _items(section: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and explanation of each setting; a warning has its text as ``value``."""
    return [(item["name"], item.get("description") or item.get("value") or "") for item in section.get("items", [])]


def _fields(form: dict[str, Any]) -> list[str]:
    return [field["title"] for field in form.get("additionalFields", []) if field.get("type") in _SHOWN_FIELDS]


@require_safe
def not_set_up(request: HttpRequest, platform: str) -> HttpResponse:
    """In place of a vendor's sign-in page, where this server has no application registered there."""
    return _page(request, "not_set_up", crm=_offered(platform).display_name)


@require_safe
def release_notes(request: HttpRequest) -> HttpResponse:
    """The same as ``/releaseNotes``, for people."""
    versions = [
        (
            version,
            [(registry.display_name(name) if name != "global" else "", entries) for name, entries in notes.items()],
        )
        for version, notes in RELEASE_NOTES.items()
    ]
    return _page(request, "release_notes", versions=versions)


@require_safe
def support(request: HttpRequest) -> HttpResponse:
    """Whom to ask, and what to tell them."""
    return _page(request, "support")


@require_safe
def feedback(request: HttpRequest) -> HttpResponse:
    """Shows what was entered in the extension's form, which stands behind ``#``; nothing of it is sent here."""
    mail = settings.PUBLIC_LINKS["SUPPORT"].removeprefix("mailto:")
    return _page(request, "feedback", mail=mail if settings.PUBLIC_LINKS["SUPPORT"].startswith("mailto:") else "")


@require_safe
def picture(request: HttpRequest, platform: str) -> HttpResponse:
    """``logoUrl`` of a platform."""
    manifest = registry.manifests().get(registry.find_platform(platform) or "")
    if manifest is None:
        raise Http404
    reply = HttpResponse(logo(manifest.display_name), content_type="image/svg+xml")
    reply["Cache-Control"] = "public, max-age=86400"
    return reply


urlpatterns = [
    re_path(r"^help/?$", index),
    re_path(r"^help/crm/(?P<platform>\w+)/?$", crm),
    re_path(r"^help/not-set-up/(?P<platform>\w+)/?$", not_set_up),
    re_path(r"^help/release-notes/?$", release_notes),
    re_path(r"^help/support/?$", support),
    re_path(r"^help/feedback/?$", feedback),
    re_path(r"^logo/(?P<platform>\w+)\.svg$", picture),
]
