"""Whether what a CRM stores in a field for numbers is the number that was looked up.

People write more than a number into such a field: names, remarks, several numbers, extensions. A hit of the CRM's own
search is kept when any number in the text is the one asked for, in whatever notation; where no number can be read at
all, when the text's digits, seven or more, are the last ones of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from adapters.contract.phone import digits_of
from adapters.contract.phone_lines import Line, main_region, readings
from adapters.contract.types import DroppedHit, Id, PhoneNumber
from adapters.contract.withheld import plain

Hit = TypeVar("Hit")

#: Of a longer text only the beginning is read; no field for numbers is as long.
MOST_READ = 4000
#: Digits before the national ones: the way out of one country, a country code, a trunk or carrier prefix.
_LONGEST_PREFIX = 8
#: No number is longer, with all prefixes.
_LONGEST = 22
#: Fewer digits end too many numbers to tell one person.
_SHORTEST_ENDING = 7
#: Up to so many digits behind a number are its extension.
_LONGEST_EXTENSION = 6

_DIGITS = re.compile(r"[0-9]+")
#: What may stand between the digits of one number.
_JOINT = re.compile(r"[ ./()_-]{1,6}")
_BEFORE_DIGITS = re.compile(r"[ (+]{0,6}$")
#: An extension that says so, codes dialled to hide one's number, and dates and times: no part of a number beside them.
_ASIDE = re.compile(
    r"(?:;?\bext[a-z]*|\bx|(?<=[0-9])x|#|durchwahl|\bdw|\bapparat|\bapp|\bnst|доб\w*|\banexo|\bramal|\binterno|\bposte"
    r"|\btoestel|\bwew)[ .:=]{0,3}[0-9]{1,7}(?![0-9])"
    r"|(?<![0-9*#])[*#][0-9]{2}(?:[*#]|(?= |[0-9]{10}(?![0-9])))"
    r"|(?<![0-9/])[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{2}|[0-9]{4})(?![0-9/])"
    r"|(?<![0-9])[0-9]{1,2}:[0-9]{2}(?![0-9])"
    r"|(?<![0-9/])24 ?/ ?7(?![0-9/])",
    re.IGNORECASE,
)
#: A number that a spreadsheet has written with decimals, and a trunk zero where North America has none.
_DECIMALS = re.compile(r"(?<![0-9.])([0-9]{8,15})(\.00?)(?![0-9.])")
_NO_TRUNK = re.compile(r"(?<![0-9])((?:\+|00)1\)? ?)(\(0\))")
#: A word right before digits: ``after 5``, ``Apt 12``.
_WORD = re.compile(r"[^\W0-9_] {1,2}\(?$")
#: A remark among digits has no more groups, and no more digits in one.
_MOST_GROUPS, _LONGEST_GROUP = 2, 3
#: The countries where a hyphen and a zero behind a number lead to its switchboard.
_WITH_SWITCHBOARD = (43, 49)
#: Brazil's trunk zero with a place for the digits of a carrier: 0xx11.
_CARRIER = re.compile(r"(?<![0-9A-Za-z])0[xX]{2}(?=[1-9][0-9](?![0-9]))")
#: 1-800-FLOWERS: area code, then letters among the last seven places, of which there may be more.
_VANITY = re.compile(r"(?<![0-9A-Za-z])(?:\+?1[ .-]?)?\(?([2-9][0-9]{2})\)?[ .-]?([0-9A-Za-z][0-9A-Za-z-]{6,19})")
#: 1300 FLOWERS: outside North America.
_VANITY_ABROAD = re.compile(r"(?<![0-9A-Za-z+])(\+?[0-9]{2,6})[ .-]?([A-Za-z][A-Za-z-]{4,19})")
_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")


@dataclass(frozen=True, slots=True)
class Match:
    """That a stored text is the number asked for."""

    #: The number: the text as stored, of a text with several numbers the one that matched.
    number: str
    #: Only the last digits are known to be the same: the text holds no whole number.
    is_ending: bool = False


@dataclass(frozen=True, kw_only=True)
class Sorted(Generic[Hit]):
    """The hits of a search: those to show, each with the match, and why the others are not shown."""

    shown: Sequence[tuple[Hit, Match]]
    dropped: tuple[DroppedHit, ...]
    #: The ids of those shown of which only an ending matches.
    by_ending: tuple[Id, ...]


def sort_hits(
    phone: PhoneNumber, hits: Iterable[Hit], *, numbers: Callable[[Hit], Iterable[str]], key: Callable[[Hit], Id]
) -> Sorted[Hit]:
    """Takes the hits apart, in their order. ``numbers``: all texts of a hit that may hold a number; ``key``: its id.

    Those of which only an ending matches are shown where no hit has the whole number.
    """
    judged = [(hit, _best(phone, list(numbers(hit)))) for hit in hits]
    is_certain = any(isinstance(found, Match) and not found.is_ending for _, found in judged)
    shown: list[tuple[Hit, Match]] = []
    dropped: list[DroppedHit] = []
    for hit, found in judged:
        if isinstance(found, str):
            dropped.append(DroppedHit(id=key(hit), reason=found))
        elif found.is_ending and is_certain:
            dropped.append(DroppedHit(id=key(hit), reason="has only its last digits, and another hit all"))
        else:
            shown.append((hit, found))
    by_ending = tuple(key(hit) for hit, match in shown if match.is_ending)
    return Sorted(shown=shown, dropped=tuple(dropped), by_ending=by_ending)


def match_number(phone: PhoneNumber, stored: str) -> Match | None:
    """How a stored text is this number; None when it is not."""
    found = _judge(phone, stored)
    return found if isinstance(found, Match) else None


def _best(phone: PhoneNumber, stored: Sequence[str]) -> Match | str:
    """The match of any of the texts, a certain one first; else why there is none."""
    judged = [_judge(phone, text) for text in stored]
    matches = sorted((found for found in judged if isinstance(found, Match)), key=lambda match: match.is_ending)
    reasons = [found for found in judged if isinstance(found, str)]
    return next(iter(matches), None) or next((reason for reason in _REASONS if reason in reasons), _NO_NUMBER)


_INSIDE, _OTHER, _NO_NUMBER = "has a longer number that contains these digits", "has another number", "has no number"
_REASONS = (_INSIDE, _OTHER, _NO_NUMBER)


def _judge(phone: PhoneNumber, stored: str) -> Match | str:
    text = _without_decimals(_CARRIER.sub("0--", plain(stored[:MOST_READ])))
    spans = list(_spans(text))
    bare = list(_spans(_ASIDE.sub(_blank_out, text)))
    if not phone.is_valid:
        wanted = digits_of(phone.raw)
        same = (span for span in (spans if phone.is_extension else bare) if wanted and span.digits == wanted)
        found = next(same, None)
        return Match(_shown(stored, text, spans, found.starts[0], found.ends[-1])) if found else _reason(wanted, spans)
    asked = _Asked(phone)
    for span in (*spans, *bare):  # only without the extension in "x34 415-555-0133" the number is seen
        if place := _place(asked, span):
            return Match(_shown(stored, text, bare, *place))
    if word := _vanity(asked, text):
        return Match(word)
    if _has_ending(asked, bare):
        return Match(stored.strip(), is_ending=True)
    return _reason(phone.endings[0], spans)


def _reason(digits: str, spans: Sequence[_Span]) -> str:
    if not spans:
        return _NO_NUMBER
    return _INSIDE if digits and any(digits in span.digits for span in spans) else _OTHER


class _Asked:
    """The number looked up, as the matcher needs it."""

    def __init__(self, phone: PhoneNumber) -> None:
        [self.line] = readings(digits_of(phone.e164), has_plus=True, regions=())
        country = phone.region or main_region(phone.country_code)
        self.regions = tuple(dict.fromkeys(filter(None, (country, phone.home_region))))
        self.endings = phone.endings
        whole = [digits_of(text) for text in (phone.e164, *phone.twins)]
        self.notations = (*whole, *(f"0{ending}" for ending in phone.endings))

    def readings(self, digits: str, has_plus: bool) -> set[Line]:
        return readings(digits, has_plus=has_plus, regions=self.regions) if len(digits) <= _LONGEST else set()


# --- the numbers in a text -------------------------------------------------------------------------


@dataclass(slots=True)
class _Span:
    """Digits with nothing between them but what may stand between the digits of one number."""

    has_plus: bool
    digits: str = ""
    #: Where each group of digits begins and ends in the text, and where it begins in ``digits``.
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    #: What stands before each group.
    gaps: list[str] = field(default_factory=list)
    follows_word: bool = False

    def add(self, group: re.Match[str], gap: str) -> None:
        self.offsets.append(len(self.digits))
        self.starts.append(group.start())
        self.ends.append(group.end())
        self.gaps.append(gap)
        self.digits += group[0]


def _spans(text: str) -> Iterator[_Span]:
    """The spans of a text; a plus sign begins one, a bracket that was not opened ends one: ``1) 415-555-0133``."""
    span: _Span | None = None
    end = opened = 0
    for group in _DIGITS.finditer(text):
        gap = text[end : group.start()]
        before = (_BEFORE_DIGITS.search(gap[-6:]) or [""])[0]
        opened += before.count("(") - gap.count(")")
        has_plus = "+" in before
        if span is None or has_plus or opened < 0 or not _JOINT.fullmatch(gap):
            if span:
                yield span
            span, opened = _Span(has_plus, follows_word=bool(_WORD.search(gap[-6:]))), before.count("(")
        span.add(group, gap)
        end = group.end()
    if span:
        yield span


def _place(asked: _Asked, span: _Span) -> tuple[int, int] | None:
    """Where in the text the span is the number asked for; None where it is not."""
    ends = {offset: index for index, offset in enumerate([*span.offsets[1:], len(span.digits)])}
    for ending in asked.endings:
        begin = span.digits.find(ending)
        while begin >= 0:
            last = ends.get(begin + len(ending))
            if last is not None and (first := _first_group(asked, span, begin, last)) is not None:
                return span.starts[first], span.ends[last]
            begin = span.digits.find(ending, begin + 1)
    return None


def _first_group(asked: _Asked, span: _Span, begin: int, last: int) -> int | None:
    """The group with which a number begins that is the one asked for and no part of a longer one."""
    end = span.offsets[last] + span.ends[last] - span.starts[last]
    nearest = bisect_left(span.offsets, begin - _LONGEST_PREFIX)
    for first in range(nearest, bisect_right(span.offsets, begin)):
        start = span.offsets[first]
        number = span.digits[start:end]
        has_plus = span.has_plus and first == 0
        if asked.line in asked.readings(number, has_plus) and _stands_alone(asked, span, start, last, end):
            return first
    return None


def _stands_alone(asked: _Asked, span: _Span, start: int, last: int, end: int) -> bool:
    """Whether what is written before and behind a number are other numbers or, behind it, an extension."""
    has_plus = span.has_plus
    if start and asked.readings(span.digits[:end], has_plus):
        return False
    if 0 < start < _SHORTEST_ENDING and not _is_remark(span, start, end):
        return False
    behind = len(span.digits) - end
    if not behind:
        return True
    gap = span.gaps[last + 1]
    if "/" in gap:  # 030 1234567/68
        return True
    if gap == "-" and span.digits[end:] == "0" and asked.line.country_code in _WITH_SWITCHBOARD:  # 030 123456-0
        return True
    if behind <= _LONGEST_EXTENSION and " " not in gap:
        return False
    return not asked.readings(span.digits[start:], has_plus and not start)


def _is_remark(span: _Span, start: int, end: int) -> bool:
    """Whether the few digits before a number are none of its own: ``Apt 12 415-555-0133``, ``2 - 415-555-0133``.

    Never what may be a country code, or another prefix.
    """
    first = bisect_left(span.offsets, start)
    groups = [span.digits[span.offsets[index] : span.offsets[index + 1]] for index in range(first)]
    is_listed = first == 1 and span.gaps[1] == " - "
    if span.has_plus or end < len(span.digits) or not (is_listed or (span.follows_word and " " in span.gaps[first])):
        return False
    if first > _MOST_GROUPS or any(group[0] == "0" or len(group) > _LONGEST_GROUP for group in groups):
        return False
    # A plus sign makes the first digits a country code, also where it is longer or shorter than the group.
    lines = readings(groups[-1] + span.digits[start:end], has_plus=True, regions=())
    return not any(str(line.country_code) == groups[-1] for line in lines)


def _vanity(asked: _Asked, text: str) -> str:
    """The text in which letters stand for digits of the number asked for; "" where there is none."""
    if asked.line.country_code != 1:
        return _vanity_abroad(asked, text)
    for found in _VANITY.finditer(text):
        places = found[2].replace("-", "").upper()
        digits = places.translate(_KEYPAD)[:7]
        if not places[:7].isdigit() and f"{found[1]}{digits}" == asked.line.national:
            return found[0]
    return ""


def _vanity_abroad(asked: _Asked, text: str) -> str:
    """Letters behind an area code or prefix, in whatever places; letters beyond the number's last place are skipped."""
    for found in _VANITY_ABROAD.finditer(text):
        digits = digits_of(found[1]) + found[2].replace("-", "").upper().translate(_KEYPAD)
        for ending in asked.endings:
            begin = digits.find(ending)
            number = digits[: begin + len(ending)]
            if 0 <= begin <= _LONGEST_PREFIX and asked.line in asked.readings(number, found[1][0] == "+"):
                return found[0]
    return ""


def _has_ending(asked: _Asked, spans: Sequence[_Span]) -> bool:
    """Whether all digits of a text without any whole number are the last ones of the number asked for."""
    digits = "".join(span.digits for span in spans)
    if not len(digits) >= _SHORTEST_ENDING or not any(form.endswith(digits) for form in asked.notations):
        return False
    return not any(asked.readings(span.digits, span.has_plus) for span in spans)


def _without_decimals(text: str) -> str:
    """Without ``.0`` behind a number, and ``(0)`` behind North America's country code, in a text of the same length."""
    text = _DECIMALS.sub(lambda found: found[1] + " " * len(found[2]), text)
    return _NO_TRUNK.sub(lambda found: found[1] + "   ", text)


def _blank_out(found: re.Match[str]) -> str:
    """Keeps the length of the text, in which places are counted."""
    return "|" * len(found[0])


def _shown(stored: str, text: str, spans: Sequence[_Span], start: int, end: int) -> str:
    """The text as stored where it holds one number, else the part of it that is the number."""
    is_alone = len(spans) == 1 and len(spans[0].digits) < 2 * _SHORTEST_ENDING and spans[0].starts[0] == start
    if is_alone and not _DECIMALS.search(stored):
        return stored.strip()
    while start and text[start - 1] in "+(":
        start -= 1
    number = text[start:end]
    return number if number.count("(") == number.count(")") else number.replace("(", "").replace(")", "")
