"""What a log says of one message."""

from __future__ import annotations

import re
from datetime import tzinfo

from adapters.contract import ContactRef, Direction, Message, MessageKind
from connectors.log_body.clock import short_date
from connectors.log_body.media import file_line

NO_TEXT = "(no text)"
#: RingCentral says DeliveryFailed and SendingFailed; carriers and faxes have more words for it.
_FAILED = re.compile("fail|error|undeliver|notdeliver|rejected|notsent|unsent")


def failure(status: str) -> str:
    """What is said of a message with this status; empty unless it did not arrive.

    Behind a colon stand those whom it did not reach, where it reached others: ``DeliveryFailed: Theo Brandt``.
    """
    status, _, people = status.partition(":")
    word = "".join(filter(str.isalpha, status)).lower()
    if not _FAILED.search(word):
        return ""
    if people.strip():
        return f"(not delivered to {people.strip()})"
    return "(sending failed)" if "sen" in word else "(not delivered)"


def conversation_title(first: Message, contact_name: str, zone: tzinfo, date_format: str = "%y/%m/%d") -> str:
    """``SMS conversation with Pat Lee - 25/03/04``, by the first message of the day."""
    return f"{_title(first)} {contact_name} - {short_date(first.sent_at, zone, date_format)}"


def _title(first: Message) -> str:
    if first.kind is MessageKind.VOICEMAIL:
        return "Voicemail left by"
    if first.kind is not MessageKind.FAX:
        return "SMS conversation with"
    if first.direction is Direction.INBOUND:
        return "Fax document sent from"
    return "Fax document not sent to" if failure(first.status) else "Fax document sent to"


def speaker(message: Message, contact: ContactRef, user_name: str) -> str:
    """Who said it: the user, or the sender with their number."""
    if message.direction is Direction.OUTBOUND:
        return user_name
    sender = message.sender
    number = sender.phone_number or (f"ext {sender.extension_number}" if sender.extension_number else "")
    if not number and not sender.name:
        return _named(contact.name, contact.phone)
    is_contact = number and number == contact.phone
    return _named(sender.name or (contact.name if is_contact else ""), number)


def _named(name: str, number: str) -> str:
    return f"{name} ({number})" if name and number else name or number


def said(message: Message) -> str:
    """The text of its entry: never empty, without a token, with a word where it did not arrive."""
    lines = [_told(message) if message.wording is None else message.wording, failure(message.status)]
    return "\n".join(line for line in lines if line.strip()) or NO_TEXT


def _told(message: Message) -> str:
    lines = [file_line(file.link, file.content_type) for file in message.attachments]
    if message.kind is MessageKind.VOICEMAIL:
        transcription = f"Transcription: {message.text}" if message.text.strip() else ""
        lines = [f"Voicemail recording link: {message.recording_link or '(no recording)'}", transcription, *lines]
    elif message.kind is MessageKind.FAX:
        text = "" if message.fax_link else message.text  # else it stands in the document
        lines = [f"Fax document link: {message.fax_link or '(no document)'}{_pages(message)}", text, *lines]
    else:
        lines = [message.text if message.text.strip() or lines else NO_TEXT, *lines]
    return "\n".join(line for line in lines if line.strip())


def _pages(message: Message) -> str:
    count = message.fax_page_count
    return f" ({count} page{'' if count == 1 else 's'})" if count else ""
