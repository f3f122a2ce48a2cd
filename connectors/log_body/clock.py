"""Times as the client sends them, and as people read them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Any

DEFAULT_PATTERN = "YYYY-MM-DD hh:mm:ss A"
#: 2001 in seconds, 1973 in milliseconds and in microseconds.
_FIRST_SECONDS, _FIRST_MILLISECONDS, _FIRST_MICROSECONDS = 1e9, 1e11, 1e14
_TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S"}
_TOKEN = re.compile("YYYY|MM|DD|HH|hh|mm|ss|A")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def parse_time(value: Any) -> datetime | None:
    """An aware UTC time from ISO 8601 (a missing zone is UTC), or from a number; None for anything else.

    A number is the time since 1970 in milliseconds; of another magnitude, in seconds or microseconds.
    """
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float):
            return _since_1970(value)
        text = str(value).strip()
        if re.fullmatch(r"\d{10,17}(\.\d{1,9})?", text, re.ASCII):
            return _since_1970(float(text))
        moment = datetime.fromisoformat(text.replace("z", "Z"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _since_1970(number: float) -> datetime:
    if _FIRST_SECONDS <= number < _FIRST_MILLISECONDS:
        return datetime.fromtimestamp(number, UTC)
    return datetime.fromtimestamp(number / (1000 if number < _FIRST_MICROSECONDS else 1_000_000), UTC)


def format_time(moment: datetime, pattern: str, zone: tzinfo) -> str:
    """The moment in the zone, by a ``logDateFormat`` pattern; AM and PM are English whatever the locale."""
    local = local_time(moment, zone)
    return _TOKEN.sub(
        lambda token: _half(local) if token[0] == "A" else local.strftime(_TOKENS[token[0]]), pattern or DEFAULT_PATTERN
    )


def local_time(moment: datetime, zone: tzinfo) -> datetime:
    """The moment in the zone."""
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):  # the first or last day of the calendar
        return moment


def _half(local: datetime) -> str:
    return "AM" if local.hour < 12 else "PM"


def clock(moment: datetime, zone: tzinfo) -> str:
    """``06:05 PM``"""
    local = local_time(moment, zone)
    return f"{local.strftime('%I:%M')} {_half(local)}"


def long_date(moment: datetime, zone: tzinfo) -> str:
    """``Tuesday, March 04, 2025``"""
    local = local_time(moment, zone)
    return f"{_WEEKDAYS[local.weekday()]}, {_MONTHS[local.month - 1]} {local.day:02d}, {local.year:04d}"


def short_date(moment: datetime, zone: tzinfo, pattern: str) -> str:
    """By a ``strftime`` pattern."""
    return local_time(moment, zone).strftime(pattern)


def format_duration(seconds: float | str | None) -> str:
    """``1 hour, 2 minutes, 5 seconds``; hours are not folded into days; "pending" while the call goes on."""
    if isinstance(seconds, str):
        try:
            seconds = float(seconds)
        except ValueError:
            return "pending"
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        return "0 seconds"
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (left, "second")]
    texts = [f"{number:g} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return ", ".join(texts) or "0 seconds"
