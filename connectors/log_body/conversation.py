"""Composes the body of a message log: one conversation day with SMS, MMS, voicemails and faxes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo

from adapters.contract import ContactRef, LogFormat, Message, MessageKind
from connectors.log_body.clock import clock, long_date
from connectors.log_body.markup import escape, unescape, with_its_newlines
from connectors.log_body.wording import said, speaker

FOOTER = "--- Created via RingCentral App Connect"
_RULE = "------------"
_TAG = re.compile(r"<[^<>]*>")  # no second "<": a text full of them would take the square of its length
_COUNTER = re.compile(r"Conversation\((\d+) messages\)")
#: A line of a message that would be taken for the rule around the conversation.
_RULE_LINE = re.compile(rf"^(?= *{_RULE}$)", re.MULTILINE)
#: How an entry begins.
_HEADER = {
    LogFormat.PLAIN: re.compile(r"^[^\n]+ \d\d:\d\d [AP]M$", re.MULTILINE),
    LogFormat.MARKDOWN: re.compile(r"^\*\*[^\n]+\*\* \d\d:\d\d [AP]M$", re.MULTILINE),
    LogFormat.HTML: re.compile(r"<li>[^<]* \d\d:\d\d [AP]M<br"),
}
_FIRST_WORD = {MessageKind.VOICEMAIL: "Voicemail ", MessageKind.FAX: "Fax "}


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
    return _conversation(messages, title, contact, user_name, correspondents, log_format, zone)


def _conversation(
    messages: Sequence[Message],
    title: str,
    contact: ContactRef,
    user_name: str,
    correspondents: tuple[str, ...],
    log_format: LogFormat,
    zone: tzinfo,
) -> str:
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
    text = said(message)
    if log_format is LogFormat.HTML:
        return f"<br><b>{escape(title)}</b><br>{escape(text)} <br><br>{FOOTER}"
    return f"{text} \n\n{FOOTER}"


def _entry(message: Message, contact: ContactRef, user_name: str, log_format: LogFormat, zone: tzinfo) -> str:
    sender, time, text = speaker(message, contact, user_name), clock(message.sent_at, zone), said(message)
    if log_format is LogFormat.HTML:
        return f"<li>{escape(sender)} {time}<br><b>{escape(text)}</b></li>"
    text = _RULE_LINE.sub(" ", text)
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
    logged_before: int | None = None,
) -> str:
    """The body with the messages added before its end marker, and counted.

    Where a person removed the markers, or the day began with a voicemail or fax, a conversation block is added at the
    end; a record that was emptied gets the whole conversation, with ``title`` and ``correspondents``.
    ``skip_present``: messages that stand there already, from an attempt whose answer was lost, are left out.
    ``logged_before``: how many messages the record held before these; it tells a text that was sent twice from one
    that was written once.
    """

    def appended(body: str) -> str:
        entries = [(message, _entry(message, contact, user_name, log_format, zone)) for message in messages]
        if skip_present:
            entries = _not_present(body, entries, log_format, logged_before)
        if not entries:
            return body
        at = body.rfind(f"</ul>{_RULE}<br>" if log_format is LogFormat.HTML else f"{_RULE}\nEND")
        if at >= 0:
            gap = "" if log_format is LogFormat.HTML or at == 0 or body[at - 1] == "\n" else "\n"
            added = "".join(entry for _, entry in entries)
            return _counted(body[:at], len(entries), log_format) + gap + added + body[at:]
        if title and not body.strip():
            fresh = [message for message, _ in entries]
            return _conversation(fresh, title, contact, user_name, correspondents, log_format, zone)
        return _with_new_block(body, [entry for _, entry in entries], log_format)

    return with_its_newlines(body, appended)


def _not_present(
    body: str, entries: list[tuple[Message, str]], log_format: LogFormat, logged_before: int | None
) -> list[tuple[Message, str]]:
    """What is missing. They are written in one go, so the record's own count tells best; else the texts are counted."""
    count = _count_of(body)
    if logged_before is not None and count is not None:
        if count == logged_before:
            return entries
        as_many = count == logged_before + len(entries)  # these, or others that were given up in doubt
        if as_many and _hints_at(body, [message for message, _ in entries], log_format):
            return []
    missing = []
    seen: Counter[str] = Counter()
    for message, entry in entries:
        seen[entry] += 1
        if seen[entry] > _occurrences(body, message, entry, log_format):
            missing.append((message, entry))
    return missing


def _count_of(body: str) -> int | None:
    """How many messages a record says it holds; None where people's text or edits leave that in doubt.

    A day that began with a voicemail or fax has it in the short form, with a footer of its own and no counter.
    """
    counters = list(_COUNTER.finditer(body))
    first = counters[0].start() if counters else len(body)
    alone = body.count(FOOTER, 0, first)
    if len(counters) > 1 or alone > 1 or body.count(FOOTER) != alone + len(counters):
        return None
    if not counters:
        return 1 if alone and _RULE not in body else None
    return alone + int(counters[0][1][:9])


def _hints_at(body: str, messages: Sequence[Message], log_format: LogFormat) -> bool:
    """Whether any of the texts stands there, in whatever way the CRM may have rewritten the body."""
    if log_format is LogFormat.HTML:
        body = unescape(_TAG.sub(" ", body))
    words = " ".join(body.split())
    # Links may be others in a retry: a CRM that keeps the file has an address of its own for it.
    hints = [_FIRST_WORD.get(message.kind) or " ".join(message.text.split()) or "[" for message in messages]
    return any(hint in words for hint in hints)


def _occurrences(body: str, message: Message, entry: str, log_format: LogFormat) -> int:
    if log_format is LogFormat.HTML:
        count = body.count(entry)
        alone = escape(said(message))
    else:
        ends = rf"(?=\s*(?:\Z|^{_RULE}$|{_HEADER[log_format].pattern}))"
        count = len(re.findall(rf"^{re.escape(entry.rstrip())}{ends}", body, re.MULTILINE))
        alone = said(message)
    if count or message.kind is MessageKind.SMS or not alone:
        return count
    return body.count(alone)  # the short form of a day's first voicemail or fax


def _counted(start: str, added: int, log_format: LogFormat) -> str:
    """What stands before the end marker, with the count of its conversation raised, or put back in its place."""
    opening = f"BEGIN<br>{_RULE}<br><ul>" if log_format is LogFormat.HTML else f"BEGIN\n{_RULE}\n"
    begin = start.rfind(opening)
    head, rest = (start[:begin], start[begin:]) if begin >= 0 else (start, "")
    earlier = max(head.rfind(f"{_RULE}<br>END"), head.rfind(f"{_RULE}\nEND"))  # the end of another conversation
    counters = list(_COUNTER.finditer(head, max(earlier, 0)))
    if counters:
        last = counters[-1]
        count = f"Conversation({int(last[1][:9]) + added} messages)"
        return head[: last.start()] + count + head[last.end() :] + rest
    if begin < 0:
        return start
    count = f"Conversation({len(_HEADER[log_format].findall(rest)) + added} messages)"
    if log_format is LogFormat.HTML:
        return f"{head}{count}<br>{rest}"
    gap = "" if not head or head.endswith("\n") else "\n"
    return f"{head}{gap}{count}\n{rest}"


def _with_new_block(body: str, entries: Sequence[str], log_format: LogFormat) -> str:
    joined, count = "".join(entries), len(entries)
    if log_format is LogFormat.HTML:
        start = f"{body}<br><br>" if body else ""
        opening = f"Conversation({count} messages)<br>BEGIN<br>{_RULE}<br>"
        return f"{start}{opening}<ul>{joined}</ul>{_RULE}<br>END<br><br>{FOOTER}"
    start = f"{body.rstrip()}\n\n" if body.strip() else ""
    return f"{start}Conversation({count} messages)\nBEGIN\n{_RULE}\n{joined}{_RULE}\nEND\n\n{FOOTER}"
