"""Whether a definition and its manifest fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.contract import Manifest
from adapters.contract.outbound_guard import refusal
from adapters.proxy.definition import Definition, Operation
from adapters.proxy.schema import SIGN_IN

_WIDE_PATTERN = re.compile(r"\*\.?[^.]*")
_HOST_PATTERN = re.compile(r"(\*\.)?[a-z0-9_.\[\]:-]+", re.ASCII | re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}", re.ASCII)
#: What the extension adds to the fields of a form.
_SUBMITTED = frozenset({"isAssignedToUser", "adminAssignedUserRcId", "note"})


def misfits(definition: Definition, manifest: Manifest) -> list[str]:
    """Every fault with its path."""
    is_oauth = manifest.server.auth.type == "oauth"
    found = [*_names(definition, manifest), *_hosts(definition, manifest), *_forms(definition, manifest)]
    return [*found, *(_oauth(manifest) if is_oauth else ())]


def _names(definition: Definition, manifest: Manifest) -> Iterator[str]:
    name = definition.name
    if name and name != manifest.name:
        yield f"meta.name: must be the platform key {manifest.name!r}"
    secret_key = f"{manifest.name.upper()}_SECRET_KEY"
    for where, path in dict.fromkeys(definition.variables()):
        root, _, variable = path.partition(".")
        if root == "secretKey" and secret_key not in manifest.variables:
            yield f"{where}: {{{{secretKey}}}} is the variable {secret_key}, which manifest.json does not name"
        if root == "secrets" and variable not in manifest.variables:
            yield f"{where}: manifest.json does not name the variable {variable!r}"
    if manifest.server.auth.type == "oauth" and definition.signs_in_with_form:
        yield "operations.getUserInfo: an OAuth sign-in has no form and no key to replace"


def _hosts(definition: Definition, manifest: Manifest) -> Iterator[str]:
    server = manifest.server
    for pattern in server.hosts:
        if _WIDE_PATTERN.fullmatch(pattern):
            yield f"manifest.json: server.hosts: {pattern!r} lets requests go anywhere"
        elif not pattern.startswith("${") and not _HOST_PATTERN.fullmatch(pattern):
            yield f"manifest.json: server.hosts: {pattern!r} is no host name such as api.orchard.example"
    if server.read_timeout is not None and not 1 <= server.read_timeout <= 60:
        yield "manifest.json: server.read_timeout must be from 1 to 60 seconds"
    if server.base_url and not server.sandbox and not server.base_url.startswith(("https://", "http://", "${")):
        yield "manifest.json: server.base_url must begin with https://"
    elif server.base_url and not server.sandbox:
        yield from _address("base_url", server.base_url, server.hosts)
        if "?" in server.base_url or "#" in server.base_url:
            yield "manifest.json: server.base_url may not hold a query; requestDefaults.defaultQuery may"
    if not server.host_in_identity and _reaches_many_hosts(definition, manifest):
        yield (
            "manifest.json: server.host_in_identity must be true: "
            "every host has users of its own, and the same id on two of them is two people"
        )
    for operation in definition.operations.values():
        where = f"operations.{operation.name}.url"
        host = operation.url.host
        if host is None:
            if not server.base_url:
                yield f"{where}: manifest.json has no server.base_url to join it to"
        elif not host.paths and (reason := refusal(f"https://{host.parts[0]}/", server.hosts)):
            yield f"{where}: {reason}; manifest.json lists them under server.hosts"


def _reaches_many_hosts(definition: Definition, manifest: Manifest) -> bool:
    """Whether the user's host decides where users are read."""
    hosts = [one.url.host for one in _sign_in(definition)]
    return any("{hostname}" in manifest.server.base_url if host is None else bool(host.paths) for host in hosts)


def _sign_in(definition: Definition) -> list[Operation]:
    """The requests that are sent when somebody signs in."""
    return [definition.operations[name] for name in SIGN_IN if name in definition.operations]


def _address(key: str, url: str, hosts: tuple[str, ...]) -> Iterator[str]:
    rest = _VARIABLE.sub("", url).replace("{hostname}", "")
    if "{" in rest or "}" in rest:
        yield f"manifest.json: server.{key} may hold {{hostname}} and ${{VARIABLE}}, nothing else in braces"
    elif rest == url and (reason := refusal(url, hosts, allow_plain_http=key == "base_url")):
        yield f"manifest.json: server.{key}: {reason}; server.hosts lists them"


def _oauth(manifest: Manifest) -> Iterator[str]:
    """What the exchange of a code needs; the values of the two names are not shown: a secret may stand there."""
    server, at = manifest.server, "manifest.json: server.auth"
    for key in ("client_id", "client_secret"):
        if getattr(server.auth, key) not in manifest.variables:
            yield f"{at}.{key} must be the name of an environment variable that server.secrets lists"
    for key in ("token_url", "redirect_uri"):
        if not getattr(server.auth, key):
            yield f"{at}.{key} is missing"
    for key, url in (("auth.token_url", server.auth.token_url), ("auth.revoke_url", server.auth.revoke_url)):
        if url:
            yield from _address(key, url, server.hosts)


def _forms(definition: Definition, manifest: Manifest) -> Iterator[str]:
    """What is read from a form has to be one of its fields: a typing error would be left out of requests in silence."""
    client = manifest.client
    if not client.get("contactPageUrl"):
        yield "manifest.json: client.contactPageUrl is missing: the extension fails where it opens a contact"
    auth_type = manifest.server.auth.type
    expected = "oauth" if auth_type == "oauth" else "apiKey"
    if (client.get("auth") or {}).get("type", expected) != expected:
        yield f"manifest.json: client.auth.type must be {expected!r}, as server.auth.type is {auth_type!r}"
    sign_in = _names_in(client, "auth", "apiKey", "page", "content")
    if sign_in is not None and auth_type != "oauth":
        at = "manifest.json: client.auth.apiKey.page.content"
        if not definition.signs_in_with_form and "apiKey" not in sign_in:
            yield f"{at}: has no field 'apiKey', so nobody could enter a key"
        gives_key = any("overridingApiKeyPath" in one.mapping for one in _sign_in(definition))
        if definition.signs_in_with_form and "apiKey" not in sign_in and not gives_key:
            yield (
                "operations.getUserInfo.responseMapping.overridingApiKeyPath: "
                "is missing: the sign-in form has no 'apiKey', so there would be no key"
            )
        for where, path in _read_at_sign_in(definition):
            if path.startswith("additionalInfo.") and path.split(".")[1] not in {*sign_in, "apiKey"}:
                yield f"{where}: the sign-in form has no field {path.split('.')[1]!r}; there is {_listed(sign_in)}"
    fields = [_names_in(client, "page", form, "additionalFields") for form in ("callLog", "messageLog", "newContact")]
    if None in fields:
        return
    known = {name for names in fields for name in names or ()} | _names_of(client.get("rcAdditionalSubmission"), "id")
    for where, name in _form_fields(definition):
        if name not in known | _SUBMITTED:
            yield f"{where}: no form has a field {name!r}; there is {_listed(known)}"
    if "findContactWithName" in definition.operations and client["page"].get("useContactSearch") is not True:
        yield "operations.findContactWithName: is used only where manifest.json has client.page.useContactSearch: true"


def _read_at_sign_in(definition: Definition) -> Iterator[tuple[str, str]]:
    for operation in _sign_in(definition):
        yield from operation.variables()
        for key, value in operation.mapping.items():
            place = f"operations.{operation.name}.responseMapping.{key}"
            if isinstance(value, dict):
                yield from ((f"{place}.{name}", path) for name, path in value.items())
            else:
                yield from ((place, path) for path in (value if isinstance(value, list) else [value]))


def _form_fields(definition: Definition) -> Iterator[tuple[str, str]]:
    """``(place, field)`` of every field of a form that a definition names."""
    for where, path in definition.variables():
        root, _, rest = path.partition(".")
        if root in ("additionalSubmission", "dispositions") and rest:
            yield where, rest.split(".")[0]
    for operation in definition.operations.values():
        at = f"operations.{operation.name}.responseMapping"
        yield from ((f"{at}.dispositions.{name}", name) for name in operation.mapping.get("dispositions", {}))
        choices = operation.mapping.get("item", {}).get("choices", {})
        yield from ((f"{at}.item.choices.{name}", name) for name in choices)


def _names_in(value: Any, *path: str) -> set[str] | None:
    """Names of the fields that a form of the manifest has; None where the manifest has no such form."""
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return _names_of(value, "const") if isinstance(value, list) else None


def _names_of(fields: Any, key: str) -> set[str]:
    found = (field.get(key) for field in fields if isinstance(field, dict)) if isinstance(fields, list) else ()
    return {name for name in found if isinstance(name, str)}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
