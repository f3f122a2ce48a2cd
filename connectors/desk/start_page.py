"""What the start page tells: what waits and needs somebody, how each CRM is, and how the last days went.

It reads what waits, and hours instead of events (``audit.traffic``): its cost does not grow with the trail.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Min, Sum
from django.db.models.functions import TruncDay
from django.http import HttpRequest
from django.utils import timezone

from adapters import registry
from audit.models import CallLog, ConversationLog
from audit.seals import TrafficHour
from audit.states import LogState
from audit.traffic import CALLS, EDITS, TEXTS, percentile, summed
from connectors.deliveries.models import Circuit, Delivery, Recovery
from connectors.deliveries.queue import State
from connectors.deliveries.terms import Kind

PERIODS = (7, 30, 90)
_WRITES = (CALLS, TEXTS, EDITS)
_NEEDS = (State.PERSON,)


@dataclass(kw_only=True)
class Crm:
    """One row of the table. ``lacks``: this server is not set up for it; ``down``: hosts that do not answer."""

    platform: str
    name: str
    lacks: bool = False
    waiting: int = 0
    oldest: datetime | None = None
    down: list[str] = field(default_factory=list)
    down_since: datetime | None = None
    #: When it answered again after it was down; None: it was not, as far back as is known.
    up_since: datetime | None = None
    next_try: datetime | None = None
    calls: int = 0
    written: int = 0
    failed: int = 0
    durations: list[list[int]] = field(default_factory=list)

    @property
    def is_of_interest(self) -> bool:
        """Whether there is anything to tell of it; what is merely not set up stands in a list of its own."""
        return not self.lacks or bool(self.waiting or self.calls or self.failed or self.down)

    @property
    def share_failed(self) -> float | None:
        """In per cent, of all attempts to write; None: there were none."""
        total = self.written + self.failed
        return 100 * self.failed / total if total else None

    @property
    def median(self) -> int | None:
        return percentile(summed(self.durations), 0.5)

    @property
    def slow(self) -> int | None:
        """The time within which 95 of 100 are answered."""
        return percentile(summed(self.durations), 0.95)

    @property
    def to_queue(self) -> str:
        return urlencode({"platform": self.platform})

    @property
    def to_failures(self) -> str:
        return urlencode({"platform": self.platform, "outcome": "failure"})


def start(request: HttpRequest) -> dict[str, Any]:
    """The context of the page; empty for an account without a role."""
    if not request.user.has_perm("deliveries.view_delivery"):
        return {}
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else PERIODS[0]
    now = timezone.now()
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    crms = health()
    counts = _waiting(crms)
    failed, total = _today(today)
    return {
        **counts,
        "failed_today": failed,
        "all_today": total,
        "crms": sorted((crm for crm in crms.values() if crm.is_of_interest), key=_order),
        "days": days,
        "periods": PERIODS,
        "chart": _chart(today, days),
    }


def health() -> dict[str, Crm]:
    """Each enabled CRM, and each that something is known of: whether it answers, and how the last week went."""
    crms = {
        platform: Crm(platform=platform, name=manifest.display_name, lacks=bool(registry.missing_secrets(manifest)))
        for platform, manifest in registry.manifests().items()
    }
    _circuits(crms)
    _last_week(crms, timezone.now() - timedelta(days=7))
    return crms


def _order(crm: Crm) -> tuple[bool, int, int, str]:
    """What needs somebody first."""
    return not crm.down, -crm.waiting, -crm.calls, crm.name.lower()


def _crm(crms: dict[str, Crm], platform: str) -> Crm:
    return crms.setdefault(platform, Crm(platform=platform, name=registry.display_name(platform)))


def _waiting(crms: dict[str, Crm]) -> dict[str, Any]:
    missing = Delivery.objects.exclude(kind=Kind.LOOK_AGAIN)  # what is looked for again is in its CRM
    rows = missing.values("platform", "state").annotate(
        number=Count("pk"), oldest=Min("accepted_at"), next=Min("next_attempt_at")
    )
    waiting = undecided = given_up = 0
    oldest: datetime | None = None
    for row in rows.order_by():
        crm = _crm(crms, row["platform"])
        if row["state"] == State.GIVEN_UP:
            given_up += row["number"]
            continue
        waiting += row["number"]
        undecided += row["number"] if row["state"] in _NEEDS else 0
        oldest = min(filter(None, (oldest, row["oldest"])))
        crm.waiting += row["number"]
        crm.oldest = min(filter(None, (crm.oldest, row["oldest"])))
        if row["state"] == State.WAITING and not crm.down:
            crm.next_try = row["next"]
    return {"waiting": waiting, "oldest": oldest, "undecided": undecided, "given_up": given_up}


def _circuits(crms: dict[str, Crm]) -> None:
    for circuit in Circuit.objects.exclude(open_until=None).order_by("-since"):
        platform, _, host = circuit.crm.partition(":")
        crm = _crm(crms, platform)
        crm.down.append(host or crm.name)
        crm.down_since = circuit.since or crm.down_since
        crm.next_try = circuit.open_until
    for recovery in Recovery.objects.order_by("up_since"):
        _crm(crms, recovery.crm.partition(":")[0]).up_since = recovery.up_since


def _last_week(crms: dict[str, Crm], since: datetime) -> None:
    rows = TrafficHour.objects.filter(hour__gte=since)
    for platform, action, succeeded, failed, durations in rows.values_list(
        "platform", "action", "succeeded", "failed", "durations"
    ):
        crm = _crm(crms, platform)
        crm.durations.append(durations)
        if action in _WRITES:
            crm.written += succeeded
            crm.failed += failed
        if action == CALLS:
            crm.calls += succeeded


def _today(since: datetime) -> tuple[int, int]:
    """How many logs of today are not in their CRM and will not be, and of how many."""
    failed = total = 0
    for model in (CallLog, ConversationLog):
        rows = model._default_manager.filter(created_at__gte=since).values("state").annotate(number=Count("pk"))
        for row in rows.order_by():
            total += row["number"]
            failed += row["number"] if row["state"] == LogState.FAILED else 0
    return failed, total


def _chart(today: datetime, days: int) -> dict[str, Any]:
    """Calls and texts that got into each CRM by day, and the share of attempts that failed, in per cent."""
    since = today - timedelta(days=days - 1)
    rows = (
        TrafficHour.objects.filter(hour__gte=since, action__in=(CALLS, TEXTS))
        .annotate(day=TruncDay("hour"))
        .values("day", "platform")
        .annotate(done=Sum("succeeded"), not_done=Sum("failed"))
        .order_by("day")
    )
    by_platform: dict[str, dict[Any, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        by_platform[row["platform"]][timezone.localtime(row["day"]).date()] = (row["done"], row["not_done"])
    dates = [(since + timedelta(days=number, hours=2)).date() for number in range(days)]
    series = []
    for platform in sorted(by_platform):
        found = [by_platform[platform].get(day, (0, 0)) for day in dates]
        shares = [round(100 * failed / (done + failed), 1) if done + failed else None for done, failed in found]
        name = registry.display_name(platform)
        series.append({"name": name, "logged": [done for done, _ in found], "failed": shares})
    return {"days": [f"{day:%d %b}".lstrip("0") for day in dates], "series": series}
