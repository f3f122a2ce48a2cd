"""Finds the blocks, lines and bold labels of an HTML body, however an editor wrote it. Linear in the body's length."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.log_body.html_tokens import MAY_BE_BOLD, Token, decoded, is_empty, tokens
from connectors.log_body.signs import DASHES, bare

_Found = TypeVar("_Found")
_LONGEST_LABEL = 200  # characters, blanks included
_COLON = re.compile("[:：]|&(?:#58|#[xX]3[aA]|colon);")
#: What may stand for the colon of each label in a body: a dash, or the border between two cells.
_DASH = re.compile(rf"[{re.escape(DASHES)}](?=\s|&nbsp;|$)")
_LABEL_CELLS = ("td", "th", "dt")


@dataclass(slots=True, eq=False)
class Element:
    """A block; ``inner_start`` and ``inner_end`` are where its tags leave off and begin again."""

    name: str
    start: int
    inner_start: int
    parent: Element | None
    inner_end: int = -1
    end: int = -1
    #: Where its first word stands; -1: it has none.
    first_word: int = -1

    def and_around(self) -> Iterator[Element]:
        """Itself and what it stands in, innermost first."""
        element: Element | None = self
        while element is not None:
            yield element
            element = element.parent


@dataclass(frozen=True, slots=True)
class Label:
    """Words in bold up to a colon, or to the end of the bold text. What they are the label of begins at ``end``."""

    #: In small letters, with single blanks.
    name: str
    start: int
    end: int
    has_colon: bool
    element: Element | None
    #: Whether its block begins with it; whether its line does; whether nothing follows in its line.
    is_first: bool
    begins_line: bool
    ends_line: bool


@dataclass(slots=True)
class BoldLine:
    """Text in bold, within one line."""

    start: int
    element: Element | None
    texts: list[Token] = field(default_factory=list)
    end: int = -1


class _Reader:
    """Goes through the tokens of a body once. ``all_bold``: as if all of its text were."""

    def __init__(self, body: str, *, all_bold: bool) -> None:
        self.body = body
        self.blocks: list[Element] = []
        self.breaks: list[Token] = []
        self.words: list[Token] = []
        self.strays: dict[int, int] = {}
        self.bold_lines: list[BoldLine] = []
        self._open: list[Element] = []
        self._open_names: Counter[str] = Counter()
        #: Whether each open ``b``, ``span`` and so on is bold, by its name.
        self._styles: defaultdict[str, list[bool]] = defaultdict(list)
        self._all_bold = all_bold
        self._depth = int(all_bold)
        #: In bold; goes on where bold text follows that nothing but blanks keep apart.
        self._line: BoldLine | None = None
        self._blanks: list[Token] = []
        self._bold_start = -1
        for token in tokens(body):
            if token.name == "":
                self._text(token)
            elif token.name == "br" or token.is_block:
                self.breaks.append(token)
                self._end_line()
                if not token.is_void:
                    self._block(token)
            self._bold(token)
        while self._open:
            self._leave(len(body), len(body))

    def _text(self, token: Token) -> None:
        text = self.body[token.start : token.end]
        is_blank = is_empty(text)
        if not is_blank:
            self.words.append(token)
            for element in reversed(self._open):
                if element.first_word >= 0:
                    break
                element.first_word = token.start
        if not self._depth:
            if is_blank and self._line is not None:
                self._blanks.append(token)
            else:
                self._end_line()
            return
        if self._line is None:
            start = token.start if self._bold_start < 0 else self._bold_start
            self._line = BoldLine(start, self._open[-1] if self._open else None)
            self.bold_lines.append(self._line)
        self._line.texts += [*self._blanks, token]
        self._line.end = token.end
        self._blanks = []

    def _end_line(self) -> None:
        self._line, self._bold_start, self._blanks = None, -1, []

    def _block(self, token: Token) -> None:
        """As browsers have it: an item ends the one before it, any block ends a paragraph."""
        if not token.is_end:
            if self._open and (self._open[-1].name == "p" or self._open[-1].name == token.name == "li"):
                self._leave(token.start, token.start)
            element = Element(token.name, token.start, token.end, self._open[-1] if self._open else None)
            self.blocks.append(element)
            self._open.append(element)
            self._open_names[token.name] += 1
        elif self._open_names[token.name]:
            while self._open[-1].name != token.name:
                self._leave(token.start, token.start)
            self._leave(token.start, token.end)
        elif token.name == "li":
            self.strays[token.start] = token.end

    def _leave(self, inner_end: int, end: int) -> None:
        element = self._open.pop()
        element.inner_end, element.end = inner_end, end
        self._open_names[element.name] -= 1

    def _bold(self, token: Token) -> None:
        if self._all_bold or token.name not in MAY_BE_BOLD:
            return
        is_bold, opened = token.is_bold, self._styles[token.name]
        if token.is_end:
            is_bold = opened.pop() if opened else False
        else:
            opened.append(is_bold)
        if not is_bold:
            return
        if not token.is_end:
            self._depth += 1
            if self._depth == 1 and not token.is_block:
                self._bold_start = token.start
        elif self._depth:
            self._depth -= 1
            if self._depth == 0:
                if self._line is not None:
                    self._line.end = token.end
                self._bold_start = -1


class HtmlBody:
    """A body with its blocks, line breaks, words and labels, each in order."""

    def __init__(
        self, body: str, is_label: Callable[[Label], bool], *, all_bold: bool = False, no_colons: bool = False
    ) -> None:
        """``is_label``: whether words in bold are a label at all. ``all_bold``: labels may have lost their dress.

        ``no_colons``: they may have lost their colons: a dash stands there, or what they are the label of has a cell of
        its own.
        """
        reader = _Reader(body, all_bold=all_bold)
        self.body = body
        self._no_colons = no_colons
        self.blocks = reader.blocks
        #: ``br`` and the tags of blocks.
        self.breaks = reader.breaks
        #: Texts that hold more than blanks.
        self.words = reader.words
        #: Start and end of the end tags of list items that nobody opened.
        self.strays = reader.strays
        self._break_starts = [token.start for token in self.breaks]
        self._word_starts = [token.start for token in self.words]
        self._block_starts = [element.start for element in self.blocks]
        self._by_first_word: dict[int, Element] = {}
        for element in self.blocks:
            if element.first_word >= 0 and element.name in ("li", "p", "div"):
                self._by_first_word.setdefault(element.first_word, element)
        self.labels = [label for line in reader.bold_lines if (label := self._label(line)) and is_label(label)]
        self._label_starts = [label.start for label in self.labels]

    def next_break(self, position: int) -> Token | None:
        """The first line break or tag of a block from a position on."""
        return _from(self.breaks, self._break_starts, position)

    def next_word(self, position: int) -> Token | None:
        """The first text with a word in it from a position on."""
        return _from(self.words, self._word_starts, position)

    def next_block(self, position: int) -> Element | None:
        """The first block that begins at a position or behind it."""
        return _from(self.blocks, self._block_starts, position)

    def block_beginning_with(self, position: int) -> Element | None:
        """The outermost item or paragraph whose first word stands at a position."""
        return self._by_first_word.get(position)

    def next_label(self, position: int) -> Label | None:
        """The first label from a position on."""
        return _from(self.labels, self._label_starts, position)

    def _label(self, line: BoldLine) -> Label | None:
        first = line.texts[0]
        head, colon, _ = bare(decoded("".join(self.body[token.start : token.end] for token in line.texts))).partition(
            ":"
        )
        if not head.strip() or len(head) > _LONGEST_LABEL:
            return None
        end, text = line.end, None
        if colon:
            found, text = self._colon_in(line.texts)
        else:
            found, text = self._colon_after(line.end)
        if found:
            end = found.end()
        ends_line = self._ends_line(end, text.end if text and found else end)
        has_cell = self._no_colons and line.element is not None and line.element.name in _LABEL_CELLS and ends_line
        return Label(
            name=" ".join(head.split()).casefold(),
            start=line.start,
            end=end,
            has_colon=found is not None or has_cell,
            element=line.element,
            is_first=line.element is not None and line.element.first_word in [token.start for token in line.texts],
            begins_line=self._begins_line(first.start),
            ends_line=ends_line,
        )

    def _begins_line(self, position: int) -> bool:
        word = bisect_left(self._word_starts, position) - 1
        line = bisect_left(self._break_starts, position) - 1
        return word < 0 or (line >= 0 and self._word_starts[word] < self._break_starts[line])

    def _ends_line(self, position: int, text_end: int) -> bool:
        """Whether no word follows in the line; ``text_end`` is where the text around the position ends."""
        return is_empty(self.body[position:text_end]) and self._next_in_line(text_end) is None

    def _next_in_line(self, position: int) -> Token | None:
        word, line_end = self.next_word(position), self.next_break(position)
        return None if word is None or (line_end is not None and line_end.start < word.start) else word

    def _colon_in(self, texts: list[Token]) -> tuple[re.Match[str] | None, Token | None]:
        """The first colon of these texts, and the last of them; None where it is written in some other way."""
        found = (_COLON.search(self.body, token.start, token.end) for token in texts)
        return next(filter(None, found), None), texts[-1]

    def _colon_after(self, position: int) -> tuple[re.Match[str] | None, Token | None]:
        """The colon with which the line goes on, and in which text; None if it goes on otherwise."""
        word = self._next_in_line(position)
        if word is None:
            return None, None
        for sign in (_COLON, _DASH) if self._no_colons else (_COLON,):
            found = sign.search(self.body, word.start, word.end)
            if found and is_empty(self.body[word.start : found.start()]):
                return found, word
        return None, None


def _from(items: list[_Found], starts: list[int], position: int) -> _Found | None:
    index = bisect_left(starts, position)
    return items[index] if index < len(items) else None
