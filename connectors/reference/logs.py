"""Call logs and conversation days: what was logged there counts as logged here, so that nothing is logged twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from adapters.contract import id_of
from audit.models import CallLog, ConversationLog, MessageLog
from audit.past_rows import insert
from audit.states import LogState
from connectors.models import CrmUser
from connectors.reference.report import HERE, LEFT, TAKEN
from connectors.reference.source import Row, moment, text
from connectors.reference.users import Takeover

CALLS, TEXTS = "call logs", "messages"
_NOBODYS = "of a user who is not in the database"
_NO_ID = "without an id in the CRM"
_TOO_LONG = "an id is longer than any that RingCentral or a CRM makes"
_LONGEST_ID = 255


def take_calls(takeover: Takeover) -> None:
    """Takes over the table ``callLogs``."""
    total, done = takeover.source.count("callLogs"), 0
    show = takeover.progress(CALLS)
    for page in takeover.source.pages("callLogs"):
        with transaction.atomic():
            logs = list(_new_calls(takeover, page))
            if takeover.writes:
                insert(logs)
        takeover.report.add(CALLS, TAKEN, count=len(logs))
        done += len(page)
        show(done, total)


def _owner_of(takeover: Takeover, kind: str, row: Row) -> CrmUser | None:
    """Whose the row is; counts it as left out where it is nobody's, or nothing that was logged."""
    user = takeover.users.get(text(row, "userId"))
    reason = _NOBODYS if user is None else "" if text(row, "thirdPartyLogId") else _NO_ID
    if any(len(text(row, name)) > _LONGEST_ID for name in ("id", "conversationLogId", "thirdPartyLogId")):
        reason = _TOO_LONG
    if reason:
        takeover.report.add(kind, LEFT, reason)
        return None
    return user


def _new_calls(takeover: Takeover, page: list[Row]) -> Iterable[CallLog]:
    """The rows of a page that are not here yet, by the rule that finds them: a session's log of the same extension,
    or one of the two without an extension."""
    found = [(row, user) for row in page if (user := _owner_of(takeover, CALLS, row))]
    sessions = {_session_of(row) for row, _ in found}
    known: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    there = CallLog.objects.filter(session_id__in=sessions, platform__in={user.platform for _, user in found})
    for platform, owner, session, extension in there.values_list("platform", "owner", "session_id", "extension"):
        known[platform, owner, session].add(extension)
    for row, user in found:
        session = _session_of(row)
        extension = text(row, "hashedExtensionId")[:128] if takeover.same_hash_key else ""
        extensions = known[user.platform, user.owner, session]
        if not session or len(session) > 128:
            takeover.report.add(CALLS, LEFT, _TOO_LONG if session else "without a session")
        elif extension in extensions or (extensions and (not extension or "" in extensions)):
            takeover.report.add(CALLS, HERE)
        else:
            extensions.add(extension)
            yield _call(user, row, session, extension)


def _session_of(row: Row) -> str:
    return text(row, "sessionId") or text(row, "id")


def _call(user: CrmUser, row: Row, session: str, extension: str) -> CallLog:
    contact = id_of(text(row, "contactId")[:255])
    return CallLog(
        **_record(user, row),
        session_id=session,
        telephony_session_id=text(row, "id")[:128],
        extension=extension,
        contact_id=str(contact),
        contact_id_is_number=isinstance(contact, int),
    )


def _record(user: CrmUser, row: Row) -> dict[str, Any]:
    """What call logs and conversation days have in common."""
    log_id = id_of(text(row, "thirdPartyLogId"))
    return {
        "platform": user.platform,
        "owner": user.owner,
        "user": user,
        "crm_log_id": str(log_id),
        "crm_log_id_is_number": isinstance(log_id, int),
        "state": LogState.LOGGED,
        **_times(row),
    }


def _times(row: Row) -> dict[str, datetime]:
    created = moment(row, "createdAt") or timezone.now()
    return {"created_at": created, "updated_at": moment(row, "updatedAt") or created}


# --- texts -----------------------------------------------------------------------------------------

Days = dict[tuple[str, str, str], ConversationLog]


def take_messages(takeover: Takeover) -> None:
    """Takes over the table ``messageLogs``: one row per message here too, and one per conversation day."""
    total, done = takeover.source.count("messageLogs"), 0
    show = takeover.progress(TEXTS)
    for page in takeover.source.pages("messageLogs"):
        with transaction.atomic():
            _take_page(takeover, page)
        done += len(page)
        show(done, total)


def _take_page(takeover: Takeover, page: list[Row]) -> None:
    found = [(row, user) for row in page if (user := _owner_of(takeover, TEXTS, row))]
    days, new_days, moved = _days_of(found)
    known = _known_messages(found)
    messages = []
    for row, user in found:
        key = (user.platform, user.owner, text(row, "id"))
        if key in known:
            takeover.report.add(TEXTS, HERE)
            continue
        known.add(key)
        messages.append(
            MessageLog(
                platform=user.platform,
                owner=user.owner,
                message_id=key[2],
                conversation=days[user.platform, user.owner, _day_of(row)],
                created_at=_times(row)["created_at"],
            )
        )
    takeover.report.add(TEXTS, TAKEN, count=len(messages))
    takeover.report.add("conversation days", TAKEN, count=len(new_days))
    if takeover.writes:
        insert(new_days)
        for day in moved:
            day.save(update_fields=["crm_log_id", "crm_log_id_is_number", "earlier_ids"])
        insert(messages)


def _day_of(row: Row) -> str:
    return text(row, "conversationLogId") or text(row, "conversationId") or text(row, "id")


def _days_of(found: list[tuple[Row, CrmUser]]) -> tuple[Days, list[ConversationLog], list[ConversationLog]]:
    """The days of a page: all of them, those that are new, and those that go on in a newer record than is known."""
    ids = {_day_of(row) for row, _ in found}
    there = ConversationLog.objects.filter(conversation_log_id__in=ids)
    days: Days = {(day.platform, day.owner, day.conversation_log_id): day for day in there}
    new: dict[Any, ConversationLog] = {}
    moved: dict[Any, ConversationLog] = {}
    for row, user in found:
        key = (user.platform, user.owner, _day_of(row))
        day = days.get(key)
        if day is None:
            day = days[key] = ConversationLog(
                **_record(user, row), conversation_log_id=key[2], conversation_id=text(row, "conversationId")[:255]
            )
            new[day.pk] = day
        elif _is_newer_record(row, day, is_new=day.pk in new):
            log_id = id_of(text(row, "thirdPartyLogId"))
            day.earlier_ids = [*day.earlier_ids, day.crm_log_id]
            day.crm_log_id, day.crm_log_id_is_number = str(log_id), isinstance(log_id, int)
            moved[day.pk] = day
    return days, list(new.values()), [day for pk, day in moved.items() if pk not in new]


def _is_newer_record(row: Row, day: ConversationLog, *, is_new: bool) -> bool:
    """Whether the day went on in another record. The rows come by age; what was written here since is newer still."""
    if text(row, "thirdPartyLogId") in (day.crm_log_id, *day.earlier_ids):
        return False
    return is_new or not day.messages.filter(created_at__gt=_times(row)["created_at"]).exists()


def _known_messages(found: list[tuple[Row, CrmUser]]) -> set[tuple[str, str, str]]:
    rows = MessageLog.objects.filter(message_id__in={text(row, "id") for row, _ in found})
    return set(rows.values_list("platform", "owner", "message_id"))
