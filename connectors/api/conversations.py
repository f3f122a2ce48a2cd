"""Reads a conversation day as the client sends it: who takes part, who said what, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from rest_framework import serializers

from adapters.contract import Attachment, ContactRef, Direction, Message, MessageKind, Party, match_number, parse_phone
from connectors.api.shown import Items, LongText, PartyField, Shown, people, whole_number
from connectors.api.shown import party as party_of
from connectors.api.wire import Key, Moment, RecordId, Submission, Text, Way
from connectors.log_body.media import is_ringcentral, reader_link, without_token
from connectors.log_body.wording import failure

_LONGEST_TEXT = 50_000
_MOST_FILES = 100
_MOST_PEOPLE = 1000
_KINDS = {"voicemail": MessageKind.VOICEMAIL, "fax": MessageKind.FAX}
#: The recording of a voicemail and the document of a fax: what RingCentral calls it, and the media types it may have.
_MAIN = {
    MessageKind.VOICEMAIL: ("AudioRecording", ("audio/",)),
    MessageKind.FAX: ("RenderedDocument", ("application/pdf", "image/tiff")),
}


@dataclass(frozen=True, kw_only=True)
class _File:
    """An attachment as it was sent; ``uri`` needs a token to be read, ``link`` is a page."""

    kind: str
    content_type: str
    link: str
    uri: str


def _file(value: dict[str, Any]) -> _File:
    def member(name: str, most: int) -> str:
        text = value.get(name)
        return text.replace("\x00", "") if isinstance(text, str) and len(text) <= most else ""

    return _File(
        kind=member("type", 64),
        content_type=member("contentType", 128),
        link=member("link", 4000),
        uri=member("uri", 4000),
    )


def _recipient(value: dict[str, Any]) -> tuple[Party, str]:
    status = value.get("messageStatus")
    return party_of(value), status if isinstance(status, str) and len(status) <= 64 else ""


class Count(serializers.FloatField):
    """A number that is only shown or billed; 0 for what cannot be one."""

    def __init__(self, *, most: int) -> None:
        self.most = most
        super().__init__(required=False, allow_null=True, default=0)

    def run_validation(self, data: Any = serializers.empty) -> int:
        return whole_number(data, self.most)


class MessageField(serializers.Serializer[Any]):
    """One message of ``logInfo.messages``."""

    id = RecordId()
    type = Shown(most=32, allow_null=False)
    direction = Way()
    subject = LongText(most=_LONGEST_TEXT, allow_null=False)
    creationTime = Moment()
    to = Items(_recipient, most=_MOST_PEOPLE, properties=("name", "phoneNumber", "extensionNumber", "messageStatus"))
    attachments = Items(_file, most=_MOST_FILES, properties=("type", "contentType", "link", "uri"))
    messageStatus = Shown(most=64, allow_null=False)
    faxPageCount = Count(most=10_000)
    typingDurationMs = Count(most=86_400_000)

    def get_fields(self) -> Any:
        return {**super().get_fields(), "from": PartyField()}


class Messages(serializers.ListField):
    """The messages that can be read: one that cannot costs none of the others. Invalid where none can be."""

    child = MessageField()

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        found: list[dict[str, Any]] = []
        faults: dict[str, Any] = {}
        for index, item in enumerate(data):
            if item is None:
                continue
            try:
                found.append(self._read(item))
            except serializers.ValidationError as error:
                faults[str(index)] = error.detail
        if faults and not found:
            raise serializers.ValidationError(faults)
        return found

    def _read(self, item: Any) -> Any:
        """``lastModifiedTime`` stands in for a ``creationTime`` that cannot be read."""
        try:
            return self.child.run_validation(item)
        except serializers.ValidationError:
            if not isinstance(item, dict) or "lastModifiedTime" not in item:
                raise
            return self.child.run_validation({**item, "creationTime": item["lastModifiedTime"]})


class ConversationField(serializers.Serializer[Any]):
    """``logInfo``: the conversation."""

    conversationId = Text(most=200, allow_null=False)
    conversationLogId = Key(most=200)
    type = Shown(most=32, allow_null=False)
    messages = Messages(required=False, allow_null=True, default=list)
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


class Participants:
    """The other side of a conversation, each person once, and which of them the contact is."""

    def __init__(self, correspondents: Sequence[Party], contact_name: str) -> None:
        self.contact_name = contact_name
        self._people: list[Party] = []
        for party in correspondents:
            if self._index(party) is None:
                self._people.append(party)
        self._contact = self._contact_by_name()

    @property
    def contact_number(self) -> str:
        """The contact's number; "" where nobody knows which participant the contact is."""
        return "" if self._contact is None else self._people[self._contact].phone_number

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the others; "" for an unknown one."""
        names = [party.name for index, party in enumerate(self._people) if index != self._contact]
        if self._contact is None and "" in names:  # one of those without a name is the contact
            names.remove("")
        return tuple(names)

    def sender(self, party: Party) -> Party:
        """Who sent a message, with the name that goes with their number."""
        if not self._people:
            return replace(party, name=self.contact_name)
        index = 0 if len(self._people) == 1 and not _are_comparable(party, self._people[0]) else self._index(party)
        if index is not None:
            return replace(party, name=self._name(index))
        has_number = party.phone_number or party.extension_number
        return replace(party, name="" if has_number else party.name or "Unknown")

    def _name(self, index: int) -> str:
        return self.contact_name if index == self._contact and self.contact_name else self._people[index].name

    def _index(self, party: Party) -> int | None:
        return next((index for index, known in enumerate(self._people) if _is_same(party, known)), None)

    def _contact_by_name(self) -> int | None:
        """By the whole name, else by the first; else the only one there is, or the only one without a name."""
        if len(self._people) == 1:
            return 0
        name = self.contact_name.casefold().split()
        for length in (None, 1):
            wanted = name[:length]
            found = [
                i for i, party in enumerate(self._people) if wanted and party.name.casefold().split()[:length] == wanted
            ]
            if len(found) == 1:
                return found[0]
        nameless = [i for i, party in enumerate(self._people) if not party.name]
        return nameless[0] if len(nameless) == 1 else None


def _are_comparable(one: Party, other: Party) -> bool:
    return bool((one.phone_number and other.phone_number) or (one.extension_number and other.extension_number))


def _is_same(one: Party, other: Party) -> bool:
    if one.phone_number and other.phone_number:
        if one.phone_number == other.phone_number:
            return True
        match = match_number(parse_phone(one.phone_number), other.phone_number)
        return match is not None and not match.is_ending
    return bool(one.extension_number) and one.extension_number == other.extension_number


def oldest_first(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By time; of one second as they were sent. The client's list is newest first, as its ends tell.

    Where all are of one second, ids that grow tell that the oldest comes first.
    """
    ordered = list(items)
    first, last = (ordered[0], ordered[-1]) if ordered else ({}, {})
    if ordered and first["creationTime"] == last["creationTime"]:
        ids = [str(item["id"]) for item in ordered]
        is_oldest_first = all(map(str.isdecimal, ids)) and int(ids[0]) < int(ids[-1])
    else:
        is_oldest_first = not ordered or first["creationTime"] < last["creationTime"]
    if not is_oldest_first:
        ordered.reverse()
    return sorted(ordered, key=lambda item: item["creationTime"])


def messages_of(info: dict[str, Any], participants: Participants, *, suffix: str) -> tuple[Message, ...]:
    """The messages of a validated ``logInfo``; ``suffix`` tells the copies of a group message apart."""
    token, kind = info["rcAccessToken"], info["type"]
    items = oldest_first([item for item in info["messages"] or [] if item])
    return tuple(_message(item, participants, conversation_type=kind, token=token, suffix=suffix) for item in items)


def contact_of(given: dict[str, Any], participants: Participants) -> ContactRef:
    """The contact that a validated body is logged for."""
    return ContactRef(
        id=given["contactId"],
        type=given["contactType"] or "",
        name=given["contactName"] or "",
        phone=participants.contact_number,
    )


def _message(
    item: dict[str, Any], participants: Participants, *, conversation_type: str, token: str, suffix: str
) -> Message:
    files = [file for file in item["attachments"] if file.kind != "Text"]  # that is the text of the message itself
    kind = _kind(item["type"], conversation_type, files)
    main = _main(kind, files)
    link = without_token(main.link) or reader_link(main.uri) if main else ""
    rest = [file for file in files if not (file is main and link) and not _is_spoken(file, item["subject"])]
    direction = item["direction"]
    return Message(
        id=f"{item['id']}{suffix}",
        kind=kind,
        direction=direction,
        sent_at=item["creationTime"],
        text=item["subject"],
        sender=participants.sender(item["from"]) if direction is Direction.INBOUND else item["from"],
        recipients=tuple(recipient for recipient, _ in item["to"]),
        recording_link=link if kind is MessageKind.VOICEMAIL else "",
        fax_link=link if kind is MessageKind.FAX else "",
        fax_download_url=with_token(main.uri, token) if main and kind is MessageKind.FAX else "",
        fax_page_count=item["faxPageCount"],
        attachments=tuple(
            Attachment(
                content_type=file.content_type or file.kind,
                link=without_token(file.link) or reader_link(file.uri),
                download_url=with_token(file.uri, token),
            )
            for file in rest
        ),
        status=_status(item["messageStatus"], item["to"]),
        typing_duration_ms=item["typingDurationMs"],
    )


def _kind(message_type: str, conversation_type: str, files: Sequence[_File]) -> MessageKind:
    """By the message's own type; else by an attachment that only one kind has; else by the conversation's type."""
    if (kind := _kind_named(message_type)) in _MAIN:
        return kind
    for kind, (name, _) in _MAIN.items():
        if any(file.kind == name for file in files):
            return kind
    return MessageKind.SMS if message_type else _kind_named(conversation_type)


def _kind_named(name: str) -> MessageKind:
    return _KINDS.get(name.replace(" ", "").replace("-", "").lower(), MessageKind.SMS)


def _main(kind: MessageKind, files: Sequence[_File]) -> _File | None:
    """The recording of a voicemail, the document of a fax."""
    if kind not in _MAIN:
        return None
    name, media = _MAIN[kind]
    named = (file for file in files if file.kind == name)
    return next(named, None) or next((file for file in files if file.content_type.lower().startswith(media)), None)


def _status(status: str, recipients: Sequence[tuple[Party, str]]) -> str:
    """What became of a message, also where only its recipients tell: a fax has a status for each of them."""
    failed = [(recipient, word) for recipient, word in recipients if failure(word)]
    if not failed or failure(status):
        return status
    names = ", ".join(filter(None, (party.name or party.phone_number for party, _ in failed)))
    return failed[0][1] if len(failed) == len(recipients) else f"DeliveryFailed: {names}"


def _is_spoken(file: _File, text: str) -> bool:
    """The transcription of a voicemail, which is its text already."""
    return file.kind == "AudioTranscription" and bool(text.strip())


def with_token(uri: str, token: str) -> str:
    """The address with the RingCentral token that opens it; empty for an address of somebody else's."""
    if not token or not is_ringcentral(uri):
        return ""
    return f"{uri}{'&' if urlsplit(uri).query else '?'}access_token={quote(token, safe='')}"
