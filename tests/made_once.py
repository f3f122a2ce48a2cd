"""What is made once for a whole run of tests, however many processes run them."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

_VARIABLE = "SWITCHBOARD_TESTS_FOLDER"


def shared_folder() -> Path:
    """The folder of this run; the process that asks first makes it, hands it to its children, and removes it."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="switchboard-tests-")
        atexit.register(_remove, Path(os.environ[_VARIABLE]))
    return Path(os.environ[_VARIABLE])


def _remove(folder: Path) -> None:
    """With the databases whose server and name stand in a ``.postgresql`` file."""
    for path in folder.glob("*.postgresql"):
        server, name = path.read_text().splitlines()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    shutil.rmtree(folder, ignore_errors=True)


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A file of that folder, as ``make`` writes it for the first process that asks; the others wait for it."""
    path = shared_folder() / name
    with path.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{name}.unfinished")
            make(unfinished)
            unfinished.rename(path)
    return path
