"""The command that serves; free of Django, for `make run`, which has checked the settings before."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_LOG_CONFIG = Path(__file__).resolve().parent.parent / "config" / "server_log.json"
#: Connections that a process keeps, most of them idle; each is an open file.
_CONNECTIONS = 4096
_FILES = 2 * _CONNECTIONS
#: Seconds for the head of a request, and for the silence before it.
_SECONDS_FOR_HEAD = 30
#: An address of 64 KiB and headers of 32 KiB fit, see ``connectors.api.limits``.
_BUFFER = 128 * 1024


def command(*, host: str, port: int, workers: int, grace: int = 30, reload: bool = False) -> list[str]:
    """To be run in the project's folder.

    ``workers``: processes; ``grace``: seconds after SIGTERM in which requests may end; ``reload``: start anew when a
    source file changes.
    """
    found = [sys.executable, "-m", "granian", "--interface", "rsgi", "config.rsgi:application", "--no-ws"]
    found += ["--http", "1"]  # only so are its time-outs kept
    found += ["--host", host, "--port", str(port), "--workers", str(workers), "--loop", "asyncio"]
    found += ["--backlog", str(_CONNECTIONS), "--backpressure", str(_CONNECTIONS)]
    found += ["--http1-header-read-timeout", str(_SECONDS_FOR_HEAD * 1000), "--http1-buffer-size", str(_BUFFER)]
    # A worker that is told to stop while it starts misses that, and would serve on for ever.
    found += ["--workers-kill-timeout", str(grace)]
    found += ["--log-level", "warning", "--log-config", str(_LOG_CONFIG)]
    return [*found, "--reload" if reload else "--respawn-failed-workers"]


def allow_connections() -> None:
    """Lets this process and its children open as many files as their connections take, if the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
