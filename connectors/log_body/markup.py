"""Escaping of people's text in HTML bodies; newlines as the CRM stores them."""

from __future__ import annotations

from collections.abc import Callable


def escape(text: str) -> str:
    """``& < > "`` escaped and newlines as ``<br>``."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")


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
