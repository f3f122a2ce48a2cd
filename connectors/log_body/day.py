"""Finds the conversation block of a message log and its entries, also where an editor of the CRM rewrote them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from adapters.contract import LogFormat
from connectors.log_body.html_labels import Element, HtmlBody
from connectors.log_body.html_tokens import decoded, tokens
from connectors.log_body.signs import DASHES, bare
from connectors.log_body.text_labels import lines_of

_HEADER = re.compile(r"(.+) (\d{1,2}):(\d\d) ((?:[AP]M|[ap]m))")
#: A speaker that is none of those known: a number, with a name or without.
_NUMBERED = re.compile(r"(?:.+ )?\(?(?:ext |\+)?\d[\d ().-]*\)?")
_COUNTER = re.compile(r"Conversation(?:\s|&nbsp;)*\\?[(（](\d{1,9})(?:\s|&nbsp;)+messages\\?[)）]")
_RULES = {
    LogFormat.PLAIN: re.compile(r"[-–—]{4,}\s*"),
    LogFormat.HTML: re.compile(r"[-–—]{4,}\s*"),
    LogFormat.MARKDOWN: re.compile(r"(?:-[- ]*){3,}|(?:\*[* ]*){3,}|(?:_[_ ]*){3,}|[–—]{4,}\s*"),
}
#: Any other line between BEGIN or END and the messages, where an editor has rewritten the rule.
_REWRITTEN_RULE = re.compile(rf"(?:[{re.escape(DASHES)}_=*─━]\s*)+|<hr\s*/?>")
_MARGIN = re.compile(r"[\s>]+")
_RULE = "------------"
_LONGEST_LINE_OF_OURS = 300  # characters
_SIGNS = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})


def same_words(text: str) -> str:
    """A text by which it is known again, whatever an editor made of its blanks, quotation marks and dashes."""
    return " ".join(bare(text).translate(_SIGNS).split())


def words_of(text: str, log_format: LogFormat) -> str:
    """The words of an entry as ``Entry.words`` has them once it stands in a body: Markdown loses marks in reading."""
    if log_format is LogFormat.MARKDOWN:
        text = " ".join(line.text for line in _text_lines(text, log_format))
    return same_words(text)


@dataclass(frozen=True, slots=True)
class Line:
    """A line with words in it."""

    start: int
    end: int
    text: str
    #: Within an item of a list, where a rule is somebody's text.
    inside: bool = False
    is_heading: bool = False
    is_first_of_paragraph: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that stands there: where it begins, its minute of the day, and its words."""

    start: int
    minute: int
    words: str
    tag: str = ""


@dataclass(slots=True)
class Day:
    """Where what is new goes. ``counter``: start, end and value of the number of messages."""

    at: int
    before: str = ""
    after: str = ""
    #: Where the line with the counter belongs, if it is not there; -1: nowhere.
    counter_at: int = -1
    counter: tuple[int, int, int] | None = None
    entries: list[Entry] = field(default_factory=list)
    head: str = ""

    @property
    def can_be_told_apart(self) -> bool:
        """Whether each entry found is certainly one of ours."""
        return self.counter is None or len(self.entries) <= self.counter[2]

    def place_of(self, moment_day: date, minute: int, day_line: dict[date, str]) -> Entry | None:
        """The first entry that is later; None: there is none, or it cannot be told."""
        if not self.can_be_told_apart or not self.entries:
            return None
        first_day = next((day for day, text in day_line.items() if text in self.head), moment_day)
        shift, last = 0, -1
        for entry in self.entries:
            shift += entry.minute < last
            last = entry.minute
            if shift > 1:
                return None
        shift, last = 0, -1
        for entry in self.entries:
            shift += entry.minute < last
            last = entry.minute
            if (first_day + timedelta(days=shift), entry.minute) > (moment_day, minute):
                return entry
        return None


def is_rule(text: str, log_format: LogFormat) -> bool:
    """Whether a line is the rule around a conversation."""
    return bool(text[:1].strip()) and len(text) <= _LONGEST_LINE_OF_OURS and bool(_RULES[log_format].fullmatch(text))


def find_day(body: str, log_format: LogFormat, speakers: Sequence[str]) -> Day | None:
    """The last conversation block of a body; None where its end cannot be found."""
    html = HtmlBody(body, lambda label: False) if log_format is LogFormat.HTML else None
    lines = _html_lines(html) if html else _text_lines(body, log_format)
    rules = [not line.inside and is_rule(line.text, log_format) for line in lines]
    last = _end_of(lines, rules)
    if last is None:
        lines, rules = _as_rewritten(lines, quoted=False)
        last = _end_of(lines, rules)
    if last is None and html is None:
        lines, rules = _as_rewritten(lines, quoted=True, is_markdown=log_format is LogFormat.MARKDOWN)
        last = _end_of(lines, rules)
    if last is None:
        return None
    rule = last - 1
    begins = (i for i in range(rule - 1, -1, -1) if lines[i].text == "BEGIN" and not lines[i].inside)
    # In Markdown the rule under the line may have made it a heading.
    begin = next((i for i in begins if rules[i + 1] or lines[i].is_heading), None)
    first = rule if begin is None else begin + 1 + rules[begin + 1]
    day = _insertion(body, html, lines, rule, first)
    if begin is not None:
        day.counter_at = _block_start(html, lines[begin].start)
    day.head = "\n".join(line.text for line in lines[: rule if begin is None else begin])
    day.counter = _counter(body, lines, rule if begin is None else begin)
    day.entries = list(_entries(html, lines[first:rule], {same_words(name) for name in speakers}))
    return day


def _end_of(lines: Sequence[Line], rules: Sequence[bool]) -> int | None:
    """The last line END with a rule before it."""
    return next((i for i in range(len(lines) - 1, 0, -1) if lines[i].text == "END" and rules[i - 1]), None)


def _as_rewritten(lines: Sequence[Line], *, quoted: bool, is_markdown: bool = False) -> tuple[list[Line], list[bool]]:
    """The lines as an editor may have left them that rewrote the rule; ``quoted``: and put something before each."""
    if quoted:
        lines = list(_without_margin(lines, is_markdown=is_markdown))
    return list(lines), [
        not line.inside and bool(_REWRITTEN_RULE.fullmatch(line.text[:_LONGEST_LINE_OF_OURS])) for line in lines
    ]


def _without_margin(lines: Sequence[Line], *, is_markdown: bool) -> Iterator[Line]:
    is_first = True
    for line in lines:
        margin = _MARGIN.match(line.text)
        text = line.text[margin.end() :] if margin else line.text
        if margin and is_markdown:
            text = _without_marks(text)
        if text:
            yield replace(line, text=text, is_first_of_paragraph=is_first or line.is_first_of_paragraph)
        is_first = not text or bool(_REWRITTEN_RULE.fullmatch(text[:_LONGEST_LINE_OF_OURS]))


def _counter(body: str, lines: Sequence[Line], before: int) -> tuple[int, int, int] | None:
    for index in range(before - 1, -1, -1):
        line = lines[index]
        if line.text == "END" and index and is_rule(lines[index - 1].text, LogFormat.PLAIN):
            return None  # of another conversation
        found = _COUNTER.search(body, line.start, line.end) if len(line.text) <= _LONGEST_LINE_OF_OURS else None
        if found:
            return found.start(1), found.end(1), int(found[1])
    return None


def _entries(html: HtmlBody | None, lines: Sequence[Line], speakers: set[str]) -> Iterator[Entry]:
    headers = [index for index, line in enumerate(lines) if _is_header(html, line, speakers)]
    for index, following in zip(headers, [*headers, len(lines)][1:], strict=True):
        line = lines[index]
        found = _HEADER.fullmatch(line.text)
        assert found is not None
        minute = int(found[2]) % 12 * 60 + int(found[3]) + (720 if found[4].upper() == "PM" else 0)
        words = same_words(" ".join(item.text for item in lines[index:following]))
        block = _block(html, line.start)
        yield Entry(block.start if block else line.start, minute, words, block.name if block else "")


def _is_header(html: HtmlBody | None, line: Line, speakers: set[str]) -> bool:
    found = _HEADER.fullmatch(line.text) if len(line.text) <= _LONGEST_LINE_OF_OURS else None
    if not found or not line.is_first_of_paragraph:
        return False
    if html is not None and _block(html, line.start) is not None:
        return True
    speaker = same_words(found[1])
    return speaker in speakers or bool(_NUMBERED.fullmatch(speaker))


# --- text ----------------------------------------------------------------------------------------


def _text_lines(body: str, log_format: LogFormat) -> list[Line]:
    found, is_first = [], True
    for line in lines_of(body):
        text = bare(line.text)
        if not text.strip():
            is_first = True
            continue
        shown = text if text[:1].isspace() else " ".join(text.split())
        if log_format is LogFormat.MARKDOWN and not text[:1].isspace():
            shown = _without_marks(shown)
        is_heading = text.startswith("#")
        found.append(Line(line.start, line.end, shown, is_heading=is_heading, is_first_of_paragraph=is_first))
        is_first = is_rule(shown, log_format)
    return found


def _without_marks(text: str) -> str:
    """A line of Markdown without the marks that an editor may write in another way."""
    if len(text) > _LONGEST_LINE_OF_OURS:
        return text
    plain = re.sub(r"\\([^\w\s])", r"\1", text).removesuffix("\\").rstrip()
    if _RULES[LogFormat.MARKDOWN].fullmatch(plain):
        return plain
    return plain.lstrip("# ").replace("**", "").replace("__", "")


# --- HTML ----------------------------------------------------------------------------------------


def _html_lines(html: HtmlBody) -> list[Line]:
    items = [block for block in html.blocks if block.name == "li"]
    ends: list[int] = []
    for block in items:
        ends.append(max(block.end, ends[-1] if ends else 0))
    starts = [block.start for block in items]

    def is_inside(position: int) -> bool:
        index = bisect_right(starts, position) - 1
        return index >= 0 and position < ends[index]

    found: list[Line] = []
    parts: list[str] = []
    start = end = -1
    for token in [*tokens(html.body), None]:
        if token is None or token.name == "br" or token.is_block:
            if start >= 0:
                found.append(Line(start, end, " ".join(bare("".join(parts)).split()), is_inside(start)))
            parts, start = [], -1
            if token is not None and token.name == "hr":  # what an editor made of a rule
                found.append(Line(token.start, token.end, _RULE, is_inside(token.start)))
        elif token.name == "":
            parts.append(decoded(html.body[token.start : token.end]))
            if bare(parts[-1]).strip():
                start, end = (token.start if start < 0 else start), token.end
    return found


def _block(html: HtmlBody | None, position: int) -> Element | None:
    """The outermost item or paragraph that begins with the word at a position."""
    if html is None:
        return None
    return html.block_beginning_with(position)


def _block_start(html: HtmlBody | None, position: int) -> int:
    block = _block(html, position)
    return block.start if block else position


def _insertion(body: str, html: HtmlBody | None, lines: Sequence[Line], rule: int, first: int) -> Day:
    at = _block_start(html, lines[rule].start)
    if html is None:
        return Day(at, before="" if at == 0 or body[at - 1] == "\n" else "\n")
    from_here = lines[first - 1].end if first else 0
    lists = [
        block for block in html.blocks if block.name in ("ul", "ol") and from_here <= block.start and block.end <= at
    ]
    last: Element | None = None
    for block in lists:
        if last is None or block.start >= last.end:  # not within it
            last = block
    if last is not None:
        return Day(last.inner_end)
    return Day(at, before="<ul>", after="</ul>")
