"""Counts what schedules contained, so that a simulation in which nothing happens does not pass for a proof."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connectors.deliveries import policy, sending
from connectors.deliveries.policy import RULES, Decision, Rule, Situation
from simulation.crm import FAULTS
from simulation.schedule import Result
from simulation.world import world

_EVENTS = (
    "a process is killed",
    "a wall clock jumps",
    "time passes",
    "a process is suspended",
    "a statement fails",
    "a person writes into a record",
    "a person deletes a record",
    "a person changes the company",
    "a login is revoked at the CRM",
    "a release is installed",
    "a back-up is restored",
    "a body is too long for the CRM",
    "an exchange is slow",
    "an adapter fails over an answer",
    "support sends",
    "support marks as logged",
    "support gives up",
    "support hands back",
    *(f"CRM: {name}" for name in FAULTS),
)
_SUMS = ("schedules", "steps", "accepted", "in_doubt", "parked")


def count_decisions() -> None:
    """From now on the world counts which row of the table decides."""

    def counted(situation: Situation) -> Decision:
        rule = next(rule for rule in RULES if rule.applies(situation))
        world.count(f"rule {RULES.index(rule)}")
        return policy.decide(situation)

    vars(sending)["decide"] = counted


class Report:
    """Sums schedules up."""

    def __init__(self, database: str = "sqlite") -> None:
        self.sums: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.failed: list[int] = []
        self._events = (*_EVENTS, *(["a statement waits for another transaction"] if database == "postgresql" else []))

    def add(self, result: Result) -> None:
        self.sums.update(schedules=1, **{name: getattr(result, name) for name in _SUMS[1:]})
        self.counts.update(world.counts)
        if result.findings:
            self.failed.append(result.seed)

    def as_json(self) -> dict[str, Any]:
        """For ``include``."""
        return {"sums": self.sums, "counts": self.counts, "failed": self.failed}

    def include(self, part: dict[str, Any]) -> None:
        """Adds what another process has counted."""
        self.sums.update(part["sums"])
        self.counts.update(part["counts"])
        self.failed = sorted([*self.failed, *part["failed"]])

    def never_reached(self) -> list[str]:
        """Events and rules that no schedule contained."""
        rules = [_words(rule) for number, rule in enumerate(RULES) if not self.counts[f"rule {number}"]]
        return [*(event for event in self._events if not self.counts[event]), *rules]

    def text(self, *, seconds: float) -> str:
        names = {f"rule {number}": f"rule {number + 1}: {_words(rule)}" for number, rule in enumerate(RULES)}
        lines = [f"{count:9}  {names.get(what, what)}" for what, count in sorted(self.counts.items(), key=_order)]
        never = [f"{'never':>9}  {what}" for what in self.never_reached()]
        sums = self.sums
        accepted = max(sums["accepted"], 1)
        shares = (
            f"of {sums['accepted']} accepted changes {100 * sums['in_doubt'] / accepted:.2f} % were in doubt and "
            f"{100 * sums['parked'] / accepted:.2f} % waited for support when the CRM was well again"
        )
        each = 1000 * seconds / max(sums["schedules"], 1)
        total = f"{sums['schedules']} schedules, {sums['steps']} switches, {each:.0f} ms of CPU each"
        verdict = f"FINDINGS in schedules {self.failed}" if self.failed else "no findings"
        return "\n".join([*lines, *never, shares, total, verdict])


def _order(item: tuple[str, Any]) -> tuple[str, int]:
    name = item[0]
    return (name.rstrip("0123456789"), int(name[5:]) if name.startswith("rule ") else 0)


def _words(rule: Rule) -> str:
    kinds = f" of {', '.join(kind.name.lower() for kind in rule.kinds)}" if rule.kinds else ""
    known = f", {' or '.join(rule.known)}" if rule.known else ""
    return f"{', '.join(rule.events)}{kinds}{known}: {rule.next} ({rule.told})"
