"""Sets an installation up for the simulation: Django on a database of its own, and the seams of the world.

The seams are all that production code meets of the simulation: ``time``, ``datetime`` where the HTTP client reads it,
``django.utils.timezone.now``, ``connectors.deliveries.clock.now``, the database backend and the turn of SQLite's
writers, the transport of the HTTP client, the pool of ``fan_out``, chance, and the state that modules keep for their
process.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any

from simulation import databases
from simulation.world import world

_FAN_OUT = "adapters.contract.fan_out"  # the package exports a function of that name


def set_up(database: str = "sqlite") -> None:
    """Once per (real) process, before anything of Django is imported."""
    folder = databases.folder()
    os.environ.update(
        {
            "VAR_DIR": str(folder),
            "DATABASE_URL": databases.create(database, folder),
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
    logging.getLogger().setLevel(logging.ERROR)
    databases.fill()
    _install_seams()
    if database == "postgresql":
        world.set_aside.watch(databases.blocking())


def _install_seams() -> None:
    from django.conf import settings
    from django.utils import timezone

    from adapters.contract import http, pacing
    from adapters.testcrm import server_store
    from connectors.deliveries import changes, circuit, clock, logins
    from connectors.deliveries.models import Restoration
    from connectors.sqlite import base as sqlite
    from simulation import releases
    from simulation.clocks import CrmDatetime, ProcessDatetime
    from simulation.transport import Transport

    seams: list[tuple[Any, str, Any]] = [
        (time, "monotonic", world.monotonic),
        (time, "time", world.seconds),
        (time, "sleep", world.sleep),
        (timezone, "now", world.wall),
        (clock, "now", world.database_time),
        (http, "datetime", ProcessDatetime),
        (server_store, "datetime", CrmDatetime),
        (os, "urandom", random_bytes),
        (random, "_urandom", random_bytes),
        (sqlite, "_take", world.take),
        (http, "transport_for", lambda policy, *, is_read: Transport()),
        (importlib.import_module(_FAN_OUT), "_submit", _one_after_another),
    ]
    for owner, name, replacement in seams:
        if not hasattr(owner, name):
            raise AttributeError(f"{owner.__name__} has no {name}: the seam has moved")
        setattr(owner, name, replacement)
    converter = changes._converter
    world.module_state = [
        (circuit, "_fine_until", dict),
        (pacing, "_limiters", dict),
        (Restoration, "_read_at", lambda: None),
        (Restoration, "_last", lambda: None),
        (settings, "CREDENTIAL_KEYS", lambda: releases.keys(world.release)),
        (logins, "RELEASE_NOTES", lambda: releases.notes(world.release)),
        (changes, "_converter", lambda: releases.converter(world.release, converter)),
    ]


_bytes = random.Random(0)


def random_bytes(count: int) -> bytes:
    """In place of ``os.urandom``: the same in each run of a schedule."""
    return _bytes.randbytes(count)


def reset(seed: int) -> None:
    """Before each schedule: empty tables, new processes, the same chance as last time."""
    from django.core.cache import cache

    _bytes.seed(seed)
    random.seed(seed)
    cache.clear()
    databases.empty()


def _one_after_another(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    fan_out = importlib.import_module(_FAN_OUT)
    return [fan_out._run_here(function, item) for item in items]
