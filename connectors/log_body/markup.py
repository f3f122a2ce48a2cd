"""Escaping of people's text in HTML bodies."""

from __future__ import annotations


def escape(text: str) -> str:
    """``& < > "`` escaped and newlines as ``<br>``."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")


def anchor(link: str) -> str:
    """A link to an http(s) address; anything else is not ready yet."""
    if not link.lower().startswith(("http://", "https://")):
        return "(pending...)"
    return f'<a target="_blank" href="{escape(link).replace("<br>", "")}">open</a>'
