"""The reference server's measured figures beside ours of the last ``make bench``, as a table for the comparison."""

from __future__ import annotations

import re

from bench.rows import ROWS
from docs.site.sources import ROOT

MARK = "<!-- figures: the reference server's beside ours, put in while the site is built -->"
#: Columns of the table in ``docs/bench.md`` that hold ours and the bare view's, in the order of ``Row.reference``.
_COLUMNS = (1, 3, 5)


def figures_table() -> str:
    """A Markdown table with a row for each of ``bench.rows.ROWS``. Raises ``KeyError`` where the report lacks one."""
    report = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8").partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.split("\n") if line.startswith("| ")]
    ours = {row[0]: [row[column].split(",")[0] for column in _COLUMNS] for row in cells if re.match(r"[\d.]+,", row[1])}
    lines = [
        "| Work | a second: reference, ours | p50 ms: reference, ours | CPU ms a request: reference, ours |",
        "|---|---|---|---|",
    ]
    for row in ROWS:
        pairs = zip(row.reference, ours[row.name], strict=True)
        shown = [f"{theirs:g}, {mine}" if theirs else "–" for theirs, mine in pairs]
        lines.append(f"| {row.name} | {' | '.join(shown)} |")
    return "\n".join(lines)
