"""Escaping of people's text in HTML bodies and its undoing; newlines as the CRM stores them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

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


def with_its_newlines(body: str, change: Callable[[str], str]) -> str:
    """``change(body)``, which only knows ``\\n``, for a body that a CRM may have stored with ``\\r\\n``."""
    if "\r\n" in body and "\n" not in body.replace("\r\n", ""):
        return change(body.replace("\r\n", "\n")).replace("\n", "\r\n")
    return change(body)
