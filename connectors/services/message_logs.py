"""Logs a conversation day once: its messages are accepted one by one, and written in one read and one write."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.contract import LogResult
from connectors.deliveries.changes import Conversation
from connectors.deliveries.messages import accept_texts
from connectors.deliveries.notices import kept_notice
from connectors.deliveries.sending import send_now
from connectors.models import CrmUser


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
    accepted = accept_texts(user, conversation)
    if accepted is None:
        return MessagesLogged(ids=(), result=None)
    delivery, change = accepted
    ids = tuple(message.id for message in (change or conversation).messages)
    outcome = send_now(delivery, change)
    if outcome.waits:
        return MessagesLogged(ids=ids, result=LogResult(log_id="", notice=kept_notice(user, "Messages", outcome)))
    return MessagesLogged(ids=ids, result=outcome.result or LogResult(log_id=""))
