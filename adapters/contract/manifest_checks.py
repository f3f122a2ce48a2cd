"""What is wrong with a manifest: faults that break the extension, and halves that do not fit each other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters.contract.adapter import CrmAdapter
from adapters.contract.manifest import AUTH_TYPES, EXEMPTIBLE_RULES, OPTIONAL_OPERATIONS, TOKEN_AUTHS, Manifest

_ENVIRONMENTS = ("fixed", "dynamic", "selectable")
_CASES = {"callLog": ("inboundCall", "outboundCall"), "messageLog": ("message", "voicemail", "fax")}
#: The public URL of this server, known without being named.
_OWN_VARIABLE = "APP_SERVER"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def problems(manifest: Manifest, *, folder: Path | None = None, adapter: type[CrmAdapter] | None = None) -> list[str]:
    """Every fault as a sentence; empty when all is well. ``adapter``: also compares it with the contract."""
    found = [*_server(manifest), *_platform(manifest.client), *_settings(manifest.client), *_page(manifest.client)]
    if folder is not None and manifest.name.lower() != folder.name:
        found.append(f"client.name {manifest.name!r} in lower case must be the folder's name {folder.name!r}")
    if adapter is not None:
        found.extend(_surface(adapter) or _capabilities(manifest, adapter))
    return found


def _server(manifest: Manifest) -> Iterator[str]:
    server = manifest.server
    if not server.hosts:
        yield "server.hosts must not be empty"
    if server.auth.type not in AUTH_TYPES:
        yield f"server.auth.type must be one of {', '.join(AUTH_TYPES)}"
    if server.auth.token_auth not in TOKEN_AUTHS:
        yield f"server.auth.token_auth must be one of {', '.join(TOKEN_AUTHS)}"
    for name, least in (("body_length", 1000), ("title_length", 40)):
        length = getattr(server, name)
        if length is not None and length < least:
            yield f"server.{name} must be at least {least}"
    for name in manifest.variables:
        if not _VARIABLE.fullmatch(name):
            yield f"the variable {name!r} must be written in upper case"
    for name in server.capabilities:
        if name not in OPTIONAL_OPERATIONS:
            yield f"server.capabilities names {name!r}, which is no optional operation"
    for name in sorted(manifest.placeholders - {*manifest.variables, _OWN_VARIABLE}):
        yield f"the variable {name} is used, but neither in server.secrets nor in server.settings"
    for rule, reason in server.exempt.items():
        name, _, detail = rule.partition(".")
        if name not in EXEMPTIBLE_RULES or (name == "coverage" and not detail):
            yield f"server.exempt.{rule} is no rule; there are {', '.join(EXEMPTIBLE_RULES)}"
        if not str(reason).strip():
            yield f"server.exempt.{rule} needs a reason"
    for route in server.routes:
        if not route.path or not route.methods:
            yield "every route needs a path and methods"


def _platform(client: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "displayName", "urlIdentifier"):
        if not isinstance(client.get(key), str) or not client[key]:
            yield f"client.{key} must be a text"
    for key in ("embedUrls", "settings"):
        if not isinstance(client.get(key), list):
            yield f"client.{key} must be a list"
    if client.get("contactTypes", None) == []:
        yield "client.contactTypes must not be empty; leave it out instead"
    environment = client.get("environment") or {}
    if environment.get("type") not in _ENVIRONMENTS:
        yield f"client.environment.type must be one of {', '.join(_ENVIRONMENTS)}"
    elif environment["type"] == "selectable" and not environment.get("selections"):
        yield "client.environment needs selections"
    auth = client.get("auth") or {}
    if auth.get("type") not in ("oauth", "apiKey"):
        yield "client.auth.type must be oauth or apiKey"
    elif not isinstance(auth.get(auth["type"]), dict):
        yield f"client.auth.{auth['type']} is missing"
    elif auth["type"] == "oauth":
        for key in ("authUrl", "clientId"):
            if not auth["oauth"].get(key):
                yield f"client.auth.oauth.{key} is missing"


def _settings(client: Mapping[str, Any]) -> Iterator[str]:
    for section in client.get("settings") or ():
        where = f"the settings section {section.get('id')!r}"
        if not isinstance(section.get("items"), list):
            yield f"{where} needs items"
        for item in section.get("items") or ():
            if item.get("type") == "option" and not item.get("dynamicOptions") and not item.get("options"):
                yield f"{where}: the option {item.get('id')!r} needs options"


def _page(client: Mapping[str, Any]) -> Iterator[str]:
    page = client.get("page")
    if not isinstance(page, dict):
        yield "client.page is missing"
        return
    sections = [section.get("id") for section in client.get("settings") or ()]
    for form in ("callLog", "messageLog", "newContact"):
        fields = (page.get(form) or {}).get("additionalFields")
        if not isinstance(fields, list):
            yield f"client.page.{form}.additionalFields must be a list"
            continue
        for item in fields:
            values = item.get("defaultSettingValues") or {}
            for case in _CASES.get(form, ()) if item.get("defaultSettingId") in sections else ():
                if case not in values:
                    yield f"client.page.{form}: {item.get('const')!r} lacks defaultSettingValues.{case}"


def _surface(adapter: type[CrmAdapter]) -> list[str]:
    """Ways in which a class is not what shared code constructs and calls."""
    if not (isinstance(adapter, type) and issubclass(adapter, CrmAdapter)):
        return ["Adapter must be a subclass of CrmAdapter"]
    found = []
    if _parameters(adapter.__init__) != _parameters(CrmAdapter.__init__):
        found.append("the adapter must keep the constructor of CrmAdapter")
    if missing := sorted(adapter.__abstractmethods__):
        found.append(f"the adapter lacks {', '.join(missing)}")
    if unknown := sorted(adapter.lacking - CrmAdapter.__abstractmethods__):
        found.append(f"lacking names {', '.join(unknown)}, which is no required operation")
    for name, method in inspect.getmembers(CrmAdapter, inspect.isroutine):
        own = getattr(adapter, name)
        if not name.startswith("_") and own is not method and _parameters(own) != _parameters(method):
            found.append(f"{name} must take the parameters ({', '.join(_parameters(method))})")
    return found


def _parameters(method: Any) -> list[str]:
    return [name for name in inspect.signature(method).parameters if name != "self"]


def _capabilities(manifest: Manifest, adapter: type[CrmAdapter]) -> Iterator[str]:
    for name in OPTIONAL_OPERATIONS:
        overridden = getattr(adapter, name) is not getattr(CrmAdapter, name)
        if overridden and name not in manifest.server.capabilities:
            yield f"the adapter offers {name}, which server.capabilities does not name"
        if not overridden and name in manifest.server.capabilities:
            yield f"server.capabilities names {name}, which the adapter does not offer"
