"""Prints the table of decisions, for ``docs/deliveries.md``."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.deliveries.policy import RULES, Rule


def as_markdown() -> str:
    """The table, a row for each rule, in the order in which they are tried."""
    lines = [
        "| What happened | To what | Known of the record | Only where "
        "| What becomes of it | The user is told | Support sees |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule in RULES:
        cells = (
            _words(rule.events),
            _words(kind.name for kind in rule.kinds) or "any",
            _words(rule.known) or "anything",
            _conditions(rule),
            rule.next,
            rule.told,
            rule.support,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _words(values: Iterable[str]) -> str:
    return ", ".join(str(value).replace("_", " ").lower() for value in values)


def _conditions(rule: Rule) -> str:
    conditions = {
        "older than allowed": rule.is_old,
        "somebody waits": rule.user_waits,
        "over 30,000 characters": rule.is_long,
        "shortened or begun anew already": rule.was_changed,
        "several texts": rule.has_several_texts,
    }
    words = [name if wanted else f"not {name}" for name, wanted in conditions.items() if wanted is not None]
    return ", ".join([*words, *([f"{rule.odd_answers} times in a row"] if rule.odd_answers else [])])
