"""Tells whether a delivery worker runs: each one leaves a sign in the shared cache now and then."""

from __future__ import annotations

from django.core.cache import cache

_KEY = "delivery-worker"
#: Seconds for which a sign counts; workers leave one every ``EVERY`` seconds.
_LASTS = 90
EVERY = 20


def leave_sign() -> None:
    """Called by a worker that is at work."""
    cache.set(_KEY, True, _LASTS)


def is_there() -> bool:
    """Whether a worker left a sign lately. Raises what the cache raises when it is out of reach."""
    return bool(cache.get(_KEY))
