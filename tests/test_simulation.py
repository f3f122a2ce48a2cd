"""What the simulation promises of itself. ``make simulate``, which CI calls too, runs the schedules."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulation import databases
from simulation.planting import FAULTS, plant
from simulation.reaching import changed_lines, mark

ROOT = Path(__file__).resolve().parent.parent
ONE_SCHEDULE = ["--schedules", "1", "--seed", "3"]
PLANTED = "from simulation.planting import plant; plant('the id of a record is not kept')"
NEVER_ENOUGH = "import simulation.__main__; simulation.__main__._ENOUGH = 1"
MAIN = "import sys, simulation.__main__; sys.exit(simulation.__main__.main())"


@pytest.fixture(scope="module")
def tables():
    """The processes that the tests start copy their tables, as those do that ``--jobs`` starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(databases._KEPT, "")  # set below, and gone after the tests
        databases.keep_tables("sqlite")
        yield


def start(*options, before="", hash_seed="0"):
    """``python -m simulation`` in a process of its own, after the statements ``before``."""
    command = [sys.executable, "-c", f"{before}\n{MAIN}", *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
def test_a_number_replays_its_schedule_in_another_process():
    processes = [start(*ONE_SCHEDULE, "--trace", hash_seed=hash_seed) for hash_seed in ("1", "2")]
    first, second = (process.communicate()[0].splitlines() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert (first[-1], len(first) > 40) == ("no findings", True)
    total = first.pop(-2)
    assert re.fullmatch(r"1 schedules, \d+ switches, \d+ ms of CPU each", total)
    second.pop(-2)
    assert first == second


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("before", "said"),
    [(PLANTED, "FINDINGS in schedules ["), (NEVER_ENOUGH, "    never  ")],
    ids=["a finding", "rows of the table that were never reached"],
)
def test_what_is_no_proof_ends_with_status_1(before, said):
    process = start("--schedules", "5", before=before)
    assert said in process.communicate()[0]
    assert process.returncode == 1


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
