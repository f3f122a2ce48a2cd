"""Words of ours, known again whatever signs a CRM or its editor put in place of them or between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

#: Signs that editors write for the hyphen of a list, and for hyphens in a row.
DASHES = "-‐‒–—―−"
BULLETS = f"*+•‣▪·○◦●∙⁃■□►➢{DASHES}"


def bare(text: str) -> str:
    """A text without signs that nobody sees, and with plain signs for full-width ones and the like."""
    if text.isascii():
        return text
    return "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")


def bare_with_places(text: str) -> tuple[str, Sequence[int]]:
    """The same, and where in the text each of its signs stands; the last place is the end of the text."""
    if text.isascii():
        return text, range(len(text) + 1)
    signs, places = "", []
    for index, sign in enumerate(text):
        shown = bare(sign)
        signs += shown
        places += [index] * len(shown)
    return signs, [*places, len(text)]
