"""After a schedule: the CRM is well, everybody is connected, and support decides about what waits for it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from audit.prepared import PreparedQuery
from connectors.deliveries import worker
from connectors.deliveries.models import OVERTAKEN, Circuit, Delivery
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from simulation import databases, support
from simulation.actors import write_by_hand
from simulation.crm import crm
from simulation.expectation import Expectation
from simulation.people import ELSEWHERE, Person, login
from simulation.world import Release, world

#: After so many attempts in vain, in a row, it is looked whether anything can be sent.
_LOOKS_AFTER = 10
_DECISIONS = 20
_MOST_IN_VAIN = 300
_BETWEEN_DECISIONS = 200.0  # seconds
_MOST_AGE = settings.DELIVERY_MAX_AGE_HOURS * 3600  # seconds
#: In so many seconds a healthy CRM gets whatever can be sent: no pause of production is nearly as long.
_LONGEST = 3600.0


def drain(expected: Expectation, people: list[Person]) -> None:
    """Until nothing waits any more; what waits without a cause in the schedule is a finding."""
    crm.heal()
    healed = world.now
    world.start_outside()
    for row in crm.records(None):
        if world.rng.random() < 0.3:
            write_by_hand(expected, row)
    if _waits_for_clearing_up() or world.release != Release():
        worker.clear_up()
    if (took := _send_all(expected) - healed) > _LONGEST:
        expected.surprises.append(f"a healthy CRM got what was kept after {took:.0f} s only")
    _judge_logins(expected, people)
    if not _is_kept():
        return
    _judge_states(expected, healed)
    if expected.restored or crm.has_ended_logins or _has_logged_out(expected):
        for is_at_home in (False, True):
            if is_at_home or any(told.kind == "move" for told in expected.requests):
                _reconnect(people, is_at_home=is_at_home)
                _send_all(expected)
                _decide(expected)  # what support sends needs the login of this place
    _decide(expected)
    if Delivery.objects.filter(state=State.GIVEN_UP).exists():
        world.now += timedelta(days=settings.DELIVERY_KEEP_DAYS, minutes=1).total_seconds()
        worker.clear_up()
        _send_all(expected)  # edits of what is gone now


def _decide(expected: Expectation) -> None:
    """Support decides, until nothing waits for it."""
    for _ in range(_DECISIONS):
        if not (waiting := support.waiting()):
            break
        world.now += _BETWEEN_DECISIONS
        for delivery in waiting:
            support.decide(delivery, expected)
        _send_all(expected)


def _send_all(expected: Expectation) -> float:
    """Returns when the last one was sent."""
    last = world.now
    if not _is_kept():
        return last
    in_vain = 0
    while in_vain < _LOOKS_AFTER or not _all_wait_for_others():
        taken = worker.take_due(limit=9)
        for delivery in taken:
            if worker.deliver(delivery).waits:
                in_vain += 1
            else:
                in_vain, last = 0, world.now
        if in_vain > _MOST_IN_VAIN or (not taken and not _pass_time()):
            break
    if not _all_wait_for_others():
        expected.surprises.append("the queue does not drain")
    return last


def _is_kept() -> bool:
    return databases.has_rows(Delivery._meta.db_table)


def _waits_for_clearing_up() -> bool:
    return databases.has_rows(f"{Delivery._meta.db_table} WHERE state <> '{State.WAITING}'")


def _pass_time() -> bool:
    """To the next moment at which something may be due; False where there is none."""
    kept = _kept()
    waiting = [delivery.next_attempt_at for delivery in kept if delivery.state == State.WAITING]
    if not waiting:
        return False
    others = [moment for delivery in kept for moment in (delivery.lease_until, delivery.settles_at)]
    circuits = [circuit.open_until for circuit in _circuits()]
    moments = [moment.timestamp() for moment in (*waiting, *others, *circuits) if moment is not None]
    later = [moment for moment in moments if moment >= world.now]
    world.now = min(later) + 0.01 if later else world.now
    return bool(later)


_kept = PreparedQuery(lambda: Delivery.objects.only("state", "next_attempt_at", "lease_until", "settles_at"))
_circuits = PreparedQuery(lambda: Circuit.objects.all())
_waiting = PreparedQuery(
    lambda: Delivery.objects.filter(state=State.WAITING).select_related("call_log", "conversation")
)


def _all_wait_for_others() -> bool:
    return all(_waits_for_another(delivery) for delivery in _waiting())


def _waits_for_another(delivery: Delivery) -> bool:
    """Another change of the same record waits for the login of its user, or the record itself for support."""
    if delivery.record is None:
        return False
    others = Delivery.objects.of(delivery.record).exclude(pk=delivery.pk)
    is_stuck = Q(state__in=(State.PERSON, State.GIVEN_UP))
    kept = is_stuck & (Q(kind=Kind.CREATE) | Q(kind=Kind.TEXTS, settles_at__isnull=False))
    return others.filter(Q(state=State.LOGIN) | kept).exists()


def _judge_logins(expected: Expectation, people: list[Person]) -> None:
    """Whoever connected last, and whose login nobody ended, is connected, with tokens that the CRM knows."""
    if crm.has_ended_logins or expected.restored:
        return
    is_revoked = not crm.judged and not Delivery.objects.filter(kind=Kind.REVOKE).exists()
    for person in people:
        changes = [told for told in expected.requests if told.kind in ("login", "logout", "move")]
        own = sorted((told for told in changes if told.subject == person.key), key=lambda told: told.began)
        has_left = [(told.kind, told.accepted) for told in own] == [("logout", True)]
        if has_left and is_revoked and person.is_oauth and crm.has_login_of(person.key):
            expected.surprises.append(f"{person.key} has logged out, and the CRM still takes their tokens")
        is_certain = all(told.ended < own[-1].began for told in own[:-1])
        if own and not (is_certain and own[-1].accepted and own[-1].kind != "logout"):
            continue
        row = person.row()
        if not row.is_connected or (person.is_oauth and not crm.knows(row.credentials().refresh_token)):
            expected.surprises.append(f"the login of {person.key} is gone")


def _judge_states(expected: Expectation, healed: float) -> None:
    """What waits for support, for a login, or was given up: only where the schedule has a cause for it."""
    logged_out = _has_logged_out(expected)
    for delivery in Delivery.objects.select_related("user", "call_log", "conversation"):
        refusable = bool(crm.judged) or crm.too_long is not None
        cause = {
            State.PERSON: (
                not delivery.unreadable_with  # it was made due again, and can be read by now
                and (refusable or not crm.can_be_asked or expected.restored is not None or bool(expected.deleted))
            )
            or (delivery.last_error == OVERTAKEN and world.counts["a release is installed"] > 0),
            State.LOGIN: crm.has_ended_logins or logged_out,
            State.WAITING: _waits_for_another(delivery),
            State.GIVEN_UP: delivery.last_error == support.GIVEN_UP
            or healed + _LONGEST - delivery.accepted_at.timestamp() > _MOST_AGE,
        }.get(State(delivery.state), False)
        world.count(f"kept: {delivery.state}")
        parked = delivery.state in (State.PERSON, State.GIVEN_UP)
        expected.parked += parked
        in_doubt = parked and delivery.is_in_doubt
        expected.in_doubt += in_doubt
        if in_doubt and delivery.state == State.PERSON and crm.can_be_asked and not (crm.judged or expected.restored):
            expected.surprises.append(f"{delivery} is in doubt at a CRM that can be asked: {delivery.last_error}")
        if _is_followed_up(delivery):
            expected.surprises.append(f"{delivery} waits for support though it is in the CRM: {delivery.last_error}")
        if not cause:
            expected.surprises.append(f"{delivery} waits for {delivery.state} without a cause: {delivery.last_error}")


def _has_logged_out(expected: Expectation) -> bool:
    return any(told.kind in ("logout", "move") for told in expected.requests)


def _is_followed_up(delivery: Delivery) -> bool:
    """Whether only a step that follows a new log was refused."""
    log = delivery.call_log
    is_in_crm = delivery.kind == Kind.CREATE and log is not None and log.crm_log_id != ""
    is_understood = not delivery.unreadable_with and delivery.odd_answers == 0
    return delivery.state == State.PERSON and is_in_crm and is_understood


def _reconnect(people: list[Person], *, is_at_home: bool) -> None:
    """Everybody logs in: those who may change their company there first, where some of their changes may wait."""
    for person in people:
        company = person.company if is_at_home else ELSEWHERE
        if person.is_oauth and person.known.company != company:
            crm.move(person.key, company)
        login(person)
