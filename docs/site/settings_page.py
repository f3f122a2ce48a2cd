"""The page of environment variables, out of ``.env.example``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docs.site.sources import ROOT

_INTRODUCTION = """\
# Every variable

What stands in `.env.example`, which this page is made from. Beside each name is its default, or an example where the
text says what holds without it. A variable that cannot be used ends the start in a sentence that names it.
"""
_SECTION = re.compile(r"# --- (?P<title>[^;:]+)(?:[;:] (?P<text>.+?))? ---$")
_VARIABLE = re.compile(r"# ?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$")


def settings_page() -> str:
    """The page as Markdown."""
    return "\n".join(_page((ROOT / ".env.example").read_text(encoding="utf-8").split("\n"))) + "\n"


def _page(lines: list[str]) -> Iterator[str]:
    """A comment belongs to the variables up to the next comment."""
    yield _INTRODUCTION
    comment: list[str] = []
    is_new = in_table = False
    for line in lines:
        if section := _SECTION.match(line):
            title, text = section["title"], section["text"] or ""
            text = f"{text[:1].upper()}{text[1:]}." if text else ""
            yield f"\n## {title[0].upper()}{title[1:]}\n\n{text}\n"
            comment, is_new, in_table = [], True, False
        elif variable := _VARIABLE.match(line):
            if not in_table:
                yield "| Variable | Value | Meaning |\n|---|---|---|"
                in_table = True
            value = f"`{variable['value']}`" if variable["value"] else ""
            yield f"| `{variable['name']}` | {value} | {_escaped(' '.join(comment)) if is_new else ''} |"
            is_new = False
        elif line.startswith("#"):
            comment = [*comment, line.lstrip("# ")] if is_new else [line.lstrip("# ")]
            is_new = True
        elif not in_table:
            yield f"{_escaped(' '.join(comment))}\n" if comment else ""
            comment, is_new = [], False


def _escaped(text: str) -> str:
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))
