"""Memory of an installation, idle and after load, and how long its second start takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import machine, servers
from bench.rows import ROWS, Numbers, turn


@dataclass
class Profile:
    """MB (PSS) of all processes, web and worker, and seconds until the second start answers."""

    name: str
    idle: float
    loaded: float
    start: float


def measure(folder: Path, crm: servers.Crm, *, seconds: float, say: Callable[[str], None]) -> list[Profile]:
    """The small profile (one process: web server and worker) and the usual one (two web processes and a worker)."""
    found = []
    for name, workers in (("small", 1), ("usual", 2)):
        place = folder / name
        place.mkdir()
        server = servers.ours(place, crm, workers=workers, small=workers == 1)
        worker = None
        if workers > 1:
            worker = subprocess.Popen(
                [sys.executable, "manage.py", "deliver", "--watch"],
                cwd=servers.ROOT,
                env=server.environment,
                stderr=subprocess.DEVNULL,
            )
        try:
            server.stop()
            start = server.start()
            time.sleep(4)
            pids = [server.process.pid, *([worker.pid] if worker else [])]
            idle = sum(map(machine.memory, pids))
            numbers = Numbers()
            for row in ROWS[4:]:
                turn(server, crm, row, seconds=seconds, numbers=numbers)
            found.append(Profile(name=name, idle=idle, loaded=sum(map(machine.memory, pids)), start=start))
            say(f"{found[-1]}")
        finally:
            server.stop()
            if worker:
                worker.terminate()
                worker.wait(30)
    return found
