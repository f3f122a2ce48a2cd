"""How strict a CRM's search for numbers is: contacts whose number is stored in other notations, looked up in E.164."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.contract import PhoneNumber, parse_phone


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A notation in which people store the number, and the overriding format that writes it so."""

    written: str
    template: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a number stored so is found by its E.164 form alone, or with the overriding format."""

    stored: Stored
    plain: bool
    with_format: bool


def notations(phone: PhoneNumber) -> list[Stored]:
    """The usual ones of the number's country, those the user gave first."""
    dashed = re.sub(r"^\+\d+[ -]", "", phone.international_format).replace(" ", "-")
    texts = dict.fromkeys(text for text in (*phone.formats, phone.national_format, dashed) if text)
    found = (Stored(written=text, template=re.sub(r"\d", "#", text)) for text in texts)
    return [stored for stored in found if stored.written in looked_up_with(phone, stored.template).formats]


def looked_up_with(phone: PhoneNumber, template: str) -> PhoneNumber:
    """The number as a user looks it up who has this overriding format; "": none."""
    return parse_phone(phone.e164, formats=template, home_region=phone.home_region)


def verdict(findings: Iterable[Finding]) -> str:
    """What it means for those who set the formats up."""
    found = list(findings)
    helped = [item.stored.template for item in found if not item.plain and item.with_format]
    lost = [item.stored.written for item in found if not item.plain and not item.with_format]
    if not found:
        return "not known: the number has one notation only"
    if not helped and not lost:
        return "lenient: numbers are found in every notation; no overriding format is needed"
    parts = []
    if helped:
        formats = ", ".join(f'"{template}"' for template in helped)
        parts.append(f"strict: people should set the overriding number formats {formats}")
    if lost:
        parts.append(f"not found in any way when stored as {', '.join(lost)}")
    return "; ".join(parts)
