"""The report: a page in Markdown with plots, as ratios of one run."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench.growth import Size
from bench.memory import Profile
from bench.rows import MEASURED, Figures, Row
from bench.servers import ROOT, THREADS

PICTURES = "bench"


def write(
    page: Path,
    *,
    rows: dict[Row, dict[str, Figures]],
    sizes: list[Size],
    profiles: list[Profile],
    warmth: dict[str, float],
    others: float,
) -> None:
    """``others``: the share of one core that other processes took meanwhile."""
    pictures = page.parent / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    _draw_rows(rows, pictures / "rows.png")
    lines = [*_head(others), *_table(rows), *_reference(rows), *_warmth(warmth)]
    if sizes:
        _draw_growth(sizes, pictures / "growth.png")
        lines += _growth(sizes)
    lines += [*_memory(profiles), "", (ROOT / "bench" / "tried.md").read_text().strip(), ""]
    page.write_text("\n".join(lines))


def _head(others: float) -> list[str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    return [
        "# How fast it is",
        "",
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d} at {commit.strip() or 'no commit'}, Python "
        f"{platform.python_version()}: two web processes with {THREADS} threads, SQLite, a CRM with Insightly's API "
        "and fixed latency over TLS on the same machine, the vendor's pace lifted, 400 users in turns, no number asked "
        "twice.",
        "",
        "*Bare* is a Django view that reads the user's row, makes as many CRM requests with `requests`, writes a log "
        "and an event, in as many processes and threads. It claims nothing, repeats nothing, and keeps nothing that a "
        "CRM does not take. The two take turns; figures are medians of the turns. Ratios hold on another machine, "
        f"milliseconds do not. Other processes took {others:.0%} of a core meanwhile"
        + ("." if others < 0.1 else ": the milliseconds are too long, the ratios are what counts."),
        "",
        f"![Throughput beside the bare view]({PICTURES}/rows.png)",
        "",
    ]


def _table(rows: dict[Row, dict[str, Figures]]) -> list[str]:
    lines = [
        "| Work | a second: ours, bare | ratio | p50 ms: ours, bare | p99 ms: ours, bare | CPU ms: ours, bare | ratio "
        " | CRM requests | failures | Goal |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row, by_server in rows.items():
        ours, bare = by_server["ours"], by_server["bare"]
        lines.append(
            f"| {row.name} | {ours.of('per_second'):.1f}, {bare.of('per_second'):.1f} "
            f"| {_ratio(ours.of('per_second'), bare.of('per_second'))} | {ours.of('p50'):.1f}, {bare.of('p50'):.1f} "
            f"| {ours.of('p99'):.1f}, {bare.of('p99'):.1f} | {ours.of('cpu'):.2f}, {bare.of('cpu'):.2f} "
            f"| {_ratio(ours.of('cpu'), bare.of('cpu'))} | {ours.of('calls'):.1f} "
            f"| {sum(turn['failures'] for turn in ours.turns)} | {row.goal} |"
        )
    generator = max(figures.of("own_cpu") for one in rows.values() for figures in one.values())
    return [*lines, "", f"The load generator itself took at most {generator:.2f} ms of CPU a request.", ""]


def _ratio(ours: float, bare: float) -> str:
    return f"{ours / bare:.2f}" if bare else "–"


def _reference(rows: dict[Row, dict[str, Figures]]) -> list[str]:
    lines = [
        "## Beside the reference server",
        "",
        f"The reference server (1.7.42, one process of Node.js, SQLite) was measured {MEASURED}, in turns with the "
        "bare view under Debian's Python 3.11; it cannot be built from this project. A factor is ours ÷ bare of this "
        "run × bare ÷ reference of that one, so that the speed of the machine goes out of it. Above 1 is in our "
        "favour.",
        "",
        "| Work | throughput | p50 | CPU a request | the reference then: a second, p50 ms, CPU ms |",
        "|---|---|---|---|---|",
    ]
    for row, by_server in rows.items():
        ours, bare = by_server["ours"], by_server["bare"]
        per_second, p50, cpu = (
            (ours.of(name) or 1) / (bare.of(name) or 1) * then / theirs
            for name, then, theirs in zip(("per_second", "p50", "cpu"), row.bare, row.reference, strict=True)
        )
        theirs = ", ".join(f"{value:g}" for value in row.reference)
        lines.append(f"| {row.name} | {per_second:.2f} | {1 / p50:.2f} | {1 / cpu:.2f} | {theirs} |")
    return [*lines, ""]


def _warmth(warmth: dict[str, float]) -> list[str]:
    if not warmth:
        return []
    lines = ["## After a pause", "", "| First look-up | milliseconds |", "|---|---|"]
    return [*lines, *(f"| {name} | {value:.0f} |" for name, value in warmth.items()), ""]


def _growth(sizes: list[Size]) -> list[str]:
    lines = [
        "## As logs pile up",
        "",
        "`GET /callLog` on PostgreSQL, one client.",
        "",
        f"![CPU time by number of logs]({PICTURES}/growth.png)",
        "",
        "| Logs | p50 ms | CPU ms of the server | pages read | table and indexes, MB | plan |",
        "|---|---|---|---|---|---|",
    ]
    for size in sizes:
        lines.append(
            f"| {size.logs:,} | {size.p50:.2f} | {size.cpu:.2f} | {size.buffers} | {size.megabytes:.0f} | {size.plan} |"
        )
    return [*lines, ""]


def _memory(profiles: list[Profile]) -> list[str]:
    lines = [
        "## Memory and start",
        "",
        "Of all processes together (PSS). *Small*: `WEB_WORKERS=1`, `WEB_DELIVERS=on`; *usual*: two web processes and "
        "a worker.",
        "",
        "| Profile | idle, MB | after load, MB | second start of the web server, seconds |",
        "|---|---|---|---|",
    ]
    return [*lines, *(f"| {one.name} | {one.idle:.0f} | {one.loaded:.0f} | {one.start:.1f} |" for one in profiles)]


def _draw_rows(rows: dict[Row, dict[str, Figures]], file: Path) -> None:
    names = [row.name for row in rows]
    throughput = [by["ours"].of("per_second") / (by["bare"].of("per_second") or 1) for by in rows.values()]
    cpu = [by["bare"].of("cpu") / (by["ours"].of("cpu") or 1) for by in rows.values()]
    figure, axes = pyplot.subplots(figsize=(9, 0.55 * len(names) + 1.4))
    places = range(len(names))
    axes.barh([place - 0.2 for place in places], throughput, 0.38, label="throughput: ours ÷ bare", color="#1f6f8b")
    axes.barh([place + 0.2 for place in places], cpu, 0.38, label="CPU: bare ÷ ours", color="#99c1de")
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_yticks(list(places), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("1: as fast as the bare view; more is better")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _draw_growth(sizes: list[Size], file: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 3))
    axes.plot([size.logs for size in sizes], [size.cpu for size in sizes], marker="o", color="#1f6f8b")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("call logs")
    axes.set_ylabel("CPU of the server, ms a request")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
