"""Telephone numbers: what was dialled, and the ways it may be stored."""

from __future__ import annotations

import re
from collections.abc import Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from adapters.contract.phone_lines import MEXICO, Line, endings_of, line_of, twins_of
from adapters.contract.types import PhoneNumber
from adapters.contract.withheld import dialled, is_spelt_word

_PLACEHOLDER = re.compile(r"[#*]")
_NOT_A_DIGIT = re.compile(r"[^0-9]")
#: ``*67`` and ``*82`` in North America, ``#31#`` and ``*31#`` elsewhere.
_SERVICE_CODE = re.compile(r"^(?:[*#][0-9]{2}[*#]|\*[0-9]{2}) *")
#: libphonenumber's "region" of numbers that belong to no country (+800, +882 ...).
_NO_COUNTRY = "001"
_COUNTRY_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
#: Digits without a plus sign that are fewer are a short code or an extension, not a number of a country.
_SHORTEST_WITHOUT_PLUS = 7


def parse(
    raw: str, *, formats: str | Sequence[str] = "", is_extension: bool = False, home_region: str = "US"
) -> PhoneNumber:
    """The number as the client sent it, read. Never raises.

    A number counts (``is_valid``) when its country code is known and its length possible. A withheld number, and what
    else names nobody, gives an empty ``raw``.

    ``raw``: E.164; its plus sign may have become a blank in a query string. Numbers without a plus are taken to be
    of ``home_region`` (ISO country). ``formats``: the user's templates, a comma-joined text or a list, see
    ``fill_format``; those that do not fit the number are left out.
    """
    had_blank = raw[:1] == " " and raw.strip()[:1].isdigit()
    text = _without_code(dialled(f"+{raw.strip()}" if had_blank else raw))
    digits = digits_of(text)
    if not is_extension and _is_a_beginning(text, digits):
        text = digits = ""
    if is_extension or not text:
        return PhoneNumber(raw=text, is_extension=is_extension, national=digits, home_region=home_region)
    found = _number_and_line(text, home_region)
    if found is None and digits.startswith("00"):  # written as abroad, where 00 begins a country code
        found = _number_and_line(f"+{digits[2:]}", home_region)
    if had_blank and not (found and phonenumbers.is_valid_number(found[0])):
        at_home = _number_and_line(text[1:], home_region)  # the blank may have been only a blank
        if found is None or (at_home and phonenumbers.is_valid_number(at_home[0])):
            found = at_home
    if found is None:
        if is_spelt_word(digits) or _has_letters(text):  # john.smith2, the sender "Info2Go"
            text = digits = ""
        return PhoneNumber(raw=text, national=digits, home_region=home_region)
    number, line = found
    region = phonenumbers.region_code_for_number(number) or ""
    national = phonenumbers.national_significant_number(number)
    e164 = f"+{number.country_code}{national}"
    if e164 not in (twins := twins_of(line)):  # written with 044, or with both 9 and 15
        e164 = twins[-1] if twins else e164
    if twins:  # Mexico's old 1 is kept in E.164 only
        number = phonenumbers.parse(f"+{line.digits}" if line.country_code == MEXICO else e164)
        national = phonenumbers.national_significant_number(number)
    templates = formats.split(",") if isinstance(formats, str) else formats
    filled = (fill_format(form.strip(), national) or fill_format(form.strip(), line.national) for form in templates)
    return PhoneNumber(
        raw=text,
        e164=e164,
        national=national,
        national_format=phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        international_format=phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        from_home=_dialled_from(home_region, number),
        country_code=line.country_code,
        region="" if region == _NO_COUNTRY else region,
        home_region=home_region,
        formats=tuple(dict.fromkeys(form for form in filled if form)),
        endings=endings_of(line),
        twins=tuple(twin for twin in twins if twin != e164),
    )


def fill_format(template: str, digits: str) -> str | None:
    """``(###) ###-####`` with digits in place of ``#`` or ``*``; None unless there is one place for each digit."""
    if not digits or len(_PLACEHOLDER.findall(template)) != len(digits):
        return None
    remaining = iter(digits)
    return _PLACEHOLDER.sub(lambda _: next(remaining), template)


def digits_of(text: str) -> str:
    """The ASCII digits of a text, nothing else."""
    return _NOT_A_DIGIT.sub("", text)


def _is_a_beginning(text: str, digits: str) -> bool:
    """Whether it is a country code with nothing behind it, or a single digit: nobody has such a number."""
    return len(digits) == 1 or (text.startswith("+") and digits in _COUNTRY_CODES)


def _without_code(text: str) -> str:
    """``4155550123`` for ``*67 4155550123``: without what was dialled to hide one's own number or to choose a line."""
    behind = _SERVICE_CODE.sub("", text)
    return behind if len(digits_of(behind)) >= _SHORTEST_WITHOUT_PLUS else text


def _number_and_line(text: str, region: str) -> tuple[phonenumbers.PhoneNumber, Line] | None:
    is_short = len(digits_of(text)) < _SHORTEST_WITHOUT_PLUS and not _has_letters(text)  # 1-800-FLOWERS is none
    if is_short and not text.lstrip("(").startswith("+"):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    number.extension = None
    line = line_of(number)
    return (number, line) if line else None


def _has_letters(text: str) -> bool:
    return any(char.isalpha() for char in text)


def _dialled_from(home_region: str, number: phonenumbers.PhoneNumber) -> str:
    """``011 44 20 7946 0106``; empty for a number of the home country, or of a country unknown."""
    if home_region in ("", *phonenumbers.region_codes_for_country_code(number.country_code or 0)):
        return ""
    if home_region not in phonenumbers.SUPPORTED_REGIONS:
        return ""
    return phonenumbers.format_out_of_country_calling_number(number, home_region)
