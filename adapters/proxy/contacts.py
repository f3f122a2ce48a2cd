"""Contacts out of the rows of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from adapters.contract import Choice, Contact, ContactMatches, PhoneNumber, dig, require_id, sort_hits
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


def contacts_with_number(rows: Iterable[Row], item: Mapping[str, Any], number: PhoneNumber) -> ContactMatches:
    """Each contact once, however many requests found it.

    Where the definition names all places of numbers (``phonePaths``), a hit that has another number is dropped, and
    the number that fits is the one shown.
    """
    found = {contact.id: (contact, row) for row in rows if (contact := contact_of(row, item, phone=_typed(number)))}
    if "phonePaths" not in item:
        return ContactMatches(contacts=tuple(contact for contact, _ in found.values()))
    chosen = sort_hits(
        number, found.values(), numbers=lambda hit: numbers(hit[1], item["phonePaths"]), key=lambda hit: hit[0].id
    )
    return ContactMatches(
        contacts=tuple(replace(contact, phone=match.number) for (contact, _), match in chosen.shown),
        dropped=chosen.dropped,
        by_ending=chosen.by_ending,
    )


def _typed(number: PhoneNumber) -> str:
    return number.e164 or number.raw


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
