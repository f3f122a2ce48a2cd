"""Numbers as a user's request has them, and the columns by which support finds what was done about one."""

from __future__ import annotations

from django.conf import settings

from adapters.contract import PhoneNumber, parse_phone, region_of
from audit.numbers import ending_of, hashed_number
from connectors.models import CrmUser


def read_number(user: CrmUser, raw: str, *, formats: str = "", is_extension: bool = False) -> PhoneNumber:
    """A number as the client sent it; without a country code it is one of the user's own country."""
    home = region_of(user.timezone) or settings.PHONE_REGION
    return parse_phone(raw, formats=formats, is_extension=is_extension, home_region=home)


def columns_of(phone: PhoneNumber) -> dict[str, str]:
    """``{"number_hash", "number_ending"}``; neither holds the number. Empty for a withheld one."""
    number = phone.e164 or phone.national
    return {"number_hash": hashed_number(number), "number_ending": ending_of(number)}


def columns_of_text(user: CrmUser, number: str) -> dict[str, str]:
    """The same for a number as a user's request has it."""
    return columns_of(read_number(user, number))
