"""A bounded run of the simulation, in a process of its own; ``make simulate`` runs more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parent.parent


def simulate(*options, hash_seed="0"):
    command = [sys.executable, "-m", "simulation", *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_no_schedule_of_a_bounded_run_has_a_finding():
    done = simulate("--schedules", "60", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 schedules" in done.stdout


def test_a_number_replays_its_schedule_in_another_process():
    first, second = (simulate("--schedules", "1", "--seed", "7", "--trace", hash_seed=seed) for seed in ("1", "2"))
    steps = [line for line in first.stdout.splitlines() if "CPU" not in line]
    assert steps == [line for line in second.stdout.splitlines() if "CPU" not in line]
    assert len(steps) > 20, first.stderr
