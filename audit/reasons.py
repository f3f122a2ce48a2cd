"""What a CRM said about a log: kept encrypted beside it, as it may quote names and notes; events hold its id only."""

from __future__ import annotations

from audit.fields import Undecipherable
from audit.models import CallLog, ConversationLog, LogReason

_MOST = 2000  # characters


def keep_reason(log: CallLog | ConversationLog, text: str) -> str:
    """Keeps what was said about an attempt at a log, and returns its id; the same words again have the same id."""
    text = text[:_MOST]
    column = "call_log" if isinstance(log, CallLog) else "conversation"
    last = LogReason.objects.filter(**{column: log}).order_by("-said_at").first()
    if last is None or text_of(last) != text:
        last = LogReason.objects.create(text=text, **{column: log})
    return str(last.pk)


def text_of(reason: LogReason) -> str:
    """The words; "" where they cannot be read with the keys of this server."""
    try:
        return str(reason.text)
    except Undecipherable:
        return ""
