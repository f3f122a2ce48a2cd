"""The sections of a call log body, and how each format writes one and finds it again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache

from adapters.contract import LogFormat
from connectors.log_body.markup import anchor, escape

PENDING = "(pending...)"


class Kind(Enum):
    """How a section is laid out."""

    LINE = "line"
    LINK = "link"
    BLOCK = "block"
    LEGS = "legs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One labelled part of a body. ``plain``, ``html`` and ``markdown`` are labels; records in CRMs contain them."""

    name: str
    plain: str
    html: str = ""
    markdown: str = ""
    kind: Kind = Kind.LINE
    setting: str
    default: bool = True
    #: Also known under these HTML labels.
    html_aliases: tuple[str, ...] = ()
    #: In HTML it joins the first list of the body, if there is one.
    html_in_list: bool = False
    #: A block whose HTML form is followed by a line break.
    html_break: bool = False

    def label(self, log_format: LogFormat) -> str:
        if log_format is LogFormat.HTML:
            return self.html or self.plain
        return self.markdown or self.plain if log_format is LogFormat.MARKDOWN else self.plain


SECTIONS = (
    Section(name="session_id", plain="Session Id", setting="addCallSessionId", default=False),
    Section(name="user_name", plain="RingCentral user name", setting="addRingCentralUserName", default=False),
    Section(
        name="user_number", plain="RingCentral number and extension", setting="addRingCentralNumber", default=False
    ),
    Section(name="subject", plain="Summary", setting="addCallLogSubject"),
    Section(
        name="contact_number",
        plain="Contact Number",
        html="Caller phone number",
        html_aliases=("Recipient phone number",),
        setting="addCallLogContactNumber",
        default=False,
    ),
    Section(name="started_at", plain="Date/Time", html="Date/time", setting="addCallLogDateTime"),
    Section(name="duration", plain="Duration", setting="addCallLogDuration"),
    Section(name="result", plain="Result", setting="addCallLogResult"),
    Section(
        name="recording_link",
        plain="Call recording link",
        kind=Kind.LINK,
        setting="addCallLogRecording",
        html_in_list=True,
    ),
    Section(
        name="voicemail_link",
        plain="Voicemail recording link",
        kind=Kind.LINK,
        setting="addCallLogRecording",
        html_in_list=True,
    ),
    Section(name="ai_note", plain="AI Note", kind=Kind.BLOCK, setting="addCallLogAiNote", html_break=True),
    Section(name="transcript", plain="Transcript", kind=Kind.BLOCK, setting="addCallLogTranscript", html_break=True),
    Section(
        name="ring_sense_transcript",
        plain="ACE transcript",
        kind=Kind.BLOCK,
        setting="addCallLogRingSenseRecordingTranscript",
    ),
    Section(
        name="ring_sense_summary", plain="ACE summary", kind=Kind.BLOCK, setting="addCallLogRingSenseRecordingSummary"
    ),
    Section(name="ring_sense_score", plain="Call score", setting="addCallLogRingSenseRecordingAIScore"),
    Section(
        name="ring_sense_bulleted_summary",
        plain="ACE bulleted summary",
        kind=Kind.BLOCK,
        setting="addCallLogRingSenseRecordingBulletedSummary",
    ),
    Section(
        name="ring_sense_link", plain="ACE recording link", kind=Kind.LINK, setting="addCallLogRingSenseRecordingLink"
    ),
    Section(name="legs", plain="Call journey", kind=Kind.LEGS, setting="addCallLogLegs"),
)


_PLAIN_LABELS = "|".join(re.escape(item.plain) for item in SECTIONS)
_PLAIN_BLOCKS = "|".join(re.escape(item.plain) for item in SECTIONS if item.kind in (Kind.BLOCK, Kind.LEGS))
_MARKDOWN_LABELS = "|".join(re.escape(item.label(LogFormat.MARKDOWN)) for item in SECTIONS)
#: How a section of ours begins, for those that end where the next one begins.
PLAIN_START = rf"- (?:{_PLAIN_LABELS}):"
MARKDOWN_START = rf"(?:## Call details|### (?:{_MARKDOWN_LABELS})$|\*\*(?:{_MARKDOWN_LABELS})\*\*:)"
#: Lines of somebody's text that would be taken for the beginning or the end of a section.
_LOOKS_LIKE_OURS = {
    LogFormat.PLAIN: rf"- (?:{_PLAIN_LABELS}|Note|Agent notes):|--- (?:JOURNEY )?END",
    LogFormat.MARKDOWN: rf"{MARKDOWN_START}|## Agent notes$|### ",
}


def shielded(text: str, log_format: LogFormat) -> str:
    """Somebody's text for a plain or Markdown body: lines that look like ours are indented by one more blank."""
    ours = _LOOKS_LIKE_OURS.get(log_format)
    return re.sub(rf"^(?= *(?:{ours}))", " ", text, flags=re.MULTILINE) if ours else text


def unshielded(text: str, log_format: LogFormat) -> str:
    """The text that ``shielded`` was given."""
    ours = _LOOKS_LIKE_OURS.get(log_format)
    return re.sub(rf"^ (?= *(?:{ours}))", "", text, flags=re.MULTILINE) if ours else text


def render(section: Section, value: str, log_format: LogFormat, *, label: str = "") -> str:
    """The section as it stands in a body, without the newlines around it."""
    label = label or section.label(log_format)
    if log_format is LogFormat.HTML:
        if section.kind in (Kind.BLOCK, Kind.LEGS):
            return f"<div><b>{label}</b><br>{escape(value)}</div>"
        return f"<li><b>{label}</b>: {anchor(value) if section.kind is Kind.LINK else escape(value)}</li>"
    if section.kind in (Kind.BLOCK, Kind.LEGS):
        value = shielded(value, log_format)
        if log_format is LogFormat.MARKDOWN:
            # An empty line ends a block, so that what a person writes below it is theirs: ours hold a blank.
            return re.sub(r"\n(?=\n+[^\n])", "\n ", f"### {label}\n{value}")
        return f"- {label}:\n{value}\n--- {'JOURNEY END' if section.kind is Kind.LEGS else 'END'}"
    line = " ".join(value.splitlines())
    return f"**{label}**: {line}" if log_format is LogFormat.MARKDOWN else f"- {label}: {line}"


@cache
def pattern(section: Section, log_format: LogFormat) -> re.Pattern[str]:
    """Finds the section in a body, however an earlier version or a person left it."""
    if log_format is LogFormat.HTML:
        labels = "|".join(re.escape(label) for label in (section.label(log_format), *section.html_aliases))
        if section.kind in (Kind.BLOCK, Kind.LEGS):
            return re.compile(rf"<div><b>(?:{labels})</b><br\s*/?>.*?</div>", re.DOTALL | re.IGNORECASE)
        item = rf"<li><b>(?:{labels})</b>:(?:(?!<li>).)*?</li>(?:</li>)*"
        bare = rf"<b>(?:{labels})</b>:[^<\n]*(?:<a [^>]*>[^<]*</a>)?"
        return re.compile(f"{item}|{bare}", re.DOTALL | re.IGNORECASE)
    label = re.escape(section.label(log_format))
    if log_format is LogFormat.MARKDOWN:
        if section.kind in (Kind.BLOCK, Kind.LEGS):
            return re.compile(rf"^### {label}(?:\n(?!### |{MARKDOWN_START}|\n|\Z)[^\n]*)*$", re.MULTILINE)
        return re.compile(rf"^\*\*{label}\*\*:[^\n]*", re.MULTILINE)
    if section.kind in (Kind.BLOCK, Kind.LEGS):
        end = "JOURNEY END" if section.kind is Kind.LEGS else "END"
        # Not across another block: a person may have removed the end line.
        return re.compile(rf"^- {label}:(?:(?!\n- (?:{_PLAIN_BLOCKS}):\n).)*?^--- {end}", re.DOTALL | re.MULTILINE)
    return re.compile(rf"^- {label}:[^\n]*", re.MULTILINE)
