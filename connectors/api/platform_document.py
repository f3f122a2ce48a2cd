"""One CRM as the extension sees it: the client half of its manifest, filled in for this installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from adapters import registry
from adapters.contract import Manifest
from connectors.help import links

_CLIENT_ID, _SIGN_IN_PAGE = "auth.oauth.clientId", "auth.oauth.authUrl"


def platform_on_wire(manifest: Manifest) -> dict[str, Any]:
    """The platform's entry in ``/crmManifest``."""
    variables = {**registry.secrets_for(manifest), "APP_SERVER": links.server_url()}
    half = manifest.client_half(variables)
    half.update(links.of_platform(manifest.name, half))
    page = half.setdefault("page", {})
    # The client fails without the following.
    for form in ("callLog", "messageLog", "newContact"):
        page.setdefault(form, {}).setdefault("additionalFields", [])
    if settings.PUBLIC_LINKS["FEEDBACK"] or "feedback" not in page:
        page["feedback"] = links.feedback()
    _close_regions(half, manifest.name)
    if settings.SERVER_SIDE_LOGGING_URL:
        if "serverSideLogging" in half:
            half["serverSideLogging"]["url"] = settings.SERVER_SIDE_LOGGING_URL
    else:  # its page switches automatic logging off for a whole company, whether or not there is such a service
        half.pop("serverSideLogging", None)
    return half


def _close_regions(half: dict[str, Any], name: str) -> None:
    """Offers no host whose client id is not set; who opens the extension there is told so in place of a sign-in."""
    closed = set()
    for override in half.get("override", []):
        changes = {change["path"]: change for change in override["overrideObjects"]}
        if override["triggerType"] == "hostname" and changes.get(_CLIENT_ID, {}).get("value") == "":
            closed.add(override["triggerValue"])
            if _SIGN_IN_PAGE in changes:
                changes[_SIGN_IN_PAGE]["value"] = links.page(f"not-set-up/{name}")
    environment = half.get("environment", {})
    if closed and "selections" in environment:
        environment["selections"] = [
            choice
            for choice in environment["selections"]
            if choice["const"].partition("://")[2].strip("/") not in closed
        ]
