"""Looks contacts up and creates them through the adapter, with a short-lived cache per user."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from adapters.contract import (
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    CrmAdapter,
    NewContactOffer,
    PhoneNumber,
    UnsupportedOperation,
    natural_name,
)
from adapters.contract.write_fence import writes_until
from audit.prepared import PreparedQuery, insert
from connectors.models import ContactMatch, CrmUser
from connectors.services import contact_creations, placeholder_contacts
from connectors.services.crm_access import is_login_refused, refuses_before_acting, with_adapter
from connectors.services.crm_audit import audited_at_crm
from connectors.services.identity import hashed
from connectors.services.look_up_traces import keep_trace
from connectors.services.looking import look

log = logging.getLogger("switchboard.contacts")
Rendered = dict[str, Any]


def offer_for_nobody(*, user: CrmUser) -> NewContactOffer | None:
    """The offer to create a contact for a withheld number, for which nobody is looked for; None: not offered here.

    While the CRM cannot be reached it is made without choices, so that the call can be logged.
    """
    with audited_at_crm("contact.find", user=user) as event:
        event.detail = {"found": 0, "withheld": True}
        try:
            return look(user, lambda adapter: adapter.new_contact_offer())
        except ConnectorError as error:
            if not error.try_later:
                raise
            event.error = type(error).__name__
            return NewContactOffer()


def find_contacts(
    *, user: CrmUser, phone: PhoneNumber, force: bool, render: Callable[[ContactMatches], Rendered]
) -> Rendered:
    """The contacts with this number, as ``render`` shapes them; from the cache while it is fresh.

    An expired entry is served only when the CRM cannot be reached. ``force`` asks the CRM in any case, also for
    the choices of forms. So does a login that the CRM has refused: the user is told at once, not when a log fails.
    """
    key = _key(phone)
    kept = next(iter(_kept(user.pk, key)), None)
    is_fresh = kept and timezone.now() - kept.fetched_at <= settings.CONTACT_CACHE
    if kept and is_fresh and not force and not is_login_refused(user):
        return dict(kept.result)
    with audited_at_crm("contact.find", user=user) as event:
        try:
            matches = look(user, lambda adapter: adapter.find_contacts(phone), read_anew=force)
        except ConnectorError as error:
            event.error = type(error).__name__
            serves_kept = bool(kept and error.try_later)
            event.along = partial(keep_trace, user=user, phone=phone, error=error, served_kept=serves_kept)
            if kept and serves_kept:
                event.detail["served"] = "expired entry"
                return dict(kept.result)
            raise
        event.detail = {
            "variants": len(phone.variants),
            "found": len(matches.contacts),
            "dropped": [{"id": hit.id, "reason": hit.reason} for hit in matches.dropped[:20]],
        }
        if matches.by_ending:
            event.detail["shown by last digits"] = list(matches.by_ending[:20])
        result = render(matches)

        def keep() -> None:
            keep_trace(user=user, phone=phone, matches=matches)
            placeholder_contacts.forget_named(user, phone, matches)
            if matches.contacts and not matches.notice:
                match = ContactMatch(user=user, key=key, result=result, fetched_at=timezone.now())
                insert(match, or_update=("result", "fetched_at"), where=("user_id", "key"))
            elif kept:
                kept.delete()

        event.along = keep
    return result


def _kept_for(user_id: UUID, key: str) -> QuerySet[ContactMatch]:
    return ContactMatch.objects.filter(user_id=user_id, key=key)


_kept = PreparedQuery(_kept_for)


def _key(phone: PhoneNumber) -> str:
    """Of what was asked; with HASH_KEY, for there are few numbers, and each could be tried."""
    return hashed(json.dumps([phone.e164 or phone.raw, phone.formats, phone.is_extension]))


def find_contacts_by_name(*, user: CrmUser, names: Sequence[str]) -> ContactMatches:
    """The contacts with a name; none where the CRM offers no search by name.

    ``names``: what the user may have typed; each further one is tried only where nobody has the one before. The last
    ones are those with the first name in front: ``Smith, John``.
    """
    names = tuple(dict.fromkeys((*names, *map(natural_name, names))))
    with audited_at_crm("contact.search", user=user) as event:
        matches = ContactMatches()
        for name in names:
            try:
                found = look(user, partial(_by_name, name=name))
            except UnsupportedOperation:
                break
            matches = found if found.contacts or not matches.notice else matches
            if found.contacts:
                break
        event.detail = {"found": len(matches.contacts)}
        return matches


def _by_name(adapter: CrmAdapter, *, name: str) -> ContactMatches:
    return adapter.find_contacts_by_name(name)


def create_contact(*, user: CrmUser, draft: ContactDraft, render: Callable[[Contact], Rendered]) -> Rendered:
    """Creates a contact, as ``render`` shapes it; the same request again, at once or shortly after, gets the same one.

    Cached look-ups of the user are dropped, so that it is found at once. After an attempt of unknown outcome the
    contact is looked for by its number before it is created again.
    """
    creation = contact_creations.claim(user, draft)
    if creation.result is not None:
        return dict(creation.result)
    with audited_at_crm("contact.create", user=user) as event:
        was_sent = False

        def create(adapter: CrmAdapter) -> Contact:
            nonlocal was_sent
            if known := contact_creations.found(creation, adapter, draft):
                return known
            was_sent = True
            return adapter.create_contact(draft)

        try:
            with writes_until(contact_creations.may_write_until(creation)):
                contact = with_adapter(user, create, may_repeat=lambda: refuses_before_acting(user.platform))
        except BaseException as error:
            maybe_applied = getattr(error, "maybe_applied", True)
            contact_creations.give_up(creation, maybe_applied=maybe_applied, was_sent=was_sent)
            raise
        event.target = str(contact.id)
        event.along = partial(placeholder_contacts.note, user, draft, contact)
        result = render(contact)
        contact_creations.complete(creation, result)
    ContactMatch.objects.filter(user=user).delete()
    return result
