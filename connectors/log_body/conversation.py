"""Composes the body of a message log: one conversation day with SMS, MMS, voicemails and faxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo

from adapters.contract import ContactRef, Direction, LogFormat, Message, MessageKind
from connectors.log_body.clock import clock, long_date, short_date
from connectors.log_body.markup import escape

FOOTER = "--- Created via RingCentral App Connect"
_RULE = "------------"
_COUNTER = re.compile(r"Conversation\((\d+) messages\)")
_TITLES = {
    MessageKind.SMS: "SMS conversation with {name}",
    MessageKind.VOICEMAIL: "Voicemail left by {name}",
    MessageKind.FAX: "Fax document sent from {name}",
}


def conversation_title(
    kind: MessageKind, contact_name: str, moment: datetime, zone: tzinfo, date_format: str = "%y/%m/%d"
) -> str:
    """``SMS conversation with Pat Lee - 25/03/04``"""
    return f"{_TITLES[kind].format(name=contact_name)} - {short_date(moment, zone, date_format)}"


def compose_conversation(
    messages: Sequence[Message],
    *,
    title: str,
    contact: ContactRef,
    user_name: str,
    correspondents: tuple[str, ...] = (),
    log_format: LogFormat,
    zone: tzinfo,
) -> str:
    """The body of a new day: a single voicemail or fax in its short form, anything else as a conversation."""
    if not messages:
        return ""
    if len(messages) == 1 and messages[0].kind is not MessageKind.SMS:
        return _alone(messages[0], title, log_format)
    entries = "".join(_entry(message, contact, user_name, log_format, zone) for message in messages)
    day, count = long_date(messages[0].sent_at, zone), len(messages)
    people = [user_name, contact.name, *(name or "Unknown" for name in correspondents)]
    if log_format is LogFormat.HTML:
        first, *others = (escape(name) for name in people)
        rest = "".join(f"<li><b>{name}</b></li>" for name in others)
        return (
            f"<br><b>{escape(title)}</b><br><b>Conversation summary</b><br>{day}<br>Participants<br>"
            f"<ul><li><b>{first}</b><br></li>{rest}</ul><br>Conversation({count} messages)<br>BEGIN<br>"
            f"{_RULE}<br><ul>{entries}</ul>{_RULE}<br>END<br><br>{FOOTER}"
        )
    if log_format is LogFormat.MARKDOWN:
        names = "\n".join(f"* {name}" for name in people)
        return (
            f"## {title}\n{day}\n\n### Participants\n{names}\n\nConversation({count} messages)\nBEGIN\n"
            f"{_RULE}\n{entries}{_RULE}\nEND\n\n{FOOTER}"
        )
    names = "\n".join(f"    {name}" for name in people)
    gap = "" if correspondents else "\n"
    return (
        f"\nConversation summary\n{day}\nParticipants\n{names}\n{gap}Conversation({count} messages)\nBEGIN\n"
        f"{_RULE}\n{entries}{_RULE}\nEND\n\n{FOOTER}"
    )


def _alone(message: Message, title: str, log_format: LogFormat) -> str:
    text = _special(message)
    if log_format is LogFormat.HTML:
        return f"<br><b>{escape(title)}</b><br>{escape(text)} <br><br>{FOOTER}"
    return f"{text} \n\n{FOOTER}"


def _special(message: Message) -> str:
    if message.kind is MessageKind.VOICEMAIL:
        return f"Voicemail recording link: {message.recording_link}"
    return f"Fax document link: {message.fax_link}" if message.fax_link else message.text


def _text(message: Message) -> str:
    if message.kind is not MessageKind.SMS:
        return _special(message)
    links = [f"[Link]: {link}" for link in (message.image_link, message.video_link) if link]
    return "\n".join([message.text, *links] if message.text or not links else links)


def _entry(message: Message, contact: ContactRef, user_name: str, log_format: LogFormat, zone: tzinfo) -> str:
    inbound = message.direction is Direction.INBOUND
    sender = f"{contact.name} ({contact.phone})" if inbound else user_name
    time, text = clock(message.sent_at, zone), _text(message)
    if log_format is LogFormat.HTML:
        return f"<li>{escape(sender)} {time}<br><b>{escape(text)}</b></li>"
    if log_format is LogFormat.MARKDOWN:
        return f"**{sender}** {time}\n{text}\n\n"
    return f"{sender} {time}\n{text}\n\n"


def append_messages(
    body: str,
    messages: Sequence[Message],
    *,
    contact: ContactRef,
    user_name: str,
    log_format: LogFormat,
    zone: tzinfo,
    title: str = "",
    correspondents: tuple[str, ...] = (),
    skip_present: bool = False,
) -> str:
    """The body with the messages added before its end marker, and counted.

    Where a person removed the markers, or the day began with a voicemail or fax, a conversation block is added at the
    end. ``skip_present``: entries that stand there already, from an attempt whose answer was lost, are left out.
    """
    entries = []
    for message in messages:
        entry = _entry(message, contact, user_name, log_format, zone)
        if not (skip_present and entry.strip() in body):
            entries.append(entry)
    if not entries:
        return body
    marker = f"</ul>{_RULE}<br>" if log_format is LogFormat.HTML else f"{_RULE}\nEND"
    at = body.rfind(marker)
    if at < 0:
        return _with_new_block(body, entries, log_format)
    grown = body[:at] + "".join(entries) + body[at:]
    return _COUNTER.sub(lambda found: f"Conversation({int(found[1][:9]) + len(entries)} messages)", grown, count=1)


def _with_new_block(body: str, entries: Sequence[str], log_format: LogFormat) -> str:
    joined, count = "".join(entries), len(entries)
    if log_format is LogFormat.HTML:
        start = f"{body}<br><br>" if body else ""
        opening = f"Conversation({count} messages)<br>BEGIN<br>{_RULE}<br>"
        return f"{start}{opening}<ul>{joined}</ul>{_RULE}<br>END<br><br>{FOOTER}"
    start = f"{body.rstrip()}\n\n" if body.strip() else ""
    return f"{start}Conversation({count} messages)\nBEGIN\n{_RULE}\n{joined}{_RULE}\nEND\n\n{FOOTER}"
