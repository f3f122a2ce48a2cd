"""What an import changed or left out, in the order in which it happened."""

from __future__ import annotations


class Notes:
    """Sentences, each with the place it is about; none twice."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, place: str, sentence: str) -> None:
        self._lines[f"{place}: {sentence}"] = None

    @property
    def lines(self) -> list[str]:
        return list(self._lines)
