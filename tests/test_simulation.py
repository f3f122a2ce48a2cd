"""A bounded run of the simulation, in processes of their own; ``make simulate`` runs more."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.planting import FAULTS, plant
from simulation.reaching import changed_lines, mark

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parent.parent


def run(module, *options, hash_seed="0"):
    command = [sys.executable, "-m", module, *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_no_schedule_of_a_bounded_run_has_a_finding():
    done = run("simulation", "--schedules", "60", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 schedules" in done.stdout


@pytest.mark.parametrize("seed", ["7", "28"])
def test_a_number_replays_its_schedule_in_another_process(seed):
    options = ("--schedules", "1", "--seed", seed, "--trace")
    first, second = (run("simulation", *options, hash_seed=hash_seed) for hash_seed in ("1", "2"))
    steps = [line for line in first.stdout.splitlines() if "CPU" not in line]
    assert steps == [line for line in second.stdout.splitlines() if "CPU" not in line]
    assert len(steps) > 20, first.stderr


def test_schedules_are_sought_that_reach_the_lines_of_a_fault():
    text = "def larger(a, b):\n    if a > b:\n        return a\n    return b\n"
    tree = ast.parse(text)
    lines = changed_lines(text, ("file.py", "return a\n", "return 0\n"))
    assert lines == {3}
    assert mark(tree, 3, "words")
    names = {"_reached_by_simulation": set()}
    exec(compile(ast.fix_missing_locations(tree), "file.py", "exec"), names)
    assert names["larger"](1, 2) == 2
    assert names["_reached_by_simulation"] == set()
    assert names["larger"](2, 1) == 2
    assert names["_reached_by_simulation"] == {"words"}


def test_a_fault_in_what_an_import_executes_may_matter_to_any_schedule():
    assert not mark(ast.parse("TABLE = {\n    1: 2,\n}\n"), 2, "words")


@pytest.mark.parametrize("words", FAULTS)
def test_each_planted_fault_fits_the_source(words):
    planter = plant(words)
    sys.meta_path.remove(planter)
