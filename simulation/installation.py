"""Sets an installation up for the simulation: Django on SQLite in memory, and the seams of the world.

The seams are all that production code meets of the simulation: ``time``, ``django.utils.timezone.now``,
``connectors.deliveries.clock.now``, the turn of SQLite's writers, the transport of the HTTP client, the pool of
``fan_out``, ``os.urandom``, and the state that modules keep for their process.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from simulation.world import world

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
_FAN_OUT = "adapters.contract.fan_out"  # the package exports a function of that name


def set_up() -> None:
    """Once per (real) process, before anything of Django is imported."""
    folder = Path(tempfile.mkdtemp(prefix="switchboard-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(
        {
            "VAR_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'simulation.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "simulation.settings",
            "DEBUG": "on",
            "SANDBOX": "on",
            "LOG_FORMAT": "console",
        }
    )
    import django

    django.setup()
    logging.disable(logging.NOTSET)
    logging.getLogger().handlers.clear()
    from django.core.management import call_command
    from django.db import connection

    from audit import append_only

    call_command("migrate", verbosity=0)
    append_only.remove(connection)  # schedules begin with empty tables
    connection.close()
    _install_seams()


def _install_seams() -> None:
    from django.utils import timezone

    from adapters.contract import http, pacing
    from adapters.testcrm import server_store
    from connectors.deliveries import circuit, clock
    from connectors.deliveries.models import Restoration
    from connectors.sqlite import base as sqlite
    from simulation.crm import SimulatedDatetime, Transport

    seams: list[tuple[Any, str, Any]] = [
        (time, "monotonic", world.monotonic),
        (time, "time", world.seconds),
        (time, "sleep", world.sleep),
        (timezone, "now", world.wall),
        (clock, "now", world.database_time),
        (os, "urandom", random_bytes),
        (sqlite, "_take", world.take),
        (http, "transport_for", lambda policy, *, is_read: Transport()),
        (importlib.import_module(_FAN_OUT), "_submit", _one_after_another),
        (server_store, "datetime", SimulatedDatetime),
    ]
    for owner, name, replacement in seams:
        if not hasattr(owner, name):
            raise AttributeError(f"{owner.__name__} has no {name}: the seam has moved")
        setattr(owner, name, replacement)
    world.module_state = [
        (circuit, "_fine_until", dict),
        (pacing, "_limiters", dict),
        (Restoration, "_read_at", lambda: None),
        (Restoration, "_last", lambda: None),
    ]


_bytes = random.Random(0)


def random_bytes(count: int) -> bytes:
    """In place of ``os.urandom``: the same in each run of a schedule."""
    return _bytes.randbytes(count)


def reset(seed: int) -> None:
    """Before each schedule: empty tables, new processes, the same chance as last time."""
    from django.core.cache import cache
    from django.db import connection

    _bytes.seed(seed)
    random.seed(seed)
    cache.clear()
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608


def _tables() -> Iterable[str]:
    from django.apps import apps

    for label in ("deliveries", "audit", "connectors"):
        models = list(apps.get_app_config(label).get_models())
        yield from (model._meta.db_table for model in reversed(models))


def _one_after_another(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    fan_out = importlib.import_module(_FAN_OUT)
    return [fan_out._run_here(function, item) for item in items]
