"""Keeps a note taken during a call for server-side logging, for one hour, per user and session."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from connectors.models import CrmUser, NoteDraft


def save_note_draft(*, user: CrmUser, session_id: str, note: str) -> None:
    """Keeps the note; a later one for the same session replaces it."""
    expires = timezone.now() + settings.NOTE_DRAFT_LIFETIME
    draft = NoteDraft.objects.filter(user=user, session_id=session_id).first()
    if draft is None:
        draft, _ = NoteDraft.objects.get_or_create(
            user=user, session_id=session_id, defaults={"expires_at": expires, "note": ""}
        )
    draft.note, draft.expires_at = note, expires
    draft.save(update_fields=["note", "expires_at"])


def take_note_draft(*, user: CrmUser, session_id: str) -> str:
    """The kept note, or "" when there is none or it is too old."""
    draft = NoteDraft.objects.filter(user=user, session_id=session_id, expires_at__gt=timezone.now()).first()
    return str(draft.note) if draft else ""
