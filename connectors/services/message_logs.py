"""Logs a conversation day once: one row serialises its writes, all new messages go out in one write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from adapters.contract import (
    ConnectorError,
    ContactRef,
    CrmAdapter,
    CrmUnavailable,
    LogFormat,
    LogRef,
    LogResult,
    Message,
    MessageLogChange,
    MessageLogEntry,
    UnsupportedOperation,
)
from adapters.contract.http import count_calls
from audit.models import ConversationLog, LogState, MessageLog
from audit.recorder import audited
from connectors.log_body import append_messages, compose_conversation, compose_shared, conversation_title
from connectors.models import CrmUser
from connectors.services.adapters import with_adapter

_WAIT_FOR_OTHER_WRITER = 15.0  # seconds; below the client's own time limit of 30


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


@dataclass(frozen=True, kw_only=True)
class MessagesLogged:
    """Ids of the message rows written by this request, and the adapter's result (None: nothing new)."""

    ids: tuple[str, ...]
    result: LogResult | None


def log_messages(*, user: CrmUser, conversation: Conversation) -> MessagesLogged:
    """Writes the messages that are not in the CRM yet: a new record for a new day, else one read and one write.

    Raises ``ConnectorError`` when the CRM did not take them; nothing counts as logged then.
    """
    with (
        audited(
            "message_log.write",
            actor=user.actor,
            platform=user.platform,
            owner=user.owner,
            subject=conversation.conversation_log_id,
        ) as event,
        count_calls() as calls,
    ):
        row = _held(user, conversation)
        if row is None:
            event.detail["new"] = 0
            return MessagesLogged(ids=(), result=None)
        fresh = _not_logged_yet(user, conversation)
        event.detail["new"] = len(fresh)
        if not fresh and not conversation.shared:  # another request, or another conversation, has logged them
            if row.crm_log_id:
                row.complete(row.wire_log_id())
            else:
                row.give_up(error="nothing new", maybe_applied=False)
            return MessagesLogged(ids=(), result=None)
        try:
            result = with_adapter(
                user,
                lambda adapter: _write(adapter, row, conversation, fresh),
                may_repeat=lambda: row.state == LogState.CLAIMED and not _was_created(row),
            )
        except BaseException as error:
            # Anything unforeseen may have happened after the CRM was called.
            maybe_applied = error.maybe_applied if isinstance(error, ConnectorError) else True
            row.give_up(error=type(error).__name__, maybe_applied=maybe_applied)
            raise
        finally:
            event.crm_calls = calls.value
            event.target = row.crm_log_id
        ids = _store(user, row, fresh, result)
    return MessagesLogged(ids=ids, result=result)


def _was_created(row: ConversationLog) -> bool:
    return row.attempts == 1 and bool(row.crm_log_id)


def _held(user: CrmUser, conversation: Conversation) -> ConversationLog | None:
    """The conversation's row, held by us; None when it is known and has nothing new, so that nobody need wait."""
    key = {
        "platform": user.platform,
        "owner": user.owner,
        "conversation_log_id": conversation.conversation_log_id,
    }
    values = {
        "user": user,
        "conversation_id": conversation.conversation_id,
        "contact_id": str(conversation.contact.id),
        "contact_type": conversation.contact.type,
    }
    give_up = time.monotonic() + _WAIT_FOR_OTHER_WRITER
    while True:
        claimed: ConversationLog | None = ConversationLog.objects.claim(
            now=timezone.now(), lifetime=settings.CLAIM_LIFETIME, key=key, values=values
        )
        if claimed:
            return claimed
        row: ConversationLog = ConversationLog.objects.get(**key)
        if row.state == LogState.UNCERTAIN:
            settled: ConversationLog | None = ConversationLog.objects.claim_uncertain(pk=row.pk, now=timezone.now())
            if settled:
                return settled
        elif row.state == LogState.LOGGED:
            if not conversation.shared and not _not_logged_yet(user, conversation):
                return None
            if row.take(now=timezone.now(), lifetime=settings.CLAIM_LIFETIME):
                return row
        if time.monotonic() > give_up:
            raise CrmUnavailable("Another message of this conversation is being logged; it will be sent again.")
        time.sleep(0.05)


def _not_logged_yet(user: CrmUser, conversation: Conversation) -> tuple[Message, ...]:
    known = set(
        MessageLog.objects.filter(
            platform=user.platform,
            owner=user.owner,
            message_id__in=[message.id for message in conversation.messages],
        ).values_list("message_id", flat=True)
    )
    return tuple(message for message in conversation.messages if message.id not in known)


def _write(
    adapter: CrmAdapter, row: ConversationLog, conversation: Conversation, fresh: tuple[Message, ...]
) -> LogResult:
    entry = _entry(adapter, row, conversation, fresh)
    if not row.crm_log_id and row.was_uncertain:
        try:
            found = adapter.find_message_log(entry.as_marker())
        except UnsupportedOperation:
            raise CrmUnavailable(
                "These messages may be in the CRM already; please check there.", maybe_applied=True
            ) from None
        if found is not None:
            row.created(found)
    if not row.crm_log_id:
        return adapter.create_message_log(entry)
    ref = LogRef(log_id=row.crm_log_id, marker=row.conversation_log_id, contact=conversation.contact)
    retried = bool(row.last_error)
    return adapter.update_message_log(ref, _change(adapter, entry, skip_present=retried))


def _entry(
    adapter: CrmAdapter, row: ConversationLog, conversation: Conversation, fresh: tuple[Message, ...]
) -> MessageLogEntry:
    zone, contact = adapter.zone(), conversation.contact
    if conversation.shared is not None:
        subject, body = compose_shared(
            conversation.shared, contact_name=contact.name, log_format=_format(adapter), zone=zone
        )
        messages: tuple[Message, ...] = ()
    else:
        messages = fresh
        first = messages[0]
        subject = conversation_title(first.kind, contact.name, first.sent_at, zone, adapter.message_title_date)
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


def _change(adapter: CrmAdapter, entry: MessageLogEntry, *, skip_present: bool) -> MessageLogChange:
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
            skip_present=skip_present,
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


def _store(user: CrmUser, row: ConversationLog, fresh: Sequence[Message], result: LogResult) -> tuple[str, ...]:
    with transaction.atomic():
        row.complete(result.log_id)
        MessageLog.objects.bulk_create(
            [
                MessageLog(platform=user.platform, owner=user.owner, message_id=message.id, conversation=row)
                for message in fresh
            ],
            ignore_conflicts=True,
        )
    return tuple(message.id for message in fresh)
