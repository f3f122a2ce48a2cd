"""Where the note and the sections of a call log stand in plain text or Markdown, also where an editor rewrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.contract import LogFormat
from connectors.log_body.places import Place, Places
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, Kind
from connectors.log_body.text_labels import (
    END,
    JOURNEY_END,
    NOTE,
    Line,
    Mark,
    lines_of,
    lost_newline,
    markdown_mark,
    plain_mark,
)


def text_places(body: str, log_format: LogFormat) -> Places:
    """The places of a call log's body in plain text or Markdown."""
    return _Markdown(body).places if log_format is LogFormat.MARKDOWN else _Plain(body).places


class _Text:
    """A body by lines, with the marks that were found; sections are looked for outside note and blocks."""

    mark_of: Callable[[list[Line], int], Mark | None]

    def __init__(self, body: str) -> None:
        self.body = body
        self.lines = lines_of(body)
        self.marks = {
            index: mark for index in range(len(self.lines)) if (mark := type(self).mark_of(self.lines, index))
        }
        self.places = Places(end=len(body))
        self._find()

    def _find(self) -> None:
        raise NotImplementedError

    def place(self, start: int, end: int, before: str = "", after: str = "") -> Place:
        source = self.body[start:end]
        return Place(start, end, source.replace("\r\n", "\n").strip("\n"), before, after, source)

    def line_start(self, index: int) -> int:
        return self.lines[index].start if index < len(self.lines) else len(self.body)

    def without_newlines(self, start: int, end: int) -> int:
        """The end of a piece without the empty lines that it ends with."""
        return start + len(self.body[start:end].rstrip("\r\n"))


class _Plain(_Text):
    mark_of = staticmethod(plain_mark)

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
        end = max(mark.value, self.without_newlines(mark.value, self.line_start(following)))
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
                return self.place(mark.value, self.lines[other].start, "\n", "\n"), other + 1
        after = index + 1
        while after < len(self.lines) and after not in self.marks and self.lines[after].text.strip():
            after += 1
        return self.place(mark.value, self.lines[after - 1].end, "\n", f"\n--- {wanted}"), after

    def _marks_behind(self, index: int) -> Iterator[int]:
        return (other for other in range(index + 1, len(self.lines)) if other in self.marks)


class _Markdown(_Text):
    mark_of = staticmethod(markdown_mark)

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

    def _note(self, index: int, following: int) -> Place:
        start = self.lines[index + self.marks[index].lines - 1].end
        return self.place(start, max(start, self.without_newlines(start, self.line_start(following))), "\n")

    def _line(self, index: int, mark: Mark) -> Place:
        line = self.lines[index]
        blanks = len(line.text) - len(line.text.rstrip(" "))
        kept = blanks if blanks > 1 else int(line.text.endswith("\\"))  # what keeps the next line apart
        return self.place(mark.value, max(mark.value, line.end - kept), " ")

    def _block(self, index: int, mark: Mark) -> Place:
        """From the first line with text below the heading to an empty one; ours hold a blank where they are empty."""
        heading = index + mark.lines - 1
        first = heading + 1
        while first < len(self.lines) and self.lines[first].text == "":
            first += 1
        after = first
        while after < len(self.lines) and not self._ends_block(after):
            after += 1
        if after == first:
            return self.place(self.lines[heading].end, self.lines[heading].end, "\n")
        return self.place(self.lines[first].start, self.lines[after - 1].end)

    def _ends_block(self, index: int) -> bool:
        text = self.lines[index].text
        return text == "" or text.startswith("### ") or index in self.marks
