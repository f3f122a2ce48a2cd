"""``datetime`` for code that asks it for the time."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Self

from simulation.world import world


class CrmDatetime(datetime):
    """For the sandbox CRM, whose clock is the world's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(world.now, tz)


class ProcessDatetime(datetime):
    """For the HTTP client: the wall clock of the process that asks."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(world.seconds(), tz)
