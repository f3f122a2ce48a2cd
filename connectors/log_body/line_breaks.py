"""Newlines of a body as its CRM stores them: a text field may come back with other ones than were sent."""

from __future__ import annotations

import re
from collections.abc import Callable

from adapters.contract import LogFormat

#: Each sign that ends a line in some CRM's text field.
NEWLINES = "\n\r\u2028\u2029\x85"
NEWLINE = re.compile(rf"\r\n|[{NEWLINES}]")
_TEXT = ("\r\n", "\r", "\u2028", "\u2029", "\x85")
#: In HTML the others are no line breaks, but signs like any other.
_HTML = ("\r\n", "\r")


def with_newlines(text: str) -> str:
    """A text whose lines end with ``\\n``, whatever ended them before."""
    return NEWLINE.sub("\n", text)


def each_line(text: str, change: Callable[[str], str]) -> str:
    """The text with each of its lines changed and the newlines between them as they are."""
    return "".join(part if index % 2 else change(part) for index, part in enumerate(_with_separators(text)))


def _with_separators(text: str) -> list[str]:
    return re.split(f"({NEWLINE.pattern})", text)


def newline_of(body: str, log_format: LogFormat) -> str:
    """What ends the lines of a body: another sign than ``\\n`` only where no line ends with that one alone."""
    kinds = _HTML if log_format is LogFormat.HTML else _TEXT
    return next((kind for kind in kinds if kind in body and "\n" not in body.replace(kind, "")), "\n")


def with_its_newlines(body: str, log_format: LogFormat, change: Callable[[str], str]) -> str:
    """``change(body)`` for a change that writes ``\\n``; the body comes back with the newlines that it had."""
    newline = newline_of(body, log_format)
    if newline == "\n":
        return change(body)
    return change(body.replace(newline, "\n")).replace("\n", newline)
