"""Writes about a contact, which may show that what is kept of it is out of date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from adapters.contract import ContactRef, CrmAdapter, RecordNotFound, ReferenceGone
from connectors.models import ContactMatch, CrmUser
from connectors.services.crm_access import with_adapter


class _Outcome(Protocol):
    """The outcome of a write, as ``LogResult``."""

    @property
    def gone(self) -> tuple[str, ...]: ...


Outcome = TypeVar("Outcome", bound=_Outcome | None)


def write_about(
    contact: ContactRef | None,
    user: CrmUser,
    operation: Callable[[CrmAdapter], Outcome],
    *,
    may_repeat: Callable[[], bool] = lambda: True,
) -> Outcome:
    """``with_adapter`` for a write about a contact.

    Where the CRM says that the contact, or something chosen for it, is gone, the user's cached look-ups of the contact
    are dropped: they hold both.
    """
    try:
        outcome = with_adapter(user, operation, may_repeat=may_repeat)
    except (ReferenceGone, RecordNotFound):
        forget_contact(user, contact)
        raise
    if outcome is not None and outcome.gone:
        forget_contact(user, contact)
    return outcome


def forget_contact(user: CrmUser, contact: ContactRef | None) -> None:
    """Drops the user's cached look-ups that hold the contact, so that the next one asks the CRM."""
    if contact is None:
        return
    wanted = str(contact.id)
    kept = ContactMatch.objects.filter(user=user).values_list("pk", "result")
    stale = [key for key, result in kept if any(str(row.get("id")) == wanted for row in result.get("contact", ()))]
    ContactMatch.objects.filter(pk__in=stale).delete()
