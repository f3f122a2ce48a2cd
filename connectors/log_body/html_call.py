"""Where the note and the sections of a call log stand in an HTML body, also in one that an editor rewrote."""

from __future__ import annotations

from dataclasses import replace

from adapters.contract import LogFormat
from connectors.log_body.html_labels import Element, HtmlBody, Label
from connectors.log_body.html_tokens import text_of, unmatched
from connectors.log_body.places import Place, Places
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, SECTIONS, Kind, Section

_NOTE, _DETAILS = AGENT_NOTES.casefold(), CALL_DETAILS.casefold()
_SECTIONS = {
    label.casefold(): section
    for section in SECTIONS
    for label in (section.label(LogFormat.HTML), *section.html_aliases)
}
#: What editors make of the lines of one of our blocks.
_PARAGRAPHS = ("p", "div")


def html_places(body: str) -> Places:
    """The places of a call log's body. Sections are looked for outside the note."""
    html = _labelled(body)
    page = next((block for block in html.blocks if block.name == "body"), None)
    places = Places(start=page.inner_start, end=page.inner_end) if page else Places(end=len(body))
    note = next((label for label in html.labels if label.name == _NOTE), None)
    details = next(
        (label for label in html.labels if label.name == _DETAILS and (not note or label.start > note.end)), None
    )
    within = range(0)
    if note is not None:
        places.note = _note(html, note, details) if details else _note_alone(html, note)
        within = range(places.note.start, places.note.end)
    elif details is not None:
        places.before_details = details.element.start if details.element and details.is_first else details.start
    for label in html.labels:
        section = _SECTIONS.get(label.name)
        if section and section.name not in places.sections and label.start not in within:
            find = _line if section.kind in (Kind.LINE, Kind.LINK) else _block
            places.sections[section.name] = find(html, label, section)
    lists = [block for block in html.blocks if block.name in ("ul", "ol") and block.start not in within]
    places.end_of_list = min((block.inner_end for block in lists if block.end > block.inner_end), default=-1)
    return places


def _labelled(body: str) -> HtmlBody:
    """The body with its labels, where these are not written as ours also by what they all have in common."""
    html = HtmlBody(body, _is_label)
    all_bold = not _has_details(html)
    if all_bold:  # what showed bold may have been taken off
        plain = HtmlBody(body, _is_label, all_bold=True)
        all_bold = _has_details(plain)
        html = plain if all_bold else html
    if not _lines_in(html):
        without_colons = HtmlBody(body, _is_label, all_bold=all_bold, no_colons=True)
        html = without_colons if len(_lines_in(without_colons)) > 1 else html
    return html


def _lines_in(html: HtmlBody) -> set[str]:
    sections = {label.name: _SECTIONS.get(label.name) for label in html.labels}
    return {name for name, section in sections.items() if section and section.kind in (Kind.LINE, Kind.LINK)}


def _has_details(html: HtmlBody) -> bool:
    return any(label.name == _DETAILS for label in html.labels)


def _is_label(label: Label) -> bool:
    section = _SECTIONS.get(label.name)
    if section and section.kind in (Kind.LINE, Kind.LINK):
        return label.has_colon
    is_ours = section is not None or label.name in (_NOTE, _DETAILS)
    return is_ours and label.begins_line and label.ends_line


def _outside(element: Element | None, other: Element | None) -> list[Element]:
    """The blocks around the first that are not around the second, innermost first."""
    shared = set(other.and_around()) if other else set()
    return [block for block in (element.and_around() if element else ()) if block not in shared]


def _start_of(label: Label, before: Label) -> int:
    """Where a label begins for one that stands before it: with the outermost block that only the later one is in."""
    blocks = _outside(label.element, before.element)
    return blocks[-1].start if blocks else label.start


def _place(html: HtmlBody, start: int, end: int, before: str = "", after: str = "") -> Place:
    """A piece of the body; the tags of formatting that begins or ends outside of it are kept."""
    ends, starts = unmatched(html.body, start, end)
    text, source = text_of(html.body, start, end), html.body[start:end]
    return Place(start, end, text, before=ends + before, after=after + starts, source=source)


def _note(html: HtmlBody, note: Label, details: Label) -> Place:
    """Up to "Call details"."""
    end = _start_of(details, note)
    left = _outside(note.element, details.element)
    own = _own_block(html, note)
    if own is not None and own in left:
        start, stop = _tags_like(own)
        return _place(html, own.end, end, start, stop + _end_tags(left[left.index(own) + 1 :]))
    return _place(html, note.end, end, "<br>", _end_tags(left) or "<br><br>")


def _note_alone(html: HtmlBody, note: Label) -> Place:
    """Up to the first section, or to an empty line, where a person removed "Call details"; that is put back."""
    put_back = f"<b>{CALL_DETAILS}</b><br>"
    following = html.next_label(note.end)
    limit = _start_of(following, note) if following else len(html.body)
    own = _own_block(html, note)
    if own is None:
        return _place(html, note.end, _end_of_lines(html, note.end, limit), "<br>", f"<br><br>{put_back}")
    paragraphs = _paragraphs_behind(html, own, limit)
    start, stop = _tags_like(own)
    return _place(html, own.end, paragraphs[-1].end if paragraphs else own.end, start, stop + put_back)


def _end_tags(blocks: list[Element]) -> str:
    return "".join(f"</{block.name}>" for block in blocks)


def _own_block(html: HtmlBody, label: Label) -> Element | None:
    """The block that a label has for itself."""
    element = label.element
    if element is None or not label.is_first:
        return None
    return None if text_of(html.body, label.end, element.inner_end).strip() else element


def _tags_like(element: Element) -> tuple[str, str]:
    """The tags of a paragraph as there are others in the body."""
    name = element.name if element.name in _PARAGRAPHS else _PARAGRAPHS[0]
    return f"<{name}>", f"</{name}>"


def _line(html: HtmlBody, label: Label, section: Section) -> Place:
    """Up to the end of the line. Outside any block the whole becomes an item; else only its value changes."""
    ends = [len(html.body)]
    if line_end := html.next_break(label.end):
        ends.append(line_end.start)
    if following := html.next_label(label.end):
        ends.append(following.start)
    end = min(ends)
    element = label.element
    if cell := _cell_behind(html, label):
        return _place(html, cell.inner_start, cell.inner_end)
    if element is None:
        newline = html.body.find("\n", label.end, end)
        end = end if newline < 0 else newline
        place = _place(html, label.start, end, f"<li><b>{section.label(LogFormat.HTML)}</b>: ", "</li>")
        return replace(place, text=text_of(html.body, label.end, end), source=html.body[label.end : end])
    if not (element.name == "li" and label.is_first and element.inner_end == end and element.end in html.strays):
        return _place(html, label.end, end, " ")
    end = element.end
    while end in html.strays:
        end = html.strays[end]
    return _place(html, label.end, end, " ", "</li>")


def _cell_behind(html: HtmlBody, label: Label) -> Element | None:
    """What a label in a cell of its own is the label of: the cell behind it."""
    own = _own_block(html, label)
    cell = html.next_block(own.end) if own is not None and own.name in ("td", "th", "dt") else None
    if own is None or cell is None or cell.name not in ("td", "dd"):
        return None
    word, following = html.next_word(own.end), html.next_label(own.end)
    is_next = (word is None or word.start >= cell.start) and (following is None or following.start >= cell.end)
    return cell if is_next else None


def _block(html: HtmlBody, label: Label, section: Section) -> Place:
    """The rest of the label's own block, else the paragraphs behind it, else the lines up to an empty one."""
    element = label.element
    following = html.next_label(label.end)
    limit = _start_of(following, label) if following else len(html.body)
    if element is None or not label.is_first:
        return _place(html, label.end, _end_of_lines(html, label.end, limit), "<br>")
    if _own_block(html, label) is None:
        return _place(html, label.end, min(element.inner_end, limit), "<br>")
    paragraphs = _paragraphs_behind(html, element, limit)
    if paragraphs:
        return _place(html, paragraphs[0].inner_start, paragraphs[-1].inner_end)
    if found := _lines_behind(html, element, limit):
        return _place(html, *found)
    return _place(html, element.end, element.end, *_tags_like(element))


def _paragraphs_behind(html: HtmlBody, element: Element, limit: int) -> list[Element]:
    found: list[Element] = []
    last = element
    while (block := html.next_block(last.end)) and block.start < limit:
        word = html.next_word(last.end)
        if block.parent is not element.parent or block.name not in _PARAGRAPHS:
            break
        if word is None or not block.start < word.start < block.inner_end:
            break
        found.append(block)
        last = block
    return found


def _lines_behind(html: HtmlBody, element: Element, limit: int) -> tuple[int, int] | None:
    """Start and end of the lines that follow a heading, in no paragraph of their own; the first may be empty."""
    start = element.end
    line_end = html.next_break(start)
    if line_end is not None and line_end.name == "br" and not text_of(html.body, start, line_end.start).strip():
        start = line_end.end
        line_end = html.next_break(start)
    end = min(limit, line_end.start if line_end else len(html.body))
    if not text_of(html.body, start, end).strip():
        return None
    return start, _end_of_lines(html, end, limit)


def _end_of_lines(html: HtmlBody, end: int, limit: int) -> int:
    """Where the lines end that follow the one at ``end``: at an empty one, at a block, or at the limit."""
    line_end = html.next_break(end)
    while line_end is not None and line_end.name == "br" and line_end.end < limit:
        start = line_end.end
        line_end = html.next_break(start)
        stop = min(limit, line_end.start if line_end else len(html.body))
        if not text_of(html.body, start, stop).strip():
            break
        end = stop
    return end
