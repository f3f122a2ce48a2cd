"""Message logs: a conversation day with its SMS, MMS, voicemails and faxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from adapters.contract import Message, Notice, NoticeLevel
from connectors.api.conversations import NewMessageLog, Participants, contact_of, messages_of
from connectors.api.envelope import from_notice, return_message
from connectors.api.wire import WireViewSet, connected_user, operation, read, without_tokens
from connectors.deliveries.changes import Conversation
from connectors.log_body import parse_time
from connectors.services import message_logs


class MessageLogViewSet(WireViewSet):
    """``/messageLog``."""

    @operation("createMessageLog", logIds=[])
    def create(self, request: Request) -> Response:
        user = connected_user(request)
        given = read(NewMessageLog, request.data)
        info = given["logInfo"]
        sent = dict(request.data).get("logInfo")
        raw: dict[str, Any] = sent if isinstance(sent, dict) else {}  # a form has no such member, but its parts
        shared = raw if (info["owner"] or {}).get("name") else None
        if not info["messages"] and not shared:
            return self._refused("No message to log.", 3000)
        correspondents = info["correspondents"]
        if given["contactId"] in (None, "", 0):
            phone = correspondents[0].phone_number if correspondents else ""
            return self._refused(f"Contact not found for number {phone}", 5000)
        participants = Participants(correspondents, given["contactName"] or "")
        contact = contact_of(given, participants)
        suffix = f"-{contact.id}" if len(correspondents) > 1 else ""
        messages = messages_of(info, participants, suffix=suffix)
        started, ended = _span(raw, messages, is_shared=shared is not None)
        if started is None or ended is None:
            return self._refused("No message to log.", 3000)
        conversation = Conversation(
            conversation_id=info["conversationId"] + suffix,
            conversation_log_id=info["conversationLogId"] + suffix,
            contact=contact,
            messages=() if shared else messages,
            correspondents=participants.others,
            shared=shared,
            started_at=started,
            ended_at=ended,
            submission=given["additionalSubmission"] or {},
            wire=without_tokens(request.data),
        )
        logged = message_logs.log_messages(user=user, conversation=conversation)
        if logged.result is None:
            return Response({"successful": True, "logIds": [], "returnMessage": None})
        ids = list(logged.ids) or [conversation.conversation_log_id]
        notice = logged.result.notice or Notice(message="Message logged", level=NoticeLevel.SUCCESS, ttl=1000)
        notice = notice.followed_by(_left_out(raw, info["messages"]))
        return Response({"successful": True, "logIds": ids, "returnMessage": from_notice(notice)})

    @staticmethod
    def _refused(text: str, ttl: int) -> Response:
        return Response({"successful": False, "logIds": [], "returnMessage": return_message(text, ttl=ttl)})


def _left_out(raw: dict[str, Any], read: Sequence[Any] | None) -> Notice | None:
    """What the user is told of messages that could not be read: they are lost otherwise without a word."""
    sent = raw.get("messages")
    number = sum(item is not None for item in sent) - len(read or ()) if isinstance(sent, list) else 0
    if number <= 0:
        return None
    what = "1 message has" if number == 1 else f"{number} messages have"
    text = f"{what} no id, time or direction that can be read, and {'was' if number == 1 else 'were'} not logged."
    return Notice(message=text, level=NoticeLevel.WARNING, ttl=5000)


def _span(raw: dict[str, Any], messages: tuple[Message, ...], *, is_shared: bool) -> tuple[Any, Any]:
    """First and last moment: of the messages, or of a shared conversation, which has times of its own."""
    first, last = (messages[0].sent_at, messages[-1].sent_at) if messages else (None, None)
    if not is_shared:
        return first, last
    lists = [raw[key] for key in ("messages", "entities") if isinstance(raw.get(key), list)]
    items = [item for found in lists for item in found if isinstance(item, dict)]
    times = [
        moment for item in items if (moment := parse_time(item.get("lastModifiedTime") or item.get("creationTime")))
    ]
    created = parse_time(raw.get("creationTime")) or first or min(times, default=None)
    return created, max(times, default=created)
