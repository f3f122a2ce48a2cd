"""The settings of production, on the simulation's database."""

from __future__ import annotations

from config.settings import *  # noqa: F403

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
_default = DATABASES["default"]  # noqa: F405
if _default["ENGINE"] == "connectors.sqlite":
    _default["ENGINE"] = "simulation.sqlite"
    _default["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
else:
    _default["ENGINE"] = "simulation.postgresql"
    _default["CONN_MAX_AGE"] = None
    _default["CONN_HEALTH_CHECKS"] = False
    _default["OPTIONS"].pop("pool", None)  # a simulated thread keeps its connection
DEBUG = False
