"""The time zone a user chose in the settings: Redtail reports none."""

from __future__ import annotations

import re
from datetime import tzinfo

from adapters.contract import offset_name, zone_of

_NUMBER = re.compile(r"[+-]?[0-9]{1,4}(\.[0-9]+)?", re.ASCII)
#: Numbers below this are hours, others minutes; no zone is further from UTC.
_HOURS_BELOW = 16


def chosen_zone(text: str) -> tzinfo | None:
    """The zone for hours (``-8``, ``5.75``), minutes (``330``), ``+05:30`` or a zone's name; None: nothing chosen."""
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        return zone_of(offset_name(number * 60 if abs(number) < _HOURS_BELOW else number))
    return zone_of(text)
