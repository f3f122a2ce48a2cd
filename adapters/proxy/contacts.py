"""Contacts out of the rows of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from adapters.contract import Choice, Contact, DroppedHit, Id, PhoneNumber, dig, is_same_number, require_id
from adapters.proxy.reading import joined, moment, numbers, place, table, text

Row = Mapping[str, Any]


def contact_of(row: Row, item: Mapping[str, Any], *, phone: str = "") -> Contact:
    """``item``: where things are in a row. ``phone``: the number to show where the row tells none."""
    return Contact(
        id=require_id(row, place(item.get("idPath", "id"))),
        name=joined(row, item.get("namePath", ["name"])),
        type=text(row, item.get("typePath", "type"), item.get("type", "Contact")),
        phone=text(row, item.get("phonePath", "phone")) or phone,
        title=text(row, item.get("titlePath", "title")),
        company=text(row, item.get("companyPath", "company")),
        email=text(row, item.get("emailPath", "email")),
        created_at=moment(row, item.get("createdDatePath", "createdDate")),
        last_activity_at=_moment(row, item, "mostRecentActivityDatePath"),
        additional_info={**_info(row, item), **_choices(row, item)},
    )


def contacts_with_number(
    rows: Iterable[Row], item: Mapping[str, Any], number: PhoneNumber
) -> tuple[tuple[Contact, ...], tuple[DroppedHit, ...]]:
    """Each contact once, however many requests found it.

    Where the definition names all places of numbers (``phonePaths``), a hit that has another number is dropped, and
    the number that fits is the one shown.
    """
    contacts: dict[Id, Contact] = {}
    dropped: dict[Id, DroppedHit] = {}
    for row in rows:
        contact = contact_of(row, item, phone=number.e164 or number.raw)
        if "phonePaths" in item:
            stored = [found for found in numbers(row, item["phonePaths"]) if is_same_number(number, found)]
            if not stored:
                dropped[contact.id] = DroppedHit(id=contact.id, reason="has another number")
                continue
            contact = replace(contact, phone=stored[0])
        contacts[contact.id] = contact
    return tuple(contacts.values()), tuple(dropped.values())


def _moment(row: Row, item: Mapping[str, Any], key: str) -> Any:
    return moment(row, item[key]) if key in item else None


def _info(row: Row, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values for the fields of the log forms, as the CRM has them."""
    path = item.get("additionalInfoPath")
    return dig(row, place(path), dict, {}) if path else {}


def _choices(row: Row, item: Mapping[str, Any]) -> dict[str, tuple[Choice, ...]]:
    """Form field -> what can be chosen there for this contact."""
    return {
        field: tuple(
            Choice(
                const=require_id(choice, place(keys.get("constPath", "id"))),
                title=text(choice, keys.get("titlePath", "name")),
                description=text(choice, keys["descriptionPath"]) if "descriptionPath" in keys else "",
            )
            for choice in table(row, keys["listPath"])
        )
        for field, keys in item.get("choices", {}).items()
    }
