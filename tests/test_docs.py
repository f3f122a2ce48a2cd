"""What the documentation names exists, and its site is refused where it is not whole."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands

from docs.site import sources
from docs.site.faults import faults_of
from tests.live_server import ROOT

PAGES = sorted(path.relative_to(ROOT) for path in ROOT.glob("docs/*.md"))
PAGES += [path for name in ("README.md", "CONTRIBUTING.md", "adapters/README.md") for path in ROOT.glob(name)]
#: Fields of a CRM, variables of other programs, and of the examples' CRM.
NOT_OURS = r"INSTANCE_ID|PHONE_(HOME|OTHER|ASSISTANT|MOBILE)|HTTPS_PROXY|PIP_INDEX_URL|ORCHARD_\w+|PUBLIC_LINKS_"
_FOLDERS = "adapters|audit|bench|config|connectors|deploy|docs|requirements|simulation|tests"


def _code(path):
    text = (ROOT / path).read_text()
    spans = re.findall(r"`([^`\n]+)`", text)
    return "\n".join(
        [*spans, *re.findall(r"^ {4,}(.*)$", text, re.MULTILINE), *re.findall(r"```(.*?)```", text, re.DOTALL)]
    )


def _names(path, pattern):
    return set(re.findall(pattern, _code(path)))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_target_variable_and_file_of_a_page_exists(page):
    assert _names(page, r"manage\.py ([a-z]\w+)") <= get_commands().keys()
    assert _names(page, r"\bmake ([a-z][a-z-]+)") <= set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    )
    documented = set(re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    variables = {name for name in _names(page, r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b") if not re.fullmatch(NOT_OURS, name)}
    assert variables <= documented
    files = _names(page, rf"(?<![\w/.-])(?:{_FOLDERS})/[\w./-]*\w")
    assert [name for name in files if not (ROOT / name).exists() and "/willow" not in name] == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<script src="https://cdn.example.com/a.js"></script>', "a.html fetches"),
        ("<img alt='x' src=//cdn.example.com/a.png>", "a.html fetches"),
        ('<link rel="stylesheet" href="https://fonts.example.com/css">', "a.html fetches"),
        ('<pre class="mermaid">graph</pre>', "a.html fetches"),
        ("<p>Steps:\n- one</p>", "a.html shows Markdown: - one"),
        ("<p>Steps:\n   1. one</p>", "a.html shows Markdown:    1. one"),
        ("<p>Text\n| a | b |</p>", "a.html shows Markdown: | a | b |"),
        ('<a href="https://example.com">read</a><p>a - b</p><link rel="canonical" href="https://example.com">', ""),
        ("<pre><code>- one\n- two</code></pre><p>1.5 seconds</p>", ""),
    ],
)
def test_a_site_that_fetches_from_elsewhere_or_shows_markdown_is_refused(tmp_path, page, said):
    (tmp_path / "a.html").write_text(page)
    found = "\n".join(faults_of(tmp_path))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_style_that_fetches_from_elsewhere_is_refused(tmp_path):
    (tmp_path / "own.css").write_text("a { background: url(../a.svg) }")
    (tmp_path / "other.css").write_text("@font-face { src: url(https://fonts.example.com/a.woff2) }")
    assert [line.split()[0] for line in faults_of(tmp_path)] == ["other.css"]


def test_pages_are_linked_by_their_titles_and_code_stays_as_it_is():
    text = "See [operating.md](operating.md), `docs/clio.md`, `adapters/README.md`.\n\n```\n`docs/clio.md`\n```\n"
    assert sources.with_links(text, "desk.md") == (
        "See [Run it for others](operating.md), [Clio](clio.md), [Adapters](adapters.md).\n\n```\n`docs/clio.md`\n```\n"
    )
    assert (
        sources.with_links("[console](docs/console.md#x), `docs/clio.md`", "clio.md") == "[console](console.md#x), Clio"
    )
    assert sources.with_links("`docs/clio.md`", "reference/manifest.md") == "[Clio](../clio.md)"
