"""Runs management commands without loading Django for each: ``python -m tests.commands``, in a server's environment.

It reads lines of JSON, ``["deliver", "--skip-checks"]``, forks for each command, and when that has ended answers with
``{"status": 0, "output": "...", "errors": "..."}``. The fork starts as a new process would: nothing was asked before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from typing import IO


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
                _run(json.loads(line), output, errors)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            sys.stdout.write(json.dumps({"status": status, "output": _text(output), "errors": _text(errors)}) + "\n")
            sys.stdout.flush()


def _run(arguments: list[str], output: IO[str], errors: IO[str]) -> None:
    """Never returns: the process ends with the command's exit status."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        from django.core.management import execute_from_command_line

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
