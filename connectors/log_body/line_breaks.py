"""Newlines of a body as its CRM stores them: a text field may come back with other ones than were sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import LogFormat

#: Each sign that ends a line in some CRM's text field.
NEWLINES = "\n\r\u2028\u2029\x85"
NEWLINE = re.compile(rf"\r\n|[{NEWLINES}]")
_TEXT = ("\r\n", "\r", "\u2028", "\u2029", "\x85")
_TAG_BEFORE_NEWLINE = re.compile(r"(?:<br\s*/?>|\\)(?:\r\n|\n)", re.IGNORECASE)
#: A tag alone is the newline where a line of ours follows it.
_TAG_BEFORE_OURS = re.compile(
    r"(?:<br\s*/?>|</(p|div)><\1>)(?=.{0,12}?\b(?:Note|Summary|Date|Duration|Result|Call|Conversation|BEGIN|END)\b)",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"(?P<start>\s*<(?P<tag>p|div)>)(?P<text>.*)(?P<end></(?P=tag)>\s*)", re.DOTALL)
#: Some CRMs keep newlines for the breaks of HTML, with the other tags or without any.
_NEWLINE_FOR_BREAK = re.compile(
    r"(?:agent\s+notes|call\s+details|BEGIN|messages\))"
    r"(?:</(?:b|strong|em|i|u|span|font)>|[ \t:\u200b-\u200f\ufeff])*\n",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"</?[A-Za-z]")
_ESCAPED_TAG = re.compile("&lt;(?:br|b|li|strong|span|p|div)(?:&gt;|[ /])", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class Lines:
    """A body whose lines end with ``\\n``, and what the CRM has in place of that, and around the whole."""

    text: str
    newline: str = "\n"
    start: str = ""
    end: str = ""
    #: What ends a line in ``text``.
    break_: str = "\n"
    #: How apostrophes are written where a CRM has escaped all of a body, so that it shows tags as text; else "".
    apostrophe: str = ""

    def restored(self, text: str) -> str:
        """A changed text as the CRM had the body."""
        if self.newline != self.break_:
            text = text.replace(self.break_, self.newline)
        return self.start + (_escaped(text, self.apostrophe) if self.apostrophe else text) + self.end


def with_its_newlines(body: str, log_format: LogFormat, change: Callable[[str], str]) -> str:
    """``change(body)`` for a change that writes ``\\n``; the body comes back with the newlines that it had."""
    lines = in_lines(body, log_format)
    return lines.restored(change(lines.text))


def in_lines(body: str, log_format: LogFormat) -> Lines:
    """The body by lines: another sign than ``\\n`` ends them only where none ends with that one alone."""
    if log_format is LogFormat.HTML:
        return _html_in_lines(body)
    if tag := _tag_for_newline(body):
        start, end = _around(body, tag)
        return Lines(body[len(start) : len(body) - len(end)].replace(tag, "\n"), tag, start, end)
    newline = _newline_of(body, _TEXT)
    return Lines(body.replace(newline, "\n"), newline)


def _html_in_lines(body: str) -> Lines:
    apostrophe = _apostrophe_of(body) if _ESCAPED_TAG.search(body) and not _ANY_TAG.search(body) else ""
    is_escaped = bool(apostrophe) and _escaped(_unescaped(body, apostrophe), apostrophe) == body
    text = _unescaped(body, apostrophe) if is_escaped else body
    newline = _newline_of(text, _HTML)
    text = text.replace(newline, "\n")
    if _NEWLINE_FOR_BREAK.search(text) and "<br" not in text.lower():
        return Lines(text.replace("\n", "<br>"), newline, break_="<br>", apostrophe=apostrophe if is_escaped else "")
    return Lines(text, newline, apostrophe=apostrophe if is_escaped else "")


def _apostrophe_of(body: str) -> str:
    return next((entity for entity in ("&#x27;", "&#39;", "&#039;") if entity in body), "'")


def _unescaped(body: str, apostrophe: str) -> str:
    text = body.replace(apostrophe, "'").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&quot;", '"').replace("&amp;", "&")


def _escaped(text: str, apostrophe: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", apostrophe)


def _newline_of(body: str, kinds: tuple[str, ...]) -> str:
    return next((kind for kind in kinds if kind in body and "\n" not in body.replace(kind, "")), "\n")


def _tag_for_newline(body: str) -> str:
    """The tag that a CRM, or the hard break that an editor of Markdown, has put for each newline of a text; or ""."""
    found = _TAG_BEFORE_NEWLINE.search(body) or _TAG_BEFORE_OURS.search(body)
    tag = found[0] if found else ""
    return "" if NEWLINE.search(body.replace(tag, "") if tag else "") else tag


def _around(body: str, tag: str) -> tuple[str, str]:
    """The tags of the paragraph or block around the whole of a text."""
    found = _WHOLE.fullmatch(body) if "br" not in tag.lower() or body.lstrip().startswith("<") else None
    return (found["start"], found["end"]) if found else ("", "")
