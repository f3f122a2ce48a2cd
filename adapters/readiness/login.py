"""How somebody logs in to try a CRM: the fields to ask for, the page to open, and what to do with the answers.

The command and the page of the admin ask; both use this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from django.conf import settings

from adapters import registry
from adapters.contract import Credentials, CrmAdapter, LoginForm, Manifest, OAuthCallback

Login = Callable[[CrmAdapter], Credentials]


class LoginMistake(ValueError):
    """What was given cannot be a login; the message says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of the CRM's login form."""

    name: str
    title: str
    is_secret: bool


def uses_oauth(manifest: Manifest) -> bool:
    return manifest.server.auth.type == "oauth"


def fields_of(manifest: Manifest) -> list[Field]:
    """What a key or password login asks for; nothing for OAuth."""
    if uses_oauth(manifest):
        return []
    page = manifest.client["auth"]["apiKey"]["page"]
    return [
        Field(name=str(item["const"]), title=str(item["title"]), is_secret=_is_secret(item))
        for item in page.get("content", [])
        if item.get("const") and item.get("required")
    ]


def _is_secret(item: Mapping[str, Any]) -> bool:
    name = f"{item['const']} {(item.get('uiSchema') or {}).get('ui:widget', '')}".lower()
    return any(word in name for word in ("key", "password", "secret", "token"))


def hosts_of(manifest: Manifest) -> list[tuple[str, str]]:
    """Host and name of each region to choose from; empty where there is no choice, or any host is possible."""
    environment = manifest.client.get("environment") or {}
    if environment.get("type") != "selectable":
        return []
    return [(urlsplit(item["const"]).netloc or item["const"], item["name"]) for item in environment["selections"]]


def asks_for_host(manifest: Manifest) -> bool:
    """Whether the login goes to the account's own host, which nothing else tells."""
    server = manifest.server
    login_url = server.auth.token_url if uses_oauth(manifest) else server.base_url
    return (manifest.client.get("environment") or {}).get("type") == "dynamic" and "{hostname}" in login_url


def authorisation(manifest: Manifest, hostname: str = "") -> tuple[str, str, str]:
    """Of an OAuth login: the address to open, the redirect URI to register, and the state that comes back."""
    variables = {**registry.secrets_for(manifest), "APP_SERVER": settings.APP_SERVER}
    client = manifest.client_half(variables)
    oauth = dict(client["auth"]["oauth"])
    for override in client.get("override") or ():
        if override.get("triggerType") == "hostname" and override.get("triggerValue") == hostname:
            for item in override.get("overrideObjects") or ():
                oauth[str(item["path"]).rpartition(".")[2]] = item["value"]
    state = str(oauth.get("customState") or f"platform={manifest.name}")
    scope = f"&{oauth['scope']}" if oauth.get("scope") else ""
    address = (
        f"{oauth['authUrl']}?response_type=code&client_id={quote(str(oauth['clientId']))}{scope}"
        f"&state={quote(state)}&redirect_uri={quote(str(oauth['redirectUri']), safe='')}"
    )
    return address, str(oauth["redirectUri"]), state


def login_with(manifest: Manifest, *, hostname: str, fields: Mapping[str, str], address: str = "") -> Login:
    """The login as a function of the adapter. ``address``: where the browser ended after an OAuth login.

    Raises ``LoginMistake``.
    """
    if not uses_oauth(manifest):
        missing = [field.title for field in fields_of(manifest) if not fields.get(field.name)]
        if missing:
            raise LoginMistake(f"Missing: {', '.join(missing)}.")
        form = LoginForm(fields=dict(fields), hostname=hostname)
        return lambda adapter: adapter.login(form)
    callback = _callback(manifest, hostname, fields, address)
    return lambda adapter: adapter.exchange_code(callback)


def _callback(manifest: Manifest, hostname: str, fields: Mapping[str, str], address: str) -> OAuthCallback:
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        raise LoginMistake("This is not an address.") from None
    query = dict(parse_qsl(parts.query))
    if query.get("state") != authorisation(manifest, hostname)[2]:
        raise LoginMistake("The address does not carry the state of this login.")
    if not query.get("code"):
        raise LoginMistake("The address holds no code: the CRM did not agree.")
    further = {name: value for name, value in query.items() if name not in ("code", "state")}
    return OAuthCallback(
        code=query["code"],
        redirect_uri=f"{parts.scheme}://{parts.netloc}{parts.path}",
        hostname=hostname or query.get("hostname", ""),
        fields={**further, **fields},
    )
