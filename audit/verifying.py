"""Checks the audit trail against its seals, and says which event or range was tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Max

from audit.models import AuditEvent
from audit.seal_keys import COLUMNS, chain_of, digest_of, mac_of, pruning_text, unpacked
from audit.seals import AuditPruning, AuditSeal

#: How far an event's time may be from the time at which it was written: clocks differ, and transactions last.
_TOLERANCE = timedelta(minutes=15)
_NAMED = 20  # events of one seal that are named one by one


@dataclass
class Verified:
    """``problems``: what does not fit, a sentence each. ``notes``: what could not be checked, and why."""

    events: int = 0
    seals: int = 0
    unsealed: int = 0
    pruned_to: int = 0
    last_mac: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(*, expected_mac: str = "", progress: Callable[[int, int], None] = lambda done, total: None) -> Verified:
    """Reads every seal and every event. ``expected_mac``: of a seal that the log names, which has to be there still.

    ``progress``: ids done and in all.
    """
    found = Verified()
    found.pruned_to = _pruned_to(found)
    total = AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    last, chain = 0, ""
    before: datetime | None = None  # events that follow were added after this moment
    closed_at: datetime | None = None
    keys_gone: dict[str, int] = {}
    macs = set()
    for seal in AuditSeal.objects.order_by("last_id").iterator(chunk_size=20):
        found.seals += 1
        macs.add(seal.mac)
        found.problems += _seal_problems(seal, last, chain)
        mac = mac_of(seal.chain, seal.key_id)
        if mac is None:
            keys_gone[seal.key_id] = seal.last_id
        elif mac != seal.mac:
            found.problems.append(f"Seal over {_range(seal)}: it was not made with this server's keys.")
        elif keys_gone:  # its chain covers all before it
            keys_gone.clear()
        if seal.closed_at != closed_at:
            before, closed_at = closed_at, seal.closed_at
        found.problems += _event_problems(seal, before, found)
        last, chain, found.last_mac = seal.last_id, seal.chain, seal.mac
        progress(min(last, total), max(total, last))
    for key_id, up_to in keys_gone.items():
        found.notes.append(
            f"Seals up to event {up_to} were made with key {key_id!r}, which is not in CREDENTIAL_KEYS any more; a new "
            "seal covers them: manage.py seal_audit."
        )
    found.problems += _tail_problems(last, closed_at, found)
    if expected_mac and expected_mac not in macs:
        found.problems.append("The seal that the log names is not in the database: the end of the trail was cut off.")
    return found


def _pruned_to(found: Verified) -> int:
    """Up to which event the trail may be gone."""
    last = 0
    for mark in AuditPruning.objects.order_by("last_id"):
        mac = mac_of(pruning_text(mark.last_id, mark.pruned_at), mark.key_id)
        if mac is None:
            found.notes.append(f"The removal of events up to {mark.last_id} was marked with a key that is gone.")
        elif mac != mark.mac:
            found.problems.append(f"Events up to {mark.last_id} were marked for removal by somebody else.")
            continue
        last = mark.last_id
    return last


def _range(seal: AuditSeal) -> str:
    return f"events {seal.first_id} to {seal.last_id}"


def _seal_problems(seal: AuditSeal, last: int, chain: str) -> Iterator[str]:
    if seal.first_id != last + 1:
        yield f"Between events {last} and {seal.first_id}: a seal was removed."
    elif seal.chain != chain_of(chain, seal.first_id, seal.last_id, seal.until, seal.closed_at, bytes(seal.digests)):
        yield f"Seal over {_range(seal)}: it was changed, or the one before it."


def _event_problems(seal: AuditSeal, before: datetime | None, found: Verified) -> list[str]:
    """What differs between a seal and its events. ``before``: since when nothing could be added to earlier ranges."""
    sealed = dict(unpacked(seal.first_id, bytes(seal.digests)))
    events = AuditEvent.objects.filter(pk__gte=seal.first_id, pk__lte=seal.last_id).order_by("pk")
    problems, present = [], set()
    for row in events.values_list(*COLUMNS).iterator(chunk_size=2000):
        found.events += 1
        event_id, occurred_at = row[0], row[1]
        present.add(event_id)
        if event_id not in sealed:
            problems.append(f"Event {event_id}: it was added to a range that was sealed already.")
        elif sealed[event_id] != digest_of(row):
            problems.append(f"Event {event_id}: it was changed.")
        elif problem := _time_problem(event_id, occurred_at, before, seal.closed_at):
            problems.append(problem)
    if seal.last_id > found.pruned_to:
        missing = sorted(sealed.keys() - present)
        if len(missing) == len(sealed):
            problems.append(f"{_range(seal).capitalize()}: all {len(sealed)} were removed.")
        else:
            problems += [f"Event {event_id}: it was removed." for event_id in missing]
    if len(problems) > _NAMED:
        problems = [*problems[:_NAMED], f"{_range(seal).capitalize()}: {len(problems) - _NAMED} more."]
    return problems


def _time_problem(event_id: int, occurred_at: datetime, before: datetime | None, closed_at: datetime) -> str:
    said = f"Event {event_id}: it says {occurred_at:%Y-%m-%d %H:%M} UTC"
    if before is not None and occurred_at < before - _TOLERANCE:
        return f"{said}, and was written after {before:%Y-%m-%d %H:%M}."
    if occurred_at > closed_at + _TOLERANCE:
        return f"{said}, and was written before {closed_at:%Y-%m-%d %H:%M}."
    return ""


def _tail_problems(last: int, before: datetime | None, found: Verified) -> Iterator[str]:
    """Of events without a seal only the time can be checked."""
    unsealed = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    found.unsealed = unsealed.count()
    if before is not None:
        for event_id, occurred_at in unsealed.filter(occurred_at__lt=before - _TOLERANCE).values_list(
            "pk", "occurred_at"
        )[:_NAMED]:
            yield _time_problem(event_id, occurred_at, before, before)
    strangers = AuditEvent.objects.filter(pk__lt=1).values_list("pk", flat=True)[:_NAMED]
    yield from (f"Event {event_id}: it was added before the beginning." for event_id in strangers)
