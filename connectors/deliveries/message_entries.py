"""What an adapter gets of the texts of a day: composed for a new record, or to be put into the present one."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.contract import BodyTooLong, CrmAdapter, LogFormat, Message, MessageLogChange, MessageLogEntry
from audit.models import ConversationLog
from connectors.deliveries.changes import Conversation
from connectors.deliveries.models import Delivery
from connectors.log_body import append_messages, compose_conversation, compose_shared, conversation_title, cut_title


def entry_of(
    adapter: CrmAdapter, delivery: Delivery, row: ConversationLog, conversation: Conversation
) -> MessageLogEntry:
    """For a new record; the id that the CRM gives it goes to the delivery as soon as it is known."""
    zone, contact = adapter.zone(), conversation.contact
    if conversation.shared is not None:
        subject, body = compose_shared(
            conversation.shared,
            contact_name=contact.name,
            log_format=_format(adapter),
            zone=zone,
            most=adapter.manifest.server.body_length,
        )
        messages: tuple[Message, ...] = ()
    else:
        messages = conversation.messages
        first = messages[0]
        title = conversation_title(first, contact.name, zone, adapter.message_title_date)
        suffix, most = row.title_suffix, adapter.manifest.server.title_length
        subject = cut_title(title, most and most - len(suffix)) + suffix
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
        conversation_log_id=row.marker,
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
        created=delivery.keeps_id,
    )


def ends_day(conversation: Conversation) -> bool:
    """Whether the last new message is the latest of the day: the request held earlier ones, and none that is later."""
    messages = conversation.messages
    return (
        bool(messages)
        and conversation.started_at < messages[0].sent_at
        and conversation.ended_at == messages[-1].sent_at
    )


def change_of(
    adapter: CrmAdapter,
    delivery: Delivery,
    entry: MessageLogEntry,
    may_be_present: bool,
    logged_before: int | None,
    ends_day: bool,
) -> MessageLogChange:
    """For the present record.

    ``may_be_present``: what stands there already is left out. ``logged_before``: for another attempt, how many messages
    the record held before the first one, if known. ``ends_day``: the last of them is the latest of the day.
    """

    def append(body: str, items: Sequence[Message]) -> str:
        whole = append_messages(
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
            ends_day=ends_day,
            tell_added=delivery.adds,
        )
        if whole != body:
            measure(adapter, delivery, whole)
        return whole

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


def measure(adapter: CrmAdapter, delivery: Delivery, body: str) -> None:
    """Notes how long the record becomes. Raises ``BodyTooLong`` where the CRM is known not to take it."""
    delivery.length, most = len(body), adapter.manifest.server.body_length
    if most is not None and len(body) > most:
        raise BodyTooLong


def _format(adapter: CrmAdapter) -> LogFormat:
    return LogFormat.PLAIN if adapter.log_format is LogFormat.CUSTOM else adapter.log_format
