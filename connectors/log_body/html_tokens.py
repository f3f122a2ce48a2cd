"""An HTML body, cut into tags and texts, as any editor may have written it. Linear in its length."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.log_body.signs import bare

#: Elements that begin and end a line.
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p",
    "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))  # fmt: skip
_INLINE = frozenset((
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "cite", "code", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt",
    "u", "var", "wbr",
))  # fmt: skip
_VOID = frozenset(("br", "hr", "img", "wbr"))
_BOLD = frozenset(("b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"))
_BOLD_STYLE = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
#: Google Docs puts all of a text into one such ``b``.
_NOT_BOLD_STYLE = re.compile(r"font-weight\s*:\s*(?:normal|lighter|[1-5]00)", re.IGNORECASE)
#: Whether these are bold is asked of the start tag; the end tag does not say.
MAY_BE_BOLD = _BOLD | {"span", "font"}
#: A tag ends before the next "<", so that a text full of them takes no longer than any other.
#: Office writes ``<o:p>`` and the like everywhere; they mean as much as a comment.
_TAG = re.compile(
    r"<(?:(/?)([A-Za-z][A-Za-z0-9]*)((?:[\s/][^<>]*)?)|/?(?:[mopvwx]|st1):[A-Za-z]+(?:[\s/][^<>]*)?|![^<>]*)>"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A tag, or the text between two tags. ``name`` is "" for a text, "!" for a comment."""

    start: int
    end: int
    name: str = ""
    is_end: bool = False
    is_bold: bool = False

    @property
    def is_block(self) -> bool:
        return self.name in BLOCKS

    @property
    def is_void(self) -> bool:
        return self.name in _VOID


def tokens(body: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The parts of a body, or of a piece of it, in order. What is no tag of HTML is text."""
    end = len(body) if end is None else end
    text_from = start
    for match in _TAG.finditer(body, start, end):
        name = (match[2] or "!").lower()
        if name != "!" and name not in BLOCKS and name not in _INLINE:
            continue
        if match.start() > text_from:
            yield Token(text_from, match.start())
        style = match[3] or ""
        bold = not _NOT_BOLD_STYLE.search(style) if name in _BOLD else bool(_BOLD_STYLE.search(style))
        yield Token(match.start(), match.end(), name, bool(match[1]), bold)
        text_from = match.end()
    if end > text_from:
        yield Token(text_from, end)


_HARD_BLANK = re.compile("&nbsp;|&#160;")


def decoded(text: str) -> str:
    """A text without entities; the blank that editors write for one of several is a blank."""
    return html.unescape(_HARD_BLANK.sub(" ", text))


def is_empty(text: str) -> bool:
    """Whether a text shows nothing: blanks, also as entities, and signs that nobody sees."""
    return not (text.strip() and bare(decoded(text)).strip())


def text_of(body: str, start: int = 0, end: int | None = None) -> str:
    """A piece of a body as a person reads it, line by line; newlines at its ends are those of the layout."""
    lines: list[str] = []
    line: list[str] = []
    after_break = True
    for token in tokens(body, start, end):
        if token.name == "":
            text = body[token.start : token.end]
            if after_break and "\n" in text[: len(text) - len(text.lstrip())]:
                text = text.lstrip()  # the source's own line break
            line.append(text)
            after_break = after_break and not text.strip()
        elif token.name == "br" or (token.is_block and any(line)):
            lines.append(_line(line))
            line = []
            after_break = True
        elif token.is_block:
            after_break = True
    if any(line):
        lines.append(_line(line))
    return "\n".join(lines)


def _line(parts: list[str]) -> str:
    source = "".join(parts)
    if "&" in source and not _HARD_BLANK.sub("", source).strip():
        return ""  # an editor keeps an empty paragraph open with it
    text = decoded(source)
    kept = text.rstrip()
    return kept if "\n" in text[len(kept) :] else text


def unmatched(body: str, start: int, end: int) -> tuple[str, str]:
    """End tags and start tags of inline elements that begin or end outside of a piece, each as one text."""
    ends: list[str] = []
    starts: list[Token] = []
    for token in tokens(body, start, end):
        if token.name in ("", "!") or token.is_block or token.is_void:
            continue
        if not token.is_end:
            starts.append(token)
        elif starts and starts[-1].name == token.name:
            starts.pop()
        else:
            ends.append(body[token.start : token.end])
    return "".join(ends), "".join(body[token.start : token.end] for token in starts)
