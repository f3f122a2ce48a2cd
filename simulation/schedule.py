"""One schedule: made from its number, run, drained with a healthy CRM, and judged."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from simulation import actors, installation, themes
from simulation.actors import BackUp, PeopleAtTheCrm, Rounds, Update
from simulation.adapter_variants import variant_for
from simulation.crm import FAULTS, Outage, crm
from simulation.drain import drain
from simulation.expectation import Expectation
from simulation.judge import findings
from simulation.people import ANN, BOB, CLEO, DORA, ELSEWHERE, EVE, Person, connect
from simulation.themes import happens
from simulation.threads import Actor
from simulation.windows import PAUSES, Request, Window
from simulation.world import START, world

_KINDS = ("calls", "calls", "calls", "texts", "texts", "texts", "contacts", "settings")
_COMPANIES = ((ANN, BOB), (ANN, BOB), (ANN, CLEO), (CLEO, BOB), (EVE,), (DORA,))
_SCHEDULES_WITHOUT_COLLECTION = 25


@dataclass
class Result:
    """What one schedule came to. ``accepted``, ``in_doubt``, ``parked``: changes, for the shares in the report."""

    seed: int
    findings: list[str]
    steps: int
    accepted: int = 0
    in_doubt: int = 0
    parked: int = 0
    trace: list[str] = field(default_factory=list)


def run(seed: int, *, trace: bool = False) -> Result:
    """Runs schedule ``seed``; the world's counters are those of this schedule afterwards."""
    if seed % _SCHEDULES_WITHOUT_COLLECTION == 0:
        gc.collect()
    world.begin(seed)
    installation.reset(seed)
    world.trace = [] if trace else None
    crm.__init__()  # type: ignore[misc]
    expected = Expectation()
    listener = _Surprises(expected)
    logging.getLogger().addHandler(listener)
    try:
        plan = Plan()
        with variant_for(crm):
            people = plan.carry_out(expected)
            drain(expected, people)
        found = findings(expected)
    finally:
        logging.getLogger().removeHandler(listener)
        crm.store.close()
    return Result(
        seed=seed,
        findings=found,
        steps=world.steps,
        accepted=sum(told.accepted for told in expected.requests if told.kind in ("log", "edit", "dispose", "texts")),
        in_doubt=expected.in_doubt,
        parked=expected.parked,
        trace=world.trace or [],
    )


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


class Plan:
    """What a schedule contains: some of all that may happen rather than a little of everything, which reaches more."""

    def __init__(self) -> None:
        rng = world.rng
        self.theme = themes.choose()
        self.kind = rng.choice(_KINDS)
        company = rng.choice(_COMPANIES)
        extension = rng.choice(("", "", "extension-1"))
        self.people = [replace(person, extension=extension) if person is BOB else person for person in company]
        self._choose_crm()
        world.kills_left = rng.choice((0, 1, 1, 2, 3))
        world.jumps_left = rng.choice((0, 1, 2, 4))
        world.clock_jumps_left = rng.choice((0, 0, 1))
        world.failing_statements_left = rng.choice((0, 0, 0, 1))
        world.suspensions_left = rng.choice((0, 0, 1))
        self.rounds, self.is_token_old = 3, happens(0.1)
        #: Seconds between two rounds of a worker.
        self.pauses: tuple[float, ...] = (1.0, 8.0, 40.0, 130.0)
        self.windows: tuple[int, ...] = (1, 2, 2, 3)
        if happens(0.25):
            world.allow_long_leaps()
        habits = {habit for habit, share in (("write", 0.25), ("delete", 0.12), ("end logins", 0.12)) if happens(share)}
        self.habits = habits
        self.window_pauses: Sequence[float] = PAUSES
        #: What somebody does after each of their requests, and how likely.
        self.between: Sequence[str] = ("login",)
        self.between_share = 0.0
        #: How likely somebody who has logged out comes back.
        self.returns = 0.7
        #: What a change of the session may be.
        self.session_kinds: Sequence[str] = ("login", "logout", "logout", "move")
        #: Who of ``others`` in ``carry_out`` is there for certain.
        self.certain: set[str] = set()
        self.support: Callable[[Expectation], Callable[[Actor], None]] = actors.support
        self.back_up: Callable[[Expectation], Callable[[Actor], None]] = BackUp
        self.habit_share, self.least_changes, self.most_edits, self.most_texts = 0.01, 0, 2, 3
        #: Which call each window is about.
        self.calls: Sequence[str] = ("call-1",)
        #: How likely somebody logs a call once more.
        self.logs_again = 0.0
        #: Texts of the day, and how many come at once; what changes of a log are.
        self.numbers = 6
        self.at_once: tuple[int, ...] = (1, 2, 3)
        #: Dates that texts have by the clocks of the windows, where those are of several time zones.
        self.dates: Sequence[str] = ("",)
        self.edit_kinds: Sequence[str] = ("edit", "edit", "dispose")
        #: What each of two colleagues does at a desk; texts may come when their sender has just logged out.
        self.turns: Sequence[Sequence[str]] = (("logout", "texts"), ("texts", "logout"))
        #: How likely a window contains a login, a logout or a move to another company.
        self.session_changes = 0.2
        self.is_long = crm.too_long is not None or happens(0.03)
        themes.THEMES[self.theme][1](self)
        self.long_numbers = frozenset(number for number in range(1, 7) if self._is_long())

    def _choose_crm(self) -> None:
        rng = world.rng
        crm.rate = rng.choice((0.0, 0.3, 0.5, 0.8))
        passing = [name for name, is_verdict in FAULTS.items() if not is_verdict]
        names = rng.sample(passing, rng.randint(1, 4))
        if happens(0.35):
            names += rng.sample([name for name, is_verdict in FAULTS.items() if is_verdict], rng.randint(1, 2))
        crm.faults = tuple(names)
        crm.lags = happens(0.3)
        crm.slow_share = 0.1 if happens(0.2) else 0.0
        crm.can_be_asked = not happens(0.1)
        crm.has_dispositions = not happens(0.1)
        crm.has_second_step = happens(0.15)
        crm.stumbles = happens(0.08)
        crm.too_long = rng.choice(themes.LIMITS) if happens(0.1) else None
        if happens(0.15):
            begins = START + rng.choice((0.0, 1.0, 20.0, 100.0))
            ends = begins + rng.choice((30.0, 300.0, 3_000.0, 400_000.0))
            crm.outages = (Outage(begins=begins, ends=ends, fault=rng.choice(list(FAULTS))),)

    def carry_out(self, expected: Expectation) -> list[Person]:
        """Runs everybody's threads to their ends; returns who has a login."""
        rng = world.rng
        everybody = [*self.people, *([EVE] if EVE not in self.people else [])]
        for person in everybody:
            connect(person, is_token_old=self.is_token_old)
        servers = [world.new_process("server"), world.new_process("server")]
        running = [
            Actor(
                f"window {number + 1}",
                rng.choice(servers),
                Window(expected, self._requests(), pauses=self.window_pauses),
            )
            for number in range(rng.choice(self.windows))
        ]
        for number in range(rng.choice((1, 1, 2))):
            work = Rounds(expected, actors.send_due, rounds=rng.randint(1, self.rounds), pauses=self.pauses)
            running.append(Actor(f"worker {number + 1}", world.new_process("worker"), work))
        others: Sequence[tuple[str, float, Callable[[Expectation], Callable[[Actor], None]]]] = (
            ("support", 0.15, self.support),
            ("operator", 0.12, Update),
            ("back-up", 0.12, self.back_up),
        )
        for name, share, make in others:
            if name in self.certain or happens(share):
                running.append(Actor(name, world.new_process(name), make(expected)))
        world.on_step = PeopleAtTheCrm(expected, self.people, self.habits, share=self.habit_share)
        world.run(running)
        world.on_step = lambda: None
        return everybody

    # --- what windows ask for --------------------------------------------------------------------------

    def _requests(self) -> list[Request]:
        make = {
            "calls": self._calls,
            "texts": self._texts,
            "shifts": self._shifts,
            "contacts": self._contacts,
            "settings": self._settings,
        }
        requests = make[self.kind]()
        if happens(self.session_changes):
            self._add_logins(requests)
        return [step for request in requests for step in (request, *self._between(request.person))]

    def _calls(self) -> list[Request]:
        call = world.rng.choice(self.calls)
        requests = [self._request("log", subject=call, text=_word("first"), is_long=self._is_long())]
        for _ in range(world.rng.randint(self.least_changes, self.most_edits)):
            kind = world.rng.choice(self.edit_kinds)
            requests.append(self._request(kind, subject=call, text=_word(kind), is_long=self._is_long()))
        if happens(self.logs_again):
            requests.append(self._request("log", subject=call, text=_word("again"), is_long=self._is_long()))
        return requests

    def _texts(self) -> list[Request]:
        date = world.rng.choice(self.dates)
        count = world.rng.randint(max(self.least_changes, 1), self.most_texts)
        return [self._request("texts", subject="day-1", numbers=self._some_texts(), date=date) for _ in range(count)]

    def _some_texts(self) -> tuple[int, ...]:
        return tuple(sorted(world.rng.sample(range(1, self.numbers + 1), world.rng.choice(self.at_once))))

    def _shifts(self) -> list[Request]:
        """Two colleagues take turns at one desk; whoever was there first comes back."""
        pair = world.rng.sample(self.people, 2)
        requests = [
            Request(kind=kind, person=person, subject="day-1", numbers=self._some_texts())
            if kind == "texts"
            else Request(kind=kind, person=person, subject=person.key)
            for person, turn in zip(pair, self.turns, strict=True)
            for kind in turn
        ]
        return [*requests, Request(kind="login", person=pair[0], subject=pair[0].key)]

    def _contacts(self) -> list[Request]:
        asked = [self._request("contact", subject="Nia Quist", text="+16505557000")]
        return asked * world.rng.choice((1, 1, 2))

    def _settings(self) -> list[Request]:
        person = self.people[0]
        return [
            Request(kind="setting", person=person, subject=person.key, text=_word("setting"))
            for _ in range(world.rng.randint(1, 3))
        ]

    def _request(
        self,
        kind: str,
        *,
        subject: str,
        text: str = "",
        numbers: tuple[int, ...] = (),
        date: str = "",
        is_long: bool = False,
    ) -> Request:
        person = world.rng.choice(self.people)
        return Request(
            kind=kind,
            person=person,
            subject=subject,
            text=text,
            numbers=numbers,
            date=date,
            long_numbers=self.long_numbers,
            is_long=is_long,
        )

    def _is_long(self) -> bool:
        return self.is_long and happens(0.6)

    def _between(self, person: Person) -> list[Request]:
        kinds = self.between if happens(self.between_share) else ()
        return [Request(kind=kind, person=person, subject=person.key) for kind in kinds]

    def _add_logins(self, requests: list[Request]) -> None:
        """A login, a logout or a move to another company among them; mostly with a login, or the way back, behind."""
        rng = world.rng
        person = rng.choice(self.people)
        place = rng.randint(0, len(requests))
        kind = rng.choice(self.session_kinds)
        if kind == "move" and person.is_oauth:
            requests.insert(place, Request(kind="move", person=person, subject=person.key, company=ELSEWHERE))
            if happens(0.5):
                requests.append(Request(kind="move", person=person, subject=person.key, company=person.company))
        elif kind == "logout":
            requests.insert(place, Request(kind="logout", person=person, subject=person.key))
            if happens(self.returns):
                requests.append(Request(kind="login", person=person, subject=person.key))
        else:  # they connect once more, though they are connected
            requests.insert(place, Request(kind="login", person=person, subject=person.key))


def _word(kind: str) -> str:
    """A text that stands in no other."""
    return f"{kind}-{world.rng.randrange(10**9):09}."
