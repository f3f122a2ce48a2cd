"""Keeps small facts of a CRM account for its users, in Django's cache."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone

_KEPT = 7 * 24 * 3600  # seconds a value stays as the stale copy


class SharedAccountCache:
    """``AccountCache`` of the adapter contract, scoped by platform and owner."""

    def __init__(self, *, platform: str, owner: str) -> None:
        self._scope = f"{platform}:{owner}"

    def _name(self, key: str) -> str:
        return "account:" + hashlib.sha256(f"{self._scope}:{key}".encode()).hexdigest()

    def get(self, key: str, *, max_age: timedelta) -> Any:
        kept = cache.get(self._name(key))
        if kept is None or timezone.now() - datetime.fromisoformat(kept["at"]) > max_age:
            return None
        return kept["value"]

    def get_stale(self, key: str) -> Any:
        kept = cache.get(self._name(key))
        return None if kept is None else kept["value"]

    def put(self, key: str, value: Any) -> None:
        cache.set(self._name(key), {"at": timezone.now().isoformat(), "value": value}, _KEPT)
