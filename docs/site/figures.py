"""How fast it is beside the reference server, as the last ``make bench`` wrote it, as a table for the comparison."""

from __future__ import annotations

from docs.site.sources import ROOT

MARK = "<!-- figures: beside the reference server, put in while the site is built -->"


def figures_table() -> str:
    """The Markdown table of that section in ``docs/bench.md``. Raises ``ValueError`` where there is none."""
    report = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    _, found, rest = report.partition("\n## Beside the reference server\n")
    lines = [line for line in rest.partition("\n## ")[0].split("\n") if line.startswith("|")]
    if not found or len(lines) < 3:
        raise ValueError("docs/bench.md says nothing of the reference server")
    return "\n".join(lines)
