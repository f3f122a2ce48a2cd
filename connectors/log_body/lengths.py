"""Texts made short enough, with a sign that something is missing."""

from __future__ import annotations

SHORTENED = "[shortened]"


def cut(text: str, most: int) -> str:
    """One line of at most ``most`` characters, the last of them an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def cut_title(title: str, most: int | None) -> str:
    """A title as long as its CRM takes it; None: nobody knows how long that is."""
    return title if most is None else cut(title, most)


def shortened(text: str, most: int) -> str:
    """A text of at most ``most`` characters, whose last line says so where something is missing.

    ``most`` is at least the length of that line.
    """
    if len(text) <= most:
        return text
    start = text[: max(0, most - len(SHORTENED) - 1)].rstrip()
    return f"{start}\n{SHORTENED}" if start else SHORTENED
