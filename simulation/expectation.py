"""What each window was told, kept outside the database: the measure of what must be in the CRM in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulation.world import world


@dataclass(eq=False, kw_only=True)
class Told:
    """One request of a window: from when to when it took, and whether the user was told that it is logged or kept."""

    kind: str
    #: Where in the CRM it belongs.
    tenant: str
    subject: str
    text: str = ""
    #: Of texts, the numbers of those that were not known before.
    new: str = ""
    began: float
    ended: float = float("inf")
    accepted: bool = False
    #: Told that it is there already: somebody else's, or the user's own before.
    was_known: bool = False
    #: The CRM refused it, and the user was told, with the class of the error, or got an error of the server instead.
    refused: bool = False
    error: str = ""
    #: The process that was at it was killed.
    was_killed: bool = False

    @property
    def about(self) -> tuple[str, str]:
        return self.tenant, self.subject


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A back-up of the moment ``saved`` was restored at ``restored``."""

    saved: float
    restored: float


@dataclass
class Expectation:
    """All requests of a schedule, and what people and the operator did besides."""

    requests: list[Told] = field(default_factory=list)
    #: When somebody deleted a record of this tenant and subject in the CRM.
    deleted: dict[tuple[str, str], float] = field(default_factory=dict)
    #: CRM id of a record -> what people wrote into it.
    by_people: dict[str, list[str]] = field(default_factory=dict)
    restored: Restored | None = None
    #: Texts of changes that support has given up, having looked at the record.
    given_up: set[str] = field(default_factory=set)
    #: Exceptions that no user should see, and errors in the log.
    surprises: list[str] = field(default_factory=list)
    #: Changes accepted, and of them those that were in doubt, or waited for support, when the CRM was well again.
    in_doubt: int = 0
    parked: int = 0

    def begin(self, kind: str, tenant: str, subject: str, text: str = "") -> Told:
        told = Told(kind=kind, tenant=tenant, subject=subject, text=text, began=world.now)
        self.requests.append(told)
        return told

    def of(self, kind: str, about: tuple[str, str] | None = None) -> Iterator[Told]:
        return (told for told in self.requests if told.kind == kind and about in (None, told.about))

    def subjects(self, kind: str) -> list[tuple[str, str]]:
        """Tenants and subjects."""
        return list(dict.fromkeys(told.about for told in self.of(kind)))

    def accepted(self, kind: str, about: tuple[str, str]) -> list[Told]:
        """Requests of which nothing may be lost: those in the database that was replaced by its back-up are not."""
        return [told for told in self.of(kind, about) if told.accepted and not self.is_forgotten(told)]

    def is_forgotten(self, told: Told) -> bool:
        return self.restored is not None and told.began < self.restored.restored and told.ended > self.restored.saved
