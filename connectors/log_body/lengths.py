"""Texts made short enough, with a sign that something is missing."""

from __future__ import annotations

SHORTENED = "[shortened]"


def cut(text: str, most: int) -> str:
    """One line of at most ``most`` characters, the last of them an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def shortened(text: str, most: int) -> str:
    """A text of at most ``most`` characters, whose last line says so where something is missing.

    ``most`` is at least the length of that line.
    """
    if len(text) <= most:
        return text
    start = text[: most - len(SHORTENED) - 1].rstrip()
    return f"{start}\n{SHORTENED}" if start else SHORTENED
