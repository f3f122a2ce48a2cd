"""Composes a shared-inbox conversation, whole, every time it is logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from adapters.contract import LogFormat
from connectors.log_body.clock import clock, format_time, long_date, parse_time
from connectors.log_body.markup import escape
from connectors.log_body.media import file_line, reader_link, without_token
from connectors.log_body.signs import bare
from connectors.log_body.wording import NO_TEXT, failure


def compose_shared(
    log_info: Mapping[str, Any], *, contact_name: str, log_format: LogFormat, zone: tzinfo, most: int | None = None
) -> tuple[str, str]:
    """Subject and body from the client's ``logInfo``; members of another type than expected count as absent.

    ``most``: how many characters the body may have; the oldest entries are left out, and a line says so.
    """
    entities = [item for item in _list(log_info, "entities") if isinstance(item, Mapping)]
    ordered = _oldest_first(entities)
    started = _time(log_info, "creationTime") or next((t for t in map(_created, ordered) if t), None)
    changed = [t for item in [*_list(log_info, "messages"), *entities] if (t := _time(item, "lastModifiedTime"))]
    ended = max(changed, default=started)
    html, markdown = log_format is LogFormat.HTML, log_format is LogFormat.MARKDOWN
    subject = f"SMS conversation with {contact_name}"
    said = escape_if(html)
    head = [f"Started: {_long(started, zone)}", f"Ended: {_long(ended, zone)}", f"Duration: {_span(started, ended)} "]
    people = [f"{contact_name} (customer)", *_names(ordered, contact_name)]
    owner, owner_name = _owner(log_info)
    count = _count(entities)
    customers = _customers(entities)
    entries = [text for item in reversed(ordered) if (text := _entity(item, contact_name, customers, log_format, zone))]
    subject = f"**{subject}**" if markdown else subject

    def compose(kept: list[str]) -> str:
        left_out = len(entries) - len(kept)
        note = f"[shortened: {left_out} older entr{'y' if left_out == 1 else 'ies'} left out]"
        shown = [*kept, *([f"<p>{note}</p>" if html else note] if left_out else [])]
        if html:
            return (
                f"<div><b>Conversation summary</b><br>{head[0]}<br>{head[1]}<br>{head[2].strip()}<br></div><br>"
                f"<div><b>Participants</b><ul>{''.join(f'<li>{said(name)}</li>' for name in people)}</ul></div>"
                + (f"<div>{owner}: <b>{said(owner_name)}</b></div><br>" if owner else "")
                + f"<div><b>Conversation ({count})</b></div><div>BEGIN</div><hr>{''.join(shown)}<hr><div>END</div>"
            )
        names = "\n".join(f"* {name}" for name in people)
        rule = "---" if markdown else "------------"
        shown_owner = f"**{owner_name}**" if markdown else owner_name
        blocks = [
            ("## " if markdown else "") + "Conversation summary\n" + "\n".join(head),
            ("### " if markdown else "") + f"Participants\n{names}",
            *([f"{owner}: {shown_owner}"] if owner else []),
            ("### " if markdown else "")
            + f"Conversation ({count})\nBEGIN\n{rule}\n"
            + "".join(f"{entry}\n\n" for entry in shown)
            + f"{rule}\nEND",
        ]
        return "\n\n".join(blocks)

    return subject, _within(most, entries, compose)


def _within(most: int | None, entries: list[str], compose: Callable[[list[str]], str]) -> str:
    """The body with as many of the entries, newest first, as fit into ``most`` characters; at least the first one."""
    body, kept = compose(entries), len(entries)
    while most is not None and len(body) > most and kept > 1:
        excess = len(body) - most
        while kept > 1 and excess > 0:
            kept -= 1
            excess -= len(entries[kept])
        body = compose(entries[:kept])
    return body


def _oldest_first(entities: list[Any]) -> list[Any]:
    """By time; of one second as they were listed, also where the list is newest first."""

    def moment(item: Any) -> datetime:
        return _created(item) or datetime.min.replace(tzinfo=UTC)

    is_newest_first = bool(entities) and moment(entities[0]) > moment(entities[-1])
    return sorted(reversed(entities) if is_newest_first else entities, key=moment)


def _message_text(item: Any) -> str:
    """What was said, with a line for each file, and a word where it did not arrive; never empty."""
    files = [file for file in _list(item, "attachments") if isinstance(file, Mapping) and file.get("type") != "Text"]
    lines = [_text(item, "text") or _text(item, "subject")]
    lines += [file_line(_link(file), _text(file, "contentType")) for file in files]
    text = "\n".join(line for line in lines if line.strip()) or NO_TEXT
    return "\n".join(filter(None, (text, failure(_text(item, "messageStatus")))))


def _link(file: Any) -> str:
    """The page that a file can be read at: the client's own, else the one made from its address."""
    return without_token(_text(file, "link")) or reader_link(_text(file, "uri"))


def escape_if(html: bool) -> Any:
    return (lambda text: escape(text).replace("'", "&#039;")) if html else (lambda text: text)


def _list(source: Any, key: str) -> list[Any]:
    value = source.get(key) if isinstance(source, Mapping) else None
    return value if isinstance(value, list) else []


def _text(source: Any, *path: str) -> str:
    for key in path:
        source = source.get(key) if isinstance(source, Mapping) else None
    return source if isinstance(source, str) else ""


def _time(source: Any, key: str) -> datetime | None:
    return parse_time(source.get(key)) if isinstance(source, Mapping) else None


def _created(source: Any) -> datetime | None:
    return _time(source, "creationTime")


def _long(moment: datetime | None, zone: tzinfo) -> str:
    return f"{long_date(moment, zone)} at {clock(moment, zone)}" if moment else "unknown"


def _span(started: datetime | None, ended: datetime | None) -> str:
    seconds = max(0, int((ended - started).total_seconds())) if started and ended else 0
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"


def _names(entities: list[Any], contact_name: str) -> list[str]:
    found = (_text(item, role, "name") for item in entities for role in ("author", "from", "initiator", "assignee"))
    return list(dict.fromkeys(name for name in found if name and name != contact_name))


def _owner(log_info: Mapping[str, Any]) -> tuple[str, str]:
    name = _text(log_info, "owner", "name")
    if not name:
        return "", ""
    is_queue = _text(log_info, "owner", "extensionType") == "Department" or "queue" in name.lower()
    return ("Receiving call queue" if is_queue else "Owner"), name


def _count(entities: list[Any]) -> str:
    kinds = [item.get("recordType") for item in entities]
    parts = [(kinds.count("AliveMessage"), "message"), (kinds.count("AliveNote"), "note")]
    return ", ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n) or "0 messages"


def _customers(entities: list[Any]) -> set[str]:
    """Who wrote to the user: their numbers, or their names where they have none."""
    return {_identity(item) for item in entities if _is_inbound(item)} - {""}


def _is_inbound(item: Any) -> bool:
    return _text(item, "direction").strip().lower() == "inbound"


def _identity(item: Any) -> str:
    number = _text(item, "from", "phoneNumber") or _text(item, "author", "phoneNumber")
    return number or _text(item, "author", "name") or _text(item, "from", "name")


def _sender(item: Any, contact_name: str, customers: set[str]) -> str:
    """The one customer is the contact; of several each stands under the own name. Never empty."""
    name = _text(item, "author", "name") or _text(item, "from", "name")
    if not _is_inbound(item):
        return name if bare(name).strip() else _text(item, "from", "phoneNumber") or "Unknown"
    if len(customers) < 2:
        return contact_name or name or _identity(item) or "Unknown"
    number = _text(item, "from", "phoneNumber") or _text(item, "author", "phoneNumber")
    return (f"{name} ({number})" if name and number else name or number) or "Unknown"


def _entity(item: Any, contact_name: str, customers: set[str], log_format: LogFormat, zone: tzinfo) -> str:
    kind, moment = item.get("recordType"), _created(item)
    time = format_time(moment, "YYYY-MM-DD hh:mm A", zone) if moment else "unknown time"
    html = log_format is LogFormat.HTML
    said = escape_if(html)

    def bold(name: str) -> str:
        if html:
            return f"<b>{said(name)}</b>"
        return f"**{name}**" if log_format is LogFormat.MARKDOWN else name

    if kind == "AliveMessage":
        sender = _sender(item, contact_name, customers)
        line, text = f"{bold(sender)} said on {time}:", _message_text(item)
    elif kind == "AliveNote":
        author = _text(item, "author", "name") or _text(item, "initiator", "name") or "Unknown"
        line, text = f"{bold(author)} left a note on {time}:", _text(item, "text") or _text(item, "body") or NO_TEXT
    elif kind == "ThreadAssignedHint":
        assigned = f"Conversation assigned to {bold(_text(item, 'assignee', 'name') or 'Unknown')}"
        if html:
            return f"<p><i>{assigned}</i></p>"
        return f"*{assigned}*" if log_format is LogFormat.MARKDOWN else assigned
    else:
        return ""
    return f"<p>{line}<br>{said(text)}</p>" if html else f"{line}\n{text}"
