"""``python -m simulation``: runs schedules, prints what happened and what was found; exit status 1 on any finding."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from typing import TYPE_CHECKING

from simulation import databases, installation, parts

if TYPE_CHECKING:
    from simulation.report import Report

#: So many schedules have to contain everything that may happen.
_ENOUGH = 2000


def main() -> int:
    options = _options()
    if options.jobs > 1:
        databases.keep_tables(options.database)
    installation.set_up(options.database)
    from simulation.report import Report

    report = Report(options.database)
    if options.jobs > 1:
        sums, is_complete = parts.run_parts("simulation", [_part(options, number) for number in range(options.jobs)])
        for part in sums:
            report.include(part)
        seconds = sum(part["seconds"] for part in sums)
    else:
        seconds, is_complete = _run(report, options), True
    if options.step > 1:
        print(parts.SUM + json.dumps({**report.as_json(), "seconds": seconds}))
        return 0
    print(report.text(seconds=seconds))
    is_vacuous = options.schedules >= _ENOUGH and bool(report.never_reached())
    return 0 if is_complete and not report.failed and not is_vacuous else 1


def _run(report: Report, options: argparse.Namespace) -> float:
    """Returns seconds of CPU."""
    from simulation.report import count_decisions
    from simulation.schedule import run

    count_decisions()
    gc.disable()  # see ``schedule.run``
    started = time.process_time()
    for seed in range(options.seed, options.seed + options.schedules, options.step):
        result = run(seed, trace=options.trace)
        report.add(result)
        if options.trace:
            print("\n".join(result.trace))
        for finding in result.findings:
            print(f"schedule {seed}: {finding}", flush=True)
        if len(report.failed) >= options.findings:
            break
    return time.process_time() - started


def _part(options: argparse.Namespace, number: int) -> list[str]:
    """Of several processes each runs every ``jobs``-th schedule."""
    given = {
        "schedules": options.schedules - number,
        "seed": options.seed + number,
        "findings": options.findings,
        "database": options.database,
        "step": options.jobs,
    }
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many, from SEED on")
    parser.add_argument("--seed", type=int, default=1, help="number of the first schedule")
    parser.add_argument("--trace", action="store_true", help="prints each switch")
    parser.add_argument("--findings", type=int, default=20, help="ends after so many schedules with findings")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--step", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
