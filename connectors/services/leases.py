"""How long a process may be at work in a CRM before it counts as dead, and how long its requests may take effect."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from adapters import registry

_EXCHANGES = 10
#: As many as a renewal makes at most: an old token tried, new ones refused, name and password, their tokens, a session.
_EXCHANGES_OF_A_RENEWAL = 5


def lease_of(platform: str) -> timedelta:
    """The installation's ``DELIVERY_LEASE``; longer where the CRM is given more time for an answer than others."""
    if _patience(platform) is None:
        return settings.DELIVERY_LEASE
    return max(settings.DELIVERY_LEASE, _EXCHANGES * _exchange(platform))


def settling_time(platform: str) -> timedelta:
    """How long after a request of unknown outcome ended its effect may still appear in the CRM."""
    manifest = registry.manifests().get(platform)
    known = manifest.server.settling_seconds if manifest else None
    return timedelta(seconds=settings.DELIVERY_SETTLING_SECONDS if known is None else known)


def longest_renewal(platform: str) -> timedelta:
    """How long a login may be in renewal before the process that renews it counts as dead."""
    return _EXCHANGES_OF_A_RENEWAL * _exchange(platform)


def _exchange(platform: str) -> timedelta:
    patience = _patience(platform)
    answer = settings.OUTBOUND_READ_TIMEOUT if patience is None else patience
    return timedelta(seconds=settings.OUTBOUND_CONNECT_TIMEOUT + answer)


def _patience(platform: str) -> float | None:
    manifest = registry.manifests().get(platform)
    return manifest.server.read_timeout if manifest else None
