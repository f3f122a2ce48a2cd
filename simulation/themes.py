"""What a schedule has more of than others: rare rows of the table of decisions need several rare events before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from simulation.actors import BackUp, support
from simulation.crm import Outage, crm
from simulation.people import ANN, BOB, CLEO, DORA, EVE
from simulation.world import START, world

if TYPE_CHECKING:
    from simulation.schedule import Plan

#: Limits of bodies: status, characters. A transcript of ``windows`` is longer, so are two of its long texts; one of
#: them is longer than the smaller limit.
LIMITS = ((413, 40_000), (422, 40_000), (422, 40_000), (413, 20_000), (422, 20_000))
_ANSWERS_OF_OTHERS = ("page with 403", "page with 404", "page with 200", "redirect")
#: Pauses of a window that are no turns of a loop, which take longer now and then, see ``World.sleep``.
_HURRY = (0.06, 0.1, 0.3)
_LATE = ("carried out late", "carried out late", "504 after")


def happens(share: float) -> bool:
    return world.rng.random() < share


def _anything(plan: Plan) -> None:
    pass


def _deaths(plan: Plan) -> None:
    """Processes die, mostly when the CRM has carried out what they do not know yet."""
    plan.kind = world.rng.choice(("calls", "texts", "contacts"))
    world.kills_left, plan.rounds = 4, 6


def _suspensions(plan: Plan) -> None:
    """Machines sleep in the middle of their work, longer than their leases, while others go on."""
    plan.kind = world.rng.choice(("calls", "texts", "contacts"))
    world.suspensions_left, world.jumps_left = 4, 1
    plan.windows, plan.rounds = (2, 3), 6


def _slow_processes(plan: Plan) -> None:
    plan.kind = world.rng.choice(("calls", "texts", "contacts"))
    world.leaps, world.leap_share, world.jumps_left = (31.0, 140.0, 140.0, 400.0), 0.06, 8
    plan.windows, plan.rounds = (2, 3), 6


def _late_effects(plan: Plan) -> None:
    plan.kind = world.rng.choice(("calls", "texts", "contacts"))
    crm.rate, crm.lags, crm.faults = world.rng.choice((0.3, 0.6)), happens(0.5), _LATE
    plan.windows, plan.rounds, plan.pauses = (2, 3), 8, (0.5, 2.0)


def _late_effects_and_logins(plan: Plan) -> None:
    """A login makes due at once what may yet take effect, and undo what is written then."""
    plan.kind = world.rng.choice(("calls", "texts"))
    _quiet(plan)
    crm.rate = 0.4
    plan.least_changes, plan.most_edits, plan.most_texts, plan.edit_kinds = 3, 5, 5, ("edit",)
    plan.people, plan.rounds, plan.pauses = [world.rng.choice((ANN, EVE))], 12, (0.5, 2.0)
    plan.between, plan.between_share, plan.window_pauses = ("login",), 0.8, _HURRY
    plan.windows = (1, 1, 2)


def _late_edits(plan: Plan) -> None:
    """The same with two edits, of which one is late: later ones would hide what was undone."""
    _late_effects_and_logins(plan)
    crm.most_faults = 1
    plan.kind, plan.least_changes, plan.most_edits, plan.windows = "calls", 2, 2, (1,)


def _late_contacts(plan: Plan) -> None:
    """The same contact is asked for once more before a late effect shows."""
    plan.kind = "contacts"
    _quiet(plan)
    crm.rate, plan.windows, plan.window_pauses = 0.5, (1, 2), (0.1, 0.5, 2.0)


def _late_effects_and_logouts(plan: Plan) -> None:
    """A colleague's texts may pass those of whoever has logged out, which may yet take effect."""
    plan.kind, plan.people = "texts", [ANN, BOB]
    _quiet(plan)
    crm.rate, plan.least_changes, plan.most_texts = 0.4, 3, 5
    plan.between, plan.between_share, plan.window_pauses = ("login", "logout"), 0.6, _HURRY
    plan.windows, plan.rounds, plan.pauses = (2, 2, 3), 25, (0.2, 0.5)


def _quiet(plan: Plan) -> None:
    """Nothing happens but late effects, and what the theme adds."""
    crm.lags, crm.slow_share, crm.faults, crm.outages, crm.faults_of_reads = False, 0.0, _LATE[:1], (), ()
    crm.can_be_asked, crm.stumbles, crm.too_long, plan.is_long = True, False, None, False
    world.kills_left = world.jumps_left = world.suspensions_left = world.failing_statements_left = 0
    plan.session_changes, plan.habits = 0.0, set()


def _refused_looks(plan: Plan) -> None:
    """Texts that may be there wait for support, or a login, since the look for them was refused, and come again."""
    plan.kind, plan.numbers = "texts", 3
    _quiet(plan)
    crm.rate, crm.faults, crm.faults_of_reads = 0.4, ("lost after it was carried out",), ("refused", "login refused")
    plan.people, plan.windows = world.rng.choice(([EVE], [ANN, BOB], [ANN, BOB])), (1, 2)
    plan.most_texts, plan.least_changes = 6, 3
    plan.window_pauses, plan.rounds, plan.pauses = (0.5, 5.0, 8.0), 12, (1.0, 3.0)


def _revocations(plan: Plan) -> None:
    """Logouts while the CRM cannot be reached."""
    plan.kind, plan.people, plan.session_changes, plan.session_kinds = "calls", [CLEO], 1.0, ("logout",)
    crm.rate, crm.faults = 0.6, ("no connection", "500 before", "limit without a time")
    plan.windows, plan.rounds, plan.returns = (1,), 4, 0.2


def _long(plan: Plan) -> None:
    rng = world.rng
    plan.kind = rng.choice(("texts", "texts", "calls"))
    plan.is_long, crm.too_long, crm.rate = True, rng.choice(LIMITS), rng.choice((0.0, 0.0, 0.3))
    if happens(0.4):
        ends = START + rng.choice((40.0, 200.0, 600.0))
        crm.outages, plan.rounds = (Outage(begins=START, ends=ends, fault="no connection"),), 6


def _answers_of_others(plan: Plan) -> None:
    plan.kind = world.rng.choice(("calls", "texts"))
    plan.rounds, world.jumps_left, crm.rate = 9, 8, 0.95
    crm.faults = tuple(world.rng.sample(_ANSWERS_OF_OTHERS, 2))


def _credentials_of_the_application(plan: Plan) -> None:
    plan.kind = world.rng.choice(("calls", "texts"))
    plan.people = [world.rng.choice((CLEO, DORA))]
    plan.is_token_old, crm.rate, crm.faults = True, 0.7, ("client refused", *crm.faults)


def _logins(plan: Plan) -> None:
    plan.habits.add("end logins")
    plan.session_changes = 0.8


def _renewals(plan: Plan) -> None:
    """Several processes find that a token has expired."""
    plan.kind, plan.calls = world.rng.choice(("calls", "calls", "texts", "contacts")), ("call-1", "call-2", "call-3")
    plan.people, plan.is_token_old, plan.windows = [world.rng.choice((CLEO, DORA))], True, (2, 3)
    crm.rate, crm.faults = world.rng.choice((0.0, 0.3)), ("no connection", "limit without a time", "500 before")
    if happens(0.5):
        _quiet(plan)
        crm.rate = 0.0
    elif happens(0.3):
        world.allow_long_leaps()
    crm.slow_share = 0.5


def _moves(plan: Plan) -> None:
    """Somebody goes to another company while their other windows are at work."""
    plan.kind = world.rng.choice(("calls", "texts"))
    plan.people, plan.is_token_old = world.rng.choice(([CLEO], [DORA], [CLEO, ANN])), happens(0.5)
    crm.rate, crm.faults = 0.3, ("login refused", "no connection", "lost before it was carried out")
    crm.slow_share, plan.windows, plan.session_changes = 0.5, (2, 3), 0.8
    plan.session_kinds = ("login", "move", "move")


def _colleagues(plan: Plan) -> None:
    """Texts of one day by two people, of whom one may have made its record, and be unable to look for it."""
    plan.kind, plan.people = "texts", world.rng.choice(([ANN, BOB], [ANN, CLEO], [CLEO, BOB]))
    crm.rate, crm.faults = 0.6, ("lost after it was carried out", "carried out late", "login refused", "refused")
    plan.windows, plan.rounds, plan.session_changes = (2, 3), 6, 0.6
    plan.habits.add("end logins")


def _shifts(plan: Plan) -> None:
    """Texts of one colleague wait for a login, while those of another, who leaves, may have made the day's record."""
    plan.kind, plan.people = "shifts", [ANN, BOB]
    _quiet(plan)
    crm.rate, crm.faults = 0.8, ("lost after it was carried out",)
    plan.windows, plan.window_pauses, plan.pauses = (1,), (0.1, 0.5, 2.0), (1.0, 3.0)


def _late_shifts(plan: Plan) -> None:
    """Somebody logs out while their texts may yet take effect, and a colleague adds others to the same record."""
    _shifts(plan)
    crm.rate, crm.faults, crm.most_faults = 0.5, _LATE[:1], 1
    plan.turns, plan.window_pauses = (("texts", "texts", "login", "logout"), ("texts",)), _HURRY


def _time_zones(plan: Plan) -> None:
    """Windows in two time zones have the same texts, about midnight, under two dates."""
    plan.kind, plan.dates, plan.windows = "texts", ("2027-01-14", "2027-01-15"), (2, 3)
    plan.numbers = 3


def _support(plan: Plan) -> None:
    """Much waits for support, which may give a call up that is then logged again."""
    plan.kind, plan.rounds = world.rng.choice(("calls", "calls", "texts")), 6
    crm.can_be_asked, crm.rate = happens(0.6), world.rng.choice((0.5, 0.8))
    crm.faults = (*(() if happens(0.5) else crm.faults), "refused", "lost after it was carried out")
    plan.windows, plan.support = (2, 3), partial(support, rounds=6, pauses=(1.0, 4.0, 8.0))
    plan.certain, plan.logs_again = {"support"}, 0.7


def _handed_back(plan: Plan) -> None:
    """Support hands back calls that may be in the CRM, since the look for them was refused; they are logged anew."""
    plan.kind = "calls"
    _quiet(plan)
    crm.rate, crm.faults, crm.faults_of_reads = 0.6, ("lost after it was carried out",), ("refused",)
    plan.most_edits, plan.logs_again, plan.windows, plan.window_pauses = 1, 1.0, (1, 2), (5.0, 20.0)
    plan.rounds, plan.pauses = 12, (1.0, 3.0)
    plan.support = partial(support, rounds=12, pauses=(1.0, 4.0))
    plan.certain = {"support"}


def _refusals(plan: Plan) -> None:
    plan.kind = world.rng.choice(("calls", "texts", "texts", "contacts"))
    crm.rate, crm.faults = 0.5, (*crm.faults, "refused", world.rng.choice(("forbidden", "too long", "login refused")))
    crm.has_second_step = happens(0.5)
    plan.rounds = 6
    if plan.kind == "texts" and happens(0.7):  # what is added after a lost request, some of it long
        crm.faults, crm.outages, crm.too_long = ("lost before it was carried out", "refused"), (), None
        plan.is_long, plan.least_changes, plan.most_texts = happens(0.8), 3, 6
        plan.rounds, plan.pauses = 10, (8.0, 40.0)


def _deletions(plan: Plan) -> None:
    """People delete records that somebody is about to change."""
    plan.kind, plan.rounds, plan.windows = world.rng.choice(("calls", "texts", "texts")), 6, (2, 3)
    plan.habits.add("delete")
    plan.habit_share = 0.06


def _back_up(plan: Plan) -> None:
    """What waits when the database is saved is sent, and changed once more, before the back-up is restored."""
    plan.kind = world.rng.choice(("calls", "calls", "texts"))
    plan.most_edits = 3
    plan.back_up = partial(BackUp, saves_after=(0.5, 2.0, 6.0), restores_after=(30.0, 200.0))
    if happens(0.6):
        ends = START + world.rng.choice((3.0, 12.0, 30.0))
        crm.rate, crm.outages = 0.0, (Outage(begins=START + 0.3, ends=ends, fault="no connection"),)
        plan.windows, plan.rounds, plan.pauses = (2, 3), 8, (1.0, 3.0, 8.0)
    plan.certain, plan.logs_again = {"back-up"}, 0.7


def _back_up_of_texts(plan: Plan) -> None:
    """A day begins after the database was saved; texts that stand there come with new ones once that is restored."""
    plan.kind, plan.numbers, plan.at_once = "texts", 3, (2,)
    _quiet(plan)
    crm.rate = 0.0
    plan.least_changes, plan.most_texts, plan.windows, plan.window_pauses = 2, 3, (1,), (2.0, 5.0)
    plan.back_up = partial(BackUp, saves_after=(0.0,), restores_after=(1.0, 2.0, 3.0))
    plan.certain = {"back-up"}


def _back_up_of_edits(plan: Plan) -> None:
    """An edit that waits when the database is saved is sent, and another after it, before that is restored."""
    plan.kind, plan.edit_kinds, plan.windows = "calls", ("edit",), (1,)
    plan.least_changes, plan.most_edits = 2, 3
    _quiet(plan)
    begins, ends = START + world.rng.choice((0.5, 1.0, 2.0)), START + world.rng.choice((5.0, 8.0))
    crm.rate, crm.outages = 0.0, (Outage(begins=begins, ends=ends, fault="no connection"),)
    plan.window_pauses, plan.rounds, plan.pauses = (1.0, 3.0), 12, (1.0, 3.0)
    plan.back_up = partial(BackUp, saves_after=(3.0, 5.0), restores_after=(20.0, 40.0))
    plan.certain = {"back-up"}


def _operator(plan: Plan) -> None:
    plan.certain = {"operator"}


def _old(plan: Plan) -> None:
    plan.kind, plan.rounds = world.rng.choice(("calls", "calls", "texts")), 6
    crm.rate, world.jumps_left = 0.8, 8
    world.allow_long_leaps()
    plan.logs_again = 0.7


#: Name -> how often it comes beside the others, and what it changes in a plan, and in the CRM.
THEMES: Mapping[str, tuple[int, Callable[[Plan], None]]] = {
    "anything": (4, _anything),
    "deaths": (2, _deaths),
    "suspensions": (2, _suspensions),
    "slow processes": (1, _slow_processes),
    "late effects": (2, _late_effects),
    "late effects and logins": (2, _late_effects_and_logins),
    "late effects and logouts": (2, _late_effects_and_logouts),
    "late edits": (2, _late_edits),
    "late contacts": (1, _late_contacts),
    "refused looks": (2, _refused_looks),
    "revocations": (1, _revocations),
    "long": (2, _long),
    "answers of others": (1, _answers_of_others),
    "credentials of the application": (1, _credentials_of_the_application),
    "logins": (1, _logins),
    "renewals": (2, _renewals),
    "moves": (2, _moves),
    "colleagues": (2, _colleagues),
    "support": (2, _support),
    "handed back": (1, _handed_back),
    "refusals": (2, _refusals),
    "deletions": (1, _deletions),
    "old": (1, _old),
    "operator": (1, _operator),
    "back-up": (2, _back_up),
    "back-up of texts": (1, _back_up_of_texts),
    "back-up of edits": (1, _back_up_of_edits),
    "shifts": (1, _shifts),
    "late shifts": (1, _late_shifts),
    "time zones": (1, _time_zones),
}


def choose() -> str:
    """The name of a theme."""
    names = list(THEMES)
    return world.rng.choices(names, [weight for weight, _ in THEMES.values()])[0]
