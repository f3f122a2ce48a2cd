"""``/healthz``: the process answers. ``/readyz``: it can serve.

Names of checks only are shown, no hosts and no texts of errors: anybody may ask. ``/healthz`` is answered by
``connectors.api.application`` before anything else, since it must not wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from connectors.api.envelope import text_reply
from connectors.installation import missing_migrations, unreadable_logins
from connectors.observation import heartbeat

log = logging.getLogger("switchboard.health")

#: Seconds for which an answer stands, so that many callers cost no more than one.
_REMEMBERED = 2.0

Findings = dict[str, str]
#: What one check found -> the whole; the first that is there counts.
_STATUS = {"failed": "unavailable", "missing": "degraded"}


def readiness(request: HttpRequest) -> HttpResponse:
    """503 where requests would fail: no database, missing migrations, keys that open no login.

    A missing worker is ``degraded``, with 200: what a CRM cannot take waits longer, everything else works.
    """
    if request.method not in ("GET", "HEAD"):
        return text_reply("Method not allowed.", 405)
    found = _remembered.findings()
    status = next((name for sign, name in _STATUS.items() if sign in found.values()), "ready")
    reply = JsonResponse({"status": status, "checks": found}, status=503 if status == "unavailable" else 200)
    reply["Cache-Control"] = "no-store"
    return reply


class _Remembered:
    """The last findings. One thread looks at a time, and others get what is known: a slow look holds up only one."""

    def __init__(self, look: Callable[[], Findings]) -> None:
        self._look = look
        self._looking = threading.Lock()
        self._found: Findings = {}
        self._until = float("-inf")

    def findings(self) -> Findings:
        if time.monotonic() < self._until:
            return self._found
        if not self._looking.acquire(blocking=not self._found):
            return self._found
        try:
            if time.monotonic() >= self._until:
                self._found = self._look()
                self._until = time.monotonic() + _REMEMBERED
            return self._found
        finally:
            self._looking.release()

    def forget(self) -> None:
        self._found, self._until = {}, float("-inf")


def _look() -> Findings:
    found: Findings = {}
    for name, check in _CHECKS.items():
        try:
            found[name] = check()
        except Exception as error:  # of any driver
            log.warning("not ready", extra={"check": name, "error": type(error).__name__})
            found[name] = "missing" if name == "worker" else "failed"
        if found["database"] == "failed":
            break
    return found


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    return "failed" if missing_migrations() else "ok"


def _keys() -> str:
    unreadable, seen = unreadable_logins()
    return "failed" if seen and unreadable == seen else "ok"


def _worker() -> str:
    return "ok" if heartbeat.is_there() else "missing"


_CHECKS = {"database": _database, "migrations": _migrations, "keys": _keys, "worker": _worker}
_remembered = _Remembered(_look)
forget = _remembered.forget
