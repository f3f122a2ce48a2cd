"""What editors of CRMs do to a body when a person corrects a word in it. Each function rewrites one body."""

from __future__ import annotations

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
        (a_paragraph_for_each_line, paragraphs_for_blocks),
        (colon_within_bold, hard_blanks),
        (list_around_items, paragraphs_for_items, indented_items),
        (paragraphs_in_items,),
        (strong, bold_spans, doubly_bold, wrapped_bold),
        (closed_breaks, breaks_with_newlines),
        (attributes,),
        (capitals,),
        (a_page_around, a_block_around),
        (named_entities,),
    ),
    LogFormat.PLAIN: (
        (plain_hard_blanks, bullets, dashes),
        (lines_apart,),
        (trailing_blanks,),
        (carriage_returns, lone_returns, line_separators, next_lines),
    ),
    LogFormat.MARKDOWN: (
        (lines_under_headings,),
        (underlined_headings, closed_headings, bold_headings),
        (hard_breaks,),
        (listed, listed_with_hyphens, underscores, bold_colons),
        (escapes,),
        (carriage_returns, lone_returns, line_separators, next_lines),
    ),
}
