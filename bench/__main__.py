"""``make bench``: measures, and writes ``docs/bench.md``; ``--help`` lists the options."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import growth, memory, report, rows, servers
from connectors.web_server import allow_connections

_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
_PAUSE = 61


def main() -> None:
    options = _options()
    allow_connections()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        crm = servers.Crm(folder)
        try:
            sizes = _grow(folder, crm, options, say)
            measured = _measure(folder, crm, options, say) if options.rows else {}
            warmth = measured.pop("warmth", {})
            profiles = memory.measure(folder, crm, seconds=options.seconds / 2, say=say) if options.rows else []
        finally:
            crm.process.terminate()
            crm.process.wait(30)
    if not options.rows:
        return
    found = measured["rows"]
    turns = [turn for by in found.values() for figures in by.values() for turn in figures.turns]
    others = sum(turn["others"] for turn in turns) / len(turns)
    report.write(options.page, rows=found, sizes=sizes, profiles=profiles, warmth=warmth, others=others)
    say(f"written: {options.page}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of each turn; default 4")
    parser.add_argument("--turns", type=int, default=3, help="of each server in each row; default 3")
    parser.add_argument("--pause", type=float, default=_PAUSE, help="seconds before the look-up after a pause")
    parser.add_argument("--sizes", default="1000,100000,1000000", help="numbers of logs; 10000000 and more take long")
    parser.add_argument("--postgres", default=_POSTGRES, help="a server where databases may be made; empty: none")
    parser.add_argument("--only-sizes", dest="rows", action="store_false", help="only the growth, and no report")
    parser.add_argument("--page", type=Path, default=servers.ROOT / "docs" / "bench.md")
    return parser.parse_args()


def _grow(folder: Path, crm: servers.Crm, options: argparse.Namespace, say: rows.Say) -> list[growth.Size]:
    if not options.postgres:
        return []
    place = folder / "growth"
    place.mkdir()
    sizes = [int(size) for size in options.sizes.split(",")]
    return growth.measure(place, crm, url=options.postgres, sizes=sizes, say=say)


def _measure(folder: Path, crm: servers.Crm, options: argparse.Namespace, say: rows.Say) -> dict:
    ours = servers.ours(folder, crm, workers=2)
    bare = None
    try:
        numbers = rows.Numbers()
        kinds = {row.kind: replace(row, clients=1, rtt=0.0) for row in rows.ROWS}
        calls = {}
        for kind, row in kinds.items():
            rows.turn(ours, crm, row, seconds=1, numbers=numbers)  # both processes have met it
            calls[kind] = round(rows.turn(ours, crm, row, seconds=1, numbers=numbers)["calls"])
        say(f"CRM requests of each kind: {calls}")
        bare = servers.baseline(folder, crm, ours.tokens, calls)
        found = rows.measure(
            {"ours": ours, "bare": bare}, crm, numbers, seconds=options.seconds, turns=options.turns, say=say
        )
        contact = replace(kinds["contact"], rtt=0.05)
        warmth = {"at once (median)": rows.turn(ours, crm, contact, seconds=1, numbers=numbers)["p50"]}
        time.sleep(options.pause)
        first = rows.turn(ours, crm, contact, seconds=0, numbers=numbers)["p50"]
        return {"rows": found, "warmth": warmth | {f"after {options.pause:.0f} s of silence": first}}
    finally:
        ours.stop()
        if bare:
            bare.stop()


if __name__ == "__main__":
    main()
