"""Contacts out of the rows of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.contract import (
    Choice,
    Contact,
    ContactMatches,
    DroppedHit,
    PhoneNumber,
    UnexpectedResponse,
    dig,
    is_deleted,
    readable,
    require_id,
    sort_hits,
)
from adapters.proxy.reading import decoded, moment, numbers, optional, place, text

Row = Mapping[str, Any]


def contact_of(row: Row, item: Mapping[str, Any], *, phone: str = "") -> Contact:
    """``item``: where things are in a row. ``phone``: the number to show where the row tells none."""
    return Contact(
        id=require_id(row, place(item.get("idPath", "id"))),
        name=_name(row, item),
        type=_text(row, item.get("typePath", "type")) or item.get("type", "Contact"),
        phone=_text(row, item.get("phonePath", "phone")) or phone,
        title=decoded(_text(row, item.get("titlePath", "title")), item),
        company=decoded(_text(row, item.get("companyPath", "company")), item),
        email=_text(row, item.get("emailPath", "email")),
        created_at=_moment(row, {"createdDatePath": "createdDate", **item}, "createdDatePath"),
        last_activity_at=_moment(row, item, "mostRecentActivityDatePath"),
        additional_info={**_info(row, item), **_choices(row, item)},
    )


def contacts_with_number(rows: Iterable[Row], item: Mapping[str, Any], number: PhoneNumber) -> ContactMatches:
    """Each contact once, however many requests found it.

    Where the definition names all places of numbers (``phonePaths``), a hit that has another number is dropped, and
    the number that fits is the one shown.
    """
    read, unreadable = readable(list(rows), lambda row: (contact_of(row, item, phone=_typed(number)), row))
    living = [(contact, row) for contact, row in read if not is_deleted(row)]
    deleted = [DroppedHit(id=contact.id, reason="was deleted") for contact, row in read if is_deleted(row)]
    dropped = (*unreadable, *deleted)
    found = {contact.id: (contact, row) for contact, row in living}
    if "phonePaths" not in item:
        return ContactMatches(contacts=tuple(contact for contact, _ in found.values()), dropped=dropped)
    chosen = sort_hits(
        number, found.values(), numbers=lambda hit: numbers(hit[1], item["phonePaths"]), key=lambda hit: hit[0].id
    )
    return ContactMatches(
        contacts=tuple(replace(contact, phone=match.number) for (contact, _), match in chosen.shown),
        dropped=(*dropped, *chosen.dropped),
        by_ending=chosen.by_ending,
    )


def _typed(number: PhoneNumber) -> str:
    return number.e164 or number.raw


def contacts_of(rows: Iterable[Row], item: Mapping[str, Any]) -> ContactMatches:
    """Each contact once; deleted ones and bad rows are dropped."""
    living = [row for row in rows if not is_deleted(row)]
    found, unreadable = readable(living, lambda row: contact_of(row, item))
    return ContactMatches(contacts=tuple({contact.id: contact for contact in found}.values()), dropped=unreadable)


def _moment(row: Row, item: Mapping[str, Any], key: str) -> datetime | None:
    """A time, None where it cannot be read."""
    return optional(lambda: moment(row, item[key]), None) if key in item else None


def _name(row: Row, item: Mapping[str, Any]) -> str:
    """The name as far as it can be read: of two parts, the one that is a text."""
    paths = item.get("namePath", ["name"])
    return decoded(" ".join(filter(None, (_text(row, path).strip() for path in paths))), item)


def _text(row: Row, path: str) -> str:
    """An optional text, empty where it cannot be read."""
    return optional(lambda: text(row, path), "")


def _info(row: Row, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values for the fields of the log forms, as the CRM has them."""
    path = item.get("additionalInfoPath")
    return dig(row, place(path), dict, {}) if path else {}


def _choices(row: Row, item: Mapping[str, Any]) -> dict[str, tuple[Choice, ...]]:
    """Form field -> what can be chosen there for this contact, as far as it can be read."""
    return {
        field: tuple(
            choice
            for given in dig(row, place(keys["listPath"]), list, [])
            if isinstance(given, dict) and (choice := _choice(given, keys, item)) is not None
        )
        for field, keys in item.get("choices", {}).items()
    }


def _choice(given: Row, keys: Mapping[str, Any], item: Mapping[str, Any]) -> Choice | None:
    """None for one without an id. One without a title that can be read is told by its id."""
    try:
        const = require_id(given, place(keys.get("constPath", "id")))
    except UnexpectedResponse:
        return None
    title = decoded(_text(given, keys.get("titlePath", "name")), item)
    description = _text(given, keys["descriptionPath"]) if "descriptionPath" in keys else ""
    return Choice(const=const, title=title or str(const), description=description)
