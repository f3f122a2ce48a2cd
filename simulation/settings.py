"""The settings of production, on the simulation's database."""

from __future__ import annotations

from config.settings import *  # noqa: F403

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DATABASES["default"]["ENGINE"] = "simulation.database"  # noqa: F405
DATABASES["default"]["OPTIONS"]["init_command"] = (  # noqa: F405
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
)
DEBUG = False
