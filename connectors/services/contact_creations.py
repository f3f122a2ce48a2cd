"""Keeps two requests for the same new contact from making two contacts."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from adapters.contract import Contact, ContactDraft, CrmAdapter, CrmUnavailable, UnsupportedOperation, natural_name
from connectors.deliveries import clock
from connectors.models import ContactCreation, CrmUser
from connectors.services.leases import lease_of, settling_time

#: How long the same request counts as the same click, and not as another person of that name and number.
_SAME_REQUEST = timedelta(seconds=30)
_REFUSED_IN_A_ROW = 3
_WAIT_FOR_OTHER = 15.0  # seconds; below the client's own time limit of 30
_State = ContactCreation.State


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to create a contact; ``result`` where another request has done it already."""

    row: ContactCreation
    #: When the last request of an attempt of unknown outcome ended; None: there was none.
    uncertain_since: datetime | None = None
    result: dict[str, Any] | None = None


class StillUncertain(CrmUnavailable):
    """This contact may have been created already."""

    def __init__(self, settles_at: datetime) -> None:
        seconds = max(1, round((settles_at - clock.now()).total_seconds()))
        advice = f"The CRM did not confirm it. Please try again in {seconds} seconds: then we can tell."
        super().__init__("This contact may have been created already.", advice=advice, maybe_applied=True)


def claim(user: CrmUser, draft: ContactDraft) -> Claim:
    """Claims a contact, or waits for the request that has. Raises ``CrmUnavailable`` when that takes too long."""
    text = json.dumps([draft.phone.e164 or draft.phone.raw, draft.name.casefold(), draft.type])
    key = {"platform": user.platform, "owner": user.owner, "key": hashlib.sha256(text.encode()).hexdigest()}
    give_up = time.monotonic() + _WAIT_FOR_OTHER
    refused = 0
    while time.monotonic() < give_up:
        now = clock.now()
        try:
            with transaction.atomic():
                return Claim(row=ContactCreation.objects.create(**key, changed_at=now))
        except IntegrityError:
            row = ContactCreation.objects.filter(**key).first()
            if row is None:  # deleted since, or the database refuses every row: then nobody else was first
                refused += 1
                if refused > _REFUSED_IN_A_ROW:
                    raise
                continue
        age = now - row.changed_at
        if row.state == _State.CREATED and age < _SAME_REQUEST:
            return Claim(row=row, result=row.result)
        if row.state != _State.CLAIMED or age > lease_of(user.platform):  # its process died in mid-write
            again = ContactCreation.objects.filter(pk=row.pk, state=row.state, changed_at=row.changed_at)
            if again.update(state=_State.CLAIMED, result=None, changed_at=now):
                ended = {_State.UNCERTAIN: row.changed_at, _State.CLAIMED: row.changed_at + lease_of(user.platform)}
                uncertain_since = ended.get(_State(row.state))
                row.changed_at = now
                return Claim(row=row, uncertain_since=uncertain_since)
        time.sleep(0.05)
    raise CrmUnavailable("This contact is being created already.")


def found(creation: Claim, adapter: CrmAdapter, draft: ContactDraft) -> Contact | None:
    """The contact, if an earlier attempt created it after all; None when it certainly did not.

    Raises ``StillUncertain`` while an attempt of unknown outcome may yet show its effect in the CRM.
    """
    if creation.uncertain_since is None:
        return None
    contact = _look_for(adapter, draft)
    settles_at = creation.uncertain_since + settling_time(creation.row.platform)
    if contact is None and clock.now() < settles_at:
        raise StillUncertain(settles_at)
    return contact


def _look_for(adapter: CrmAdapter, draft: ContactDraft) -> Contact | None:
    """One without a number is looked for by its name."""
    names = {draft.name.casefold(), natural_name(draft.name).casefold()}
    if not draft.phone.is_withheld:
        contacts = adapter.find_contacts(draft.phone).contacts
    else:
        try:
            by_name = [adapter.find_contacts_by_name(name).contacts for name in names]
        except UnsupportedOperation:
            return None
        contacts = tuple(contact for found in by_name for contact in found if not contact.phone)
    return next((contact for contact in contacts if contact.name.casefold() in names), None)


def complete(creation: Claim, result: dict[str, Any]) -> None:
    """The contact is in the CRM."""
    _mine(creation).update(state=_State.CREATED, result=result, changed_at=clock.now())


def give_up(creation: Claim, *, maybe_applied: bool, was_sent: bool = True) -> None:
    """The attempt failed; the next one looks for the contact first if it may be there.

    ``was_sent``: this attempt may have sent the request; else only an earlier one may have, whose doubt stays: that the
    look failed says nothing of it.
    """
    uncertain_since = creation.uncertain_since
    if was_sent:
        uncertain_since = clock.now() if maybe_applied else None
    if uncertain_since:
        _mine(creation).update(state=_State.UNCERTAIN, changed_at=uncertain_since)
    else:
        _mine(creation).delete()


def may_write_until(creation: Claim) -> float:
    """The ``time.monotonic()`` up to which a write may begin: afterwards the claim may be another request's."""
    ends = creation.row.changed_at + lease_of(creation.row.platform) * 2 / 3
    return time.monotonic() + (ends - clock.now()).total_seconds()


def _mine(creation: Claim) -> Any:
    return ContactCreation.objects.filter(pk=creation.row.pk, state=_State.CLAIMED, changed_at=creation.row.changed_at)
