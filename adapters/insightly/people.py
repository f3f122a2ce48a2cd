"""Contacts and leads: the two kinds of person, how their records are read and how new ones are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.contract import Choice, Contact, Id, RequestRejected, UnexpectedResponse, dig, last_first, require_id


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One of the two record types a person can be."""

    #: As the vendor spells it in links, and as the extension gets it.
    type: str
    #: Collection in the API.
    path: str
    id_field: str
    #: Searched for every number.
    phone_fields: tuple[str, ...]
    email_field: str
    #: Setting that names further phone fields.
    extra_fields: str


CONTACT = Kind(
    type="Contact",
    path="Contacts",
    id_field="CONTACT_ID",
    phone_fields=("PHONE", "PHONE_MOBILE"),
    email_field="EMAIL_ADDRESS",
    extra_fields="insightlyExtraPhoneFieldNameForContact",
)
LEAD = Kind(
    type="Lead",
    path="Leads",
    id_field="LEAD_ID",
    phone_fields=("PHONE", "MOBILE"),
    email_field="EMAIL",
    extra_fields="insightlyExtraPhoneFieldNameForLead",
)
KINDS = (CONTACT, LEAD)


def kind_of(type_name: str) -> Kind | None:
    """The kind with this name in any letter case: look-ups say ``Contact``, the creation form says ``contact``."""
    return next((kind for kind in KINDS if kind.type.lower() == type_name.strip().lower()), None)


def name_of(record: Mapping[str, Any]) -> str:
    """First and last name, either of which may be missing."""
    names = (dig(record, "FIRST_NAME", str, "").strip(), dig(record, "LAST_NAME", str, "").strip())
    return " ".join(name for name in names if name)


def field_value(record: Mapping[str, Any], field: str) -> str:
    """The value of a standard or a custom field, whose name counts in any letter case; empty where there is none.

    Custom fields (``..._c``) stand in a list of their own, standard ones such as ``PHONE_HOME`` at the top.
    """
    wanted = field.casefold()
    for row in dig(record, "CUSTOMFIELDS", list, []):
        if dig(row, "FIELD_NAME", str, "").casefold() == wanted:
            return dig(row, "FIELD_VALUE", str, "")
    return next((value for key, value in record.items() if key.casefold() == wanted and isinstance(value, str)), "")


def first_phone(kind: Kind, record: Mapping[str, Any]) -> str:
    """The number to show for somebody who was not found by number."""
    return next((value for field in kind.phone_fields if (value := field_value(record, field))), "")


def contact(
    kind: Kind, record: Mapping[str, Any], *, phone: str, choices: Mapping[str, tuple[Choice, ...]], company: str = ""
) -> Contact:
    """A person as the extension sees them; ``choices``: form field -> linked records."""
    return Contact(
        id=require_id(record, kind.id_field),
        name=name_of(record),
        type=kind.type,
        phone=phone,
        title=dig(record, "TITLE", str, ""),
        company=company or dig(record, "ORGANISATION_NAME", str, ""),
        email=dig(record, kind.email_field, str, ""),
        created_at=_moment_if_readable(record, "DATE_CREATED_UTC"),
        last_activity_at=_moment_if_readable(record, "LAST_ACTIVITY_DATE_UTC")
        or _moment_if_readable(record, "DATE_UPDATED_UTC"),
        additional_info=choices,
    )


def new_person(kind: Kind, name: str, phone: str) -> dict[str, str]:
    """The body that creates a person. A contact must have a first name, a lead a last one; each gets what there is."""
    words = name.split()
    first, last = last_first(name) or (" ".join(words[:1]), " ".join(words[1:]))
    if not first:
        raise RequestRejected("Enter a name for the new contact.")
    if not last and kind is LEAD:
        first, last = "", first
    body = {"PHONE": phone, "FIRST_NAME": first, "LAST_NAME": last}
    return {key: value for key, value in body.items() if value}


def name_searches(name: str) -> list[tuple[str, str]]:
    """``(field, value)`` of each search for a name, which the vendor compares whole, letter case aside."""
    words = name.split()
    if len(words) == 1:
        return [("FIRST_NAME", words[0]), ("LAST_NAME", words[0])]
    searches = [("FIRST_NAME", words[0]), ("LAST_NAME", " ".join(words[1:]))]
    return [*searches, ("LAST_NAME", words[-1])] if len(words) > 2 else searches


def moment(record: Mapping[str, Any], field: str) -> datetime | None:
    """A time as the vendor writes it: ``2026-05-04 16:31:07``, in UTC without saying so. None where there is none."""
    text = dig(record, field, str, "")
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise UnexpectedResponse(reason=f"'{field}' is not a time") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _moment_if_readable(record: Mapping[str, Any], field: str) -> datetime | None:
    """As ``moment``, but None for what is not a time: a person found or just created is not lost for it."""
    try:
        return moment(record, field)
    except UnexpectedResponse:
        return None


def key_of(kind: Kind, record: Mapping[str, Any]) -> tuple[str, Id]:
    """What tells one person from another: the same number may be a contact's and a lead's id."""
    return kind.type, require_id(record, kind.id_field)
