"""Keeps small facts of a CRM account for its users, in Django's cache."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone

_KEPT = 7 * 24 * 3600  # seconds a value stays as the stale copy


class SharedAccountCache:
    """``AccountCache`` of the adapter contract, scoped by platform and owner.

    ``read_anew``: holds nothing fresh, for a user who asked for the CRM's present choices; the rest is as ever.
    """

    def __init__(self, *, platform: str, owner: str, read_anew: bool = False) -> None:
        self._scope = f"{platform}:{owner}"
        self._read_anew = read_anew

    def _name(self, key: str) -> str:
        return "account:" + hashlib.sha256(f"{self._scope}:{key}".encode()).hexdigest()

    def get(self, key: str, *, max_age: timedelta) -> Any:
        kept = None if self._read_anew else cache.get(self._name(key))
        if kept is None or timezone.now() - datetime.fromisoformat(kept["at"]) > max_age:
            return None
        return kept["value"]

    def get_stale(self, key: str) -> Any:
        kept = cache.get(self._name(key))
        return None if kept is None else kept["value"]

    def put(self, key: str, value: Any) -> None:
        cache.set(self._name(key), {"at": timezone.now().isoformat(), "value": value}, _KEPT)
