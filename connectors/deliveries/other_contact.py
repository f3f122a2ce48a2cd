"""Puts another contact into a kept log whose own is gone from the CRM."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from adapters.contract import Contact, ContactRef
from connectors.deliveries import support
from connectors.deliveries.changes import CallSubmission, Conversation, from_json, stored
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind

#: Errors of a log whose contact is not there any more.
_GONE = ("ReferenceGone", "RecordNotFound")


def lacks_contact(delivery: Delivery) -> bool:
    """Whether the CRM refused the log since its contact, or something chosen for it, is gone."""
    return delivery.kind in (Kind.CREATE, Kind.TEXTS) and delivery.last_error in _GONE


def give_other_contact(delivery: Delivery, contact: Contact) -> bool:
    """The log is written to this contact, and is due now. False: a worker has taken it since.

    Raises ``Undecipherable`` or ``UnreadableChange`` where the change cannot be read.
    """
    record = delivery.record
    if record is None or support.is_at_work(delivery):
        return False
    if delivery.call_log is not None:
        submission = from_json(delivery.payload, CallSubmission)
        ref = _in_place_of(submission.entry.contact, contact)
        payload = stored(delivery.platform, replace(submission, entry=replace(submission.entry, contact=ref)))
    else:
        conversation = from_json(delivery.payload, Conversation)
        ref = _in_place_of(conversation.contact, contact)
        payload = stored(delivery.platform, replace(conversation, contact=ref))
    field = Delivery._meta.get_field("payload")
    columns = {"contact_id": str(contact.id), "contact_type": contact.type, "updated_at": timezone.now()}
    if delivery.call_log is not None:
        columns["contact_id_is_number"] = isinstance(contact.id, int)
    with transaction.atomic():
        rows = Delivery.objects.filter(pk=delivery.pk, lease=delivery.lease)
        if not rows.update(payload=field.seal(delivery, payload)):
            return False
        type(record)._default_manager.filter(pk=record.pk).update(**columns)
    return bool(support.send_again(Delivery.objects.filter(pk=delivery.pk)))


def _in_place_of(former: ContactRef, contact: Contact) -> ContactRef:
    """The number of the call stays: it was that."""
    return ContactRef(id=contact.id, type=contact.type, name=contact.name, phone=former.phone)
