"""What makes a built site unfit: pages that fetch something from elsewhere, and Markdown that is shown as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ELSEWHERE = r"[\"']?(?:https?:)?//[^\"'\s>)]+"
#: Elements and attributes by which a page loads something by itself; links that a reader follows are not among them.
_LOADED = re.compile(
    rf"<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc={_ELSEWHERE}"
    rf"|<link\b(?![^>]*?rel=[\"']?canonical)[^>]*?\bhref={_ELSEWHERE}"
    r"|class=[\"'][^\"']*\bmermaid\b"  # the theme fetches what draws it
)
_LOADED_BY_STYLE = re.compile(rf"(?:url\(|@import)\s*{_ELSEWHERE}")
#: Lists, tables and fences that became a paragraph: for want of an empty line before them, or of a fourth blank.
_NOT_RENDERED = re.compile(r"<p>(?:(?!</p>).)*?^\s*(?:- |\* |\d+\. |\||```)[^\n]*", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(<(pre|code)\b[^>]*>).*?</\2>", re.DOTALL)


def faults_of(folder: Path) -> Iterator[str]:
    """A sentence for each fault of the site built in ``folder``."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix == ".html":
            text = _CODE.sub(r"\1</\2>", path.read_text(encoding="utf-8"))
            yield from (f"{name} fetches {found[0]}" for found in _LOADED.finditer(text))
            yield from (f"{name} shows Markdown: {found[0].splitlines()[-1]}" for found in _NOT_RENDERED.finditer(text))
        elif path.suffix == ".css":
            text = path.read_text(encoding="utf-8")
            yield from (f"{name} fetches {found[0]}" for found in _LOADED_BY_STYLE.finditer(text))
