"""Lines of ours in plain text and Markdown, as our composer or an editor writes them, and lines that look like them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.contract import LogFormat
from connectors.log_body.line_breaks import NEWLINE, each_line
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, SECTIONS, Kind, Section
from connectors.log_body.signs import BULLETS, bare_with_places
from connectors.log_body.signs import DASHES as _DASH_SIGNS

NOTE = "Note"
END, JOURNEY_END = "END", "JOURNEY END"
_LONGEST_MARK = 200  # characters
_SECTIONS = {section.plain: section for section in SECTIONS}
_BLOCKS = [section.plain for section in SECTIONS if section.kind in (Kind.BLOCK, Kind.LEGS)]
_NAMES = {name.casefold(): name for name in (*_SECTIONS, NOTE, AGENT_NOTES, CALL_DETAILS)}
_TELLING = {"Session Id", "Date/Time", "Duration", "Call recording link", "Voicemail recording link"}
#: Editors turn the hyphen of a list into their own mark, and hyphens in a row into dashes.
_BULLET = rf"[{re.escape(BULLETS)}]"
_MARK = rf"{_BULLET}\s+"
_DASHES = rf"(?:-{{2,3}}|[{re.escape(_DASH_SIGNS[1:])}]-?|-[{re.escape(_DASH_SIGNS[1:])}])"
#: Two signs that make text bold in Markdown; an editor may write either, or have them escaped.
_BOLD = r"(?:\\?[*_]){2}"
#: Whatever a whole body may have come to have before its labels and around them, if each has the same.
_MARGIN = r"(?P<margin>[\s>]*)"
_LOOSE_MARK = rf"(?:(?:(?P<bullet>\\?{_BULLET})|(?P<number>\d{{1,3}}\\?[.)]))(?:\s+|(?=\w)))?"
_OPENED = r"(?P<bold>(?:\\?[*_]){1,3}|<(?:b|strong|i|em|h\d)>)?"
_CLOSED = r"(?:(?:\\?[*_]){1,3}|</(?:b|strong|i|em|h\d)>)?"


def _words(labels: Sequence[str]) -> str:
    """Any of the labels, with any blanks between their words."""
    return "|".join(re.escape(label).replace(r"\ ", r"\s+").replace("/", r"\\?/") for label in labels)


_PLAIN_WORDS = _words([*_SECTIONS, NOTE, AGENT_NOTES])
_PLAIN_LABEL = re.compile(rf"{_MARK}(?P<name>{_PLAIN_WORDS})\s*:")
#: A label within a line, where a CRM has put a blank for the newline before it.
_PLAIN_LABEL_WITHIN = re.compile(rf"(?<=\S)[ \t]+(?={_PLAIN_LABEL.pattern})")
_PLAIN_END = re.compile(rf"{_DASHES}\s*(?P<journey>JOURNEY\s+)?END\s*$")
_LOOSE_PLAIN_LABEL = re.compile(
    rf"{_MARGIN}{_LOOSE_MARK}{_OPENED}(?P<name>{_PLAIN_WORDS})\s*(?:{_CLOSED}\s*:|:\s*{_CLOSED})", re.IGNORECASE
)
_LOOSE_PLAIN_END = re.compile(rf"{_MARGIN}{_PLAIN_END.pattern}", re.IGNORECASE)
_MARKDOWN_WORDS = _words([section.plain for section in SECTIONS if section.kind in (Kind.LINE, Kind.LINK)])
_MARKDOWN_LABEL = re.compile(rf"(?:\\?{_MARK})?{_BOLD}\s*(?P<name>{_MARKDOWN_WORDS})\s*(?:{_BOLD}\s*:|:\s*{_BOLD})")
_LOOSE_MARKDOWN_LABEL = re.compile(
    rf"{_MARGIN}{_LOOSE_MARK}{_OPENED}\s*(?P<name>{_MARKDOWN_WORDS})\s*(?:{_CLOSED}\s*:|:\s*{_CLOSED})", re.IGNORECASE
)
_HEADING_WORDS = _words([*_BLOCKS, AGENT_NOTES, CALL_DETAILS])
_HEADING = re.compile(rf"(?:(?:\\?#){{1,6}}\s*)?(?:{_BOLD})?(?P<name>{_HEADING_WORDS})\s*:?(?:{_BOLD})?[\s#]*$")
_LOOSE_HEADING = re.compile(
    rf"{_MARGIN}(?P<bullet>(?:\\?#){{1,6}}\s*)?{_OPENED}(?P<name>{_HEADING_WORDS})\s*:?{_CLOSED}[\s#]*$", re.IGNORECASE
)
_UNDERLINE = re.compile(r"[\s>]*(?:-{2,}|={2,})\s*$")


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
    #: How we would write it, where an editor wrote it in a way that is known only from the other lines of ours.
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a body by the index of their lines; ``margin`` stands before each of its lines."""

    found: Mapping[int, Mark]
    margin: str = ""


def lines_of(body: str) -> list[Line]:
    """The lines of a body, without their newlines, whatever sign they are."""
    found, start = [], 0
    for newline in NEWLINE.finditer(body):
        found.append(Line(start, newline.start(), body[start : newline.start()]))
        start = newline.end()
    return [*found, Line(start, len(body), body[start:])]


def plain_marks(lines: Sequence[Line]) -> Marks:
    """What the lines of a plain text are to us."""
    labels = {index: mark for index, line in enumerate(lines) if (mark := _plain_label(line))}
    margin = ""
    if not labels:
        labels, margin = _loose(lines, _LOOSE_PLAIN_LABEL, lambda name: "" if name == AGENT_NOTES else f"- {name}:")
    ends = _loose_ends(lines, margin) if any(mark.ours for mark in labels.values()) else _ends(lines)
    return Marks(dict(sorted({**ends, **labels}.items())), margin)


def markdown_marks(lines: Sequence[Line]) -> Marks:
    """What the lines of Markdown are to us."""
    labels = {index: mark for index, line in enumerate(lines) if (mark := _markdown_label(line))}
    headings = {index: mark for index in range(len(lines)) if (mark := _heading_mark(lines, index))}
    margin = ""
    if not labels:
        loose, margin = _loose(lines, _LOOSE_MARKDOWN_LABEL, lambda name: f"**{name}**:")
        if headings and margin:
            margin = ""  # people's text, which is indented where it looks like ours
        else:
            labels = loose
    if {mark.name for mark in headings.values()}.isdisjoint((AGENT_NOTES, CALL_DETAILS)):
        found = _loose_headings(lines, margin, only_tags=bool(headings))
        headings = {**dict(found), **headings}
    return Marks(dict(sorted({**headings, **labels}.items())), margin)


# --- lines as we write them ----------------------------------------------------------------------


def _match(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, int]:
    """What a pattern finds at the start of a line, and where that ends in the line."""
    shown, places = bare_with_places(text[:_LONGEST_MARK])
    found = pattern.match(shown)
    return found, places[found.end()] if found else 0


def _whole(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return _match(pattern, text)[0] if len(text) <= _LONGEST_MARK else None


def _plain_label(line: Line) -> Mark | None:
    found, end = _match(_PLAIN_LABEL, line.text)
    return _label(found, line.start + end) if found else None


def _ends(lines: Sequence[Line]) -> dict[int, Mark]:
    found = ((index, _whole(_PLAIN_END, line.text)) for index, line in enumerate(lines))
    return {index: Mark(JOURNEY_END if match["journey"] else END) for index, match in found if match}


def _markdown_label(line: Line) -> Mark | None:
    found, end = _match(_MARKDOWN_LABEL, line.text)
    return _label(found, line.start + end) if found else None


def _label(found: re.Match[str], value: int, ours: str = "") -> Mark:
    name = _name(found["name"])
    return Mark(name, _SECTIONS.get(name), value, ours=ours)


def _heading_mark(lines: Sequence[Line], index: int) -> Mark | None:
    found = _whole(_HEADING, lines[index].text)
    if found is None:
        return None
    are_bare = found[0].startswith(found["name"])
    if are_bare and not _is_underlined(lines, index):
        return None
    name = _name(found["name"])
    return Mark(name, _SECTIONS.get(name), lines[index].end, lines=2 if are_bare else 1)


def _is_underlined(lines: Sequence[Line], index: int) -> bool:
    return index + 1 < len(lines) and bool(_UNDERLINE.match(lines[index + 1].text))


def _name(words: str) -> str:
    return _NAMES[" ".join(words.replace("\\", "").split()).casefold()]


# --- lines whose dress is known only from the others ---------------------------------------------


def _loose(lines: Sequence[Line], pattern: re.Pattern[str], ours: Callable[[str], str]) -> tuple[dict[int, Mark], str]:
    """The labels of the most common dress, and the margin before them.

    A single line may be somebody's text; at least two labels that look alike are ours. Where nothing but the words is
    left of them it takes three, with one that people do not write themselves.
    """
    by_dress: dict[tuple[str, bool, bool, bool], dict[int, Mark]] = {}
    for index, line in enumerate(lines):
        found, end = _match(pattern, line.text)
        if found:
            dress = (found["margin"], bool(found["bullet"]), bool(found["number"]), bool(found["bold"]))
            name = _name(found["name"])
            by_dress.setdefault(dress, {})[index] = _label(found, line.start + end, ours(name))
    names = {dress: {mark.name for mark in marks.values()} for dress, marks in by_dress.items()}
    best = max(names, key=lambda dress: len(names[dress]), default=None)
    if best is None or len(names[best]) < 2:
        return {}, ""
    is_undressed = not any(best)
    if is_undressed and (len(names[best]) < 3 or names[best].isdisjoint(_TELLING)):
        return {}, ""
    return by_dress[best], best[0]


def _loose_ends(lines: Sequence[Line], margin: str) -> dict[int, Mark]:
    found = ((index, _whole(_LOOSE_PLAIN_END, line.text)) for index, line in enumerate(lines))
    names = {
        index: JOURNEY_END if match["journey"] else END
        for index, match in found
        if match and margin.startswith(match["margin"])
    }
    return {index: Mark(name, ours=f"--- {name}") for index, name in names.items()}


def _loose_headings(lines: Sequence[Line], margin: str, *, only_tags: bool) -> Iterator[tuple[int, Mark]]:
    for index, line in enumerate(lines):
        found = _whole(_LOOSE_HEADING, line.text)
        if found is None or found["margin"] != margin or (only_tags and not _has_tags(found)):
            continue
        are_bare = not found["bullet"] and not found["bold"]
        if are_bare and not _is_underlined(lines, index):
            continue
        name = _name(found["name"])
        sharps = "##" if name in (AGENT_NOTES, CALL_DETAILS) else "###"
        yield index, Mark(name, _SECTIONS.get(name), line.end, 2 if are_bare else 1, f"{sharps} {name}")


def _has_tags(heading: re.Match[str]) -> bool:
    return (heading["bold"] or "").startswith("<")


def lost_newline(body: str, start: int, end: int) -> int:
    """Where the first of at least two labels stands in the middle of a line; -1: nowhere.

    A CRM that puts all of a text into one line leaves nothing else to tell where the note ends.
    """
    found = list(_PLAIN_LABEL_WITHIN.finditer(body, start, end))
    return found[0].start() if len({match["name"] for match in found}) > 1 else -1


# --- people's lines that look like ours ----------------------------------------------------------


def _is_plain_mark(text: str) -> bool:
    return bool(_match(_PLAIN_LABEL, text)[0] or _whole(_PLAIN_END, text))


def _is_markdown_mark(text: str) -> bool:
    loose = _whole(_LOOSE_HEADING, text)
    has_tags = loose is not None and _has_tags(loose)
    return has_tags or bool(_match(_MARKDOWN_LABEL, text)[0] or text.startswith("### ") or _whole(_HEADING, text))


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
