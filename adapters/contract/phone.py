"""Telephone numbers: what was dialled, the ways it may be stored, and whether two notations are one number."""

from __future__ import annotations

import re
from collections.abc import Sequence

import phonenumbers
from phonenumbers import PhoneNumberFormat

from adapters.contract.types import PhoneNumber

_PLACEHOLDER = re.compile(r"[#*]")
_NOT_A_DIGIT = re.compile(r"[^0-9]")
#: libphonenumber's "region" of numbers that belong to no country (+800, +882 ...).
_NO_COUNTRY = "001"


def parse(
    raw: str, *, formats: str | Sequence[str] = "", is_extension: bool = False, default_region: str = "US"
) -> PhoneNumber:
    """The number as the client sent it, read. Never raises: what is not a valid number has ``is_valid`` False.

    ``raw``: E.164; its plus sign may have become a blank in a query string. Numbers without a plus are taken to be
    of ``default_region`` (ISO country). ``formats``: the user's templates, a comma-joined text or a list, see
    ``fill_format``; those that do not fit the number are left out.
    """
    text = "+" + raw.strip() if raw[:1] == " " and raw.strip()[:1].isdigit() else raw.strip()
    digits = digits_of(text)
    if is_extension:
        return PhoneNumber(raw=text, is_extension=True, national=digits)
    number = _valid_number(text, default_region)
    if number is None and text.startswith("+") and not raw.startswith("+"):  # the blank was only a blank
        number = _valid_number(text[1:], default_region)
    if number is None:
        return PhoneNumber(raw=text, national=digits)
    region = phonenumbers.region_code_for_number(number) or ""
    national = phonenumbers.national_significant_number(number)
    templates = formats.split(",") if isinstance(formats, str) else formats
    filled = (fill_format(template.strip(), national) for template in templates)
    return PhoneNumber(
        raw=text,
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        national=national,
        national_format=phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        international_format=phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        country_code=number.country_code or 0,
        region="" if region == _NO_COUNTRY else region,
        formats=tuple(dict.fromkeys(form for form in filled if form)),
    )


def fill_format(template: str, digits: str) -> str | None:
    """``(###) ###-####`` with digits in place of ``#`` or ``*``; None unless there is one place for each digit."""
    if not digits or len(_PLACEHOLDER.findall(template)) != len(digits):
        return None
    remaining = iter(digits)
    return _PLACEHOLDER.sub(lambda _: next(remaining), template)


def is_same_number(phone: PhoneNumber, stored: str) -> bool:
    """Whether a CRM's text, in any notation, is this number.

    A stored number without country code counts as one of the country of ``phone``; an extension behind it is
    ignored. Where ``phone`` is not a valid number, the digits have to be equal.
    """
    if not phone.is_valid:
        digits = digits_of(phone.raw)
        return bool(digits) and digits == digits_of(stored)
    number = _parsed(stored, phone.region or None)
    return number is not None and phonenumbers.format_number(number, PhoneNumberFormat.E164) == phone.e164


def digits_of(text: str) -> str:
    """The ASCII digits of a text, nothing else."""
    return _NOT_A_DIGIT.sub("", text)


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    number.extension = None
    return number


def _valid_number(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    number = _parsed(text, region)
    return number if number is not None and phonenumbers.is_valid_number(number) else None
