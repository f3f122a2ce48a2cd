"""Runs the suite under other Pythons that are installed: ``python -m tests.matrix [newest|short]``; 3.11 to 3.13.

Each gets an environment of its own (``.venv-3.12``). Under the newest one the newest Django that it takes is installed
in place of the pinned one, so that what the next version of Django breaks is known before it is needed. Pythons are
looked for on the PATH and among those of pyenv. ``short``: the newest one only, and of the suite what depends most on
Python and Django, in a few minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from config import install

ROOT = Path(__file__).resolve().parent.parent
HOW_TO_GET_ONE = """\
SKIPPED: no other Python from 3.11 to 3.13 is installed. On Debian or Ubuntu each release has one, and another release
lives in a folder:
    debootstrap --include=python3-venv,make stable /var/lib/debian-stable
    mkdir /var/lib/debian-stable/project && git archive HEAD | tar -x -C /var/lib/debian-stable/project
    chroot /var/lib/debian-stable make -C /project test
pyenv install 3.13 does as well."""


#: What reads what Python and Django say, store and render; the rest of the suite tests our own rules.
SHORT = [
    f"tests/test_{name}.py"
    for name in ("architecture", "bad_input", "checks", "deliveries", "http", "key_rotation", "migrations", "prepared",
                 "preparing", "query_budget", "requirements", "scrubbing", "sessions", "settings", "transport")
]  # fmt: skip


def other_pythons() -> dict[tuple[int, int], str]:
    """Version -> command, of all but the one that runs this."""
    found = {}
    for minor in range(install.OLDEST[1], install.NEWEST[1] + 1):
        version = (3, minor)
        if version == sys.version_info[:2]:
            continue
        places = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
        named = [shutil.which(f"python3.{minor}"), *map(str, reversed(places))]
        if command := next((name for name in named if name and install.version_of(name) == version), None):
            found[version] = command
    return found


def run_suite(version: tuple[int, int], command: str, *, newest_django: bool, only: Sequence[str] = ()) -> int:
    """pytest's exit status."""
    folder = f".venv-{version[0]}.{version[1]}"
    environment = {**os.environ, "PYTHON": command}
    subprocess.run([sys.executable, "config/install.py", folder, "dev"], cwd=ROOT, env=environment, check=True)
    python = f"{folder}/bin/python"
    if newest_django:
        upgrade = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "django"]
        subprocess.run(upgrade, cwd=ROOT, check=True)
    told = "import django, sys; print('Python', sys.version.split()[0], 'Django', django.__version__, flush=True)"
    subprocess.run([python, "-c", told], cwd=ROOT, check=True)
    return subprocess.run([python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *only], cwd=ROOT).returncode


def main(which: str = "all") -> int:
    found = other_pythons()
    if not found:
        print(HOW_TO_GET_ONE)
        return 0
    newest = max(found)
    chosen = sorted(found) if which == "all" else [newest]
    only = SHORT if which == "short" else []
    return max(run_suite(version, found[version], newest_django=version == newest, only=only) for version in chosen)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
