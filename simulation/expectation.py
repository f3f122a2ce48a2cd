"""What each window was told, kept outside the database: the measure of what must be in the CRM in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulation.world import world


@dataclass(eq=False, kw_only=True)
class Told:
    """One request of a window: from when to when it took, and whether the user was told that it is logged or kept."""

    kind: str
    subject: str
    text: str = ""
    began: float
    ended: float = float("inf")
    accepted: bool = False
    #: The CRM refused it, and the user was told.
    refused: bool = False


@dataclass
class Expectation:
    """All requests of a schedule, and the records that a person in the CRM deleted or wrote into."""

    requests: list[Told] = field(default_factory=list)
    #: Markers whose record somebody deleted in the CRM.
    deleted: set[str] = field(default_factory=set)
    #: CRM id of a record -> what people wrote into it.
    by_people: dict[str, str] = field(default_factory=dict)
    #: Exceptions that no user should see, and errors in the log.
    surprises: list[str] = field(default_factory=list)

    def begin(self, kind: str, subject: str, text: str = "") -> Told:
        told = Told(kind=kind, subject=subject, text=text, began=world.now)
        self.requests.append(told)
        return told

    def of(self, kind: str, subject: str = "") -> Iterator[Told]:
        return (told for told in self.requests if told.kind == kind and subject in ("", told.subject))

    def subjects(self, kind: str) -> list[str]:
        return list(dict.fromkeys(told.subject for told in self.of(kind)))
