"""Log bodies in plain text, HTML and Markdown: composed, recomposed, and read back."""

from __future__ import annotations

from connectors.log_body.call import compose_call, update_call
from connectors.log_body.call_details import CallDetails, Leg
from connectors.log_body.clock import format_duration, format_time, parse_time
from connectors.log_body.conversation import append_messages, compose_conversation
from connectors.log_body.lengths import cut_title
from connectors.log_body.reading import holds, read_note, read_subject
from connectors.log_body.shared import compose_shared
from connectors.log_body.wording import conversation_title

__all__ = [
    "CallDetails",
    "Leg",
    "append_messages",
    "compose_call",
    "compose_conversation",
    "compose_shared",
    "conversation_title",
    "cut_title",
    "format_duration",
    "format_time",
    "holds",
    "parse_time",
    "read_note",
    "read_subject",
    "update_call",
]
