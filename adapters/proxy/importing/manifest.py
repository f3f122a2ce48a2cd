"""The manifest for an imported definition: the connector's own client half, and the server half out of its document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.proxy.importing.notes import Notes
from adapters.proxy.importing.texts import paths_in

_HOST = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")
_FORMS = ("callLog", "messageLog", "newContact")
#: Operation -> the form whose fields it reads; the other operations read that of calls.
_FORM_OF = {"createContact": "newContact", "createMessageLog": "messageLog", "updateMessageLog": "messageLog"}
#: What the extension adds to a form by itself.
_SUBMITTED = frozenset({"isAssignedToUser", "adminAssignedUserRcId", "note"})
_OPTIONAL = {
    "findContactWithName": "find_contacts_by_name",
    "upsertCallDisposition": "set_disposition",
    "findCallLog": "find_call_log",
    "findMessageLog": "find_message_log",
    "getUserList": "list_users",
    "validateSession": "validate_session",
}


def manifest_from(
    document: Mapping[str, Any],
    definition: Mapping[str, Any],
    client: Mapping[str, Any],
    *,
    key: str,
    display_name: str,
    hosts: Iterable[str],
    notes: Notes,
) -> dict[str, Any]:
    """Both halves. ``client``: what the connector shows in the extension, {} where it is not known."""
    server = _server(document, definition, client, key=key, hosts=hosts, notes=notes)
    return {
        "client": _client(client, definition, server, key=key, display_name=display_name, notes=notes),
        "server": server,
    }


def _server(
    document: Mapping[str, Any],
    definition: Mapping[str, Any],
    client: Mapping[str, Any],
    *,
    key: str,
    hosts: Iterable[str],
    notes: Notes,
) -> dict[str, Any]:
    defaults = document.get("requestDefaults") or {}
    auth = document.get("auth") or {}
    operations = definition.get("operations", {})
    prefix = key.upper()
    server: dict[str, Any] = {}
    if base_url := str(defaults.get("baseUrl") or ""):
        server["base_url"] = base_url.rstrip("/")
    addresses = [base_url, str(auth.get("tokenUrl") or ""), *(str(one.get("url") or "") for one in operations.values())]
    server["hosts"] = list(dict.fromkeys([*_hosts(addresses, client, notes), *hosts]))
    if any(_is_variable(address) for address in addresses):
        server["host_in_identity"] = True
    if timeout := defaults.get("timeoutSeconds"):
        server["read_timeout"] = min(max(int(timeout), 1), 60)
    secrets: list[str] = []
    if auth.get("type") == "oauth":
        names = {"client_id": f"{prefix}_CLIENT_ID", "client_secret": f"{prefix}_CLIENT_SECRET"}
        urls = {"token_url": str(auth.get("tokenUrl") or ""), "redirect_uri": str(auth.get("redirectUri") or "")}
        server["auth"] = {"type": "oauth", **urls, **names}
        secrets += names.values()
    else:
        user_info = operations.get("getUserInfo", {})
        gives_key = "overridingApiKeyPath" in user_info.get("responseMapping", {})
        sent = [user_info, user_info.get("auth") or definition.get("auth")]
        has_key = "apiKey" in _fields(client) if client else "apiKey" in paths_in(sent)
        server["auth"] = {"type": "password" if gives_key and not has_key else "api_key"}
    if any(path == "secretKey" for path in paths_in(definition)):
        secrets.append(f"{prefix}_SECRET_KEY")
    if secrets:
        server["secrets"] = secrets
    server["capabilities"] = [
        *(name for operation, name in _OPTIONAL.items() if operation in operations),
        "license_status",
    ]
    if not _needs_form(operations.get("getUserInfo", {})):
        server["capabilities"].append("refresh_user")
    return server


def _needs_form(user_info: Mapping[str, Any]) -> bool:
    asks = any(path.split(".")[0] == "additionalInfo" for path in paths_in(user_info))
    return asks or "overridingApiKeyPath" in user_info.get("responseMapping", {})


def _is_variable(address: str) -> bool:
    match = _HOST.match(address)
    return bool(match and _PLACEHOLDER.search(match[1]))


def _hosts(addresses: Iterable[str], client: Mapping[str, Any], notes: Notes) -> Iterator[str]:
    for address in addresses:
        match = _HOST.match(address)
        if match is None:
            continue
        literal = _PLACEHOLDER.split(match[1])
        if len(literal) == 1:
            yield match[1].lower()
        elif re.fullmatch(r"\.[a-z0-9-]+(\.[a-z0-9-]+)+", literal[-1].lower()):
            yield f"*{literal[-1].lower()}"
        elif found := list(_hosts_of_accounts(client)):
            yield from found
        else:
            notes.add(
                address, "any host could be meant: name the CRM's with --host, such as --host '*.orchard.example'"
            )


def _hosts_of_accounts(client: Mapping[str, Any]) -> Iterator[str]:
    """Where accounts have their own hosts: the pattern, or each of those to choose from."""
    environment = client.get("environment") or {}
    for selection in environment.get("selections") or ():
        address = str(selection.get("const"))
        yield match[1] if (match := _HOST.match(address)) else address
    pattern = str(environment.get("urlIdentifier") or client.get("urlIdentifier") or "")
    host = re.sub(r"^https?://", "", pattern).split("/")[0].lower()
    if not environment.get("selections") and re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", host):
        yield host


def _client(
    given: Mapping[str, Any],
    definition: Mapping[str, Any],
    server: Mapping[str, Any],
    *,
    key: str,
    display_name: str,
    notes: Notes,
) -> dict[str, Any]:
    client = {**given, "name": key, "displayName": str(given.get("displayName") or display_name or key)}
    own = _HOST.match(str(server.get("base_url") or ""))
    page_url = own[0] if own else "https://{hostname}"
    if not client.get("environment"):
        pattern = str(client.get("urlIdentifier") or "")
        has_hosts = server.get("host_in_identity") and "*" in pattern
        client["environment"] = (
            {"type": "dynamic", "urlIdentifier": pattern} if has_hosts else {"type": "fixed", "url": page_url}
        )
        notes.add("client.environment", "added: where the CRM's pages are, see whether it is right")
    for name, usual in (("urlIdentifier", page_url), ("contactPageUrl", page_url)):
        if not client.get(name):
            client[name] = usual
            notes.add(f"client.{name}", f"added: {usual}, see whether it is right")
    if not isinstance(client.get("embedUrls"), list):
        client["embedUrls"] = [f"{page_url}/*"]
    client["settings"] = client.get("settings") or []
    client["auth"] = _auth(client, definition, server, key)
    client["page"] = _page(client, definition, notes)
    if client.get("contactTypes") == []:
        del client["contactTypes"]
    return client


def _auth(
    client: Mapping[str, Any], definition: Mapping[str, Any], server: Mapping[str, Any], key: str
) -> dict[str, Any]:
    given = client.get("auth") or {}
    if server["auth"]["type"] == "oauth":
        oauth = {**(given.get("oauth") or {}), "clientId": f"${{{key.upper()}_CLIENT_ID}}"}
        return {"type": "oauth", "oauth": {**oauth, "redirectUri": server["auth"]["redirect_uri"]}}
    page: dict[str, Any] = dict((given.get("apiKey") or {}).get("page") or {"title": client["displayName"]})
    fields: list[dict[str, Any]] = list(page.get("content") or [])
    known = {str(field.get("const")) for field in fields}
    asked = [path.split(".")[1] for path in paths_in(definition) if path.startswith("additionalInfo.")]
    if server["auth"]["type"] == "api_key":
        asked.insert(0, "apiKey")
    for name in dict.fromkeys(asked):
        if name not in known:
            hidden = {"uiSchema": {"ui:widget": "password"}} if name.lower() == "password" else {}
            fields.append({"const": name, "title": _title(name), "type": "string", "required": True, **hidden})
    return {"type": "apiKey", "apiKey": {"page": {**page, "content": fields}}}


def _page(client: Mapping[str, Any], definition: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The forms, with a field for everything that the definition reads from one."""
    page = dict(client.get("page") or {})
    for form in _FORMS:
        page[form] = {**(page.get(form) or {})}
        page[form]["additionalFields"] = list(page[form].get("additionalFields") or [])
    if "findContactWithName" in definition.get("operations", {}):
        page["useContactSearch"] = True
    known = {str(field.get("const")) for form in _FORMS for field in page[form]["additionalFields"]}
    known |= {str(item.get("id")) for item in client.get("rcAdditionalSubmission") or ()}
    for name, operation in definition.get("operations", {}).items():
        for path in paths_in(operation):
            root, _, rest = path.partition(".")
            field = rest.split(".")[0]
            if root in ("additionalSubmission", "dispositions") and field not in {*known, *_SUBMITTED, ""}:
                known.add(field)
                where = _FORM_OF.get(name, "callLog")
                page[where]["additionalFields"].append({"const": field, "title": _title(field), "type": "inputField"})
                notes.add(f"client.page.{where}", f"added the field {field!r}, which the definition reads")
    return page


def _fields(client: Mapping[str, Any]) -> set[str]:
    page = (((client.get("auth") or {}).get("apiKey")) or {}).get("page") or {}
    return {str(field.get("const")) for field in page.get("content") or ()}


def _title(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()
    return {"api key": "API key"}.get(words, words.capitalize())
