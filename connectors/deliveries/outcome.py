"""What an attempt came to, as those who send and those who asked see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.contract import ConnectorError, ErrorKind
from connectors.deliveries.policy import Event, Told


class NotNow(Exception):
    """The change is not sent by this attempt, for a reason that is no error of the CRM."""

    def __init__(self, event: Event) -> None:
        super().__init__(event)
        self.event = event


class OwnFault(ConnectorError):
    """An error on this server kept it from being sent."""

    kind_if_not_applied = ErrorKind.OWN_FAULT


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``result``: the writer's, where the change is in the CRM. ``waits``: it is kept; ``told`` and ``error`` say why.

    ``reference``: leads to the delivery that is kept. Neither result nor ``waits``: another process carried it out.
    """

    result: Any = None
    waits: bool = False
    told: Told = Told.LOGGED
    error: ConnectorError | None = None
    reference: str = ""
    is_colleagues: bool = False
