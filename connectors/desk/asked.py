"""What somebody typed into the search box: a day, a number, an id, a name, or several of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property

from django.conf import settings
from django.utils import timezone

from adapters.contract import parse_phone
from audit.numbers import ending_of, hashed_number

_MOST = 200
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)
_ISO = re.compile(r"(?<!\S)(\d{4})-(\d{1,2})-(\d{1,2})(?![^\s,])", re.ASCII)
_NAMED = re.compile(rf"(?<!\S)(today|yesterday|{'|'.join(_WEEKDAYS)})(?![^\s,])", re.IGNORECASE)
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*"
_WRITTEN = re.compile(
    rf"(?<!\S)(?:(\d{{1,2}})\.? {_MONTH}|{_MONTH} (\d{{1,2}}))(?:,? (\d{{4}}))?(?![^\s,])", re.IGNORECASE | re.ASCII
)
_DOTTED = re.compile(r"(?<!\S)(\d{1,2})\.(\d{1,2})\.(\d{4})(?![^\s,])", re.ASCII)
_SLASHED = re.compile(r"(?<!\S)(\d{1,2})/(\d{1,2})/(\d{4})(?![^\s,])", re.ASCII)
_NUMBER = re.compile(r"[+(]?\d[\d ()./-]{5,30}\d", re.ASCII)
_ENDING = re.compile(r"[…*x.]*\s?(\d{4})", re.ASCII)
#: Digits of a number without its area code.
_LOCAL = (7, 8)
_ID = re.compile(r"\S{1,255}")
#: What copying from a page or a telephone brings along and nobody sees: marks of direction, blanks without a width.
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_DASH = re.compile("\\s?[\u2010-\u2015\u2212]\\s?")
#: A link to a number (RFC 3966), with its parameters.
_TEL = re.compile(r"(?<!\S)tel:([^\s;]+)(?:;\S*)?|(?<!\S)(\+[^\s;]+);\S*", re.IGNORECASE)
_REFERENCE_WORD = re.compile(r"^\s*reference\s*:?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """``day``: in the reader's time zone. ``number``: as it was typed. ``words``: what else there was."""

    text: str
    day: date | None = None
    number: str = ""
    words: str = ""

    @property
    def id(self) -> str:
        """What may be the id of a session, record, contact, message or request; "" where it cannot be one."""
        whole = f"{self.words}{self.number}" if not (self.words and self.number) else ""
        return whole if _ID.fullmatch(whole) else ""

    @cached_property
    def ending(self) -> str:
        """The last four digits, where no more was typed."""
        found = _ENDING.fullmatch(self.words) if not self.number else None
        return found[1] if found else ""

    @cached_property
    def e164(self) -> str:
        """The whole number; one without a country code is of PHONE_REGION."""
        return parse_phone(self.number, home_region=settings.PHONE_REGION).e164 if self.number else ""

    @property
    def number_hash(self) -> str:
        return hashed_number(self.e164)

    @property
    def like(self) -> str:
        """The last four digits of a number of which more was typed: what is shown where nothing has all of it."""
        is_number = self.e164 or len([char for char in self.number if char.isdigit()]) in _LOCAL
        return ending_of(self.number) if is_number else ""

    @property
    def name(self) -> str:
        """What may be the name or e-mail address of an agent."""
        return self.words if any(char.isalpha() for char in self.words) else ""

    @property
    def reference(self) -> str:
        """What may be the reference of a message: no telephone number is as long, or has letters."""
        return self.id if len(self.id) <= 64 and (self.name or len(self.id) == 16) else ""

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The day's beginning and end."""
        if self.day is None:
            return None
        zone = timezone.get_current_timezone()
        first = datetime.combine(self.day, time.min, tzinfo=zone)
        return first, datetime.combine(self.day + timedelta(days=1), time.min, tzinfo=zone)


def read(typed: str) -> Asked:
    """Takes the text apart. A day may stand beside a number or a name, and a name beside a number."""
    text = typed.replace("\x00", "").strip()[:_MOST]
    rest, day = _without_day(_REFERENCE_WORD.sub("", _as_typed_by_hand(text)))
    rest = " ".join(rest.split())
    found = _NUMBER.search(rest)
    around = f"{rest[: found.start()]} {rest[found.end() :]}".strip() if found else ""
    if found is None or (around and not _is_beside(rest, found)):
        return Asked(text=text, day=day, words=rest)
    return Asked(text=text, day=day, number=found[0].strip(), words=" ".join(around.split()))


def _as_typed_by_hand(text: str) -> str:
    """Without what only copying brings along: other dashes and blanks, a link's scheme, a sentence's last mark."""
    plain = _DASH.sub("-", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    return _TEL.sub(lambda link: link[1] or link[2], plain).strip().rstrip(",;:.?!")


def _is_beside(rest: str, found: re.Match[str]) -> bool:
    """Whether a number stands by itself, and is no part of an id such as ``s-a0d7-1234567``."""
    before, after = rest[: found.start()], rest[found.end() :]
    return (not before or before.endswith(" ")) and (not after or after.startswith(" "))


def _without_day(text: str) -> tuple[str, date | None]:
    today = timezone.localdate()
    if iso := _ISO.search(text):
        return _cut(text, iso), _date(int(iso[1]), int(iso[2]), int(iso[3]))
    if dotted := _DOTTED.search(text):
        return _cut(text, dotted), _date(int(dotted[3]), int(dotted[2]), int(dotted[1]))
    if slashed := _SLASHED.search(text):  # the month first, as RingCentral writes it, unless there is no such month
        one, other = int(slashed[1]), int(slashed[2])
        month, number = (one, other) if one <= 12 else (other, one)
        return _cut(text, slashed), _date(int(slashed[3]), month, number)
    if named := _NAMED.search(text):
        word = named[1].lower()
        back = {"today": 0, "yesterday": 1}.get(word)
        if back is None:  # the last one, not today
            back = (today.weekday() - _WEEKDAYS.index(word) - 1) % 7 + 1
        return _cut(text, named), today - timedelta(days=back)
    if written := _WRITTEN.search(text):
        month = _MONTHS.index((written[2] or written[3]).lower()[:3]) + 1
        number = int(written[1] or written[4])
        found = _date(int(written[5] or today.year), month, number)
        if found and not written[5] and found > today:
            found = _date(today.year - 1, month, number)
        return _cut(text, written), found
    return text, None


def _cut(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"


def _date(year: int, month: int, number: int) -> date | None:
    """None where there is no such day, or none on which this server could have run."""
    try:
        found = date(year, month, number)
    except ValueError:
        return None
    return found if _EARLIEST <= found <= _LATEST else None
