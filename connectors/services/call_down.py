"""The list of people that a user wants to call back: their own, seen by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from audit.fields import Undecipherable
from connectors.models import CallDownEntry, CrmUser

Status = CallDownEntry.Status
#: What the extension's filter is called, in lower case and without blanks and underscores.
_FILTERS = {"called": Status.CALLED, "notcalled": Status.NOT_CALLED, "scheduled": Status.SCHEDULED}
_MOST_ENTRIES = 5000


class ListFull(Exception):
    """The user has as many entries as a list may hold."""


class NoSuchEntry(Exception):
    """The user has no entry with this id."""


def status_named(text: str) -> CallDownEntry.Status | None:
    """The status that the extension means, however it writes it; None for any other text."""
    return _FILTERS.get(text.lower().replace(" ", "").replace("_", ""))


def listed(*, user: CrmUser, status: CallDownEntry.Status | None) -> list[CallDownEntry]:
    """The user's entries by time, those without one last. A scheduled one whose time is past counts as not called."""
    entries = CallDownEntry.objects.filter(user=user)
    is_due = Q(status=Status.SCHEDULED, scheduled_at__lt=timezone.now())
    if status is Status.CALLED:
        entries = entries.filter(status=status)
    elif status is Status.SCHEDULED:
        entries = entries.filter(status=status).exclude(is_due)
    elif status is Status.NOT_CALLED:
        entries = entries.filter(Q(status=status) | is_due)
    return list(entries.order_by(F("scheduled_at").asc(nulls_last=True), "created_at"))


def add(*, user: CrmUser, fields: Mapping[str, Any]) -> CallDownEntry:
    """A new entry, scheduled where it has a time. Raises ``ListFull``."""
    if CallDownEntry.objects.filter(user=user).count() >= _MOST_ENTRIES:
        raise ListFull
    status = Status.SCHEDULED if fields.get("scheduled_at") else Status.NOT_CALLED
    return CallDownEntry.objects.create(user=user, status=status, **fields)


def change(*, user: CrmUser, entry_id: str, fields: Mapping[str, Any]) -> None:
    """Changes the given fields; the others stay. Raises ``NoSuchEntry``.

    The time of a call says that it was made, and a new time to call that it is to be made: the extension sends either
    without a status.
    """
    entry = _entry(user, entry_id)
    given = dict(fields)
    if "status" not in given and given.get("last_call_at"):
        given["status"] = Status.CALLED
    elif "status" not in given and given.get("scheduled_at"):
        given["status"] = Status.SCHEDULED
    if given.get("status") is Status.CALLED and not given.get("last_call_at"):
        given["last_call_at"] = timezone.now()
    for name, value in given.items():
        setattr(entry, name, value)
    entry.save(update_fields=[*given, "updated_at"])


def remove(*, user: CrmUser, entry_id: str) -> None:
    """Raises ``NoSuchEntry``."""
    _entry(user, entry_id).delete()


def _entry(user: CrmUser, entry_id: str) -> CallDownEntry:
    try:
        return CallDownEntry.objects.get(pk=UUID(entry_id), user=user)
    except (ValueError, CallDownEntry.DoesNotExist):
        raise NoSuchEntry from None


def expired(now: datetime) -> QuerySet[CallDownEntry]:
    """Entries that nobody changed for ``AUDIT_RETENTION_DAYS``, but for those whose time is still to come."""
    oldest = now - settings.AUDIT_RETENTION
    return CallDownEntry.objects.filter(updated_at__lt=oldest).exclude(scheduled_at__gte=oldest)


def texts(entry: CallDownEntry) -> dict[str, str]:
    """The encrypted fields in clear; "" for what cannot be read, so that one entry hides no other."""
    found = {}
    for name in ("contact_name", "phone_number", "note"):
        try:
            found[name] = str(getattr(entry, name))
        except Undecipherable:
            found[name] = ""
    return found
