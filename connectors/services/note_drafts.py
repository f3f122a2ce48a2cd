"""Keeps a note of a call that is not logged yet, per user and session.

Taken during the call, for server-side logging: for an hour. Of a call that support handed back to the agent: for
HANDED_BACK_FOR, for whatever logs it next without a note.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from connectors.models import CrmUser, NoteDraft

HANDED_BACK_FOR = timedelta(days=14)


def save_note_draft(*, user: CrmUser, session_id: str, note: str) -> None:
    """Keeps the note; a later one for the same session replaces it."""
    _keep(user, session_id, note, expires_at=timezone.now() + settings.NOTE_DRAFT_LIFETIME, is_handed_back=False)


def hand_back_note(*, user: CrmUser, session_id: str, note: str) -> None:
    """Keeps the note of a call that is handed back; a note taken for the session since then is not replaced by it."""
    taken = take_note_draft(user=user, session_id=session_id)
    text = f"{note}\n{taken}" if taken and taken != note else note
    _keep(user, session_id, text, expires_at=timezone.now() + HANDED_BACK_FOR, is_handed_back=True)


def _keep(user: CrmUser, session_id: str, note: str, *, expires_at: datetime, is_handed_back: bool) -> None:
    draft = NoteDraft.objects.filter(user=user, session_id=session_id).first()
    if draft is None:
        draft, _ = NoteDraft.objects.get_or_create(
            user=user, session_id=session_id, defaults={"expires_at": expires_at, "note": ""}
        )
    draft.note, draft.expires_at, draft.is_handed_back = note, expires_at, is_handed_back
    draft.save(update_fields=["note", "expires_at", "is_handed_back"])


def forget_handed_back(*, user: CrmUser, session_id: str) -> None:
    """The call is logged, or its log is kept: the note is in it, or one of the agent's own."""
    NoteDraft.objects.filter(user=user, session_id=session_id, is_handed_back=True).delete()


def take_note_draft(*, user: CrmUser, session_id: str, only_handed_back: bool = False) -> str:
    """The kept note, or "" when there is none or it is too old."""
    drafts = NoteDraft.objects.filter(user=user, session_id=session_id, expires_at__gt=timezone.now())
    draft = (drafts.filter(is_handed_back=True) if only_handed_back else drafts).first()
    return str(draft.note) if draft else ""
