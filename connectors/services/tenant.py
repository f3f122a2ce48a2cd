"""What becomes of logs taken over from another server when their user's tenant is known: colleagues share them then."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from audit.models import CallLog, ConversationLog, MessageLog
from connectors.models import CrmUser


def move_to_tenant(user: CrmUser, *, former: str) -> None:
    """Moves the logs of the owner ``former``, the user alone, to the user's tenant; in the caller's transaction.

    Where a colleague has a log of the same session and extension there, or of the same conversation day, that one
    counts: the user's own stays where it is, so that support finds both, and its messages count as logged.
    """
    owner = user.owner
    calls = CallLog.objects.filter(platform=user.platform, owner=former)
    same_call = CallLog.objects.filter(
        platform=user.platform, owner=owner, session_id=OuterRef("session_id"), extension=OuterRef("extension")
    )
    calls.exclude(Exists(same_call)).update(owner=owner)
    days = ConversationLog.objects.filter(platform=user.platform, owner=former)
    same_day = ConversationLog.objects.filter(
        platform=user.platform, owner=owner, conversation_log_id=OuterRef("conversation_log_id")
    )
    days.exclude(Exists(same_day)).update(owner=owner)
    messages = MessageLog.objects.filter(platform=user.platform, owner=former)
    same_message = MessageLog.objects.filter(platform=user.platform, owner=owner, message_id=OuterRef("message_id"))
    messages.exclude(Exists(same_message)).update(owner=owner)
