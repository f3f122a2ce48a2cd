"""Time zones by name or by fixed offset."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2}):(\d{2})", re.ASCII)


def zone_of(name: str) -> tzinfo:
    """The zone for an IANA name or ``UTC+05:30``; UTC for an empty or unknown name."""
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset) if offset < timedelta(hours=24) else UTC
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def offset_name(minutes: float) -> str:
    """The name of a fixed offset: 330 -> ``UTC+05:30``."""
    whole = round(abs(minutes))
    return f"UTC{'-' if minutes < 0 else '+'}{whole // 60:02d}:{whole % 60:02d}"
