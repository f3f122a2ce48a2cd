"""Bullhorn's entities as far as the fake knows them: fields, types, lengths, and the vendor's refusals.

Source: Bullhorn REST API documentation, entity reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.vendor import Refused

_PERSON: dict[str, Any] = {
    "id": int, "name": 100, "firstName": 50, "lastName": 50, "email": 100, "phone": 20, "mobile": 20, "phone2": 20,
    "phone3": 20, "status": 100, "comments": 10_000, "dateAdded": int, "dateLastModified": int, "isDeleted": bool,
}  # fmt: skip
#: Entity -> field -> type; a number is the length of a text.
FIELDS: dict[str, dict[str, Any]] = {
    "ClientContact": {**_PERSON, "dateLastVisit": int, "clientCorporation": dict},
    "Candidate": {**_PERSON, "dateLastComment": int, "workPhone": 20},
    "Lead": {**_PERSON, "dateLastComment": int},
    "ClientCorporation": {"id": int, "name": 100, "companyDescription": 10_000, "isDeleted": bool},
    "CorporateUser": {
        "id": int, "masterUserID": int, "username": 100, "name": 100, "firstName": 50, "lastName": 50, "email": 100,
        "timeZoneOffsetEST": int, "isDeleted": bool, "enabled": bool,
    },
    "Note": {
        "id": int, "comments": 100_000, "action": 30, "personReference": dict, "commentingPerson": dict,
        "dateAdded": int, "externalID": 100, "minutesSpent": int, "clientContacts": list, "candidates": list,
        "leads": list, "isDeleted": bool,
    },
}  # fmt: skip
_REQUIRED = {
    "ClientContact": ("name", "firstName", "lastName", "clientCorporation"),
    "Candidate": ("name", "firstName", "lastName"),
    "Lead": ("firstName", "lastName"),
    "ClientCorporation": ("name",),
    "Note": ("comments", "action", "personReference"),
}
_ASSOCIATIONS = {"clientContacts": "ClientContact", "candidates": "Candidate", "leads": "Lead"}
_SELECTION = re.compile(r"(\w+)(?:\(([\w,]+)\))?", re.ASCII)


@dataclass(frozen=True)
class Field:
    """A field that is refused."""

    entity: str
    name: str
    detail: str
    type: str = "INVALID_VALUE"

    def refused(self) -> Refused:
        problem = {
            "propertyName": self.name, "detailMessage": self.detail, "type": self.type, "severity": "ERROR",
        }  # fmt: skip
        body = {"errorMessage": f"error persisting an entity of type: {self.entity}", "errors": [problem]}
        return Refused(400, {**body, "entityName": self.entity})


def checked(entity: str, body: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    """The fields of a write. Raises ``Refused`` for an unknown one, a wrong type, a text too long, one missing."""
    known = FIELDS[entity]
    for name, value in body.items():
        kind = known.get(name)
        if kind is None or name in ("id", *_ASSOCIATIONS):
            raise Field(entity, name, "unknown or read-only").refused()
        is_text = isinstance(kind, int)
        fits = isinstance(value, str) and len(value) <= kind if is_text else type(value) is kind
        if not fits:
            raise Field(entity, name, "wrong type or too long").refused()
    if new:
        for name in _REQUIRED[entity]:
            if body.get(name) is None:
                raise Field(entity, name, "null", "MISSING_REQUIRED_PROPERTY").refused()
    return dict(body)


def selected(entity: str, row: Mapping[str, Any], fields: str) -> dict[str, Any]:
    """The fields asked for. Raises ``Refused`` for none at all, all at once, and unknown ones."""
    if not fields or fields == "*":
        raise _invalid("errors.allFieldsNotAllowed", "name the fields")
    wanted = re.split(r",(?![^()]*\))", fields)
    return {"id": row["id"], **dict(_member(entity, row, text) for text in wanted)}


def _member(entity: str, row: Mapping[str, Any], text: str) -> tuple[str, Any]:
    found = _SELECTION.fullmatch(text)
    if not found or found[1] not in FIELDS[entity]:
        raise _invalid("errors.invalidField", f"Invalid field '{text}' for {entity}")
    name, inner = found[1], found[2]
    value = row.get(name)
    if inner and name in _ASSOCIATIONS:
        members = [selected(_ASSOCIATIONS[name], member, inner) for member in value["data"][:5]] if value else []
        return name, {"total": value["total"] if value else 0, "data": members}
    return name, value


def _invalid(key: str, message: str) -> Refused:
    return Refused(400, {"errorMessage": message, "errorMessageKey": key, "errorCode": 400})
