"""Logs a conversation day once: its messages are accepted one by one, and written in one read and one write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Q

from adapters.contract import LogResult, Message
from audit.models import ConversationLog, Delivery, DeliveryKind, LogState, MessageLog, WaitsFor
from connectors.models import CrmUser
from connectors.services.deliveries import deliver_now, kept_notice
from connectors.services.delivery_queue import accept, drop, next_position, replace_change
from connectors.services.message_writes import Conversation


@dataclass(frozen=True, kw_only=True)
class MessagesLogged:
    """Ids of the message rows written by this request, and the adapter's result (None: nothing new)."""

    ids: tuple[str, ...]
    result: LogResult | None


def log_messages(*, user: CrmUser, conversation: Conversation) -> MessagesLogged:
    """Writes the messages that are not in the CRM yet: a new record for a new day, else one read and one write.

    A CRM that cannot be reached gets them later; the result's notice says so. Raises the ``ConnectorError`` of a CRM
    that refused them; nothing counts as logged then.
    """
    accepted = _accepted(user, conversation)
    if accepted is None:
        return MessagesLogged(ids=(), result=None)
    delivery, conversation = accepted
    ids = tuple(message.id for message in conversation.messages)
    outcome = deliver_now(delivery, conversation)
    if outcome.waits:
        notice = kept_notice(user, "Messages", outcome.error)
        return MessagesLogged(ids=ids, result=LogResult(log_id="", notice=notice))
    return MessagesLogged(ids=ids, result=outcome.result or LogResult(log_id=""))


def _accepted(user: CrmUser, conversation: Conversation) -> tuple[Delivery, Conversation] | None:
    """The delivery of what is new, and the conversation reduced to that; None when nothing is."""
    if not conversation.shared and not _new_messages(user, conversation.messages, or_stuck=True):
        return None  # without a lock: the usual answer to a client that asks again
    with transaction.atomic():
        row, _ = ConversationLog.objects.get_or_create(
            platform=user.platform,
            owner=user.owner,
            conversation_log_id=conversation.conversation_log_id,
            defaults={
                "user": user,
                "conversation_id": conversation.conversation_id,
                "contact_id": str(conversation.contact.id),
                "contact_type": conversation.contact.type,
                "state": LogState.QUEUED,
            },
        )
        position = next_position(row)  # from here on no other request adds to this day
        _forget_stuck(user, row, conversation)
        fresh = _new_messages(user, conversation.messages)
        change = replace(conversation, messages=fresh)
        delivery = accept(
            kind=DeliveryKind.WRITE_MESSAGES, user=user, change=change, conversation=row, position=position
        )
        mine = _marked(user, row, delivery, fresh)
        if mine != fresh:  # another conversation took some of them at the same moment
            change = replace(conversation, messages=mine)
            replace_change(delivery, change)
        if mine or conversation.shared:
            ConversationLog.objects.filter(pk=row.pk, state=LogState.FAILED).update(state=LogState.QUEUED)
            return delivery, change
        transaction.set_rollback(True)
    return None


def _stuck(user: CrmUser, prefix: str = "") -> Q:
    """What nobody sends by itself: it waits for support, or for a colleague's login."""
    waits_for = f"{prefix}waits_for"
    return Q(**{waits_for: WaitsFor.PERSON}) | (Q(**{waits_for: WaitsFor.LOGIN}) & ~Q(**{f"{prefix}user": user}))


def _forget_stuck(user: CrmUser, row: ConversationLog, conversation: Conversation) -> None:
    """Drops what is stuck where this request brings all of it again: as with a call, the newest version counts."""
    given = {message.id for message in conversation.messages}
    for delivery in row.deliveries.filter(_stuck(user)).select_related("conversation"):
        if given.issuperset(delivery.messages.values_list("message_id", flat=True)):
            drop(delivery, error="sent again")


def _new_messages(user: CrmUser, messages: Sequence[Message], *, or_stuck: bool = False) -> tuple[Message, ...]:
    rows = MessageLog.objects.filter(
        platform=user.platform, owner=user.owner, message_id__in=[message.id for message in messages]
    )
    if or_stuck:
        rows = rows.filter(Q(delivery=None) | ~_stuck(user, "delivery__"))
    known = set(rows.values_list("message_id", flat=True))
    return tuple(message for message in messages if message.id not in known)


def _marked(
    user: CrmUser, row: ConversationLog, delivery: Delivery, messages: tuple[Message, ...]
) -> tuple[Message, ...]:
    """The messages that are this delivery's: each belongs to one, whoever asks at the same time."""
    rows = [
        MessageLog(platform=user.platform, owner=user.owner, message_id=message.id, conversation=row, delivery=delivery)
        for message in messages
    ]
    MessageLog.objects.bulk_create(rows, ignore_conflicts=True)
    mine = set(MessageLog.objects.filter(delivery=delivery).values_list("message_id", flat=True))
    return tuple(message for message in messages if message.id in mine)
