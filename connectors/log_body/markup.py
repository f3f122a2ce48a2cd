"""Escaping of people's text in HTML bodies, and its undoing."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def escape(text: str) -> str:
    """``& < > "`` escaped and newlines as ``<br>``."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")


def unescape(text: str) -> str:
    """The text that ``escape`` was given; old bodies that were never escaped come out as they are."""
    return html.unescape(_BREAK.sub("\n", text))


def anchor(link: str) -> str:
    """A link to an http(s) address; anything else is not ready yet."""
    if not link.lower().startswith(("http://", "https://")):
        return "(pending...)"
    return f'<a target="_blank" href="{escape(link).replace("<br>", "")}">open</a>'
