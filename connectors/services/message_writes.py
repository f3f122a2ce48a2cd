"""Carries out what was accepted for a conversation day: a new record, or all new messages in one read and one write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapters.contract import (
    ContactRef,
    CrmAdapter,
    CrmUnavailable,
    Id,
    LogFormat,
    LogRef,
    LogResult,
    Message,
    MessageLogChange,
    MessageLogEntry,
    UnsupportedOperation,
)
from audit.models import ConversationLog, Delivery, LogState
from connectors.log_body import append_messages, compose_conversation, compose_shared, conversation_title
from connectors.services.call_writes import Undecidable
from connectors.services.crm_access import refuses_before_acting
from connectors.services.delivery_queue import begin_write
from connectors.services.stale_contacts import write_about


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation day as the request gave it."""

    conversation_id: str
    conversation_log_id: str
    contact: ContactRef
    #: Oldest first.
    messages: tuple[Message, ...]
    #: Names of further participants; "" for an unknown one.
    correspondents: tuple[str, ...] = ()
    #: The raw ``logInfo`` of a shared-inbox conversation, else None.
    shared: dict[str, Any] | None = None
    started_at: datetime
    ended_at: datetime
    submission: dict[str, Any]
    wire: dict[str, Any]


def write(delivery: Delivery, conversation: Conversation) -> LogResult:
    """Writes the messages of a delivery, those of an earlier attempt left out."""
    row = delivery.conversation
    assert row is not None
    may_be_present = delivery.attempts > 1 or row.state == LogState.UNCERTAIN

    def attempt(adapter: CrmAdapter) -> LogResult:
        entry = _entry(adapter, row, conversation)
        in_doubt = row.state == LogState.UNCERTAIN
        if in_doubt and not row.crm_log_id and (found := _found(adapter, row, entry)) is not None:
            row.created(found)
        if not (in_doubt and row.crm_log_id) and not begin_write(delivery):
            raise CrmUnavailable("This took too long; it is tried again later.")
        if not row.crm_log_id:
            return adapter.create_message_log(entry)
        ref = LogRef(log_id=row.crm_log_id, marker=row.conversation_log_id, contact=conversation.contact)
        before = _logged_before(row, delivery) if may_be_present else None
        return adapter.update_message_log(ref, _change(adapter, entry, may_be_present, before))

    was_in_crm = bool(row.crm_log_id)
    return write_about(
        conversation.contact,
        delivery.user,
        attempt,
        may_repeat=lambda: bool(row.crm_log_id) == was_in_crm and refuses_before_acting(delivery.platform),
    )


def _logged_before(row: ConversationLog, delivery: Delivery) -> int | None:
    """How many messages the record holds besides these; None where others may have arrived that nobody knows of."""
    if row.deliveries.exclude(pk=delivery.pk).filter(attempts__gt=0).exists():
        return None
    return row.messages.filter(delivery=None).count()


def _found(adapter: CrmAdapter, row: ConversationLog, entry: MessageLogEntry) -> Id | None:
    try:
        found = adapter.find_message_log(replace(entry.as_marker(), is_anothers=row.belongs_to_another))
    except UnsupportedOperation:
        raise Undecidable from None
    return None if found is None or row.belongs_to_another(found) else found


def _entry(adapter: CrmAdapter, row: ConversationLog, conversation: Conversation) -> MessageLogEntry:
    zone, contact = adapter.zone(), conversation.contact
    if conversation.shared is not None:
        subject, body = compose_shared(
            conversation.shared, contact_name=contact.name, log_format=_format(adapter), zone=zone
        )
        messages: tuple[Message, ...] = ()
    else:
        messages = conversation.messages
        first = messages[0]
        subject = conversation_title(first, contact.name, zone, adapter.message_title_date)
        body = ""

    def compose(items: Sequence[Message]) -> str:
        return compose_conversation(
            items,
            title=subject,
            contact=contact,
            user_name=adapter.user.name,
            correspondents=conversation.correspondents,
            log_format=_format(adapter),
            zone=zone,
        )

    return MessageLogEntry(
        conversation_log_id=row.conversation_log_id,
        contact=contact,
        messages=messages,
        subject=subject,
        body=body or compose(messages),
        compose=compose,
        is_shared=conversation.shared is not None,
        started_at=messages[0].sent_at if messages else conversation.started_at,
        ended_at=messages[-1].sent_at if messages else conversation.ended_at,
        correspondents=conversation.correspondents,
        submission=conversation.submission,
        wire=conversation.wire,
        created=row.created,
    )


def _change(
    adapter: CrmAdapter, entry: MessageLogEntry, may_be_present: bool, logged_before: int | None
) -> MessageLogChange:
    """``logged_before``: for another attempt, how many messages the record held before the first one, if known."""

    def append(body: str, items: Sequence[Message]) -> str:
        return append_messages(
            body,
            items,
            contact=entry.contact,
            user_name=adapter.user.name,
            log_format=_format(adapter),
            zone=adapter.zone(),
            title=entry.subject,
            correspondents=entry.correspondents,
            skip_present=may_be_present,
            logged_before=logged_before,
        )

    return MessageLogChange(
        contact=entry.contact,
        messages=entry.messages,
        append=append,
        body=entry.body if entry.is_shared else None,
        is_shared=entry.is_shared,
        ended_at=entry.ended_at,
        submission=entry.submission,
        wire=entry.wire,
    )


def _format(adapter: CrmAdapter) -> LogFormat:
    return LogFormat.PLAIN if adapter.log_format is LogFormat.CUSTOM else adapter.log_format
