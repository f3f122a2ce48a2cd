"""Where the note and the sections of a call log stand in plain text or Markdown, also where an editor rewrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.contract import LogFormat
from connectors.log_body.places import Edit, Place, Places
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, Kind
from connectors.log_body.text_labels import (
    END,
    JOURNEY_END,
    NOTE,
    Line,
    Mark,
    Marks,
    lines_of,
    lost_newline,
    markdown_marks,
    plain_marks,
)


def text_places(body: str, log_format: LogFormat) -> Places:
    """The places of a call log's body in plain text or Markdown."""
    return _Markdown(body).places if log_format is LogFormat.MARKDOWN else _Plain(body).places


class _Text:
    """A body by lines, with the marks that were found; sections are looked for outside note and blocks."""

    marks_of: Callable[[list[Line]], Marks]

    def __init__(self, body: str) -> None:
        self.body = body
        self.lines = lines_of(body)
        marks = type(self).marks_of(self.lines)
        self.marks, self.margin = marks.found, marks.margin
        self.places = Places(end=len(body))
        self._find()
        self.places.repairs += self._repaired_marks()

    def _find(self) -> None:
        raise NotImplementedError

    def place(self, start: int, end: int, before: str = "", after: str = "") -> Place:
        source = self.body[start:end]
        text = source.replace("\r\n", "\n")
        if self.margin:
            first, *others = text.split("\n")
            text = "\n".join([first, *map(self.without_margin, others)])
        return Place(start, end, text.strip("\n"), before, after, source)

    def without_margin(self, text: str) -> str:
        """A line without what an editor put before all of ours, also where it cut the blanks off an empty one."""
        if text == self.margin.rstrip():
            return ""
        margin = self.margin if text.startswith(self.margin) else self.margin.rstrip("\t")
        return text.removeprefix(margin)

    def _repaired_marks(self) -> Iterator[Edit]:
        """Our lines as we write them, where they were known only from each other: an added one would hide them."""
        for index, mark in self.marks.items():
            line, last = self.lines[index], self.lines[index + mark.lines - 1]
            if mark.ours:
                yield Edit(line.start, mark.value if line.start < mark.value < line.end else last.end, mark.ours)

    def repair_lines(self, start: int, stop: int) -> None:
        """Takes the margin off the lines of a note or block."""
        for line in self.lines[start:stop] if self.margin else ():
            cut = len(line.text) - len(self.without_margin(line.text))
            self.places.repairs.append(Edit(line.start, line.start + cut, ""))

    def line_start(self, index: int) -> int:
        return self.lines[index].start if index < len(self.lines) else len(self.body)

    def behind_text(self, first: int, stop: int) -> int:
        """``stop`` without the lines before it that hold nothing but the margin."""
        while self.margin and stop - 1 > first and not self.without_margin(self.lines[stop - 1].text):
            stop -= 1
        return stop

    def without_newlines(self, start: int, end: int) -> int:
        """The end of a piece without the empty lines that it ends with."""
        return start + len(self.body[start:end].rstrip("\r\n"))


class _Plain(_Text):
    marks_of = staticmethod(plain_marks)

    def _find(self) -> None:
        labels = [index for index, mark in self.marks.items() if mark.name not in (END, JOURNEY_END)]
        done = 0
        for position, index in enumerate(labels):
            if index < done:
                continue
            mark = self.marks[index]
            if mark.section is None:
                if self.places.note is None:
                    following = (other for other in labels[position + 1 :] if self.marks[other].section)
                    self.places.note = self._note(index, mark, next(following, len(self.lines)))
                continue
            if mark.section.kind in (Kind.LINE, Kind.LINK):
                place = self.place(mark.value, self.lines[index].end, " ")
            else:
                place, done = self._block(index, mark)
            self.places.sections.setdefault(mark.section.name, place)

    def _note(self, index: int, mark: Mark, following: int) -> Place:
        end = max(mark.value, self.without_newlines(mark.value, self.line_start(self.behind_text(index, following))))
        self.repair_lines(index + 1, following)
        if (within := lost_newline(self.body, mark.value, end)) >= 0:
            end = within
        blank = self.body[mark.value : mark.value + 1] == " "
        if mark.name == NOTE:
            return self.place(mark.value + blank, end, "" if blank else " ")
        text = self.place(mark.value + blank, end).text
        return Place(self.lines[index].start, end, text, f"- {NOTE}: ")

    def _block(self, index: int, mark: Mark) -> tuple[Place, int]:
        """The block, and the line behind it. Where a person removed its end it ends at a label or an empty line."""
        wanted = JOURNEY_END if mark.section and mark.section.kind is Kind.LEGS else END
        for other in self._marks_behind(index):
            found = self.marks[other]
            if found.section and found.section.kind in (Kind.BLOCK, Kind.LEGS):
                break
            if found.name == wanted:
                self.repair_lines(index + 1, other)
                return self.place(mark.value, self.lines[other].start, "\n", "\n"), other + 1
        after = index + 1
        while (
            after < len(self.lines) and after not in self.marks and self.without_margin(self.lines[after].text).strip()
        ):
            after += 1
        self.repair_lines(index + 1, after)
        return self.place(mark.value, self.lines[after - 1].end, "\n", f"\n--- {wanted}"), after

    def _marks_behind(self, index: int) -> Iterator[int]:
        return (other for other in range(index + 1, len(self.lines)) if other in self.marks)


class _Markdown(_Text):
    marks_of = staticmethod(markdown_marks)

    def _find(self) -> None:
        note = next((index for index, mark in self.marks.items() if mark.name == AGENT_NOTES), None)
        details = next(
            (index for index, mark in self.marks.items() if mark.name == CALL_DETAILS and index > (note or -1)), None
        )
        within = range(0)
        if note is not None:
            following = (index for index, mark in self.marks.items() if index > note and mark.section)
            within = range(note, details if details is not None else next(following, len(self.lines)))
            self.places.note = self._note(note, within.stop)
        elif details is not None:
            self.places.before_details = self.lines[details].start
        for index, mark in self.marks.items():
            if mark.section is None or index in within:
                continue
            is_line = mark.section.kind in (Kind.LINE, Kind.LINK)
            place = self._line(index, mark) if is_line else self._block(index, mark)
            self.places.sections.setdefault(mark.section.name, place)

    def _note(self, index: int, following_line: int) -> Place:
        heading = index + self.marks[index].lines - 1
        start = self.lines[heading].end
        self.repair_lines(heading + 1, following_line)
        stop = self.line_start(self.behind_text(heading, following_line))
        return self.place(start, max(start, self.without_newlines(start, stop)), "\n")

    def _line(self, index: int, mark: Mark) -> Place:
        line = self.lines[index]
        blanks = len(line.text) - len(line.text.rstrip(" "))
        kept = blanks if blanks > 1 else int(line.text.endswith("\\"))  # what keeps the next line apart
        return self.place(mark.value, max(mark.value, line.end - kept), " ")

    def _block(self, index: int, mark: Mark) -> Place:
        """From the first line with text below the heading to an empty one; ours hold a blank where they are empty."""
        heading = index + mark.lines - 1
        first = heading + 1
        while first < len(self.lines) and self.without_margin(self.lines[first].text) == "":
            first += 1
        after = first
        while after < len(self.lines) and not self._ends_block(after):
            after += 1
        behind = after  # an empty line ends the block for the next reader too
        while behind < len(self.lines) and not self.without_margin(self.lines[behind].text):
            behind += 1
        self.repair_lines(heading + 1, behind)
        if after == first:
            return self.place(self.lines[heading].end, self.lines[heading].end, "\n")
        return self.place(self.lines[first].start, self.lines[after - 1].end)

    def _ends_block(self, index: int) -> bool:
        text = self.without_margin(self.lines[index].text)
        return text == "" or text.startswith("### ") or index in self.marks
