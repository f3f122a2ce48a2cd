"""Logs a conversation day once: its messages are accepted one by one, and written in one read and one write."""

from __future__ import annotations

from dataclasses import dataclass

from adapters import registry
from adapters.contract import LogResult, Notice, NoticeLevel
from connectors.deliveries.changes import Conversation
from connectors.deliveries.logged_elsewhere import are_elsewhere
from connectors.deliveries.messages import accept_texts, held_by
from connectors.deliveries.notices import kept_notice
from connectors.deliveries.sending import send_now
from connectors.models import CrmUser


@dataclass(frozen=True, kw_only=True)
class MessagesLogged:
    """Ids of the message rows written by this request, and the adapter's result (None: nothing new).

    Where all of the messages are logged for another contact: their ids, and a result that says so. The client shows a
    notice only beside ids.
    """

    ids: tuple[str, ...]
    result: LogResult | None


def log_messages(*, user: CrmUser, conversation: Conversation) -> MessagesLogged:
    """Writes the messages that are not in the CRM yet: a new record for a new day, else one read and one write.

    A CRM that cannot be reached gets them later; the result's notice says so. Raises the ``ConnectorError`` of a CRM
    that refused them; nothing counts as logged then.
    """
    accepted = accept_texts(user, conversation)
    if accepted is None:
        if are_elsewhere(user, conversation):
            ids = tuple(message.id for message in conversation.messages)
            return MessagesLogged(ids=ids, result=LogResult(log_id="", notice=_elsewhere(user, conversation)))
        return MessagesLogged(ids=(), result=None)
    delivery, change = accepted
    held = held_by(delivery) if change is None else {message.id for message in change.messages}
    given = [message.id for message in conversation.messages]
    ids = tuple(message_id for message_id in given if message_id in held)
    # What is refused to whoever waits for the reply is forgotten: not texts that they have not asked for.
    outcome = send_now(delivery, change, user_waits=held.issubset(given))
    if outcome.waits:
        return MessagesLogged(ids=ids, result=LogResult(log_id="", notice=kept_notice(user, "Messages", outcome)))
    return MessagesLogged(ids=ids, result=outcome.result or LogResult(log_id=""))


def _elsewhere(user: CrmUser, conversation: Conversation) -> Notice:
    contact = conversation.contact.name or "this contact"
    return Notice(
        message="Existing log: these messages are logged for another contact.",
        level=NoticeLevel.WARNING,
        ttl=5000,
        details=(
            f"To log them for {contact}, delete that record in {registry.display_name(user.platform)}, "
            "then log the messages again.",
        ),
    )
