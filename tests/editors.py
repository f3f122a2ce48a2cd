"""What editors of CRMs do to a body when a person corrects a word in it. Each function rewrites one body."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from adapters.contract import LogFormat

Rewriting = Callable[[str], str]


# --- HTML ----------------------------------------------------------------------------------------


def strong(body: str) -> str:
    return body.replace("<b>", "<strong>").replace("</b>", "</strong>")


def bold_spans(body: str) -> str:
    return body.replace("<b>", '<span style="font-weight: bold;">').replace("</b>", "</span>")


def doubly_bold(body: str) -> str:
    return body.replace("<b>", "<b><span lang=en>").replace("</b>", "</span></b>")


def wrapped_bold(body: str) -> str:
    return body.replace("<b>", "<font color='red'><b>").replace("</b>", "</b></font>")


def closed_breaks(body: str) -> str:
    return body.replace("<br>", "<br />")


def breaks_with_newlines(body: str) -> str:
    return body.replace("<br>", "<br/>\n")


def capitals(body: str) -> str:
    return re.sub(r"</?(?:b|br|li|div|ul|a)\b", lambda tag: tag[0].upper(), body)


def attributes(body: str) -> str:
    return re.sub(r"<(li|div|b|br|strong)>", r'<\1 class="ql-x" data-id="1">', body)


def list_around_items(body: str) -> str:
    return re.sub(r"((?:<li[^>]*>(?:(?!</li>).)*</li>\s*)+)", r"<ul>\1</ul>", body)


def indented_items(body: str) -> str:
    return body.replace("<li>", "\n    <li>\n      ").replace("</li>", "\n    </li>\n")


def paragraphs_in_items(body: str) -> str:
    return re.sub(r"<li([^>]*)>(.*?)</li>", r"<li\1><p>\2</p></li>", body, flags=re.DOTALL)


def paragraphs_for_items(body: str) -> str:
    return re.sub(r"<li>(.*?)</li>", r"<p>\1</p>", body, flags=re.DOTALL)


def paragraphs_for_blocks(body: str) -> str:
    return body.replace("<div>", "<p>").replace("</div>", "</p>")


def a_paragraph_for_each_line(body: str) -> str:
    """As editors do that know no ``br`` but the one of an empty paragraph."""

    def split(block: re.Match[str]) -> str:
        lines = block[1].split("<br>")
        return "".join(f"<p>{line or '<br>'}</p>" for line in lines)

    body = re.sub(r"<div>(.*?)</div>(?:<br>)?", lambda block: split(block) + "<p><br></p>", body, flags=re.DOTALL)
    head, heading, rest = body.partition("<b>Call details</b><br>")
    if not heading:
        return body
    note = head.removesuffix("<br><br>").split("<br>")
    return "".join(f"<p>{line or '<br>'}</p>" for line in note) + "<p><b>Call details</b></p>" + rest


def a_page_around(body: str) -> str:
    return f"<html><head></head><body>{body}</body></html>"


def a_block_around(body: str) -> str:
    return f'<div dir="ltr">{body}</div>'


def hard_blanks(body: str) -> str:
    return re.sub(r"(</b>:) ", r"\1&nbsp;", body)


def colon_within_bold(body: str) -> str:
    return re.sub(r"<b>([A-Z][A-Za-z/ ]+)</b>:", r"<b>\1:</b>", body)


def headings(body: str) -> str:
    return re.sub(r"<b>(Agent notes|Call details|AI Note|Transcript|Call journey)</b>", r"<h3>\1</h3>", body)


def invisible_signs_in_bold(body: str) -> str:
    return body.replace("<b>", "\u200f<b>\u200b").replace("</b>", "\ufeff</b>")


def full_width_colons_in_html(body: str) -> str:
    return body.replace("</b>:", "</b>：")


def colons_as_entities(body: str) -> str:
    return body.replace("</b>:", "</b>&#58;")


def dashes_for_colons(body: str) -> str:
    return body.replace("</b>:", "</b> –")


def cells_without_colons(body: str) -> str:
    row = r"<table><tr><td><b>\1</b></td><td>\2</td></tr></table>"
    return re.sub(r"<li><b>(.*?)</b>: (.*?)</li>", row, body)


def definitions(body: str) -> str:
    return re.sub(r"<li><b>(.*?)</b>: (.*?)</li>", r"<dl><dt><b>\1</b>:</dt><dd>\2</dd></dl>", body)


def newlines_for_breaks(body: str) -> str:
    return body.replace("<br>", "\n")


def escaped(body: str) -> str:
    return html.escape(body)


def named_entities(body: str) -> str:
    return body.replace("é", "&eacute;").replace("&quot;", '"').replace("'", "&#39;")


# --- plain text ----------------------------------------------------------------------------------


def carriage_returns(body: str) -> str:
    return body.replace("\n", "\r\n")


def lone_returns(body: str) -> str:
    return body.replace("\n", "\r")


def line_separators(body: str) -> str:
    return body.replace("\n", "\u2028")


def next_lines(body: str) -> str:
    return body.replace("\n", "\x85")


def bullets(body: str) -> str:
    return re.sub(r"^- (?=[A-Z][A-Za-z/ ]+:)", "• ", body, flags=re.MULTILINE)


def dashes(body: str) -> str:
    body = re.sub(r"^- (?=[A-Z][A-Za-z/ ]+:)", "– ", body, flags=re.MULTILINE)
    return re.sub(r"^--- ((?:JOURNEY )?END)$", r"— \1", body, flags=re.MULTILINE)


def _heads(body: str, head: str) -> str:
    """The labels of plain text, rewritten; ``\\1`` is the name, and the colon follows unless ``head`` has one."""
    return re.sub(r"^- ([A-Z][A-Za-z/ ]+):", head, body, flags=re.MULTILINE)


def indented(body: str) -> str:
    return re.sub(r"^", "  ", body, flags=re.MULTILINE)


def quoted(body: str) -> str:
    return re.sub(r"^", "> ", body, flags=re.MULTILINE)


def quoted_without_trailing_blanks(body: str) -> str:
    return re.sub(r"^> $", ">", quoted(body), flags=re.MULTILINE)


def tabs_before_bullets(body: str) -> str:
    return _heads(body, "\t- \\1:")


def hyphens_without_blanks(body: str) -> str:
    return _heads(body, "-\\1:")


def no_bullets(body: str) -> str:
    return _heads(body, "\\1:")


def circles(body: str) -> str:
    return _heads(body, "○ \\1:")


def minus_signs(body: str) -> str:
    return _heads(body, "− \\1:")


def numbers(body: str) -> str:
    return _heads(body, "1. \\1:")


def full_width_colons(body: str) -> str:
    return _heads(body, "- \\1：")


def invisible_signs(body: str) -> str:
    return "\ufeff" + _heads(body, "\u200b- \u200b\\1\u200f:")


def small_letters(body: str) -> str:
    return re.sub(r"^- [A-Z][A-Za-z/ ]+:", lambda head: head[0].lower(), body, flags=re.MULTILINE)


def capital_letters(body: str) -> str:
    return re.sub(r"^- [A-Z][A-Za-z/ ]+:", lambda head: head[0].upper(), body, flags=re.MULTILINE)


def bold_labels(body: str) -> str:
    return _heads(body, "- **\\1**:")


def tags_for_newlines(body: str) -> str:
    return body.replace("\n", "<br />")


def tags_before_newlines(body: str) -> str:
    return body.replace("\n", "<br>\n")


def a_block_with_tags_for_newlines(body: str) -> str:
    return f"<div>{tags_for_newlines(body)}</div>"


def a_paragraph_for_each_line_of_text(body: str) -> str:
    return "".join(f"<p>{line}</p>" for line in body.split("\n"))


def plain_hard_blanks(body: str) -> str:
    return re.sub(r"^- ([A-Z][A-Za-z/ ]+): ", "-\xa0\\1:\xa0", body, flags=re.MULTILINE)


def trailing_blanks(body: str) -> str:
    return re.sub(r"(?<=[^\n])$", " ", body, flags=re.MULTILINE)


def lines_apart(body: str) -> str:
    return re.sub(r"\n(?=[-•–*] ?[A-Z][A-Za-z/ ]+: )", "\n\n", body)


def curly_quotes(body: str) -> str:
    """Not within tags."""
    parts = re.split(r"(<[^>]*>)", body.replace("&quot;", '"') if "<" in body else body)
    return "".join(part if part.startswith("<") else part.replace('"', "“").replace("'", "’") for part in parts)


# --- Markdown ------------------------------------------------------------------------------------


def underscores(body: str) -> str:
    return re.sub(r"^\*\*([A-Z][A-Za-z/ ]+)\*\*:", r"__\1__:", body, flags=re.MULTILINE)


def bold_colons(body: str) -> str:
    return re.sub(r"^\*\*([A-Z][A-Za-z/ ]+)\*\*:", r"**\1:**", body, flags=re.MULTILINE)


def listed(body: str) -> str:
    return re.sub(r"^(\*\*[A-Z][A-Za-z/ ]+\*\*:)", r"* \1", body, flags=re.MULTILINE)


def listed_with_hyphens(body: str) -> str:
    return re.sub(r"^(\*\*[A-Z][A-Za-z/ ]+\*\*:)", r"-   \1", body, flags=re.MULTILINE)


def escapes(body: str) -> str:
    return body.replace("Date/Time", "Date\\/Time")


def _labels(body: str, head: str) -> str:
    return re.sub(r"^\*\*([A-Z][A-Za-z/ ]+)\*\*:", head, body, flags=re.MULTILINE)


def bold_tags(body: str) -> str:
    return _labels(body, r"<b>\1</b>:")


def italics(body: str) -> str:
    return _labels(body, r"*\1*:")


def bold_italics(body: str) -> str:
    return _labels(body, r"***\1***:")


def no_bold(body: str) -> str:
    return _labels(body, r"\1:")


def numbered(body: str) -> str:
    return _labels(body, r"1. **\1**:")


def full_width_colons_behind_bold(body: str) -> str:
    return _labels(body, r"**\1**：")


def invisible_signs_around_bold(body: str) -> str:
    return body.replace("**", "\u200b**\u200b")


def heading_tags(body: str) -> str:
    return re.sub(r"^## (Agent notes|Call details)$", r"<h2>\1</h2>", body, flags=re.MULTILINE)


def backslashes_before_newlines(body: str) -> str:
    return body.replace("\n", "\\\n")


def lines_under_headings(body: str) -> str:
    return re.sub(r"^(#+ (?:[A-Z][A-Za-z ]+))$", r"\1\n", body, flags=re.MULTILINE)


def underlined_headings(body: str) -> str:
    return re.sub(r"^## (Agent notes|Call details)$", r"\1\n------------", body, flags=re.MULTILINE)


def closed_headings(body: str) -> str:
    return re.sub(r"^(#+) ([A-Z][A-Za-z ]+)$", r"\1  \2 \1", body, flags=re.MULTILINE)


def bold_headings(body: str) -> str:
    return re.sub(r"^(#+) ([A-Z][A-Za-z ]+)$", r"\1 **\2**", body, flags=re.MULTILINE)


def hard_breaks(body: str) -> str:
    return re.sub(r"^(\*\*[A-Z].*)$", r"\1  ", body, flags=re.MULTILINE)


#: By format; those of one group exclude each other.
EDITORS: dict[LogFormat, tuple[tuple[Rewriting, ...], ...]] = {
    LogFormat.HTML: (
        (a_paragraph_for_each_line, paragraphs_for_blocks, headings),
        (
            colon_within_bold,
            hard_blanks,
            full_width_colons_in_html,
            colons_as_entities,
            dashes_for_colons,
            cells_without_colons,
            definitions,
            invisible_signs_in_bold,
        ),
        (list_around_items, paragraphs_for_items, indented_items),
        (paragraphs_in_items,),
        (strong, bold_spans, doubly_bold, wrapped_bold),
        (closed_breaks, breaks_with_newlines, newlines_for_breaks),
        (attributes,),
        (capitals,),
        (a_page_around, a_block_around),
        (named_entities,),
        (escaped,),
    ),
    LogFormat.PLAIN: (
        (lines_apart,),
        (
            plain_hard_blanks,
            bullets,
            dashes,
            tabs_before_bullets,
            hyphens_without_blanks,
            no_bullets,
            circles,
            minus_signs,
            numbers,
            full_width_colons,
            invisible_signs,
            small_letters,
            capital_letters,
            bold_labels,
        ),
        (trailing_blanks,),
        (indented, quoted, quoted_without_trailing_blanks),
        (
            carriage_returns,
            lone_returns,
            line_separators,
            next_lines,
            tags_for_newlines,
            tags_before_newlines,
            a_block_with_tags_for_newlines,
            a_paragraph_for_each_line_of_text,
        ),
    ),
    LogFormat.MARKDOWN: (
        (lines_under_headings,),
        (underlined_headings, closed_headings, bold_headings, heading_tags),
        (hard_breaks,),
        (
            listed,
            listed_with_hyphens,
            underscores,
            bold_colons,
            bold_tags,
            italics,
            bold_italics,
            no_bold,
            numbered,
            full_width_colons_behind_bold,
            invisible_signs_around_bold,
        ),
        (escapes,),
        (quoted, quoted_without_trailing_blanks),
        (
            carriage_returns,
            lone_returns,
            line_separators,
            next_lines,
            tags_for_newlines,
            tags_before_newlines,
            backslashes_before_newlines,
        ),
    ),
}
