"""Conversation days: accepts texts one by one, and writes them in one read and one write."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import models, transaction
from django.db.models import Q

from adapters.contract import (
    ConnectorError,
    CrmAdapter,
    Id,
    LogRef,
    LogResult,
    Message,
    MessageLogEntry,
)
from audit.models import ConversationLog, MessageLog
from audit.prepared import PreparedQuery
from connectors.deliveries import clock, logged_elsewhere
from connectors.deliveries.accepting import accept, lock
from connectors.deliveries.calls import begin, settled, wait_until_settled
from connectors.deliveries.changes import Conversation
from connectors.deliveries.message_entries import change_of, ends_day, entry_of, measure
from connectors.deliveries.models import Delivery, Restoration
from connectors.deliveries.outcome import NotNow
from connectors.deliveries.policy import Event, Kind
from connectors.deliveries.queue import State
from connectors.models import CrmUser
from connectors.services.crm_access import refuses_before_acting
from connectors.services.numbers import columns_of_text
from connectors.services.stale_contacts import write_about


class MessageNotStored(Exception):
    """A message has no row although nobody else has one for it: an error of this server's own database."""


# --- accepting -------------------------------------------------------------------------------------


def accept_texts(user: CrmUser, conversation: Conversation) -> tuple[Delivery, Conversation | None] | None:
    """The delivery of what is new, and the conversation reduced to that; None when nothing is.

    The conversation is None where an earlier delivery of the same texts is taken up again. Messages that a record of
    another contact holds are not new, unless the CRM says that the record was deleted.
    """
    fresh = _new_messages(user, conversation.messages, or_stuck=True)
    if len(fresh) < len(conversation.messages) and logged_elsewhere.forget_deleted(user, conversation):
        fresh = _new_messages(user, conversation.messages, or_stuck=True)
    if not conversation.shared and not fresh:
        return None  # without a lock: the usual answer to a client that asks again
    with transaction.atomic():
        row, is_new, position = _locked_day(user, conversation)
        if not is_new or row.conversation_log_id != conversation.conversation_log_id:
            _forget_stuck(user, row, conversation)
            fresh = _new_messages(user, conversation.messages)
        if not fresh and not conversation.shared:
            waiting = _taken_up_again(user, row, conversation)
            return (waiting, None) if waiting else None
        change = replace(conversation, messages=fresh)
        delivery = accept(
            kind=Kind.TEXTS,
            user=user,
            change=change,
            record=row,
            position=position,
            leased=is_new or not Delivery.objects.of(row).exists(),  # it is its turn then, and nobody else's
            begun=False,
            shows_by=Restoration.shows_by(conversation.started_at, user.platform),
        )
        mine = _marked(user, row, delivery, fresh)
        if mine != fresh:  # another conversation took some of them at the same moment
            change = replace(conversation, messages=mine)
            delivery.replace_change(change)
        if mine or conversation.shared:
            if not is_new:
                row.reopen()
            return delivery, change
        transaction.set_rollback(True)
    return None


def _locked_day(user: CrmUser, conversation: Conversation) -> tuple[ConversationLog, bool, int]:
    """The row that serialises the day's messages for this contact, whether it is new, and the place of a delivery.

    Locked until the transaction ends. A day that is logged for another contact has a further row, and a record, for
    this one: named as those of a group are, ``<day>-<contact id>``.
    """
    contact = conversation.contact
    columns = {
        "user": user,
        "contact_id": str(contact.id),
        "contact_type": contact.type,
        **columns_of_text(user, contact.phone),
    }
    days = ConversationLog.objects.filter(platform=user.platform, owner=user.owner)
    own_key = f"{conversation.conversation_log_id}-{contact.id}"
    for key in (conversation.conversation_log_id, own_key):
        row, is_new = days.get_or_create(
            platform=user.platform,
            owner=user.owner,
            conversation_log_id=key,
            defaults={
                "conversation_id": conversation.conversation_id,
                "state": ConversationLog.UNWRITTEN,
                "last_position": 1,
                **columns,
            },
        )
        position = 1 if is_new else lock(row)  # from here on no other request adds to this day
        if is_new or logged_elsewhere.is_about(row, contact):
            break
        _forget_stuck(user, row, conversation)
        if _is_empty(row) and not days.filter(conversation_log_id=own_key).exists():
            days.filter(pk=row.pk).update(**columns)
            row.refresh_from_db()
            break
    return row, is_new, position


def _is_empty(row: ConversationLog) -> bool:
    """Whether nothing of the day is in the CRM, or may come there."""
    is_written = bool(row.crm_log_id) or row.may_be_there or row.messages.exists()
    return not is_written and not Delivery.objects.of(row).exists()


def _stuck(user: CrmUser) -> Q:
    """What nobody sends by itself: it waits for support, or for a colleague's login."""
    return Q(state__in=(State.PERSON, State.GIVEN_UP)) | (Q(state=State.LOGIN) & ~Q(user=user))


def _forget_stuck(user: CrmUser, row: ConversationLog, conversation: Conversation) -> None:
    """Drops what is stuck where this request brings all of it again: as with a call, the newest version counts.

    What may be in the CRM stays: it is looked for with the login of whoever tried to write it.
    """
    given = {message.id for message in conversation.messages}
    for delivery in Delivery.objects.of(row).free().filter(_stuck(user), settles_at=None):
        messages = MessageLog.objects.filter(delivery_id=delivery.pk)
        if given.issuperset(messages.values_list("message_id", flat=True)):
            messages.delete()
            delivery.delete()


def _taken_up_again(user: CrmUser, row: ConversationLog, conversation: Conversation) -> Delivery | None:
    """What is kept of these texts for support, and may be in the CRM: somebody asks for it, so it is looked for."""
    ids = [message.id for message in conversation.messages]
    holders = MessageLog.objects.filter(conversation=row, message_id__in=ids).values("delivery_id")
    own = Delivery.objects.of(row).filter(_stuck(user), user=user, pk__in=holders)
    delivery = own.order_by("position").first()
    if delivery is not None:
        Delivery.objects.filter(pk=delivery.pk).update(state=State.WAITING)
    return delivery


def held_by(delivery: Delivery) -> set[str]:
    """Ids of the messages that the delivery brings into the CRM."""
    return set(MessageLog.objects.filter(delivery_id=delivery.pk).values_list("message_id", flat=True))


def _new_messages(user: CrmUser, messages: Sequence[Message], *, or_stuck: bool = False) -> tuple[Message, ...]:
    holders = _holders(user, messages)
    held = {delivery_id for delivery_id in holders.values() if delivery_id} if or_stuck else set()
    stuck = set(Delivery.objects.filter(_stuck(user), pk__in=held).values_list("pk", flat=True)) if held else set()
    return tuple(message for message in messages if message.id not in holders or holders[message.id] in stuck)


def _holders(user: CrmUser, messages: Sequence[Message]) -> dict[str, uuid.UUID | None]:
    """By message that has a row: the delivery that brings it into the CRM; None: it is there."""
    rows = _rows(user.platform, user.owner, *(message.id for message in messages)) if messages else []
    return {row.message_id: row.delivery_id for row in rows}


def _rows_of(platform: str, owner: str, *message_ids: str) -> models.QuerySet[MessageLog]:
    return MessageLog.objects.filter(platform=platform, owner=owner, message_id__in=message_ids)


_rows = PreparedQuery(_rows_of)


def _marked(
    user: CrmUser, row: ConversationLog, delivery: Delivery, messages: tuple[Message, ...]
) -> tuple[Message, ...]:
    """The messages that are this delivery's: each belongs to one, whoever asks at the same time.

    Raises ``MessageNotStored`` where a message got no row: a database that refuses rows must not pass for a colleague.
    """
    rows = [
        MessageLog(
            platform=user.platform, owner=user.owner, message_id=message.id, conversation=row, delivery_id=delivery.pk
        )
        for message in messages
    ]
    MessageLog.objects.bulk_create(rows, ignore_conflicts=True)
    holders = _holders(user, messages)
    if missing := [message for message in messages if message.id not in holders]:
        raise MessageNotStored(f"{len(missing)} of {len(messages)} messages got no row")
    return tuple(message for message in messages if holders[message.id] == delivery.pk)


# --- writing ---------------------------------------------------------------------------------------


def write(delivery: Delivery, conversation: Conversation, *, is_short: bool = False) -> LogResult:
    """Writes the messages of a delivery, those of an earlier attempt left out."""
    row = delivery.conversation
    assert row is not None
    may_be_present = delivery.attempts > 1 or delivery.is_in_doubt or row.may_be_there

    def attempt(adapter: CrmAdapter) -> LogResult:
        entry = entry_of(adapter, delivery, row, conversation)
        if row.crm_log_id:
            wait_until_settled(delivery)
        elif (found := _found(adapter, delivery, row, entry)) is not None:
            delivery.keeps_id(found)
        begin(delivery)
        if not row.crm_log_id:
            measure(adapter, delivery, entry.body)
            return adapter.create_message_log(entry)
        ref = LogRef(log_id=row.crm_log_id, marker=row.marker, contact=conversation.contact)
        before = _logged_before(row, delivery, conversation) if may_be_present else None
        change = change_of(adapter, delivery, entry, may_be_present, before, ends_day(conversation))
        try:
            return adapter.update_message_log(ref, change)
        except ConnectorError as error:
            if delivery.added != () or not Event(error.kind).is_about_the_change:
                raise
            return LogResult(log_id=row.wire_log_id())  # an earlier attempt has written all of the messages

    was_in_crm, delivery.texts = bool(row.crm_log_id), len(conversation.messages)
    return write_about(
        conversation.contact,
        delivery.user,
        attempt,
        may_repeat=lambda: bool(row.crm_log_id) == was_in_crm and refuses_before_acting(delivery.platform),
    )


def begin_record(delivery: Delivery) -> None:
    """The day goes on in a new record: the present one was deleted in the CRM."""
    assert delivery.conversation is not None
    delivery.begins_anew = True
    delivery.conversation.begin_record(next_part=False, deliveries__lease=delivery.lease)


def begin_next_part(delivery: Delivery, whole: Conversation) -> Conversation:
    """The day goes on in a new record, since the present one is full, with what does not stand there.

    Some may: what was split, and written, before a back-up was restored is whole again. Raises ``NotNow`` where texts
    of another change may stand in the full record: they are looked for in the day's present record only, so that is
    left when they have been found there, or not; and when the lease was lost.
    """
    row = delivery.conversation
    assert row is not None
    delivery.doubt_before = None  # the record was read for the append: what is to be written is not in it
    others = Delivery.objects.of(row).exclude(pk=delivery.pk)
    if others.filter(kind=Kind.TEXTS, settles_at__isnull=False).exists():
        raise NotNow(Event.EARLIER_FIRST)
    lacking = whole.messages if delivery.added is None else delivery.added
    if len(lacking) < len(whole.messages):
        whole = _left(delivery, row, replace(whole, messages=lacking))
    delivery.begins_anew = True
    row.begin_record(next_part=True, deliveries__lease=delivery.lease)
    return whole


def _left(delivery: Delivery, row: ConversationLog, rest: Conversation) -> Conversation:
    """Only these are left to the delivery: the others stand in the day's present record."""
    with transaction.atomic():
        if not delivery.keep_part(rest):
            raise NotNow(Event.NOT_ASKED)
        held = MessageLog.objects.filter(delivery_id=delivery.pk)
        held.exclude(message_id__in=[message.id for message in rest.messages]).update(delivery_id=None, part=row.part)
    return rest


def split(delivery: Delivery, whole: Conversation) -> Conversation:
    """Leaves the earlier half of the texts to this delivery, and gives the later half one of its own, due at once.

    Raises ``NotNow`` when the lease was lost.
    """
    row = delivery.conversation
    assert row is not None
    half = len(whole.messages) // 2
    mine, later = (replace(whole, messages=part) for part in (whole.messages[:half], whole.messages[half:]))
    with transaction.atomic():
        rest = accept(kind=Kind.TEXTS, user=delivery.user, change=later, record=row)
        of_rest = Delivery.objects.filter(pk=rest.pk)
        of_rest.update(accepted_at=delivery.accepted_at, request_id=delivery.request_id, next_attempt_at=clock.now())
        ids = [message.id for message in later.messages]
        MessageLog.objects.filter(delivery_id=delivery.pk, message_id__in=ids).update(delivery_id=rest.pk)
        if not delivery.keep_part(mine):
            raise NotNow(Event.NOT_ASKED)
    return mine


def _logged_before(row: ConversationLog, delivery: Delivery, conversation: Conversation) -> int | None:
    """How many messages the record holds besides these; None where others may have arrived that nobody knows of."""
    others = Delivery.objects.of(row).exclude(pk=delivery.pk).filter(attempts__gt=0)
    if _is_restored(row, conversation.started_at) or others.exists():
        return None
    return row.messages.filter(delivery_id=None, part=row.part).count()


def _is_restored(row: ConversationLog, started_at: datetime | None) -> bool:
    """Whether rows of texts that are in the CRM may be missing since a back-up was restored.

    The day's own may be younger: it is made anew for texts that come again.
    """
    return Restoration.covers(row.created_at) or Restoration.covers(started_at)


def _found(adapter: CrmAdapter, delivery: Delivery, row: ConversationLog, entry: MessageLogEntry) -> Id | None:
    """The day's record of an earlier attempt, None: it is certainly not there, or there was no such attempt.

    After a restored back-up the day may have gone on already where it goes on now.
    """
    is_sought = not delivery.has_begun and (delivery.is_in_doubt or row.may_be_there)
    if not is_sought and not (delivery.begins_anew and _is_restored(row, entry.started_at)):
        return None
    marker = replace(entry.as_marker(), is_anothers=row.belongs_to_another)
    return settled(delivery, row, marker, adapter.find_message_log(marker))
