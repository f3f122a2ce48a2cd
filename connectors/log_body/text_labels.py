"""Lines of ours in plain text and Markdown, as our composer or an editor writes them, and lines that look like them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from adapters.contract import LogFormat
from connectors.log_body.line_breaks import NEWLINE, each_line
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, SECTIONS, Kind, Section

NOTE = "Note"
END, JOURNEY_END = "END", "JOURNEY END"
_LONGEST_HEADING = 200  # characters
_SECTIONS = {section.plain: section for section in SECTIONS}
_BLOCKS = [section.plain for section in SECTIONS if section.kind in (Kind.BLOCK, Kind.LEGS)]
#: Editors turn the hyphen of a list into their own mark, and hyphens in a row into dashes.
_MARK = r"[-*+•‣▪·–—]\s+"
_DASHES = r"(?:-{2,3}|[–—]-?|-[–—])"
#: Two signs that make text bold in Markdown; an editor may write either, or have them escaped.
_BOLD = r"(?:\\?[*_]){2}"


def _words(labels: list[str]) -> str:
    """Any of the labels, with any blanks between their words."""
    return "|".join(re.escape(label).replace(r"\ ", r"\s+").replace("/", r"\\?/") for label in labels)


_PLAIN_LABEL = re.compile(rf"{_MARK}({_words([*_SECTIONS, NOTE, AGENT_NOTES])})\s*:")
#: A label within a line, where a CRM has put a blank for the newline before it.
_PLAIN_LABEL_WITHIN = re.compile(rf"(?<=\S)[ \t]+(?={_PLAIN_LABEL.pattern})")
_PLAIN_END = re.compile(rf"{_DASHES}\s*(JOURNEY\s+)?END\s*$")
_MARKDOWN_LABEL = re.compile(rf"(?:\\?{_MARK})?{_BOLD}\s*({_words([*_SECTIONS])})\s*(?:{_BOLD}\s*:|:\s*{_BOLD})")
_HEADING_WORDS = _words([*_BLOCKS, AGENT_NOTES, CALL_DETAILS])
_HEADING = re.compile(rf"(?:(?:\\?#){{1,6}}\s*)?(?:{_BOLD})?({_HEADING_WORDS})\s*:?(?:{_BOLD})?[\s#]*$")
_UNDERLINE = re.compile(r"(?:-{2,}|={2,})\s*$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a body: ``end`` is before its newline."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a line of ours is: a label with its value from ``value`` on, a heading, or the end of a block."""

    name: str
    section: Section | None = None
    value: int = 0
    #: Lines that it takes: a heading may be underlined.
    lines: int = 1


def lines_of(body: str) -> list[Line]:
    """The lines of a body, without their newlines, whatever sign they are."""
    found, start = [], 0
    for newline in NEWLINE.finditer(body):
        found.append(Line(start, newline.start(), body[start : newline.start()]))
        start = newline.end()
    return [*found, Line(start, len(body), body[start:])]


def plain_mark(lines: list[Line], index: int) -> Mark | None:
    """What a line of plain text is to us."""
    line = lines[index]
    if found := _PLAIN_LABEL.match(line.text):
        name = " ".join(found[1].split())
        return Mark(name, _SECTIONS.get(name), line.start + found.end())
    if found := _PLAIN_END.match(line.text):
        return Mark(JOURNEY_END if found[1] else END)
    return None


def lost_newline(body: str, start: int, end: int) -> int:
    """Where the first of at least two labels stands in the middle of a line; -1: nowhere.

    A CRM that puts all of a text into one line leaves nothing else to tell where the note ends.
    """
    found = list(_PLAIN_LABEL_WITHIN.finditer(body, start, end))
    return found[0].start() if len({match[1] for match in found}) > 1 else -1


def markdown_mark(lines: list[Line], index: int) -> Mark | None:
    """What a line of Markdown is to us."""
    line = lines[index]
    if found := _MARKDOWN_LABEL.match(line.text):
        section = _SECTIONS[_name(found[1])]
        if section.kind in (Kind.LINE, Kind.LINK):
            return Mark(section.plain, section, line.start + found.end())
    found = _heading(line.text)
    if found is None:
        return None
    are_bare = found[0].startswith(found[1])
    if are_bare and not (index + 1 < len(lines) and _UNDERLINE.match(lines[index + 1].text)):
        return None
    name = _name(found[1])
    return Mark(name, _SECTIONS.get(name), line.end, lines=2 if are_bare else 1)


def _heading(text: str) -> re.Match[str] | None:
    return _HEADING.match(text) if len(text) <= _LONGEST_HEADING else None


def _name(words: str) -> str:
    return " ".join(words.replace("\\", "").split())


def _is_plain_mark(text: str) -> bool:
    return bool(_PLAIN_LABEL.match(text) or _PLAIN_END.match(text))


def _is_markdown_mark(text: str) -> bool:
    return bool(_MARKDOWN_LABEL.match(text) or text.startswith("### ") or _heading(text))


_LOOKS_LIKE_OURS: dict[LogFormat, Callable[[str], bool]] = {
    LogFormat.PLAIN: _is_plain_mark,
    LogFormat.MARKDOWN: _is_markdown_mark,
}


def shielded(text: str, log_format: LogFormat) -> str:
    """Somebody's text for a plain or Markdown body: lines that look like ours are indented by one more blank."""
    is_ours = _LOOKS_LIKE_OURS.get(log_format)
    if is_ours is None:
        return text
    return each_line(text, lambda line: f" {line}" if is_ours(line.lstrip(" ")) else line)


def unshielded(text: str, log_format: LogFormat) -> str:
    """The text that ``shielded`` was given."""
    is_ours = _LOOKS_LIKE_OURS.get(log_format)
    if is_ours is None:
        return text
    return each_line(text, lambda line: line[1:] if line[:1] == " " and is_ours(line.lstrip(" ")) else line)
