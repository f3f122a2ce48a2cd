"""``python -m simulation``: runs schedules, prints what happened and what was found; exit status 1 on any finding."""

from __future__ import annotations

import argparse
import sys
import time

from simulation import installation


def main() -> int:
    options = _options()
    installation.set_up()
    from simulation.report import Report
    from simulation.schedule import run

    report, started = Report(), time.process_time()
    for seed in range(options.seed, options.seed + options.schedules):
        result = run(seed, trace=options.trace)
        report.add(result)
        if options.trace:
            print("\n".join(result.trace))
        for finding in result.findings:
            print(f"schedule {seed}: {finding}", flush=True)
        if len(report.failed) >= options.findings:
            break
    print(report.text(seconds=time.process_time() - started))
    return 1 if report.failed or (options.schedules >= 2000 and report.never_reached()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many, from SEED on")
    parser.add_argument("--seed", type=int, default=1, help="number of the first schedule")
    parser.add_argument("--trace", action="store_true", help="prints each switch")
    parser.add_argument("--findings", type=int, default=20, help="ends after so many schedules with findings")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
