"""Chooses another contact for a log whose own is gone, out of what the author's login finds in the CRM."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from adapters.contract import ConnectorError, Contact, CrmAdapter
from audit.fields import Undecipherable
from connectors.deliveries.changes import UnreadableChange
from connectors.deliveries.models import Delivery
from connectors.deliveries.other_contact import give_other_contact, lacks_contact
from connectors.deliveries.record_check import contact_of
from connectors.desk.decisions import actor_of, note_decision
from connectors.desk.delivery_decisions import about, describe, logged_on
from connectors.desk.marking import back_from
from connectors.desk.page import needs, page, settled_meanwhile
from connectors.services.crm_access import with_adapter
from connectors.services.crm_audit import audited_at_crm
from connectors.services.numbers import read_number

_MOST = 20


@needs("deliveries.change_delivery")
def choose(request: HttpRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """Looks contacts up by the call's number, or by ``q``; a POST with ``contact`` takes one of them.

    The page shows data of the CRM, so each look-up is recorded with who made it.
    """
    delivery = Delivery.objects.select_related("user", "call_log", "conversation").filter(pk=delivery_id).first()
    if delivery is None:
        return settled_meanwhile(request)
    asked = (request.POST.get("q") or request.GET.get("q") or "").replace("\x00", "").strip()[:200]
    found: Sequence[Contact] = ()
    problem = ""
    if not lacks_contact(delivery):
        problem = "The contact of this log is not gone: there is nothing to choose."
    elif not asked and not _number_of(delivery):
        problem = "The number of the call is not known here: type the contact's name."
    else:
        try:
            found = _look_up(delivery, asked, actor=actor_of(request))
        except ConnectorError as error:
            problem = f"The CRM could not be asked: {error.message}"
    chosen = next((item for item in found if _key(item) == request.POST.get("contact")), None)
    if request.method == "POST" and chosen is not None:
        return _given(request, delivery, chosen)
    if request.method == "POST" and not problem:
        messages.warning(request, "That contact is not among those found now: nothing was changed.")
    what, who = describe(delivery)
    return page(
        request,
        "desk/contact_choice.html",
        title="Choose another contact",
        delivery=delivery,
        what=what,
        who=who,
        looked_for=asked,
        found=[(_key(item), item) for item in found],
        problem=problem,
        back=back_from(delivery),
    )


def _number_of(delivery: Delivery) -> str:
    """The number of the call or conversation; "" where it was withheld, or cannot be read."""
    contact = contact_of(delivery)
    return "" if contact is None else contact.phone


def _look_up(delivery: Delivery, name: str, *, actor: str) -> Sequence[Contact]:
    def find(adapter: CrmAdapter) -> Sequence[Contact]:
        if name:
            return adapter.find_contacts_by_name(name).contacts[:_MOST]
        return adapter.find_contacts(read_number(delivery.user, _number_of(delivery))).contacts[:_MOST]

    action = "contact.search" if name else "contact.find"
    with audited_at_crm(action, user=delivery.user, actor=actor, subject=delivery.subject) as event:
        found = with_adapter(delivery.user, find)
        event.detail["found"] = len(found)
    return found


def _key(contact: Contact) -> str:
    return f"{contact.type} {contact.id}"


def _given(request: HttpRequest, delivery: Delivery, contact: Contact) -> HttpResponse:
    rows = logged_on(delivery)
    try:
        is_given = give_other_contact(delivery, contact)
    except (Undecipherable, UnreadableChange):
        is_given = False
    if is_given:
        detail = {"decision": "other contact", "contact": str(contact.id), "type": contact.type}
        text = f"Another contact was chosen: {contact.id}."
        note_decision(request, "delivery.decide", text, rows, detail=detail, **about(delivery))
        messages.success(request, f"It is written to {contact.name} now.")
    else:
        messages.warning(request, "It is being sent at this moment, or cannot be read here; nothing was changed.")
    return HttpResponseRedirect(back_from(delivery))
