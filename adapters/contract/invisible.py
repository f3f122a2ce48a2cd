"""Characters that nobody sees, and that come along when a text is copied from a page or a document."""

from __future__ import annotations

import unicodedata


def without_invisible(text: str) -> str:
    """The text without zero-width, direction and other format characters (Unicode ``Cf``), and without NUL.

    Zero-width joiners between letters go too: use it for numbers, keys and addresses, not for names of people.
    """
    if text.isascii():
        return text.replace("\x00", "")
    return "".join(char for char in text if char != "\x00" and unicodedata.category(char) != "Cf")
