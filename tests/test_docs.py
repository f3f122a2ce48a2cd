"""What the documentation names exists, and its site is refused where it is not whole."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands

from bench.rows import ROWS
from connectors.api import urls
from connectors.log_body.sections import SECTIONS
from docs.site import sources
from docs.site.faults import faults_of
from docs.site.figures import MARK, figures_table
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
    files = _names(page, rf"(?<![\w/.-])(?:{_FOLDERS})/[\w./-]*+(?![<*])")  # tests/test_<name>.py stands for many
    assert [name for name in files if not (ROOT / name.rstrip(".-")).exists() and "/willow" not in name] == []


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


def test_the_lines_of_a_log_and_their_settings_are_those_of_the_code():
    page = (ROOT / "docs" / "administrators.md").read_text()
    table = re.search(r"<!-- settings of a log.*?<!-- end -->", page, re.DOTALL)[0]
    written = re.findall(r"^\| ([^|]+) \| `(\w+)` \| (on|off) \|$", table, re.MULTILINE)
    lines: dict[str, tuple[list[str], bool]] = {}
    for section in SECTIONS:
        lines.setdefault(section.setting, ([], section.default))[0].append(section.plain)
    wanted = [("Note", "addCallLogNote", "on")]
    wanted += [(", ".join(labels), name, "on" if default else "off") for name, (labels, default) in lines.items()]
    assert written == wanted


def test_the_comparison_shows_each_row_of_the_report_beside_the_reference():
    assert MARK in (ROOT / "docs" / "comparison.md").read_text()
    rows = dict(re.findall(r"^\| ([^|]+) \| (.*) \|$", figures_table(), re.MULTILINE))
    assert [row.name for row in ROWS] == list(rows)[1:]
    for row in ROWS:
        *factors, theirs = rows[row.name].split(" | ")
        assert theirs == ", ".join(f"{value:g}" for value in row.reference)
        assert all(float(factor) > 0 for factor in factors)


def test_every_route_of_the_api_is_in_the_list_of_functions():
    page = (ROOT / "docs" / "from-the-reference-server.md").read_text()
    own = [str(pattern.pattern).partition("<")[0].strip("/") for pattern in urls.urlpatterns]
    assert len(own) > 30
    assert [path for path in own if f"/{path}" not in page and not page.count(f"/{path.rpartition('/')[2]}`")] == []
