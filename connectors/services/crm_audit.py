"""Records work at the CRM: who did what, how it ended, and with which requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.contract.http import count_calls
from audit.recorder import Recording, audited
from connectors.models import CrmUser
from connectors.observation import metrics


@contextmanager
def audited_at_crm(action: str, *, user: CrmUser, actor: str = "", subject: str = "") -> Iterator[Recording]:
    """``audited`` for a user's work at the CRM. ``actor``: default the user.

    The event's detail lists the requests: method, path without values, status, milliseconds, the vendor's id.
    """
    scope = {"platform": user.platform, "owner": user.owner, "subject": subject}
    with audited(action, actor=actor or user.actor, **scope) as event, count_calls() as calls:
        try:
            yield event
        finally:
            event.crm_calls = calls.value
            if calls.exchanges:
                event.detail["requests"] = [list(exchange) for exchange in calls.exchanges]
            if action == "contact.find":
                metrics.looked_up(user.platform, calls.rounds)
