"""Message logs: a conversation day with its SMS, MMS, voicemails and faxes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters.contract import ContactRef, Direction, Message, MessageKind, NoticeLevel, Party
from adapters.contract.outbound_guard import refusal
from connectors.api.envelope import from_notice, return_message
from connectors.api.shown import LongText, PartyField, Shown, people
from connectors.api.wire import (
    Key,
    Moment,
    RecordId,
    Submission,
    Text,
    WireViewSet,
    connected_user,
    operation,
    without_tokens,
)
from connectors.log_body import parse_time
from connectors.services import message_logs
from connectors.services.message_writes import Conversation

_MEDIA_READER = "https://ringcentral.github.io/ringcentral-media-reader/?media="


class AttachmentField(serializers.Serializer[Any]):
    """One attachment of a message."""

    type = Text(most=64, allow_null=False)
    link = Text(most=4000, allow_null=False)
    uri = Text(most=4000, allow_null=False)
    contentType = Text(most=128, allow_null=False)


class MessageField(serializers.Serializer[Any]):
    """One message of ``logInfo.messages``."""

    id = RecordId()
    type = Text(most=32)
    direction = serializers.ChoiceField(choices=[str(item) for item in Direction])
    subject = LongText(most=100_000, allow_null=False)
    creationTime = Moment()
    to = people()
    attachments = AttachmentField(many=True, required=False, allow_null=True, default=list)
    messageStatus = Text(most=64, allow_null=False)
    faxPageCount = serializers.IntegerField(required=False, allow_null=True, default=0, min_value=0, max_value=10_000)
    typingDurationMs = serializers.FloatField(required=False, allow_null=True, default=0, min_value=0)

    def get_fields(self) -> Any:
        return {**super().get_fields(), "from": PartyField()}


class ConversationField(serializers.Serializer[Any]):
    """``logInfo``: the conversation."""

    conversationId = Text(most=200, allow_null=False)
    conversationLogId = Key(most=200)
    messages = MessageField(many=True, required=False, allow_null=True, default=list)
    correspondents = people()
    rcAccessToken = Text(most=4000, allow_null=False)
    owner = serializers.DictField(required=False, allow_null=True, default=None)


class NewMessageLog(serializers.Serializer[Any]):
    """Body of ``POST /messageLog``."""

    logInfo = ConversationField()
    contactId = RecordId(required=False, allow_null=True, default=None)
    contactType = Text(most=64)
    contactName = Shown(most=255)
    additionalSubmission = Submission()


def _is_ringcentral_media(uri: str) -> bool:
    """Whether an address is RingCentral's own: its token goes nowhere else."""
    return not refusal(uri, ("ringcentral.com", "*.ringcentral.com"))


def _with_token(uri: str, token: str) -> str:
    if not token or not _is_ringcentral_media(uri):
        return ""
    return f"{uri}{'&' if urlsplit(uri).query else '?'}access_token={quote(token, safe='')}"


def _reader(uri: str) -> str:
    """The page that plays a RingCentral media address for people who may; empty for an address of somebody else's."""
    return _MEDIA_READER + quote(_page(uri), safe="") if _is_ringcentral_media(uri) else ""


def _page(link: str) -> str:
    """A link fit for a log body: without a token in its query."""
    return link.split("?", 1)[0] if "oken=" in link else link


def message_from_wire(item: dict[str, Any], *, token: str, suffix: str) -> Message:
    """One message with its links; ``suffix`` tells the copies of a group message apart."""
    attachments = [attachment for attachment in item["attachments"] or [] if attachment]

    def first(kind: str = "", content: str = "") -> dict[str, Any]:
        return next(
            (a for a in attachments if (not kind or a["type"] == kind) and a["contentType"].startswith(content)), {}
        )

    audio, document = first("AudioRecording"), first("RenderedDocument")
    image, video = first("MmsAttachment", "image/"), first("MmsAttachment", "video/")
    kind = MessageKind.SMS
    if audio:
        kind = MessageKind.VOICEMAIL
    elif document or item["type"] == "Fax":
        kind = MessageKind.FAX
    return Message(
        id=f"{item['id']}{suffix}",
        kind=kind,
        direction=Direction(item["direction"]),
        sent_at=item["creationTime"],
        text=item["subject"],
        sender=item["from"],
        recipients=item["to"],
        recording_link=_page(audio.get("link", "")),
        fax_link=_page(document.get("link", "")),
        fax_download_url=_with_token(document.get("uri", ""), token),
        image_link=_reader(image.get("uri", "")),
        image_download_url=_with_token(image.get("uri", ""), token),
        image_content_type=image.get("contentType", ""),
        video_link=_reader(video.get("uri", "")),
        status=item["messageStatus"],
        fax_page_count=item["faxPageCount"] or 0,
        typing_duration_ms=round(item["typingDurationMs"] or 0),
    )


class MessageLogViewSet(WireViewSet):
    """``/messageLog``."""

    @operation("createMessageLog", logIds=[])
    def create(self, request: Request) -> Response:
        user = connected_user(request)
        body = NewMessageLog(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        info = given["logInfo"]
        sent = dict(request.data).get("logInfo")
        raw: dict[str, Any] = sent if isinstance(sent, dict) else {}  # a form has no such member, but its parts
        shared = raw if (info["owner"] or {}).get("name") else None
        if not info["messages"] and not shared:
            return self._refused("No message to log.", 3000)
        correspondents = info["correspondents"]
        phone = correspondents[0].phone_number if correspondents else ""
        if given["contactId"] in (None, "", 0):
            return self._refused(f"Contact not found for number {phone}", 5000)
        contact = ContactRef(
            id=given["contactId"], type=given["contactType"] or "", name=given["contactName"] or "", phone=phone
        )
        suffix = f"-{contact.id}" if len(correspondents) > 1 else ""
        messages = sorted(
            (
                message_from_wire(item, token=info["rcAccessToken"], suffix=suffix)
                for item in info["messages"] or []
                if item
            ),
            key=lambda message: message.sent_at,
        )
        started, ended = _span(raw, messages, is_shared=shared is not None)
        if started is None or ended is None:
            return self._refused("No message to log.", 3000)
        conversation = Conversation(
            conversation_id=info["conversationId"] + suffix,
            conversation_log_id=info["conversationLogId"] + suffix,
            contact=contact,
            messages=() if shared else tuple(messages),
            correspondents=_others(correspondents, contact),
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
        notice = logged.result.notice
        message = from_notice(notice) if notice else return_message("Message logged", NoticeLevel.SUCCESS, 1000)
        return Response({"successful": True, "logIds": ids, "returnMessage": message})

    @staticmethod
    def _refused(text: str, ttl: int) -> Response:
        return Response({"successful": False, "logIds": [], "returnMessage": return_message(text, ttl=ttl)})


def _span(raw: dict[str, Any], messages: list[Message], *, is_shared: bool) -> tuple[Any, Any]:
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


def _others(correspondents: tuple[Party, ...], contact: ContactRef) -> tuple[str, ...]:
    """Names of the further participants of a group message."""
    if len(correspondents) < 2:
        return ()
    first_name = contact.name.split(" ")[0]
    return tuple(party.name for party in correspondents[1:] if not party.name or party.name.split(" ")[0] != first_name)
