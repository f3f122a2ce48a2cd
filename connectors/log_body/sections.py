"""The sections of a call log body: their labels, their layout, and the settings that switch them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from adapters.contract import LogFormat

PENDING = "(pending...)"
#: Headings of the two parts of a body in HTML and Markdown. In plain text a note has the label ``Note``.
AGENT_NOTES = "Agent notes"
CALL_DETAILS = "Call details"


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
