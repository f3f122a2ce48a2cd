"""A bounded run of the simulation, in processes of their own; ``make simulate`` runs more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.planting import FAULTS, plant

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


@pytest.mark.parametrize("words", FAULTS)
def test_each_planted_fault_fits_the_source(words):
    planter = plant(words)
    sys.meta_path.remove(planter)
