"""Spreads work over several processes, each an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

#: Begins the line by which a part tells what it has counted.
SUM = "sum: "


def run_parts(module: str, arguments: list[list[str]]) -> tuple[list[dict[str, Any]], bool]:
    """Runs ``python -m module`` with each of these arguments at once; passes on what they print.

    Returns what they summed up, and whether all of them did.
    """
    command = [sys.executable, "-m", module]
    parts = [subprocess.Popen([*command, *given], stdout=subprocess.PIPE, text=True) for given in arguments]
    sums: list[dict[str, Any]] = []
    for part in parts:
        assert part.stdout is not None
        for line in part.stdout:
            if line.startswith(SUM):
                sums.append(json.loads(line.removeprefix(SUM)))
            else:
                print(line, end="", flush=True)
    return sums, [part.wait() for part in parts] == [0] * len(parts) == [0] * len(sums)
