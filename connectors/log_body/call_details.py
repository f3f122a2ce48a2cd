"""What a request says about a call, and what each section of its log is to hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from adapters.contract import Direction, LogFormat, Options, Party
from connectors.log_body.clock import DEFAULT_PATTERN, format_duration, format_time
from connectors.log_body.line_breaks import with_newlines
from connectors.log_body.sections import SECTIONS, Section
from connectors.log_body.signs import bare

#: What an update adds where a person has written the note.
_FACTS = {
    "duration", "result", "recording_link", "ai_note", "transcript", "ring_sense_transcript",
    "ring_sense_summary", "ring_sense_score", "ring_sense_bulleted_summary", "ring_sense_link",
}  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a section is to hold; ``label``, where it is another than usual."""

    section: Section
    value: str
    label: str = ""


def wanted_sections(
    details: CallDetails, *, log_format: LogFormat, options: Options, zone: tzinfo, facts_only: bool
) -> Iterator[Wanted]:
    """The sections that a request fills and the user's settings allow, in their order."""
    for section in SECTIONS:
        value = _value(section.name, details, options, zone)
        if (
            not value.strip()
            or not options.flag(section.setting, section.default)
            or (facts_only and section.name not in _FACTS)
        ):
            continue
        if section.name in ("ai_note", "ring_sense_transcript") or log_format is LogFormat.HTML:
            value = value.rstrip("\n")
        to_recipient = section.name == "contact_number" and details.direction is Direction.OUTBOUND
        label = "Recipient phone number" if to_recipient and log_format is LogFormat.HTML else ""
        yield Wanted(section, value, label)


def wanted_note(details: CallDetails, *, options: Options, facts_only: bool) -> str:
    """The note to be written; "" for none.

    Newlines around a note cannot be told from those of the layout, and would grow with every update.
    """
    if facts_only or not options.flag("addCallLogNote", True):
        return ""
    return (details.note or "").replace("\r\n", "\n").strip("\r\n")


def _value(name: str, details: CallDetails, options: Options, zone: tzinfo) -> str:
    own = details.callee if details.direction is Direction.INBOUND else details.caller
    if name == "user_name":
        return own.name if own else ""
    if name == "user_number":
        return f"{own.phone_number} {own.extension_number}".strip() if own and own.phone_number else ""
    if name == "started_at":
        pattern = options.text("logDateFormat", DEFAULT_PATTERN)
        return format_time(details.started_at, pattern, zone) if details.started_at else ""
    if name == "duration":
        return format_duration(details.duration) if details.has_duration else ""
    if name == "legs":
        return "\n".join(filter(None, (_leg_line(leg, first=index == 0) for index, leg in enumerate(details.legs))))
    value = getattr(details, name)
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return with_newlines(str(value))


def _leg_line(leg: Leg, *, first: bool) -> str:
    """One line; empty for a later leg of which nobody knows where it led."""
    outbound = leg.direction == Direction.OUTBOUND
    if first:
        what, where, where_it_began = (
            ("Made call", "from", leg.caller) if outbound else ("Received call", "at", leg.callee)
        )
        return f"{what} {where} {name}" if (name := _party(where_it_began)) else what
    party = _party(leg.caller if outbound and leg.leg_type != "PstnToSip" else leg.callee)
    if not party or leg.duration is None:
        return f"Transferred to {party}" if party else ""
    unit = "second" if leg.duration == 1 else "seconds"
    return f"Transferred to {party}, duration: {leg.duration:.15g} {unit}"


def _party(party: Party) -> str:
    extension = f"ext {party.extension_number}" if party.extension_number else ""
    parts = (" ".join(text.split()) for text in (party.name, party.phone_number, extension))
    return ", ".join(text for text in parts if bare(text).strip())
