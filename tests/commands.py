"""Runs management commands in one environment without loading Django for each.

``python -m tests.commands`` reads lines of JSON, ``{"arguments": ["deliver", "--skip-checks"], "database": ""}``, forks
for each command, and when that has ended answers with ``{"status": 0, "output": "...", "errors": "..."}``. The fork
starts as a new process would: nothing was asked before. ``database``: the name of another than the environment's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).resolve().parents[1]


class Commands:
    """Management commands in this environment. Nothing is started before the first of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def done(self, *arguments: str, database: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, however that is; ``database``: another one than the environment's."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.commands"],
                env=self._environment,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "database": database}) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, done["status"], done["output"], done["errors"])

    def run(self, *arguments: str, database: str = "") -> str:
        """What the command printed. Raises ``subprocess.CalledProcessError`` where it fails."""
        done = self.done(*arguments, database=database)
        done.check_returncode()
        return done.stdout

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()  # its input ends, and so does it
            self._process = None


def main() -> None:
    from config.start import load_settings

    load_settings()
    import django
    from django.core import management

    django.setup()
    management.get_commands()
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            child = os.fork()
            if child == 0:
                _run(**json.loads(line), output=output, errors=errors)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            sys.stdout.write(json.dumps({"status": status, "output": _text(output), "errors": _text(errors)}) + "\n")
            sys.stdout.flush()


def _run(arguments: list[str], database: str, output: IO[str], errors: IO[str]) -> None:
    """Never returns: the process ends with the command's exit status."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        from django.core.management import execute_from_command_line
        from django.db import connections

        if database:
            connections.settings["default"]["NAME"] = database
        execute_from_command_line(["manage.py", *arguments])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


if __name__ == "__main__":
    main()
