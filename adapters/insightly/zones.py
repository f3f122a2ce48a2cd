"""IANA zone names for the Windows zone names that Insightly reports."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Windows name in lower case -> IANA name (Unicode CLDR, windowsZones, territory 001).
_IANA = {
    name.casefold(): iana
    for name, iana in json.loads((Path(__file__).parent / "windows_zones.json").read_text("utf-8")).items()
}


def iana_name(name: str) -> str:
    """The IANA name of a zone named the Windows or the IANA way; empty for an unknown one.

    Letter case of a Windows name does not count.
    """
    name = name.strip()
    if known := _IANA.get(name.casefold()):
        return str(known)
    try:
        return ZoneInfo(name).key if name else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""
