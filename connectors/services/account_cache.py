"""Keeps small facts of a CRM account for its users, in Django's cache."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from adapters.contract import CrmUnavailable

_KEPT = 7 * 24 * 3600  # seconds a value stays as the stale copy
_HELD = 60  # seconds; longer than a search and a write may take, so that only a process that died is waited out
_WAIT_FOR_OTHER = 15.0  # seconds; below the client's own time limit of 30


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

    def forget(self, key: str) -> None:
        cache.delete(self._name(key))

    @contextmanager
    def only_one(self, key: str) -> Iterator[None]:
        name, mine = self._name(f"only one:{key}"), secrets.token_hex(8)
        give_up = time.monotonic() + _WAIT_FOR_OTHER
        while not cache.add(name, mine, _HELD):
            if time.monotonic() > give_up:
                raise CrmUnavailable("A colleague's request is doing the same; please try again in a moment.")
            time.sleep(0.05)
        try:
            yield
        finally:
            if cache.get(name) == mine:
                cache.delete(name)
