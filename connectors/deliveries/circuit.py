"""Keeps requests away from a CRM that is down: after three failures in a row one probe at a time finds out."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q

from audit.prepared import PreparedQuery
from connectors.deliveries import clock
from connectors.deliveries.models import Circuit, Delivery, Recovery
from connectors.deliveries.queue import State

_OPENS_AT = 3  # failures in a row
_LONGEST_PAUSE = 120.0  # seconds
_REMEMBERED = 1.0  # seconds for which "nothing is wrong there" need not be asked again

_fine_until: dict[str, float] = {}


def may_call(crm: str) -> bool:
    """Whether to send a request there now: all is well, or this caller is the probe."""
    if _fine_until.get(crm, 0) > time.monotonic():
        return True
    circuit = next(iter(_of(crm)), None)
    if circuit is None:
        _fine_until[crm] = time.monotonic() + _REMEMBERED
        return True
    if circuit.open_until is None:
        return True
    now = clock.now()
    failures = circuit.failures + 1  # this probe too, until it has an answer
    probe = Circuit.objects.filter(pk=crm, open_until=circuit.open_until, open_until__lte=now)
    return bool(probe.update(failures=failures, open_until=now + timedelta(seconds=_pause(failures))))


def note_failure(crm: str) -> None:
    """The CRM could not be reached, or answered 5xx.

    Once it is open only probes count, and ``may_call`` has counted them: the many requests that were under way when a
    CRM went down tell no more than one.
    """
    _fine_until.pop(crm, None)
    now = clock.now()
    Circuit.objects.bulk_create([Circuit(crm=crm, since=now)], ignore_conflicts=True)
    closed = Circuit.objects.filter(pk=crm, open_until=None)
    closed.update(failures=F("failures") + 1)
    closed.filter(failures__gte=_OPENS_AT).update(open_until=now + timedelta(seconds=_pause(_OPENS_AT)))


def note_answer(crm: str) -> None:
    """The CRM answered, if only to refuse: everything may go there again, and what waited for it is due."""
    if note_success(crm):
        waiting = Delivery.objects.filter(crm=crm, state=State.WAITING, lease=None)
        waiting.filter(next_attempt_at__gt=F("hold_until")).filter(_is_settled()).update(
            next_attempt_at=F("hold_until")
        )


def _is_settled() -> Q:
    """What is in doubt is not due before "not found" means something."""
    return Q(settles_at=None) | Q(settles_at__lte=clock.now())


def note_success(crm: str) -> bool:
    """The CRM answered: everything may go there again. Whether it could not be reached before."""
    if _fine_until.get(crm, 0) > time.monotonic():
        return False
    circuit = next(iter(_of(crm)), None)
    if circuit is None:
        return False
    if not Circuit.objects.filter(pk=crm).delete()[0]:  # another process has heard it too
        return False
    if circuit.open_until is not None:
        Recovery.objects.update_or_create(crm=crm, defaults={"up_since": clock.now()})
    return True


def probe_now(crms: Collection[str]) -> None:
    """The next request may go there at once, as a probe."""
    Circuit.objects.filter(pk__in=crms, open_until__gt=clock.now()).update(open_until=clock.now())


def down() -> tuple[set[str], set[str]]:
    """CRMs for which it is too early even for a probe; and those to which one request may go, to find out."""
    now = clock.now()
    until = {circuit.crm: circuit.open_until for circuit in _down() if circuit.open_until}
    early = {crm for crm, moment in until.items() if moment > now}
    return early, until.keys() - early


_down = PreparedQuery(lambda: Circuit.objects.exclude(open_until=None))
_of = PreparedQuery(lambda crm: Circuit.objects.filter(pk=crm))


def _pause(failures: int) -> float:
    return float(min(settings.DELIVERY_RETRY_SECONDS * 2.0 ** max(0, failures - _OPENS_AT), _LONGEST_PAUSE))
