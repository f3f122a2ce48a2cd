"""Counts what schedules contained, so that a simulation in which nothing happens does not pass for a proof."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connectors.deliveries import sending
from connectors.deliveries.policy import RULES, Decision, Rule, Situation
from simulation.crm import FAULTS
from simulation.schedule import Result
from simulation.world import world

_EVENTS = (
    "a process is killed",
    "a wall clock jumps",
    "time passes",
    "a statement fails",
    "a person writes into a record",
    "support decides",
    *(f"CRM: {name}" for name in FAULTS),
)
_decide = sending.decide


def _counted(situation: Situation) -> Decision:
    rule = next(rule for rule in RULES if rule.applies(situation))
    world.count(f"rule {RULES.index(rule)}")
    return _decide(situation)


sending.decide = _counted


class Report:
    """Sums schedules up."""

    def __init__(self) -> None:
        self.schedules = self.steps = 0
        self.failed: list[int] = []
        self.counts: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        self.schedules += 1
        self.steps += result.steps
        self.counts.update(world.counts)
        if result.findings:
            self.failed.append(result.seed)

    def never_reached(self) -> list[str]:
        """Events and rules that no schedule contained."""
        rules = [_words(rule) for number, rule in enumerate(RULES) if not self.counts[f"rule {number}"]]
        return [*(event for event in _EVENTS if not self.counts[event]), *rules]

    def text(self, *, seconds: float) -> str:
        names = {f"rule {number}": f"rule {number + 1}: {_words(rule)}" for number, rule in enumerate(RULES)}
        lines = [f"{count:9}  {names.get(what, what)}" for what, count in sorted(self.counts.items(), key=_order)]
        never = [f"{'never':>9}  {what}" for what in self.never_reached()]
        each = 1000 * seconds / max(self.schedules, 1)
        total = f"{self.schedules} schedules, {self.steps} switches, {each:.0f} ms of CPU each"
        verdict = f"FINDINGS in schedules {self.failed}" if self.failed else "no findings"
        return "\n".join([*lines, *never, total, verdict])


def _order(item: tuple[str, Any]) -> tuple[str, int]:
    name = item[0]
    return (name.rstrip("0123456789"), int(name[5:]) if name.startswith("rule ") else 0)


def _words(rule: Rule) -> str:
    kinds = f" of {', '.join(kind.name.lower() for kind in rule.kinds)}" if rule.kinds else ""
    return f"{', '.join(rule.events)}{kinds}: {rule.next} ({rule.told})"
