"""The JSON Schema of ``definition.json``, for editors: what may stand where. ``Definition.read`` checks much more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.proxy import schema

_OPERATIONS = {
    "signIn": "First request of a sign-in; getUserInfo reads its answer as signIn.*",
    "getUserInfo": "Who signed in",
    "validateSession": "Whether the login is accepted; without it sessions count as valid",
    "unAuthorize": "Ends the login in the CRM",
    "findContact": "Who has this number",
    "findContactWithName": "Search by name",
    "createContact": "A new contact",
    "createCallLog": "A new log of a call",
    "getCallLog": "A log of a call, read",
    "updateCallLog": "A log of a call, edited; needs getCallLog",
    "upsertCallDisposition": "What was chosen in the form after the call",
    "findCallLog": "The log of a call whose answer was lost",
    "createMessageLog": "A new log of a day's messages; needs updateMessageLog",
    "getMessageLog": "A log of messages, read before more are added",
    "updateMessageLog": "More messages of the day",
    "findMessageLog": "The log of messages whose answer was lost",
    "getUserList": "The CRM's users, for the mapping of users",
    "getLicenseStatus": "Whether the user's licence is valid",
}
_REFUSALS = {
    "errorMessagePath": "Where a refusal says why",
    "successPath": "Must be true in every 2xx",
    "errorPath": "Must be empty in every 2xx",
    "errorCodePath": "Where an answer has its error code",
    "sessionErrorCodes": "The login is over",
    "limitErrorCodes": "Too many requests",
    "unavailableErrorCodes": "Out of order: sent later",
    "goneErrorCodes": "The log no longer exists",
    "contactGoneErrorCodes": "The contact no longer exists",
    "choiceGoneErrorCodes": "Something chosen in the form no longer exists",
    "tooLongErrorCodes": "The text is too long",
}
_TEXT: dict[str, Any] = {"type": "string"}
_PATH = {**_TEXT, "minLength": 1, "examples": ["body.id", "body.data.0.id"]}


def definition_schema() -> dict[str, Any]:
    """The schema as JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Switchboard: a CRM without code (definition.json)",
        "description": "docs/declarative-adapters.md is the guide; manage.py check_adapters names every mistake.",
        **_object(
            {
                "$schema": _TEXT,
                "meta": _object(
                    {
                        "name": {**_TEXT, "description": "The platform key; may be left out"},
                        "logFormat": {
                            "enum": list(schema.LOG_FORMATS),
                            "description": "In which the log's text is composed; custom: none is for calls",
                        },
                    }
                ),
                "auth": {"$ref": "#/$defs/auth"},
                "requestDefaults": _object(
                    {
                        "defaultHeaders": _templates("Sent with every request"),
                        "defaultQuery": {"$ref": "#/$defs/query"},
                        **{key: _refusal(key) for key in schema.REFUSAL_KEYS},
                    }
                ),
                "operations": _object({name: _operation(name) for name in schema.VARIABLES}, required=["getUserInfo"]),
            },
            required=["operations"],
        ),
        "$defs": {"auth": _auth(), "query": _query(), "node": _node(), "pagination": _pagination()},
    }


def _object(properties: Mapping[str, Any], *, required: list[str] | None = None) -> dict[str, Any]:
    more = {"required": required} if required else {}
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}


def _templates(description: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _TEXT, "description": description}


def _refusal(key: str) -> dict[str, Any]:
    shape = {"type": "array", "items": {"type": ["string", "integer"]}} if key.endswith("Codes") else _PATH
    return {**shape, "description": _REFUSALS[key]}


def _auth() -> dict[str, Any]:
    described = _object(
        {
            "headerName": {**_TEXT, "default": "Authorization", "description": "The header that carries the login"},
            "scheme": {**_TEXT, "description": "A word before the credential"},
            "credentialTemplate": {**_TEXT, "pattern": r"\{\{", "description": "The credential, such as {{apiKey}}"},
            "encode": {"enum": ["base64", "none"], "default": "base64", "description": "Of the filled-in template"},
        }
    )
    return {**described, "description": "How the login travels"}


def _query() -> dict[str, Any]:
    shapes = [{"type": ["string", "integer", "boolean"]}, *_rules()]
    return {"type": "object", "additionalProperties": {"anyOf": shapes}, "description": "Parameters of the address"}


def _rules() -> list[dict[str, Any]]:
    number = {"type": "number"}
    scalar = {"type": ["string", "number", "boolean", "null"]}
    factors = {"multiply": number, "divide": number, "add": number}
    decimals = {"type": "integer", "minimum": 0, "maximum": 6}
    table = {"type": "object", "additionalProperties": scalar}
    return [
        {**_object({"$text": _TEXT}, required=["$text"]), "description": "The value as a text"},
        {
            **_object({"$number": _TEXT, **factors, "decimals": decimals}, required=["$number"]),
            "description": "A number in another unit; a time counts as the seconds since 1970",
        },
        {
            **_object({"$choose": _TEXT, "from": table, "else": scalar}, required=["$choose", "from"]),
            "description": "A value looked up in a table",
        },
    ]


def _node() -> dict[str, Any]:
    """Any JSON whose texts are templates."""
    markup = {**_object({"$html": _TEXT}, required=["$html"]), "description": "A text of HTML: values are escaped"}
    node = {"$ref": "#/$defs/node"}
    plain = {"type": "object", "propertyNames": {"pattern": r"^[^$]"}, "additionalProperties": node}
    scalar = {"type": ["string", "number", "boolean", "null"]}
    return {"anyOf": [scalar, {"type": "array", "items": node}, plain, markup, *_rules()]}


def _pagination() -> dict[str, Any]:
    return _object(
        {
            "type": {"enum": list(schema.PAGINATION_TYPES), "description": "How the next page is asked for"},
            "in": {"enum": ["query", "body"], "default": "query", "description": "Where param and sizeParam stand"},
            "param": _TEXT,
            "sizeParam": _TEXT,
            "size": {"type": "integer", "minimum": 1, "maximum": 10_000},
            "first": {"type": "integer", "minimum": 0, "maximum": 1},
            "nextPath": _PATH,
            "maxPages": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
        },
        required=["type"],
    )


def _operation(name: str) -> dict[str, Any]:
    is_write = name in schema.WRITES
    properties: dict[str, Any] = {
        "method": {"enum": [method for method in schema.METHODS if not (is_write and method == "GET")]},
        "url": {**_TEXT, "pattern": "^[^?#]*$", "description": "A path below base_url, or an https:// address"},
        "headers": _templates("Further headers"),
        "query": {"$ref": "#/$defs/query"},
        "body": {"$ref": "#/$defs/node"},
        "auth": {"$ref": "#/$defs/auth"},
    }
    if name == "findContact":
        properties["forEach"] = {"const": "phoneFormats", "description": "One request for each notation of the number"}
    if name in schema.PAGED:
        properties["pagination"] = {"$ref": "#/$defs/pagination"}
    if kinds := schema.MAPPINGS.get(name):
        required = list(schema.REQUIRED_MAPPINGS.get(name, ()))
        properties["responseMapping"] = _object({key: _mapped(kind) for key, kind in kinds.items()}, required=required)
    needed = ["url", *(["method"] if is_write else ()), *(["responseMapping"] if _needs_mapping(name) else ())]
    return {**_object(properties, required=needed), "description": _OPERATIONS[name]}


def _needs_mapping(name: str) -> bool:
    return bool(schema.REQUIRED_MAPPINGS.get(name))


def _mapped(kind: str) -> dict[str, Any]:
    match kind:
        case schema.PATHS | schema.STARRED:
            return {"anyOf": [_PATH, {"type": "array", "items": _PATH}]}
        case schema.PATH_MAP:
            return {"type": "object", "additionalProperties": _PATH}
        case schema.ITEM:
            return _object({key: _mapped(inner) for key, inner in schema.ITEM_KEYS.items()})
        case schema.CHOICES:
            choice = _object({key: _mapped(inner) for key, inner in schema.CHOICE_KEYS.items()}, required=["listPath"])
            return {"type": "object", "additionalProperties": choice}
        case schema.SWITCH:
            return {"type": "boolean"}
        case schema.UNIT:
            return {"enum": list(schema.UNITS)}
        case schema.TEXT:
            return _TEXT
        case _:
            return _PATH
