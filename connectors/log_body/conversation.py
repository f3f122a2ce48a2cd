"""Composes the body of a message log: one conversation day with SMS, MMS, voicemails and faxes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta, tzinfo

from adapters.contract import ContactRef, LogFormat, Message, MessageKind
from connectors.log_body.clock import clock, local_time, long_date
from connectors.log_body.day import Day, Entry, find_day, is_rule, same_words, words_of
from connectors.log_body.html_tokens import text_of
from connectors.log_body.line_breaks import each_line, with_its_newlines, with_newlines
from connectors.log_body.markup import escape
from connectors.log_body.places import Edit, applied
from connectors.log_body.wording import said, speaker

FOOTER = "--- Created via RingCentral App Connect"
_RULE = "------------"
_FOOTER_WORDS = "Created via RingCentral App Connect"
_COUNTER = re.compile(r"Conversation ?\((\d{1,9}) messages\)")
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
    people = _each_once([user_name, contact.name, *(name or "Unknown" for name in correspondents)])
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


def _each_once(names: Sequence[str]) -> list[str]:
    """The participants without those who stand there already, as who has two numbers does; each unknown one counts."""
    known = {"unknown": -1}
    return [
        name for index, name in enumerate(names) if known.setdefault(same_words(name).casefold(), index) in (-1, index)
    ]


def _alone(message: Message, title: str, log_format: LogFormat) -> str:
    text = said(message)
    if log_format is LogFormat.HTML:
        return f"<br><b>{escape(title)}</b><br>{escape(text)} <br><br>{FOOTER}"
    return f"{text} \n\n{FOOTER}"


def _entry(message: Message, contact: ContactRef, user_name: str, log_format: LogFormat, zone: tzinfo) -> str:
    sender, time, text = speaker(message, contact, user_name), clock(message.sent_at, zone), said(message)
    if log_format is LogFormat.HTML:
        return f"<li>{escape(sender)} {time}<br><b>{escape(text)}</b></li>"
    text = each_line(with_newlines(text), lambda line: f" {line}" if is_rule(line.lstrip(" "), log_format) else line)
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
    ends_day: bool = False,
    tell_added: Callable[[Sequence[Message]], None] = lambda added: None,
) -> str:
    """The body with the messages added before its end marker, and counted.

    Where a person removed the markers, or the day began with a voicemail or fax, a conversation block is added at the
    end; a record that was emptied gets the whole conversation, with ``title`` and ``correspondents``.
    ``skip_present``: messages that stand there already, from an attempt whose answer was lost, are left out.
    ``logged_before``: how many messages the record held before these; it tells a text that was sent twice from one
    that was written once.
    ``ends_day``: the last of the messages is known to be the latest of the day. It comes last then: the minutes that
    stand in the record may be those of another zone, where the user was before.
    ``tell_added`` is called with the messages that are not left out.
    """

    def appended(body: str) -> str:
        day = find_day(body, log_format, [user_name, contact.name, *(speaker(m, contact, user_name) for m in messages)])
        fresh = list(messages)
        if skip_present:
            fresh = _missing(body, day, fresh, contact, user_name, log_format, zone, logged_before)
        tell_added(fresh)
        if not fresh:
            return body
        if day is not None:
            last = messages[-1] if ends_day else None
            return _grown(body, day, fresh, contact, user_name, log_format, zone, last)
        if title and not body.strip():
            return _conversation(fresh, title, contact, user_name, correspondents, log_format, zone)
        return _with_new_block(body, [_entry(m, contact, user_name, log_format, zone) for m in fresh], log_format)

    return with_its_newlines(body, log_format, appended)


def _grown(
    body: str,
    day: Day,
    messages: Sequence[Message],
    contact: ContactRef,
    user_name: str,
    log_format: LogFormat,
    zone: tzinfo,
    latest: Message | None,
) -> str:
    """The body with the messages in their place by time, and counted; ``latest``, where it is known, comes last."""
    edits: list[Edit] = []
    late: dict[int, list[str]] = {}
    last = ""
    for message in messages:
        place = None if message is latest else _place(day, message, zone)
        entry = _entry(message, contact, user_name, log_format, zone)
        if place is None:
            last += entry
            continue
        if place.tag in ("p", "div"):
            entry = f"<{place.tag}>{entry.removeprefix('<li>').removesuffix('</li>')}</{place.tag}>"
        late.setdefault(place.start, []).append(entry)
    edits += [Edit(start, start, "".join(entries)) for start, entries in late.items()]
    if last:
        edits.append(Edit(day.at, day.at, f"{day.before}{last}{day.after}"))
    if day.counter is not None:
        start, end, number = day.counter
        edits.append(Edit(start, end, str(number + len(messages))))
    elif day.counter_at >= 0:
        line = f"Conversation({len(day.entries) + len(messages)} messages)"
        start = day.counter_at
        if log_format is LogFormat.HTML:
            edits.append(Edit(start, start, f"{line}<br>"))
        else:
            edits.append(Edit(start, start, f"{'' if start == 0 or body[start - 1] == chr(10) else chr(10)}{line}\n"))
    return applied(body, edits)


def _place(day: Day, message: Message, zone: tzinfo) -> Entry | None:
    """The entry before which a late message goes."""
    moment = message.sent_at
    local = local_time(moment, zone)
    days = {(near := local_time(moment + timedelta(days=n), zone)).date(): long_date(near, zone) for n in (0, -1, 1)}
    return day.place_of(local.date(), local.hour * 60 + local.minute, days)


def _missing(
    body: str,
    day: Day | None,
    messages: list[Message],
    contact: ContactRef,
    user_name: str,
    log_format: LogFormat,
    zone: tzinfo,
    logged_before: int | None,
) -> list[Message]:
    """What is not there. All are written in one go, so the record's own count tells best; else texts are counted."""
    shown = _shown(body, log_format)
    count = _count_of(shown)
    if logged_before is not None and count is not None:
        if count == logged_before:
            return messages
        as_many = count == logged_before + len(messages)  # these, or others that were given up in doubt
        if as_many and _hints_at(shown, messages):
            return []
    there = Counter(entry.words for entry in day.entries) if day else Counter()
    missing = []
    seen: Counter[str] = Counter()
    for message in messages:
        text = said(message)
        header = f"{speaker(message, contact, user_name)} {clock(message.sent_at, zone)}"
        words = words_of(f"{header}\n{text}", log_format)
        seen[words] += 1
        alone = 0 if message.kind is MessageKind.SMS or there[words] else shown.count(same_words(text))
        if seen[words] > there[words] + alone:  # alone: in the short form of a day's first voicemail or fax
            missing.append(message)
    return missing


def _shown(body: str, log_format: LogFormat) -> str:
    """The words of a body, in whatever way the CRM may have rewritten it."""
    if log_format is LogFormat.HTML:
        return same_words(" ".join(text_of(body).split("\n")))
    return same_words(body.replace("\\", "") if log_format is LogFormat.MARKDOWN else body)


def _count_of(shown: str) -> int | None:
    """How many messages a record says it holds; None where people's text or edits leave that in doubt.

    A day that began with a voicemail or fax has it in the short form, with a footer of its own and no counter.
    """
    counters = list(_COUNTER.finditer(shown))
    first = counters[0].start() if counters else len(shown)
    alone = shown.count(_FOOTER_WORDS, 0, first)
    if len(counters) > 1 or alone > 1 or shown.count(_FOOTER_WORDS) != alone + len(counters):
        return None
    if not counters:
        return 1 if alone and _RULE not in shown else None
    return alone + int(counters[0][1])


def _hints_at(shown: str, messages: Sequence[Message]) -> bool:
    """Whether any of the texts stands there. Links may be others in a retry, where a CRM keeps the file."""
    hints = [_FIRST_WORD.get(message.kind) or same_words(message.text) or "[" for message in messages]
    return any(hint in shown for hint in hints)


def _with_new_block(body: str, entries: Sequence[str], log_format: LogFormat) -> str:
    joined, count = "".join(entries), len(entries)
    if log_format is LogFormat.HTML:
        start = f"{body}<br><br>" if body else ""
        opening = f"Conversation({count} messages)<br>BEGIN<br>{_RULE}<br>"
        return f"{start}{opening}<ul>{joined}</ul>{_RULE}<br>END<br><br>{FOOTER}"
    start = f"{body.rstrip()}\n\n" if body.strip() else ""
    return f"{start}Conversation({count} messages)\nBEGIN\n{_RULE}\n{joined}{_RULE}\nEND\n\n{FOOTER}"
