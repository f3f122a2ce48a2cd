"""Time zones by name or by fixed offset."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files
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


def region_of(name: str) -> str:
    """The ISO country in which an IANA zone lies (``America/Chicago`` -> ``US``); "" for an offset or unknown name."""
    return _regions().get(name, "")


@cache
def _regions() -> dict[str, str]:
    """Zone -> country, from the time zone database's ``zone.tab`` and the links of ``tzdata.zi`` (``US/Pacific``)."""
    data = files("tzdata.zoneinfo")
    rows = (line.split("\t") for line in data.joinpath("zone.tab").read_text("utf-8").splitlines() if line[:1] != "#")
    regions = {row[2]: row[0] for row in rows}
    links = (line.split() for line in data.joinpath("tzdata.zi").read_text("utf-8").splitlines() if line[:2] == "L ")
    for _, target, name in links:
        if target in regions:
            regions.setdefault(name, regions[target])
    return {**regions, "EST": "US"}  # a link to Panama there
