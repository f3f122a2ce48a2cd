"""The command that serves; free of Django, for `make run`, which has checked the settings before."""

from __future__ import annotations

import sys
from pathlib import Path

_LOG_CONFIG = Path(__file__).resolve().parent.parent / "config" / "server_log.json"


def command(*, host: str, port: int, workers: int, threads: int, grace: int = 30, reload: bool = False) -> list[str]:
    """To be run in the project's folder.

    ``workers``: processes; ``threads``: requests that each answers at the same time; ``grace``: seconds after SIGTERM
    in which they may end; ``reload``: start anew when a source file changes.
    """
    found = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application", "--no-ws"]
    found += ["--host", host, "--port", str(port), "--workers", str(workers), "--blocking-threads", str(threads)]
    # A worker that is told to stop while it starts misses that, and would serve on for ever.
    found += ["--workers-kill-timeout", str(grace)]
    found += ["--log-level", "warning", "--log-config", str(_LOG_CONFIG)]
    return [*found, "--reload" if reload else "--respawn-failed-workers"]
