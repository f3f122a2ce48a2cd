"""What Clio's API v4 lets a client ask for and write: field lists, query parameters, members of a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.fakes.vendor import Refused

_PLAIN = ("id", "etag", "created_at", "updated_at")
_BASE = frozenset({"id", "etag", "name", "type"})

#: Resource -> fields that may be asked for; those with a set are nested, and the set is what braces may hold.
FIELDS: dict[str, dict[str, frozenset[str] | None]] = {
    "users": {
        **dict.fromkeys((*_PLAIN, "name", "first_name", "last_name", "email", "enabled", "time_zone"), None),
        "account": frozenset({"id", "etag", "name"}),
    },
    "contacts": {
        **dict.fromkeys((*_PLAIN, "name", "type", "primary_email_address", "primary_phone_number"), None),
        "phone_numbers": frozenset({"id", "name", "number", "default_number"}),
    },
    "matters": {
        **dict.fromkeys((*_PLAIN, "display_number", "description", "status"), None),
        "client": _BASE,
    },
    "relationships": {
        **dict.fromkeys((*_PLAIN, "description"), None),
        "matter": frozenset({"id", "etag", "display_number", "description", "status"}),
        "contact": _BASE,
    },
    "communications": {
        **dict.fromkeys((*_PLAIN, "subject", "body", "type", "received_at"), None),
        "matter": frozenset({"id", "etag", "display_number"}),
        "senders": _BASE,
        "receivers": _BASE,
        "external_properties": frozenset({"id", "name", "value"}),
    },
    "activities": {
        **dict.fromkeys((*_PLAIN, "type", "quantity", "date", "note", "non_billable", "billed"), None),
        "matter": frozenset({"id", "etag", "display_number"}),
        "communication": frozenset({"id", "etag"}),
        "user": _BASE,
    },
    "documents": {
        **dict.fromkeys((*_PLAIN, "name", "received_at"), None),
        "latest_document_version": frozenset({"id", "uuid", "put_url", "put_headers", "fully_uploaded"}),
    },
}

#: Resource -> parameters of its list beside ``fields``, ``limit``, ``order``, ``page_token``.
FILTERS = {
    "users": {"enabled"},
    "contacts": {"query"},
    "matters": {"client_id", "status"},
    "relationships": {"contact_id"},
    "communications": {"external_property_name", "external_property_value"},
    "activities": {"communication_id"},
    "documents": set[str](),
}


def refuse(status: int, kind: str, message: str, **headers: str) -> Refused:
    """Clio's error body."""
    return Refused(status, {"error": {"type": kind, "message": message}}, **headers)


def asked_for(resource: str, text: str) -> dict[str, list[str]]:
    """``id,matter{id,name}`` as ``{"id": [], "matter": ["id", "name"]}``; anything the API does not know is a 400."""
    known = FIELDS[resource]
    found: dict[str, list[str]] = {}
    if not re.fullmatch(r"[a-z_]+(\{[a-z_,]+\})?(,[a-z_]+(\{[a-z_,]+\})?)*", text):
        raise refuse(400, "ArgumentError", "Invalid fields")
    for name, _, inner in re.findall(r"([a-z_]+)(\{([a-z_,]+)\})?", text):
        nested = inner.split(",") if inner else []
        allowed = known.get(name) or frozenset()
        if name not in known or not set(nested) <= allowed:
            raise refuse(400, "ArgumentError", f"Invalid fields: {name}")
        found[name] = nested or (["id", "etag"] if known[name] else [])
    return found


def shown(record: dict[str, Any], wanted: dict[str, list[str]]) -> dict[str, Any]:
    """The record with these fields only; without ``fields`` an answer holds ``id`` and ``etag``."""

    def member(value: Any, names: list[str]) -> Any:
        if isinstance(value, list):
            return [member(item, names) for item in value]
        return {name: value.get(name) for name in names} if isinstance(value, dict) else value

    return {name: member(record.get(name), names) for name, names in wanted.items()}


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _moment(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value))


def _day(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value))


def _reference(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"id"} and isinstance(value["id"], int)


def _typed(*kinds: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == {"id", "type"}
            and isinstance(value["id"], int)
            and value["type"] in kinds
        )

    return check


def _list_of(check: Callable[[Any], bool], *, most: int = 100) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and 0 < len(value) <= most and all(check(item) for item in value)


def _members(**checks: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and set(value) == set(checks) and all(check(value[k]) for k, check in checks.items())
    )


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


_PARTICIPANTS = _list_of(_typed("User", "Contact"))

#: Resource -> members a body may have, and whether their value will do.
WRITABLE: dict[str, dict[str, Callable[[Any], bool]]] = {
    "contacts": {
        "name": _text,
        "type": lambda value: value in ("Person", "Company"),
        "phone_numbers": _list_of(_members(name=_text, number=_text, default_number=_is(bool))),
    },
    "communications": {
        "subject": lambda value: _text(value) and len(value) <= 255,
        "body": _text,
        "type": lambda value: value == "PhoneCommunication",
        "received_at": _moment,
        "senders": _PARTICIPANTS,
        "receivers": _PARTICIPANTS,
        "notification_event_subscribers": _list_of(_members(user_id=lambda value: str(value).isdigit())),
        "external_properties": _list_of(_members(name=_text, value=_text), most=5),
        "matter": _reference,
    },
    "activities": {
        "type": lambda value: value == "TimeEntry",
        "communication": _reference,
        "quantity": lambda value: _is(int)(value) and value >= 0,
        "date": _day,
        "note": _text,
        "non_billable": _is(bool),
        "matter": _reference,
        "user": _reference,
    },
    "documents": {
        "name": _text,
        "parent": _typed("Matter", "Contact"),
        "received_at": _moment,
        "uuid": _text,
        "fully_uploaded": lambda value: value is True,
    },
}
#: What a POST needs.
REQUIRED = {
    "contacts": {"name", "type"},
    "communications": {"subject", "body", "type", "received_at", "senders", "receivers"},
    "activities": {"type", "quantity", "date"},
    "documents": {"name", "parent"},
}


def checked(resource: str, method: str, body: Any) -> dict[str, Any]:
    """``data`` of a write; 400 for members the API does not know, 422 for values it will not take."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or set(body) != {"data"}:
        raise refuse(400, "ArgumentError", "param is missing or the value is empty: data")
    checks = WRITABLE.get(resource, {})
    if unknown := sorted(set(data) - set(checks)):
        raise refuse(400, "ArgumentError", f"found unpermitted parameters: {', '.join(unknown)}")
    if method == "POST" and (missing := sorted(REQUIRED[resource] - set(data))):
        raise refuse(422, "ValidationError", f"{missing[0]} can't be blank")
    for name, value in data.items():
        if not checks[name](value):
            raise refuse(422, "ValidationError", f"{name} is invalid")
    return data
