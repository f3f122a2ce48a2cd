"""The line behind a number: one value for all correct notations of one subscriber.

Mexico's mobile ``1`` and Argentina's mobile ``9`` and ``15`` are no part of it; Italy's zero is, and the ``9`` that
Brazil's mobile numbers got between 2012 and 2016. A number counts when its country code is known and its length
possible: area codes may be newer than the library's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

MEXICO, ARGENTINA, BRAZIL, ITALY = 52, 54, 55, 39
#: ``1``: before 2019 in front of mobile numbers called from abroad; the others were dialled inside the country.
_MEXICO_PREFIX = re.compile(r"(?:1|01|04[45])([0-9]{10})")
#: Area code (11, or three or four digits that begin with 2 or 3), 15, and what is left of ten digits.
_ARGENTINA_15 = re.compile(r"9?(?:(11)15([0-9]{8})|([23][0-9]{2})15([0-9]{7})|([23][0-9]{3})15([0-9]{6}))")
#: A mobile number without its area code: ``15 2345-6789``.
_ARGENTINA_LOCAL = re.compile(r"15[0-9]{8}")
#: Area code, the 9 or not, and a mobile number of eight digits; those of fixed lines begin with 2 to 5.
_BRAZIL_MOBILE = re.compile(r"([1-9][0-9])9?([6-9][0-9]{7})")


class Line(NamedTuple):
    """A subscriber's line."""

    country_code: int
    #: National digits; with Italy's zero and Brazil's nine, without the prefixes named above.
    national: str

    @property
    def digits(self) -> str:
        return f"{self.country_code}{self.national}"


def line_of(number: phonenumbers.PhoneNumber) -> Line | None:
    """The line of a number as the library read it; None when no number can have this length."""
    code, national = number.country_code or 0, phonenumbers.national_significant_number(number)
    if code == MEXICO and (found := _MEXICO_PREFIX.fullmatch(national)):
        return Line(code, found[1])
    if code == ARGENTINA:
        if len(national) == 11 and national[0] == "9":
            return Line(code, national[1:])
        if found := _ARGENTINA_15.fullmatch(national):
            return Line(code, "".join(filter(None, found.groups())))
        if _ARGENTINA_LOCAL.fullmatch(national):
            return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    if code == BRAZIL and (found := _BRAZIL_MOBILE.fullmatch(national)):
        return Line(code, f"{found[1]}9{found[2]}")
    if code == ITALY and national[0] != "0" and not phonenumbers.is_valid_number(number):
        with_zero = f"+{ITALY}0{national}"
        if phonenumbers.is_valid_number(phonenumbers.parse(with_zero)):
            return Line(code, f"0{national}")
    return Line(code, national) if number.national_number else None


@lru_cache(maxsize=8192)
def _read(text: str, region: str | None) -> Line | None:
    try:
        return line_of(phonenumbers.parse(text, region))
    except NumberParseException:
        return None


def readings(digits: str, *, has_plus: bool, regions: Iterable[str]) -> set[Line]:
    """The lines that digits may mean in these countries (ISO); ``00`` begins a country code in all of them."""
    if has_plus:
        texts: list[tuple[str, str | None]] = [(f"+{digits}", None)]
    else:
        texts = [(digits, region) for region in regions]
        if digits.startswith("00"):
            texts.append((f"+{digits[2:]}", None))
    return {line for text, region in texts if (line := _read(text, region))}


def main_region(country_code: int) -> str:
    """The ISO country with this calling code, the largest of several; "" for a code of no country."""
    region = phonenumbers.region_code_for_country_code(country_code)
    return "" if region in ("ZZ", "001") else region


def endings_of(line: Line) -> tuple[str, ...]:
    """The digits in which all notations of a line end; two for Argentina, whose numbers may be written with 15, and for
    Brazil's mobile numbers, which may lack their 9.

    Italy's zero is not among them, since some leave it out.
    """
    if line.country_code == BRAZIL and (found := _BRAZIL_MOBILE.fullmatch(line.national)):
        return (line.national, f"{found[1]}{found[2]}")
    if line.country_code != ARGENTINA:
        return (line.national.lstrip("0") if line.country_code == ITALY else line.national,)
    mobile = phonenumbers.parse(f"+{ARGENTINA}9{line.national}")
    printed = phonenumbers.format_number(mobile, PhoneNumberFormat.NATIONAL)  # 011 15-2345-6789
    with_15 = re.sub("[^0-9]", "", printed).removeprefix("0")
    return (line.national, with_15) if _ARGENTINA_15.fullmatch(with_15) else (line.national,)


def twins_of(line: Line) -> tuple[str, ...]:
    """Both E.164 notations of a line of Mexico, Argentina or mobile Brazil, the usual one of mobile numbers last."""
    if line.country_code == BRAZIL and (found := _BRAZIL_MOBILE.fullmatch(line.national)):
        return (f"+{BRAZIL}{found[1]}{found[2]}", f"+{line.digits}")
    if len(line.national) != 10 or line.country_code not in (MEXICO, ARGENTINA):
        return ()
    plain = f"+{line.digits}"
    if line.country_code == MEXICO:
        return (f"+{MEXICO}1{line.national}", plain)
    return (plain, f"+{ARGENTINA}9{line.national}")
