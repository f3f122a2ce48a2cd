"""Finds what has expired and removes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from connectors.deliveries import clock
from connectors.models import ContactCreation, ContactMatch, CrmUser, LookUp, NoteDraft, RequestCount, ShownSettings
from connectors.services import call_down
from connectors.services.ringcentral_login import revoke_ended
from connectors.services.sessions import disconnect
from connectors.services.settings_changes import SHOWN_FOR

Counts = dict[str, dict[str, int]]


def clear_tokens(*, dry_run: bool, progress: Callable[[int, int], None] = lambda done, total: None) -> Counts:
    """Removes what has expired; returns ``{platform: {kind: number}}``.

    A session has expired when nobody used it for the lifetime of a token plus the grace period. Credentials are dead
    when they have expired and cannot be refreshed.
    """
    now = timezone.now()
    unused_since = now - settings.JWT_LIFETIME - settings.JWT_GRACE
    connected = CrmUser.objects.exclude(access_token="")
    expired = connected.filter(Q(last_seen_at__lt=unused_since) | Q(last_seen_at=None, connected_at__lt=unused_since))
    dead = connected.exclude(pk__in=expired.values("pk")).filter(refresh_token="", token_expires_at__lt=now)
    matches = ContactMatch.objects.filter(fetched_at__lt=now - 6 * settings.CONTACT_CACHE)
    traces = LookUp.objects.filter(asked_at__lt=now - settings.LOOK_UP_TRACES)
    drafts = NoteDraft.objects.filter(expires_at__lt=now)
    creations = ContactCreation.objects.filter(changed_at__lt=now - timedelta(days=1))
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    _count(counts, "expired sessions", expired, "platform")
    _count(counts, "dead tokens", dead, "platform")
    _count(counts, "stale look-ups", matches, "user__platform")
    _count(counts, "traces of look-ups", traces, "user__platform")
    _count(counts, "note drafts", drafts, "user__platform")
    calls = call_down.expired(now)
    _count(counts, "old call-down entries", calls, "user__platform")
    _count(counts, "remembered contact creations", creations, "platform")
    if not dry_run:
        ended = [(rows, pk) for rows in (expired, dead) for pk in rows.values_list("pk", flat=True)]
        for done, (rows, pk) in enumerate(ended, 1):
            if user := rows.filter(pk=pk).first():  # else they came back meanwhile
                disconnect(user=user, actor="worker")
            progress(done, len(ended))
        matches.delete()
        traces.delete()
        drafts.delete()
        creations.delete()
        calls.delete()
        revoke_ended()
        ShownSettings.objects.filter(shown_at__lt=now - SHOWN_FOR).delete()
        RequestCount.objects.filter(ends_at__lt=clock.now()).delete()
    return dict(counts)


def _count(counts: defaultdict[str, dict[str, int]], kind: str, rows: QuerySet[Any], platform: str) -> None:
    for row in rows.values(platform).annotate(number=Count("pk")).order_by():
        counts[row[platform]][kind] = row["number"]
