"""The JSON Schema of ``manifest.json``, for editors; the server half is read off the classes that read it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from adapters.contract.client_forms import DEFINITIONS
from adapters.contract.client_schema import client_schema
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
        "properties": {"$schema": _TEXT, "client": client_schema(), "server": _of(ServerHalf)},
        "required": ["client", "server"],
        "additionalProperties": False,
        "$defs": DEFINITIONS,
    }


def _of(kind: type[Any]) -> dict[str, Any]:
    """An object with the members of a dataclass; those without a default are required."""
    hints = get_type_hints(kind)
    comments = {name: _sentence(text) for text, name in _FIELD.findall(inspect.getsource(kind))}
    properties = {}
    for item in fields(kind):
        member = {**_shape(hints[item.name]), **_NARROWER.get(f"{kind.__name__}.{item.name}", {})}
        if item.name in comments:
            member["description"] = comments[item.name]
        if isinstance(item.default, str | int | float) and item.default != "":
            member["default"] = item.default
        properties[item.name] = member
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
