"""The first line that a process logs: what runs here, with the settings that explain most questions; no secrets."""

from __future__ import annotations

import logging
import platform

import django
from django.conf import settings
from django.db import connection

from adapters import registry
from connectors.observation import metrics

log = logging.getLogger("switchboard.start")


def started(process: str) -> None:
    """Logs the line, and counts from now on. ``process``: ``metrics.WEB`` or ``metrics.WORKER``."""
    line = {
        "kind": process,
        "version": settings.VERSION,
        "python": platform.python_version(),
        "django": django.get_version(),
        "database": connection.vendor,
        "redis": bool(settings.REDIS_URL),
        "app_server": settings.APP_SERVER,
        "adapters": ",".join(sorted(registry.manifests())),
        "workers": settings.WEB_WORKERS,
        "threads": settings.WEB_THREADS,
        "trusted_proxies": settings.TRUSTED_PROXIES,
        "debug": settings.DEBUG,
        "sandbox": settings.SANDBOX,
    }
    log.info("%(kind)s process of Switchboard %(version)s started", line, extra=line)
    try:
        metrics.start(process, settings.METRICS_DIR)
    except OSError as error:
        log.warning("nothing is counted: METRICS_DIR cannot be written", extra={"error": type(error).__name__})
