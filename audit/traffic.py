"""Counts of what was done by hour, CRM and action, so that a page over months reads hours and not events.

They are added up while events are sealed, in the transaction of the seal: each event counts exactly once, and the
counts stay when events are removed after their time. ``durations`` counts events that asked the CRM by how long they
took: one number for each of ``STEPS``, and one for what took longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from audit.seals import TrafficHour

CALLS, TEXTS, LOOK_UPS, EDITS = "call_log.create", "message_log.write", "contact.find", "call_log.update"
#: What is counted, with the name it has on a page.
ACTIONS = {CALLS: "calls", TEXTS: "texts", EDITS: "edits", LOOK_UPS: "look-ups"}
#: Milliseconds; each is about 1.5 times the one before, so that a percentile is right to within that.
STEPS = (20, 30, 45, 70, 100, 150, 220, 330, 500, 750, 1100, 1700, 2500, 3800, 5700, 8500, 13_000, 20_000, 30_000)

Key = tuple[datetime, str, str]


@dataclass
class Count:
    """Of one hour, CRM and action."""

    succeeded: int = 0
    failed: int = 0
    durations: list[int] = field(default_factory=lambda: [0] * (len(STEPS) + 1))

    def add(self, *, outcome: str, milliseconds: int, crm_calls: int) -> None:
        if outcome == "success":
            self.succeeded += 1
        else:
            self.failed += 1
        if crm_calls:
            self.durations[bisect_left(STEPS, milliseconds)] += 1


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def add(counts: dict[Key, Count]) -> None:
    """Adds counts to the rows of their hours, in the caller's transaction, which nobody else's may overlap."""
    if not counts:
        return
    hours = {hour for hour, _, _ in counts}
    rows = TrafficHour.objects.filter(hour__gte=min(hours), hour__lte=max(hours))
    known = {(row.hour, row.platform, row.action): row for row in rows}
    for (hour, platform, action), count in counts.items():
        row = known.get((hour, platform, action)) or TrafficHour(hour=hour, platform=platform, action=action)
        row.succeeded += count.succeeded
        row.failed += count.failed
        row.durations = summed([row.durations, count.durations])
        row.save()


def summed(durations: Iterable[Sequence[int]]) -> list[int]:
    """Several rows' ``durations`` in one."""
    total = [0] * (len(STEPS) + 1)
    for row in durations:
        for place, number in enumerate(row):
            total[place] += number
    return total


def percentile(durations: Sequence[int], share: float) -> int | None:
    """Milliseconds within which this share of the requests was answered; None: there were none.

    The upper end of a step, so that it is never told too low; what took longer than the last step is told as that.
    """
    wanted = share * sum(durations)
    if not wanted:
        return None
    seen = 0
    for step, number in zip(STEPS, durations, strict=False):
        seen += number
        if seen >= wanted:
            return step
    return STEPS[-1]
