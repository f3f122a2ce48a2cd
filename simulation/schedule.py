"""One schedule: made from its number, run, drained with a healthy CRM, and judged."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from connectors.deliveries import worker
from connectors.deliveries.models import Circuit, Delivery
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from simulation import installation, script
from simulation.crm import FAULTS, crm
from simulation.expectation import Expectation
from simulation.judge import findings
from simulation.script import Person, Request, Rounds, Window
from simulation.world import Actor, Process, world

_ROUNDS_OF_DRAIN = 300
_KINDS = ("calls", "calls", "calls", "texts", "texts", "contacts")


@dataclass
class Result:
    """What one schedule came to."""

    seed: int
    findings: list[str]
    steps: int
    trace: list[str] = field(default_factory=list)


def run(seed: int, *, trace: bool = False) -> Result:
    """Runs schedule ``seed``; the world's counters are those of this schedule afterwards."""
    world.begin(seed)
    world.trace = [] if trace else None
    installation.reset(seed)
    crm.__init__()  # type: ignore[misc]
    expected = Expectation()
    listener = _Surprises(expected)
    logging.getLogger().addHandler(listener)
    try:
        _make(expected)
        _drain(expected)
        found = findings(expected)
    finally:
        logging.getLogger().removeHandler(listener)
        crm.store.close()
    return Result(seed=seed, findings=found, steps=world.steps, trace=world.trace or [])


class _Surprises(logging.Handler):
    """Errors with a traceback in the log are faults of this server."""

    def __init__(self, expected: Expectation) -> None:
        super().__init__(logging.ERROR)
        self._expected = expected

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            if "as the schedule wants it" not in str(record.exc_info[1]):
                self._expected.surprises.append(f"logged: {record.getMessage()}: {record.exc_info[1]!r}")
        elif "stands twice" in record.getMessage():
            self._expected.surprises.append(f"logged: {record.getMessage()}")


# --- making ------------------------------------------------------------------------------------------------


def _make(expected: Expectation) -> None:
    rng = world.rng
    crm.rate = rng.choice((0.0, 0.3, 0.5, 0.8))
    passing = [name for name, is_verdict in FAULTS.items() if not is_verdict]
    names = rng.sample(passing, rng.randint(1, 4))
    if rng.random() < 0.35:
        names += rng.sample([name for name, is_verdict in FAULTS.items() if is_verdict], rng.randint(1, 2))
    crm.faults = tuple(names)
    crm.lags = rng.random() < 0.3
    world.kills_left = rng.choice((0, 1, 1, 2, 3))
    world.jumps_left = rng.choice((0, 1, 2, 4))
    world.clock_jumps_left = rng.choice((0, 0, 1))
    world.failing_statements_left = rng.choice((0, 0, 0, 1))
    extension = rng.choice(("", "", "extension-1"))
    people = [Person(key="acme-ann"), Person(key="acme-bob", extension=extension), Person(key="eve")]
    for person in people:
        script.connect(person)
    kind = rng.choice(_KINDS)
    company = people[:2] if rng.random() < 0.7 else people[2:]
    servers = [world.new_process("server"), world.new_process("server")]
    actors = [
        _actor(f"window {number + 1}", rng.choice(servers), Window(expected, _requests(kind, company)))
        for number in range(rng.randint(1, 3))
    ]
    for number in range(rng.randint(1, 2)):
        process = world.new_process("worker")
        work = Rounds(expected, script.send_due, rounds=rng.randint(2, 4))
        actors.append(_actor(f"worker {number + 1}", process, work))
    if rng.random() < 0.15:
        actors.append(_actor("support", servers[0], Rounds(expected, script.decide_of_support, rounds=3)))
    world.on_step = crm.settle
    world.run(actors)
    world.on_step = lambda: None


def _actor(name: str, process: Process, work: Any) -> Actor:
    return Actor(name, process, work)


def _requests(kind: str, company: list[Person]) -> list[Request]:
    rng = world.rng
    if kind == "contacts":
        return [Request(kind="contact", person=rng.choice(company), subject="Nia Quist", text="+16505557000")]
    requests = []
    if kind == "texts":
        for _ in range(rng.randint(1, 3)):
            numbers = tuple(sorted(rng.sample(range(1, 7), rng.randint(1, 3))))
            requests.append(
                Request(
                    kind="texts",
                    person=rng.choice(company),
                    subject="day-1",
                    text=" ".join(map(str, numbers)),
                    numbers=numbers,
                )
            )
    else:
        person = rng.choice(company)
        is_long = rng.random() < 0.05
        requests.append(Request(kind="log", person=person, subject="call-1", text=_word("first"), is_long=is_long))
        for _ in range(rng.randint(0, 2)):
            change = rng.choice(("edit", "edit", "dispose"))
            requests.append(Request(kind=change, person=rng.choice(company), subject="call-1", text=_word(change)))
    if rng.random() < 0.15:
        person = rng.choice(company)
        requests.insert(rng.randint(0, len(requests)), Request(kind="logout", person=person))
        if rng.random() < 0.7:
            requests.append(Request(kind="login", person=person))
    return requests


def _word(kind: str) -> str:
    """A text that stands in no other."""
    return f"{kind}-{world.rng.randrange(10**9):09}."


# --- draining ----------------------------------------------------------------------------------------------


def _drain(expected: Expectation) -> None:
    """The CRM is well, everybody is connected, and support decides about what waits for it."""
    crm.heal()
    _people_write(expected)
    _send_all(expected)
    _judge_states(expected)
    _reconnect()
    _send_all(expected)
    for _ in range(20):
        waiting = Delivery.objects.filter(state__in=(State.PERSON, State.GIVEN_UP))
        if not waiting.exists():
            break
        for delivery in waiting.select_related("user", "call_log", "conversation").order_by("position"):
            script.decide(delivery)
        _send_all(expected)


def _people_write(expected: Expectation) -> None:
    """Somebody adds a line to records in the CRM, while nothing is under way."""
    for row in crm.store.activities(None, limit=100):
        if world.rng.random() < 0.3:
            text = f"By hand: {_word('people')}"
            owner = next(user for user in crm.store.logins() if user["id"] == row["owner_id"])
            values = {"body": f"{row['body']}\n\n{text}"}
            crm.store.change_activity(_user(owner), row["id"], values)
            expected.by_people[row["id"]] = text
            world.count("a person writes into a record")


def _user(row: dict[str, Any]) -> Any:
    from adapters.testcrm.server_store import User

    return User(id=row["id"], tenant=row["tenant"], company=row["company"], name=row["name"], email="", read_only=False)


def _send_all(expected: Expectation) -> None:
    for _ in range(_ROUNDS_OF_DRAIN):
        taken = worker.take_due(limit=9)
        for delivery in taken:
            worker.deliver(delivery)
        if not taken and not _pass_time():
            break
    if any(not _waits_for_another(delivery) for delivery in Delivery.objects.filter(state=State.WAITING)):
        expected.surprises.append("the queue does not drain")


def _pass_time() -> bool:
    """To the next moment at which something may be due; False where there is none."""
    columns = ("next_attempt_at", "lease_until", "settles_at")
    waiting = Delivery.objects.filter(state=State.WAITING).values_list(*columns)
    circuits = Circuit.objects.exclude(open_until=None).values_list("open_until")
    moments = [moment.timestamp() for row in (*waiting, *circuits) for moment in row if moment is not None]
    later = [moment for moment in moments if moment >= world.now]
    world.now = min(later) + 0.01 if later else world.now
    return bool(later)


def _waits_for_another(delivery: Delivery) -> bool:
    """An earlier change of the same record waits for the login of its user, or the record itself for support."""
    if delivery.record is None:
        return False
    earlier = Delivery.objects.of(delivery.record).filter(position__lt=delivery.position)
    kept = Q(kind=Kind.CREATE, state__in=(State.PERSON, State.GIVEN_UP))
    return earlier.filter(Q(state=State.LOGIN) | kept).exists()


def _judge_states(expected: Expectation) -> None:
    """What waits for support, for a login, or was given up: only where the schedule has a cause for it."""
    for delivery in Delivery.objects.all():
        cause = {
            State.PERSON: bool(crm.judged) or not crm.can_be_asked,
            State.LOGIN: "login refused" in crm.delivered or any(expected.of("logout")),
            State.WAITING: _waits_for_another(delivery),
            State.GIVEN_UP: world.now - delivery.accepted_at.timestamp() > 72 * 3600,
        }.get(State(delivery.state), False)
        world.count(f"parked: {delivery.state}")
        if not cause:
            expected.surprises.append(f"{delivery} waits for {delivery.state} without a cause: {delivery.last_error}")


def _reconnect() -> None:
    for key in ("acme-ann", "acme-bob", "eve"):
        person = Person(key=key)
        script.login(person)
