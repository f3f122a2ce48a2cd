"""Fields that are only shown in a log: no value of theirs, however odd, refuses a call or a message.

What says which record is meant (session, contact, time, direction) is read by the strict fields of ``wire``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from adapters.contract import Party
from connectors.api.wire import LONG, Text, way_of
from connectors.log_body import Leg
from connectors.log_body.lengths import cut, shortened
from connectors.log_body.media import reader_link

#: Seconds. RingCentral ends a call after a day; what is longer is a time, or milliseconds.
_LONGEST_CALL = 2 * 86_400
_MOST_LEGS = 200
_MOST_PEOPLE = 1000
#: 3:07, 00:03:07; and ISO 8601: PT3M7S.
_CLOCK = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,3}):([0-5]?[0-9])(?:\.[0-9]{1,6})?")
_ISO = re.compile(r"PT(?:([0-9]{1,3})H)?(?:([0-9]{1,4})M)?(?:([0-9]{1,6})(?:\.[0-9]{1,6})?S)?")
_PARTY_MEMBERS = {
    "name": "name",
    "phone_number": "phoneNumber",
    "extension_number": "extensionNumber",
    "location": "location",
}


def _number(value: Any) -> float:
    """The number, also one in a text; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return math.nan


def _length(value: Any) -> float:
    """The seconds of a duration, also written ``00:03:07`` or ``PT3M7S``; NaN for anything else."""
    text = value.strip() if isinstance(value, str) else ""
    parts = _CLOCK.fullmatch(text) or _ISO.fullmatch(text)
    if parts is None or not any(parts.groups()):
        return _number(value)
    hours, minutes, rest = (int(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + rest


def seconds(value: Any) -> float | None:
    """A duration; 0 for a negative one, None for what is no number of seconds, or longer than any call."""
    number = _length(value)
    return max(0, number) if number <= _LONGEST_CALL else None


def whole_number(value: Any, most: int) -> int:
    """A number of pages or milliseconds; 0 for what cannot be one."""
    number = _number(value)
    return round(number) if 0 <= number <= most else 0


def _text(value: Any, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return cut(str(value).replace("\x00", ""), most)


def party(value: Any) -> Party:
    """One end of a call: ``{phoneNumber, extensionNumber, name, location}``, every member optional."""
    given = value if isinstance(value, dict) else {}
    return Party(**{name: _text(given.get(member), 500) for name, member in _PARTY_MEMBERS.items()})


def _leg(value: dict[str, Any]) -> Leg:
    length = _length(value.get("duration"))
    return Leg(
        direction=_text(value.get("direction"), 20),
        leg_type=_text(value.get("legType"), 64),
        caller=party(value.get("from")),
        callee=party(value.get("to")),
        duration=length if 0 <= length <= _LONGEST_CALL else None,
    )


class Shown(Text):
    """A text of one line; a longer one is cut, and what is no text counts as absent."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        absent = None if self.allow_null else ""
        if data is serializers.empty or data is None:
            return absent
        return absent if isinstance(data, dict | list | bool) else super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        return self.shortened(str(data).replace("\x00", ""))

    def shortened(self, text: str) -> str:
        """The text as it may be kept."""
        return cut(text, self.most)


class LongText(Shown):
    """A note or transcript; what is cut says so in its last line."""

    def __init__(self, *, most: int = LONG, **kwargs: Any) -> None:
        super().__init__(most=most, **kwargs)

    def shortened(self, text: str) -> str:
        return shortened(text, self.most)


class Link(Shown):
    """An address. Half of one leads nowhere, so that a longer one counts as absent."""

    def __init__(self, *, most: int = 4000, **kwargs: Any) -> None:
        super().__init__(most=most, **kwargs)

    def shortened(self, text: str) -> str:
        return text if len(text) <= self.most else ""


class _Read(serializers.Field[Any, Any, Any, Any]):
    """Read by a function that takes whatever there is."""

    read: Callable[[Any], Any]

    def __init__(self) -> None:
        super().__init__(required=False)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return type(self).read(None if data is serializers.empty else data)

    def to_representation(self, value: Any) -> Any:
        return value


class Seconds(_Read):
    """A duration as ``seconds`` reads it; None also for ``"pending"``: a call that is not over."""

    read = staticmethod(seconds)


class CallWay(_Read):
    """The direction of a call; None for anything else."""

    read = staticmethod(way_of)


class PartyField(_Read):
    """One end of a call or message."""

    read = staticmethod(party)


class Media(_Read):
    """A recording or voicemail as the call record has it: its link, else one made from its address, else ""."""

    @staticmethod
    def read(value: Any) -> str:
        given = value if isinstance(value, dict) else {}
        link, address = (
            text if isinstance(text := given.get(name), str) and len(text) <= 4000 else ""
            for name in ("link", "contentUri")
        )
        return link or reader_link(address)


class Items(_Read):
    """The objects of a list, each read by a function; whatever else stands in it is left out."""

    def __init__(self, read_item: Callable[[dict[str, Any]], Any], *, most: int, properties: tuple[str, ...]) -> None:
        super().__init__()
        self.read_item = read_item
        self.most = most
        #: Names of the members that are read, for the description.
        self.properties = properties

    def run_validation(self, data: Any = serializers.empty) -> Any:
        items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
        return tuple(self.read_item(item) for item in items[: self.most])


def journey() -> Items:
    """The journey of a call."""
    return Items(_leg, most=_MOST_LEGS, properties=("direction", "legType", "from", "to", "duration"))


def people() -> Items:
    """Recipients or correspondents of messages."""
    return Items(party, most=_MOST_PEOPLE, properties=tuple(_PARTY_MEMBERS.values()))
