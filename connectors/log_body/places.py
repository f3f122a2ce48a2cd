"""Where things stand in a body, and the changes that are made there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """``body[start:end]`` gives way to ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a body: ``body[start:end]`` is to be ``before + value + after``."""

    start: int
    end: int
    #: What stands there, as a person reads it.
    text: str
    before: str = ""
    after: str = ""
    #: The same as the source has it.
    source: str = ""

    def holding(self, value: str) -> Edit:
        """The change after which it holds ``value``, which is written as the format has it."""
        return Edit(self.start, self.end, f"{self.before}{value}{self.after}")


@dataclass(slots=True)
class Places:
    """What stands where in the body of a call log. What is not there has no place; -1: nowhere."""

    #: Where what is new is added.
    end: int
    #: Where a note is put that has no place yet.
    start: int = 0
    note: Place | None = None
    sections: dict[str, Place] = field(default_factory=dict)
    #: Before the heading "Call details", where there is no note yet.
    before_details: int = -1
    #: Within the list that items stand in.
    end_of_list: int = -1
    #: Changes after which what an editor did to our own lines no longer matters, made with any other.
    repairs: list[Edit] = field(default_factory=list)


def applied(body: str, edits: Sequence[Edit]) -> str:
    """The body with all changes made; they do not overlap, and of several at one place the first comes first."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += body[position : edit.start], edit.text
        position = max(position, edit.end)
    return "".join([*parts, body[position:]])
