"""Pages whose text stands elsewhere in the repository, and links by what a page is called there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
#: File of the repository -> the page of the site that shows it.
PAGES_ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "adapters/README.md": "adapters.md",
}
_NAME = r"(?:docs/)?[\w/-]+\.md"
#: A page named in code, or linked under its file name or by its path in the repository.
_NAMED = re.compile(rf"\[`?{_NAME}`?\]\((?P<link>{_NAME})\)|`(?P<code>docs/[\w/-]+\.md|{'|'.join(PAGES_ELSEWHERE)})`")
_REPOSITORY_LINK = re.compile(r"\]\(docs/(?P<page>[\w/-]+\.md)")


def title_of(page: str) -> str:
    """The first heading of a page, by its address in the site; the address where there is no such page."""
    source = next((name for name, shown in PAGES_ELSEWHERE.items() if shown == page), f"docs/{page}")
    path = ROOT / source
    return path.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ") if path.exists() else page


def with_links(markdown: str, page: str) -> str:
    """The text of a page with links that work in the site, named by the titles of the pages they lead to.

    ``page``: its own address in the site. Names of pages within fenced code stay as they are.
    """
    up = "../" * page.count("/")

    def link(match: re.Match[str]) -> str:
        named = match["link"] or match["code"]
        target = PAGES_ELSEWHERE.get(named) or named.removeprefix("docs/")
        return title_of(target) if target == page else f"[{title_of(target)}]({up}{target})"

    parts = re.split(r"(^ *```.*?^ *```)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if number % 2 else _REPOSITORY_LINK.sub(rf"]({up}\g<page>", _NAMED.sub(link, part))
        for number, part in enumerate(parts)
    )
