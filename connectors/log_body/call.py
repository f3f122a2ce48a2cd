"""Composes the body of a call log, and recomposes it over what stands in the CRM."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from adapters.contract import Direction, LogFormat, Options, Party
from connectors.log_body.clock import DEFAULT_PATTERN, format_duration, format_time
from connectors.log_body.markup import escape, unescape, with_its_newlines
from connectors.log_body.sections import (
    MARKDOWN_START,
    PENDING,
    PLAIN_START,
    SECTIONS,
    Kind,
    Section,
    pattern,
    render,
    shielded,
    unshielded,
)

_FACTS = {
    "duration", "result", "recording_link", "ai_note", "transcript", "ring_sense_transcript",
    "ring_sense_summary", "ring_sense_score", "ring_sense_bulleted_summary", "ring_sense_link",
}  # fmt: skip
#: The note is the group that took part. It ends at a label of ours; in HTML and Markdown at the heading of the details,
#: as long as nobody removed it. An end is looked for where empty lines begin, not again at each of them.
_PLAIN_NOTE = re.compile(rf"^- (?:Note|Agent notes): ?(.*?)(?<!\n)(?=\n+{PLAIN_START}|\n*\Z)", re.DOTALL | re.MULTILINE)
_BREAKS = r"(?:<br\s*/?>){0,2}"
_HTML_NOTE = re.compile(
    rf"<b>Agent notes</b>(?:<br\s*/?>)?(?:(.*?){_BREAKS}<b>Call details</b>|(.*?){_BREAKS}(?=<li>|<div>|<ul>|\Z))",
    re.DOTALL,
)
_MARKDOWN_NOTE = re.compile(
    rf"^## Agent notes$(?:(.*?)(?<!\n)\n*(?=\n## Call details)|(.*?)(?<!\n)\n*(?=\n{MARKDOWN_START}|\Z))",
    re.DOTALL | re.MULTILINE,
)
_NOTES = {LogFormat.PLAIN: _PLAIN_NOTE, LogFormat.HTML: _HTML_NOTE, LogFormat.MARKDOWN: _MARKDOWN_NOTE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg of the call's journey; ``duration`` in seconds, None where it is not known."""

    direction: str = ""
    leg_type: str = ""
    caller: Party = field(default_factory=Party)
    callee: Party = field(default_factory=Party)
    duration: float | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetails:
    """What a request said about a call; None or "" neither adds nor removes anything."""

    note: str | None = None
    session_id: str | None = None
    subject: str | None = None
    direction: Direction | None = None
    caller: Party | None = None
    callee: Party | None = None
    contact_number: str | None = None
    started_at: datetime | None = None
    #: Tells a duration of 0 or null, printed as "0 seconds", from an absent one.
    has_duration: bool = False
    duration: float | str | None = None
    result: str | None = None
    recording_link: str | None = None
    voicemail_link: str | None = None
    ai_note: str | None = None
    transcript: str | None = None
    ring_sense_transcript: str | None = None
    ring_sense_summary: str | None = None
    ring_sense_score: str | float | None = None
    ring_sense_bulleted_summary: str | None = None
    ring_sense_link: str | None = None
    legs: tuple[Leg, ...] = ()


def compose_call(details: CallDetails, *, log_format: LogFormat, options: Options, zone: tzinfo) -> str:
    """The body of a new call log."""
    return update_call("", details, log_format=log_format, options=options, zone=zone)


def update_call(
    body: str,
    details: CallDetails,
    *,
    log_format: LogFormat,
    options: Options,
    zone: tzinfo,
    facts_only: bool = False,
) -> str:
    """The body with our own sections replaced in place, or added; all other text stays.

    ``facts_only``: a person has written the note, so note, subject, time and journey are theirs.
    """

    def updated(body: str) -> str:
        for section in SECTIONS:
            value = _value(section.name, details, options, zone)
            if (
                not value.strip()
                or not options.flag(section.setting, section.default)
                or (facts_only and section.name not in _FACTS)
            ):
                continue
            label = "Recipient phone number" if _to_recipient(section, details, log_format) else ""
            body = _put(body, section, _trimmed(section, value, log_format), log_format, label)
        # Newlines around a note cannot be told from those of the layout, and would grow with every update.
        note = (details.note or "").replace("\r\n", "\n").strip("\r\n")
        if note and not facts_only and options.flag("addCallLogNote", True):
            body = _put_note(body, note, log_format)
        return body

    return with_its_newlines(body, updated)


def _to_recipient(section: Section, details: CallDetails, log_format: LogFormat) -> bool:
    return section.name == "contact_number" and log_format is LogFormat.HTML and details.direction is Direction.OUTBOUND


def _value(name: str, details: CallDetails, options: Options, zone: tzinfo) -> str:
    own = details.callee if details.direction is Direction.INBOUND else details.caller
    if name == "user_name":
        return own.name if own else ""
    if name == "user_number":
        return f"{own.phone_number} {own.extension_number}".strip() if own and own.phone_number else ""
    if name == "started_at":
        pattern_text = options.text("logDateFormat", DEFAULT_PATTERN)
        return format_time(details.started_at, pattern_text, zone) if details.started_at else ""
    if name == "duration":
        return format_duration(details.duration) if details.has_duration else ""
    if name == "legs":
        return "\n".join(filter(None, (_leg_line(leg, first=index == 0) for index, leg in enumerate(details.legs))))
    value = getattr(details, name)
    return "" if value is None or isinstance(value, bool | dict | list) else str(value).replace("\r\n", "\n")


def _trimmed(section: Section, value: str, log_format: LogFormat) -> str:
    if section.name in ("ai_note", "ring_sense_transcript") or log_format is LogFormat.HTML:
        return value.rstrip("\n")
    return value


def _put(body: str, section: Section, value: str, log_format: LogFormat, label: str) -> str:
    found = pattern(section, log_format).search(body)
    if found is None:
        return _added(body, section, render(section, value, log_format, label=label), log_format)
    if section.kind is Kind.LINK and not value.lower().startswith("http") and "http" in found[0]:
        return body  # an old update that arrives late does not take a real link away
    if section.name == "user_name" and PENDING not in found[0]:
        return body
    if log_format is LogFormat.MARKDOWN and section.kind in (Kind.BLOCK, Kind.LEGS):
        value = value.rstrip("\n")
    return body[: found.start()] + render(section, value, log_format, label=label) + body[found.end() :]


def _added(body: str, section: Section, text: str, log_format: LogFormat) -> str:
    if log_format is LogFormat.HTML:
        if section.html_break:
            text += "<br>"
        if section.html_in_list and "</ul>" in body:
            before, after = body.split("</ul>", 1)
            return f"{before}{text}</ul>{after}"
        return body + text
    start = "" if not body or body.endswith("\n") else "\n"
    if log_format is LogFormat.PLAIN and section.kind is Kind.BLOCK:
        start += "\n"
    return f"{body}{start}{text}\n"


def _put_note(body: str, note: str, log_format: LogFormat) -> str:
    found = _NOTES[log_format].search(body)
    if log_format is LogFormat.HTML:
        heading = f"<b>Agent notes</b><br>{escape(note)}<br><br><b>Call details</b>"
        if found:
            start = "" if found[1] is not None else "<br>"
            return body[: found.start()] + heading + start + body[found.end() :]
        if "<b>Call details</b>" in body:
            return heading.join(body.split("<b>Call details</b>", 1))
        return f"{heading}<br>{body}"
    note = shielded(note, log_format)
    if log_format is LogFormat.MARKDOWN:
        if found:
            return f"{body[: found.start()]}## Agent notes\n{note}\n{body[found.end() :]}"
        details = "" if body.startswith("## Call details") else "## Call details\n"
        return f"## Agent notes\n{note}\n\n{details}{body}"
    if found:
        return f"{body[: found.start()]}- Note: {note}{body[found.end() :]}"
    return f"- Note: {note}\n{body}"


def read_note(body: str, log_format: LogFormat) -> str:
    """The agent's note in a body; "" when it has none."""
    if log_format is LogFormat.HTML:
        found = _HTML_NOTE.search(body)
        return unescape(found[1] or found[2] or "").strip("\n") if found else ""
    found = _NOTES.get(log_format, _PLAIN_NOTE).search(body.replace("\r\n", "\n"))
    text = next((text for text in found.groups() if text), "") if found else ""
    return unshielded(text.strip("\n"), log_format)


def read_subject(body: str, log_format: LogFormat) -> str:
    """The Summary of a body, for CRMs whose records have no title; "" when it has none."""
    section = next(item for item in SECTIONS if item.name == "subject")
    found = pattern(section, log_format).search(body)
    if not found:
        return ""
    text = found[0].split(":", 1)[1]
    if log_format is LogFormat.HTML:
        text = unescape(re.sub(r"(</?li>)+$", "", text))
    return text.strip()


def _leg_line(leg: Leg, *, first: bool) -> str:
    """One line; empty for a later leg of which nobody knows where it led."""
    outbound = leg.direction == Direction.OUTBOUND
    if first:
        text = f"Made call from {_party(leg.caller)}" if outbound else f"Received call at {_party(leg.callee)}"
        return text.strip()
    party = _party(leg.caller if outbound and leg.leg_type != "PstnToSip" else leg.callee)
    if not party or leg.duration is None:
        return f"Transferred to {party}" if party else ""
    unit = "seconds" if leg.duration > 1 else "second"
    return f"Transferred to {party}, duration: {leg.duration:.15g} {unit}"


def _party(party: Party) -> str:
    extension = f"ext {party.extension_number}" if party.extension_number else ""
    parts = (" ".join(text.split()) for text in (party.name, party.phone_number, extension))
    return ", ".join(text for text in parts if text)
