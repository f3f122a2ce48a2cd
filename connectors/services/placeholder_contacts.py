"""Contacts that were made for a number which nobody knew, and are named after it: noted until somebody names them."""

from __future__ import annotations

import re

from django.db.models import QuerySet

from adapters.contract import Contact, ContactDraft, ContactMatches, PhoneNumber
from audit.prepared import PreparedQuery
from connectors.models import CrmUser, PlaceholderContact
from connectors.services.numbers import columns_of

_LEAST = 4  # digits; fewer may be part of a name


def is_named_after(name: str, phone: PhoneNumber) -> bool:
    """Whether the number stands in the name, in whatever notation: the extension names unknown callers so."""
    wanted = _digits(phone.national or phone.raw)
    return len(wanted) >= _LEAST and wanted in _digits(name)


def note(user: CrmUser, draft: ContactDraft, contact: Contact) -> None:
    """Keeps that the contact just made has to be named, if it is named after its number."""
    if not is_named_after(draft.name, draft.phone):
        return
    row = PlaceholderContact(
        user=user,
        platform=user.platform,
        owner=user.owner,
        contact_id=str(contact.id)[:255],
        contact_type=(contact.type or draft.type)[:64],
        **columns_of(draft.phone),
    )
    PlaceholderContact.objects.bulk_create([row], ignore_conflicts=True)


def forget_named(user: CrmUser, phone: PhoneNumber, matches: ContactMatches) -> None:
    """A look-up shows who has a name by now: these are no placeholders any more."""
    number_hash = columns_of(phone)["number_hash"]
    named = [str(contact.id) for contact in matches.contacts if not is_named_after(contact.name, phone)]
    if named and number_hash:
        noted = _noted_for(number_hash, user.platform, user.owner)
        if over := [row.pk for row in noted if row.contact_id in named]:
            PlaceholderContact.objects.filter(pk__in=over).delete()


def _of_number(number_hash: str, platform: str, owner: str) -> QuerySet[PlaceholderContact]:
    return PlaceholderContact.objects.filter(number_hash=number_hash, platform=platform, owner=owner)


_noted_for = PreparedQuery(_of_number)


def _digits(text: str) -> str:
    return "".join(re.findall(r"[0-9]", text))
