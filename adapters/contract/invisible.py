"""Characters that nobody sees, and that come along when a text is copied from a page or a document."""

from __future__ import annotations

import unicodedata

#: What Unicode has under other headings: fillers, the blank of Braille, a joiner, and variants of the sign before.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_FIRST_VARIANT, _LAST_VARIANT = "\ufe00", "\ufe0f"


def without_invisible(text: str) -> str:
    """The text without zero-width, direction and other format characters, fillers, and NUL.

    Zero-width joiners between letters go too: use it for numbers, keys and addresses, not for names of people.
    """
    if text.isascii():
        return text.replace("\x00", "")
    return "".join(char for char in text if not _is_invisible(char))


def _is_invisible(char: str) -> bool:
    if char == "\x00" or char in _BLANKS or _FIRST_VARIANT <= char <= _LAST_VARIANT:
        return True
    return unicodedata.category(char) == "Cf"
