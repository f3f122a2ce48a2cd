"""Many mixed requests in a row, and the memory of the server meanwhile: ``python -m bench.soak [REQUESTS]``.

Prints a Markdown table for docs/bench.md. It takes about a quarter of an hour for 100,000 requests on two cores.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench import servers
from bench.machine import memory
from bench.rows import ROWS, Numbers, turn
from connectors.web_server import allow_connections

#: Seconds of each kind of request in one round.
_ROUND = {"logs": 4.0, "contact": 4.0, "call": 4.0, "messages": 2.0}
_CLIENTS = 16


def main(requests: int = 100_000) -> None:
    """One line a round; ends with a word on how memory went."""
    allow_connections()
    rows = {row.kind: replace(row, clients=_CLIENTS, rtt=0.0) for row in ROWS}
    numbers, done, failures, lines = Numbers(), 0, 0, []
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        crm = servers.Crm(folder)
        server = servers.ours(folder, crm, workers=2)
        try:
            print("| Requests | failures | memory of both web processes, MB |\n|---|---|---|", flush=True)
            while done < requests:
                for kind, seconds in _ROUND.items():
                    found = turn(server, crm, rows[kind], seconds=seconds, numbers=numbers)
                    done, failures = done + found["answers"] + found["failures"], failures + found["failures"]
                lines.append((done, failures, memory(server.process.pid)))
                print(f"| {done:,} | {failures} | {lines[-1][2]:.0f} |", flush=True)
        finally:
            server.stop()
            crm.process.terminate()
            crm.process.wait(30)
    half, last = lines[len(lines) // 2][2], lines[-1][2]  # caches fill up in the first half
    print(f"\nAfter half of them {half:.0f} MB, at the end {last:.0f} MB.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
