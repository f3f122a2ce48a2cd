"""One schedule: made from its number, run, drained with a healthy CRM, and judged."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from simulation import actors, installation
from simulation.actors import BackUp, PeopleAtTheCrm, Rounds, Update
from simulation.adapter_variants import variant_for
from simulation.crm import FAULTS, Outage, crm
from simulation.drain import drain
from simulation.expectation import Expectation
from simulation.judge import findings
from simulation.people import ANN, BOB, CLEO, DORA, ELSEWHERE, EVE, Person, connect
from simulation.threads import Actor
from simulation.windows import Request, Window
from simulation.world import START, world

_KINDS = ("calls", "calls", "calls", "texts", "texts", "texts", "contacts", "settings")
_COMPANIES = ((ANN, BOB), (ANN, BOB), (ANN, CLEO), (CLEO, BOB), (EVE,), (DORA,))
#: Limits of bodies: status, characters. A transcript of ``windows`` is longer, so are two of its long texts; one of
#: them is longer than the smaller limit.
_LIMITS = ((413, 40_000), (422, 40_000), (413, 20_000), (422, 20_000))
#: What a schedule has more of than others: rare events need several others before them.
_THEMES = (
    *["anything"] * 6,
    *("late effects", "late effects", "slow processes", "slow processes"),
    *("long", "long", "answers of others", "credentials of the application"),
    *("logins", "support", "operator", "back-up", "refusals", "old"),
)
_ANSWERS_OF_OTHERS = ("page with 403", "page with 404", "page with 200", "redirect")
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
    world.trace = [] if trace else None
    installation.reset(seed)
    crm.__init__()  # type: ignore[misc]
    expected = Expectation()
    listener = _Surprises(expected)
    logging.getLogger().addHandler(listener)
    try:
        plan = _Plan()
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


class _Plan:
    """What a schedule contains: some of all that may happen rather than a little of everything, which reaches more."""

    def __init__(self) -> None:
        rng = world.rng
        self.theme = rng.choice(_THEMES)
        self.kind = rng.choice(_KINDS)
        company = rng.choice(_COMPANIES)
        extension = rng.choice(("", "", "extension-1"))
        self.people = [replace(person, extension=extension) if person is BOB else person for person in company]
        self._choose_crm()
        world.kills_left = rng.choice((0, 1, 1, 2, 3))
        world.jumps_left = rng.choice((0, 1, 2, 4))
        world.clock_jumps_left = rng.choice((0, 0, 1))
        world.failing_statements_left = rng.choice((0, 0, 0, 1))
        self.rounds, self.is_token_old = 3, _happens(0.1)
        self.windows: tuple[int, ...] = (1, 2, 2, 3)
        if _happens(0.25):
            world.allow_long_leaps()
        habits = {
            habit for habit, share in (("write", 0.25), ("delete", 0.12), ("end logins", 0.12)) if _happens(share)
        }
        self.habits = habits
        self.is_long = crm.too_long is not None or _happens(0.03)
        self._follow_theme()
        self.long_numbers = frozenset(number for number in range(1, 7) if self._is_long())

    def _follow_theme(self) -> None:
        rng = world.rng
        if self.theme == "long":
            self.kind = rng.choice(("texts", "texts", "calls"))
            self.is_long, crm.too_long, crm.rate = True, rng.choice(_LIMITS), rng.choice((0.0, 0.0, 0.3))
            if _happens(0.4):
                ends = START + rng.choice((40.0, 200.0, 600.0))
                crm.outages, self.rounds = (Outage(begins=START, ends=ends, fault="no connection"),), 6
        elif self.theme == "answers of others":
            self.kind = rng.choice(("calls", "texts"))
            self.rounds, world.jumps_left, crm.rate = 9, 8, 0.95
            crm.faults = tuple(rng.sample(_ANSWERS_OF_OTHERS, 2))
        elif self.theme == "refusals":
            self.kind = rng.choice(("calls", "texts", "contacts"))
            crm.rate, crm.faults = 0.5, (*crm.faults, "refused", rng.choice(("forbidden", "too long", "login refused")))
        elif self.theme == "support":
            self.kind, self.rounds = rng.choice(("calls", "texts")), 6
            crm.can_be_asked, crm.rate = _happens(0.5), rng.choice((0.5, 0.8))
            crm.faults = (*crm.faults, "refused", "lost after it was carried out")
        elif self.theme == "old":
            self.kind, self.rounds = rng.choice(("calls", "calls", "texts")), 6
            crm.rate, world.jumps_left = 0.8, 8
            world.allow_long_leaps()
        elif self.theme == "late effects":
            self.kind = rng.choice(("calls", "texts", "texts", "contacts"))
            crm.rate, crm.lags = 0.6, _happens(0.7)
            crm.faults = ("carried out late", "carried out late", "504 after")
            self.windows, self.rounds = (2, 3), 6
        elif self.theme == "slow processes":
            self.kind = rng.choice(("calls", "texts", "contacts"))
            world.leaps, world.leap_share, world.jumps_left = (31.0, 140.0, 140.0, 400.0), 0.06, 8
            self.windows, self.rounds = (2, 3), 6
        elif self.theme == "logins":
            self.habits.add("end logins")
        elif self.theme == "credentials of the application":
            self.kind = rng.choice(("calls", "texts"))
            self.people = [rng.choice((CLEO, DORA))]
            self.is_token_old, crm.rate, crm.faults = True, 0.7, ("client refused", *crm.faults)

    def _choose_crm(self) -> None:
        rng = world.rng
        crm.rate = rng.choice((0.0, 0.3, 0.5, 0.8))
        passing = [name for name, is_verdict in FAULTS.items() if not is_verdict]
        names = rng.sample(passing, rng.randint(1, 4))
        if _happens(0.35):
            names += rng.sample([name for name, is_verdict in FAULTS.items() if is_verdict], rng.randint(1, 2))
        crm.faults = tuple(names)
        crm.lags = _happens(0.3)
        crm.can_be_asked = not _happens(0.1)
        crm.has_dispositions = not _happens(0.1)
        crm.has_second_step = _happens(0.15)
        crm.stumbles = _happens(0.08)
        crm.too_long = rng.choice(_LIMITS) if _happens(0.1) else None
        if _happens(0.15):
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
            Actor(f"window {number + 1}", rng.choice(servers), Window(expected, self._requests()))
            for number in range(rng.choice(self.windows))
        ]
        for number in range(rng.choice((1, 1, 2))):
            work = Rounds(expected, actors.send_due, rounds=rng.randint(1, self.rounds))
            running.append(Actor(f"worker {number + 1}", world.new_process("worker"), work))
        others: Sequence[tuple[str, float, Callable[[Expectation], Callable[[Actor], None]]]] = (
            ("support", 0.15, actors.support),
            ("operator", 0.12, Update),
            ("back-up", 0.12, BackUp),
        )
        for name, share, make in others:
            if self.theme == name or _happens(share):
                running.append(Actor(name, world.new_process(name), make(expected)))
        world.on_step = PeopleAtTheCrm(expected, self.people, self.habits)
        world.run(running)
        world.on_step = lambda: None
        return everybody

    # --- what windows ask for --------------------------------------------------------------------------

    def _requests(self) -> list[Request]:
        make = {"calls": self._calls, "texts": self._texts, "contacts": self._contacts, "settings": self._settings}
        requests = make[self.kind]()
        if _happens(0.8 if self.theme == "logins" else 0.2):
            self._add_logins(requests)
        return requests

    def _calls(self) -> list[Request]:
        requests = [self._request("log", subject="call-1", text=_word("first"), is_long=self._is_long())]
        for _ in range(world.rng.randint(0, 2)):
            kind = world.rng.choice(("edit", "edit", "dispose"))
            requests.append(self._request(kind, subject="call-1", text=_word(kind), is_long=self._is_long()))
        if self.theme in ("old", "support", "back-up") and _happens(0.7):
            requests.append(self._request("log", subject="call-1", text=_word("again"), is_long=self._is_long()))
        return requests

    def _texts(self) -> list[Request]:
        requests = []
        for _ in range(world.rng.randint(1, 3)):
            numbers = world.rng.sample(range(1, 7), world.rng.randint(1, 3))
            requests.append(self._request("texts", subject="day-1", numbers=tuple(sorted(numbers))))
        return requests

    def _contacts(self) -> list[Request]:
        return [self._request("contact", subject="Nia Quist", text="+16505557000")]

    def _settings(self) -> list[Request]:
        person = self.people[0]
        return [
            Request(kind="setting", person=person, subject=person.key, text=_word("setting"))
            for _ in range(world.rng.randint(1, 3))
        ]

    def _request(
        self, kind: str, *, subject: str, text: str = "", numbers: tuple[int, ...] = (), is_long: bool = False
    ) -> Request:
        person = world.rng.choice(self.people)
        return Request(
            kind=kind,
            person=person,
            subject=subject,
            text=text,
            numbers=numbers,
            long_numbers=self.long_numbers,
            is_long=is_long,
        )

    def _is_long(self) -> bool:
        return self.is_long and _happens(0.6)

    def _add_logins(self, requests: list[Request]) -> None:
        """A logout or a move to another company, somewhere among them; mostly with a login or the way back behind."""
        rng = world.rng
        person = rng.choice(self.people)
        place = rng.randint(0, len(requests))
        if person.is_oauth and _happens(0.5):
            requests.insert(place, Request(kind="move", person=person, company=ELSEWHERE))
            if _happens(0.5):
                requests.append(Request(kind="move", person=person, company=person.company))
            return
        requests.insert(place, Request(kind="logout", person=person))
        if _happens(0.7):
            requests.append(Request(kind="login", person=person))


def _happens(share: float) -> bool:
    return world.rng.random() < share


def _word(kind: str) -> str:
    """A text that stands in no other."""
    return f"{kind}-{world.rng.randrange(10**9):09}."
