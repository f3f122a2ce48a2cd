"""What an import did, counted by what became of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

TAKEN, HERE, LEFT = "taken over", "here already", "left out"


class Report:
    """Counts per kind of row: taken over, here already, and left out, for a reason each."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, kind: str, what: str, why: str = "", count: int = 1) -> None:
        """``why``: for what is left out, or with what restriction it was taken over."""
        if count:
            self.counts[kind, what, why] += count

    def lines(self) -> Iterator[str]:
        """One line per count, those of one kind together."""
        for (kind, what, why), count in sorted(self.counts.items()):
            yield f"{kind}: {count} {what}{f' ({why})' if why else ''}"

    def total(self, kind: str, what: str) -> int:
        return sum(count for (k, w, _), count in self.counts.items() if (k, w) == (kind, what))
