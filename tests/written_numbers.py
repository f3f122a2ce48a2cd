"""Numbers of many countries, and the ways in which people write them into a field of a CRM.

Made from a ``random.Random``: with one seed for each example, hypothesis makes thousands of them in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

HOME = "US"


@dataclass(frozen=True)
class Country:
    """How numbers of a country are made and written."""

    code: str
    #: First national digits, of which one is taken.
    begins: tuple[str, ...]
    #: National digits with them.
    length: int
    #: Groups in which the national digits are written, from the left; the rest is the last one.
    groups: tuple[int, ...]
    trunk: str = ""


COUNTRIES = {
    "US": Country("1", ("415", "212", "357"), 10, (3, 3)),  # 357 is no area code that our data knows
    "GB": Country("44", ("20", "161", "7911"), 10, (2, 4), trunk="0"),
    "DE": Country("49", ("30", "89", "171"), 10, (3, 4), trunk="0"),
    "FR": Country("33", ("1", "6"), 9, (1, 2, 2, 2), trunk="0"),
    "ES": Country("34", ("91", "600"), 9, (3, 3)),
    "IT": Country("39", ("06", "02"), 10, (2, 4)),
    "MX": Country("52", ("55", "33", "998"), 10, (2, 4)),
    "AR": Country("54", ("11",), 10, (2, 4), trunk="0"),
    "BR": Country("55", ("119", "219"), 11, (2, 5), trunk="0"),
    "IN": Country("91", ("98", "70"), 10, (5,), trunk="0"),
    "AU": Country("61", ("2", "4"), 9, (1, 4), trunk="0"),
    "NO": Country("47", ("22", "91"), 8, (2, 2, 2)),
}


@dataclass(frozen=True)
class Number:
    region: str
    national: str

    @property
    def country(self) -> Country:
        return COUNTRIES[self.region]

    @property
    def e164(self) -> str:
        return f"+{self.country.code}{self.national}"


_BEGINNINGS = [(region, begin) for region, country in COUNTRIES.items() for begin in country.begins]


def number(random: Random) -> Number:
    region, begin = random.choice(_BEGINNINGS)
    rest = COUNTRIES[region].length - len(begin)
    # no zeros in front, so that no digits look like a trunk prefix
    return Number(region, f"{begin}{random.randrange(2 * 10 ** (rest - 1), 10**rest)}")


def two_numbers(random: Random) -> tuple[Number, list[Number]]:
    """A number, and up to two others."""
    target = number(random)
    others = [number(random) for _ in range(random.randrange(3))]
    return target, [other for other in others if other != target]


def _grouped(digits: str, groups: tuple[int, ...], sign: str) -> str:
    parts, start = [], 0
    for size in groups:
        parts.append(digits[start : start + size])
        start += size
    return sign.join([*parts, digits[start:]])


_SCRIPTS = {"ascii": "0123456789", "arabic": "٠١٢٣٤٥٦٧٨٩", "wide": "０１２３４５６７８９"}
_EXTENSIONS = ("", "", "", " x34", "x7", " ext. 34", ";ext=204", " Durchwahl 12", " #9", " доб. 34")


def notation(random: Random, number: Number) -> str:
    """One of the ways to write a number, with or without its country, with an extension now and then."""
    country, national = number.country, number.national
    sign = random.choice(("", " ", "-", ".", "\u00a0", "\u2011", "/"))
    body = _grouped(national, country.groups, sign or "")
    form = random.randrange(8)
    if form == 0:
        text = number.e164
    elif form == 1:
        text = f"+{country.code} {body}"
    elif form == 2:
        text = f"{country.trunk}{body}"
    elif form == 3:
        text = f"011 {country.code} {body}" if number.region != HOME else f"1 {body}"
    elif form == 4:
        text = f"00{country.code}{'(0)' if country.trunk else ''}{body}"
    elif form == 5:
        text = f"(+{country.code}) {body}"
    elif form == 6:
        text = f"{country.trunk}({national[:3]}) {national[3:6]}-{national[6:]}"
    else:
        text = _older_or_newer(number, body)
    text = text.translate(str.maketrans(_SCRIPTS["ascii"], _SCRIPTS[random.choice(sorted(_SCRIPTS))]))
    return text + random.choice(_EXTENSIONS)


def _older_or_newer(number: Number, body: str) -> str:
    if number.region == "MX":
        return f"+52 1 {body}"
    if number.region == "AR":
        return f"+54 9 {body}"
    if number.region == "IT":
        return f"+39 {number.national[1:]}"
    return number.e164


_SEPARATORS = (" / ", ", ", "; ", "\n", " | ", " or ", " - ", "  ", " (office) ", " C: ")
_WORDS = ("", "", "H: ", "mobile ", "Anna Pardo - ", "Max, ", "☎ ", "do not call! ", "tel:", "\u200b")
_REMARKS = ("", "", " (mobile)", " - Anna", " Do not call", ", after 17:30", " since 3/4/21", "\u202c")


def stored_text(random: Random, numbers: list[Number]) -> str:
    """What stands in a field: these numbers in any order, among words."""
    written = [notation(random, number) for number in random.sample(numbers, len(numbers))]
    text = written[0] if written else ""
    for part in written[1:]:
        text += random.choice(_SEPARATORS) + part
    return random.choice(_WORDS) + text + random.choice(_REMARKS)
