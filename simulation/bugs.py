"""``python -m simulation.bugs``: plants small faults, one at a time, and tells at which schedule each is found.

Each is planted in a process of its own, and checked to have been applied. Exit status 1 where less than 95 % is found.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys

from simulation import installation
from simulation.planting import FAULTS, plant

_SHARE = 0.95


def main() -> int:
    options = _options()
    if options.plant:
        return _seek(options)
    chosen = [words for words in FAULTS if options.only in words]
    command = [sys.executable, "-m", "simulation.bugs", "--schedules", str(options.schedules), "--seed"]
    command += [str(options.seed), "--database", options.database, "--plant"]
    missed = []
    for words in chosen:
        done = subprocess.run([*command, words], capture_output=True, text=True, check=False)
        print(done.stdout.strip() or f"NOT APPLIED  {words}: {done.stderr.strip().splitlines()[-1]}", flush=True)
        missed += [words] if done.returncode else []
    print(f"{len(chosen) - len(missed)} of {len(chosen)} found within {options.schedules} schedules")
    return 1 if len(missed) > len(chosen) * (1 - _SHARE) else 0


def _seek(options: argparse.Namespace) -> int:
    """Runs schedules with one fault until one finds it."""
    planter = plant(options.plant)
    installation.set_up(options.database)
    from simulation.schedule import run

    gc.disable()
    for seed in range(options.seed, options.seed + options.schedules):
        if found := run(seed).findings:
            assert planter.was_loaded
            print(f"{seed:>9}  {options.plant}: {found[0]}")
            return 0
    print(f"NOT FOUND  {options.plant}")
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation.bugs", description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000, help="how many at most for each, from SEED on")
    parser.add_argument("--seed", type=int, default=1, help="number of the first schedule")
    parser.add_argument("--only", default="", help="those whose words contain this")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--plant", default="", choices=("", *FAULTS), metavar="WORDS", help="this one only, here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
