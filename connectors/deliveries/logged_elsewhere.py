"""Texts that are logged for another contact than the one they are to be logged for now."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import transaction

from adapters.contract import ConnectorError, ContactRef, CrmAdapter, LogRef, Message, MessageLogChange, RecordNotFound
from adapters.contract.write_fence import writes_until
from audit.models import ConversationLog, MessageLog
from audit.recorder import record
from connectors.deliveries.accepting import lock
from connectors.deliveries.changes import Conversation
from connectors.deliveries.models import Delivery
from connectors.models import CrmUser
from connectors.services.crm_audit import audited_at_crm
from connectors.services.looking import look


class _Present(Exception):
    """The CRM has shown the record."""


def is_about(day: ConversationLog, contact: ContactRef) -> bool:
    """Whether the day's record is this contact's. A row that names nobody is anybody's."""
    return day.contact_id in ("", str(contact.id))


def are_elsewhere(user: CrmUser, conversation: Conversation) -> bool:
    """Whether every one of the messages stands in a record of another contact, or is on its way there."""
    ids = {message.id for message in conversation.messages}
    held = MessageLog.objects.filter(platform=user.platform, owner=user.owner, message_id__in=ids)
    days = [row.conversation for row in held.select_related("conversation")]
    return bool(ids) and len(days) == len(ids) and not any(is_about(day, conversation.contact) for day in days)


def forget_deleted(user: CrmUser, conversation: Conversation) -> bool:
    """Asks the CRM for the records of other contacts that hold these messages; those deleted there hold none any more.

    Whether there were such. A record that the CRM cannot be asked for counts as present.
    """
    ids = [message.id for message in conversation.messages]
    days = ConversationLog.objects.filter(platform=user.platform, owner=user.owner, messages__message_id__in=ids)
    of_others = [day for day in days.distinct() if day.crm_log_id and not is_about(day, conversation.contact)]
    idle = [day for day in of_others if not Delivery.objects.of(day).exists()]
    deleted = [day for day in idle if _is_deleted(user, day, conversation.messages)]
    for day in deleted:
        _forget(user, day)
    return bool(deleted)


def _is_deleted(user: CrmUser, day: ConversationLog, messages: Sequence[Message]) -> bool:
    """Reads the record by the read that comes before an append, and stops there: no write gets through meanwhile."""

    def stop(body: str, messages: Sequence[Message]) -> str:
        raise _Present

    contact = ContactRef(id=day.contact_id, type=day.contact_type)
    ref = LogRef(log_id=day.crm_log_id, marker=day.marker, contact=contact)
    change = MessageLogChange(contact=contact, messages=tuple(messages), append=stop, ended_at=messages[-1].sent_at)

    def read(adapter: CrmAdapter) -> None:
        with writes_until(time.monotonic()):
            adapter.update_message_log(ref, change)

    with audited_at_crm("message_log.read", user=user, subject=day.conversation_log_id) as event:
        event.target = day.crm_log_id
        try:
            look(user, read)
        except RecordNotFound:
            return True
        except (_Present, ConnectorError):
            pass
    return False


def _forget(user: CrmUser, day: ConversationLog) -> None:
    """The messages of the deleted record can be logged again. Nothing is done where the day has changed meanwhile."""
    with transaction.atomic():
        deleted = day.crm_log_id
        lock(day)  # from here on no other request adds to this day
        if day.crm_log_id != deleted or Delivery.objects.of(day).exists():
            return
        day.messages.filter(delivery_id=None, part=day.part).delete()
        day.begin_record(next_part=False)
        day.forget_record()
        record(
            "message_log.gone",
            actor=user.actor,
            platform=user.platform,
            owner=user.owner,
            subject=day.conversation_log_id,
            target=deleted,
        )
