"""A simple picture for each CRM: its initials on a coloured ground. No vendor's own logo is used."""

from __future__ import annotations

import hashlib
import re
from html import escape

_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 96 96" role="img" aria-label="{name}">'
    '<rect width="96" height="96" rx="20" fill="hsl({hue},55%,30%)"/>'
    '<text x="48" y="63" fill="#fff" font-family="Helvetica,Arial,sans-serif" font-size="42" font-weight="700" '
    'text-anchor="middle">{initials}</text></svg>'
)


def logo(display_name: str) -> str:
    """An SVG picture; the colour follows from the name."""
    words = re.findall(r"\w+", display_name) or ["?"]
    initials = words[0][0] + words[1][0] if len(words) > 1 else words[0][:2].title()
    hue = int.from_bytes(hashlib.sha256(display_name.encode()).digest()[:2], "big") % 360
    return _PICTURE.format(name=escape(display_name), hue=hue, initials=escape(initials))
