"""The JSON Schema of ``manifest.json``, for editors; the server half is read off the classes that read it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from adapters.contract.manifest import (
    AUTH_TYPES,
    EXEMPTIBLE_RULES,
    OPTIONAL_OPERATIONS,
    TOKEN_AUTHS,
    Auth,
    Pace,
    Route,
    ServerHalf,
)

_TEXT: dict[str, Any] = {"type": "string"}
_FIELD = re.compile(r"((?:    #: .*\n)+)    (\w+):")
_TYPES: dict[Any, dict[str, Any]] = {
    str: _TEXT,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}
#: What a member's type does not say.
_NARROWER: Mapping[str, dict[str, Any]] = {
    "Auth.type": {"enum": list(AUTH_TYPES)},
    "Auth.token_auth": {"enum": list(TOKEN_AUTHS)},
    "ServerHalf.capabilities": {"items": {"enum": list(OPTIONAL_OPERATIONS)}, "uniqueItems": True},
    "ServerHalf.exempt": {"propertyNames": {"pattern": rf"^({'|'.join(EXEMPTIBLE_RULES)})(\.[a-z0-9_]+)?$"}},
    "ServerHalf.secrets": {"items": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"}},
    "ServerHalf.settings": {"propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"}},
}


def manifest_schema() -> dict[str, Any]:
    """The schema as JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Switchboard: a CRM (manifest.json)",
        "description": "manage.py check_adapters names every fault.",
        "type": "object",
        "properties": {"$schema": _TEXT, "client": _client(), "server": _of(ServerHalf)},
        "required": ["client", "server"],
        "additionalProperties": False,
    }


def _of(kind: type[Any]) -> dict[str, Any]:
    """An object with the members of a dataclass; those without a default are required."""
    hints = get_type_hints(kind)
    comments = {name: _sentence(text) for text, name in _FIELD.findall(inspect.getsource(kind))}
    properties = {}
    for item in fields(kind):
        member = {**_shape(hints[item.name]), **_NARROWER.get(f"{kind.__name__}.{item.name}", {})}
        properties[item.name] = {**member, **({"description": comments[item.name]} if item.name in comments else {})}
    required = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _sentence(comment: str) -> str:
    return " ".join(line.strip().removeprefix("#:").strip() for line in comment.splitlines())


def _shape(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is UnionType:
        return _shape(next(inner for inner in get_args(hint) if inner is not type(None)))
    if hint in (Auth, Pace, Route):
        return _of(hint)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _shape(get_args(hint)[0])}
    if get_origin(hint) is not None:
        return {"type": "object", "additionalProperties": _TEXT}
    return dict(_TYPES[hint])


def _client() -> dict[str, Any]:
    """What the extension reads; keys that are not listed are passed on to it."""
    texts = {"type": "array", "items": _TEXT}
    field = {
        "type": "object",
        "required": ["const", "title"],
        "properties": {
            "const": {**_TEXT, "description": "The field's name in what is submitted"},
            "title": _TEXT,
            "type": _TEXT,
            "required": {"type": "boolean"},
            "contactDependent": {"type": "boolean", "description": "Its choices come with the contact"},
        },
    }
    form = {"type": "object", "properties": {"additionalFields": {"type": "array", "items": field}}}
    page = {
        "type": "object",
        "properties": {
            "useContactSearch": {"type": "boolean", "description": "Offers the search by name"},
            **dict.fromkeys(("callLog", "messageLog", "newContact"), form),
        },
        "required": ["callLog", "messageLog", "newContact"],
    }
    login = {"type": "object", "properties": {"content": {"type": "array", "items": field}, "title": _TEXT}}
    oauth = {
        "type": "object",
        "required": ["authUrl", "clientId"],
        "properties": {
            "authUrl": {**_TEXT, "description": "The vendor's authorisation page"},
            "clientId": {**_TEXT, "description": "A variable, such as ${ACME_CLIENT_ID}"},
            "scope": {**_TEXT, "description": "With its name: scope=a b"},
            "redirectUri": _TEXT,
            "customState": _TEXT,
        },
    }
    key = {"type": "object", "properties": {"page": login}, "required": ["page"]}
    auth = {"type": {"enum": ["oauth", "apiKey"]}, "oauth": oauth, "apiKey": key}
    places = {"type": {"enum": ["fixed", "dynamic", "selectable"]}, "url": _TEXT, "urlIdentifier": _TEXT}
    kinds = {"type": "object", "required": ["display", "value"]}
    return {
        "type": "object",
        "description": "What the extension reads",
        "required": ["name", "displayName", "urlIdentifier", "embedUrls", "environment", "auth", "settings", "page"],
        "properties": {
            "name": {**_TEXT, "pattern": "^[A-Za-z][A-Za-z0-9]*$", "description": "The platform key: never change it"},
            "displayName": {**_TEXT, "minLength": 1, "description": "The CRM's name for people"},
            "urlIdentifier": {
                **_TEXT,
                "description": "Pages on which the extension shows itself; * is anything",
            },
            "embedUrls": {**texts, "description": "Pages with click-to-dial; * stands for anything"},
            "environment": {"type": "object", "required": ["type"], "properties": places},
            "auth": {"type": "object", "required": ["type"], "properties": auth},
            "contactTypes": {"type": "array", "minItems": 1, "items": kinds},
            "contactPageUrl": {**_TEXT, "description": "With {hostname}, {contactId}, {contactType}"},
            "logPageUrl": {**_TEXT, "description": "With {hostname}, {logId}"},
            "canOpenLogPage": {"type": "boolean"},
            "settings": {"type": "array", "items": {"type": "object", "required": ["items"]}},
            "page": page,
        },
    }
