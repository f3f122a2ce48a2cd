"""``python -m simulation.bugs``: plants small faults, one at a time, and tells at which schedule each is found.

First all schedules run without a fault, to see which of them reach its lines: in the others nothing can differ. Then
each fault is planted in a process of its own, and checked to have been applied. Exit status 1 where less than 95 % is
found.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simulation import databases, installation, parts
from simulation.planting import FAULTS, ON_POSTGRESQL, plant
from simulation.reaching import Reached

_SHARE = 0.95


def main() -> int:
    options = _options()
    if options.plant:
        return _seek(options)
    if options.step:
        print(parts.SUM + json.dumps(_reaching(options)))
        return 0
    databases.keep_tables(options.database)
    chosen = [words for words in FAULTS if options.only in words]
    seeds = _seeds_by_fault(options)
    with ThreadPoolExecutor(options.jobs) as pool:
        for line in pool.map(lambda words: _found(words, seeds[words], options), chosen):
            print(line, flush=True)
            options.missed += not line.startswith(" ")
    print(f"{len(chosen) - options.missed} of {len(chosen)} found within {options.schedules} schedules")
    return 1 if options.missed > len(chosen) * (1 - _SHARE) else 0


def _seeds_by_fault(options: argparse.Namespace) -> dict[str, list[int]]:
    """For each fault the schedules that reach it, in their order; kept in a file where one is named."""
    if options.reaching and Path(options.reaching).exists():
        found: dict[str, list[int]] = json.loads(Path(options.reaching).read_text())
        return found
    given = ["--schedules", str(options.schedules), "--database", options.database, "--step", str(options.jobs)]
    arguments = [[*given, "--seed", str(options.seed + number)] for number in range(options.jobs)]
    sums, is_complete = parts.run_parts("simulation.bugs", arguments)
    if not is_complete:
        raise SystemExit("the schedules without a fault did not run to their end")
    seeds = {words: sorted(seed for part in sums for seed in part[words]) for words in FAULTS}
    if options.reaching:
        Path(options.reaching).write_text(json.dumps(seeds))
    return seeds


def _reaching(options: argparse.Namespace) -> dict[str, list[int]]:
    """Runs every ``step``-th schedule without a fault."""
    reached = Reached(FAULTS)
    installation.set_up(options.database)
    from simulation.schedule import run

    gc.disable()
    seeds: dict[str, list[int]] = {words: [] for words in FAULTS}
    for seed in range(options.seed, options.seed + options.schedules, options.step):
        reached.clear()
        if findings := run(seed).findings:
            print(f"without a fault, schedule {seed}: {findings[0]}", flush=True)
        for words in reached.always | reached.words:
            seeds[words].append(seed)
    return seeds


def _found(words: str, seeds: list[int], options: argparse.Namespace) -> str:
    """A line about one fault."""
    database = options.database
    if words in ON_POSTGRESQL and database == "sqlite":
        database, seeds = "postgresql", list(range(options.seed, options.seed + options.schedules))
    command = [sys.executable, "-m", "simulation.bugs", "--database", database, "--plant", words]
    given = json.dumps(seeds)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    return done.stdout.rstrip() or f"NOT APPLIED  {words}: {done.stderr.strip().splitlines()[-1]}"


def _seek(options: argparse.Namespace) -> int:
    """Runs the schedules that come as JSON, with one fault, until one finds it."""
    seeds = json.load(sys.stdin)
    planter = plant(options.plant)
    installation.set_up(options.database)
    from simulation.schedule import run

    gc.disable()
    for seed in seeds:
        if found := run(seed).findings:
            assert planter.was_loaded
            print(f"{seed:>9}  {options.plant}: {found[0]}")
            return 0
    print(f"NOT FOUND  {options.plant}, reached by {len(seeds)} schedules")
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation.bugs", description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000, help="how many at most for each, from SEED on")
    parser.add_argument("--seed", type=int, default=1, help="number of the first schedule")
    parser.add_argument("--only", default="", help="those whose words contain this")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--reaching", default="", help="file that keeps which schedules reach which fault")
    parser.add_argument("--plant", default="", choices=("", *FAULTS), metavar="WORDS", help="this one only, here")
    parser.add_argument("--step", type=int, default=0, help=argparse.SUPPRESS)
    parser.set_defaults(missed=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
