"""What this server holds about a person whom users have called or written to: found, shown, erased.

A person is named by a phone number, or by the id of a contact in a CRM. Found are: the keyed hash and the last digits
of the number beside call logs and conversation days, what a CRM said about those, traces of look-ups, call-back
entries, cached look-ups, contacts just created or named after their number, drafts of notes, and changes that are kept
for a CRM, with their texts. What stays is the log itself: session, times, and the contact's id, by which the extension
finds the log again; who it is only the CRM knows. Events of the audit trail hold ids only, and stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from adapters.contract import parse_phone
from audit.fields import Undecipherable
from audit.models import CallLog, ConversationLog, LogReason
from audit.numbers import hashed_number
from audit.recorder import record
from connectors.deliveries import support
from connectors.deliveries.models import Delivery
from connectors.models import CallDownEntry, ContactCreation, ContactMatch, LookUp, NoteDraft, PlaceholderContact

Progress = Callable[[int, int], None]

_NUMBER = re.compile(r"\+?\d[\d\s().\-/]{5,}\d")
_SAME_DIGITS = 9  # of the end; numbers are written with and without country code and trunk prefix


@dataclass(frozen=True, kw_only=True)
class Person:
    """``number_hash``: "" where only the contact is known. ``platform``: "" for a contact of any CRM."""

    number_hash: str = ""
    digits: str = ""
    contact_id: str = ""
    platform: str = ""

    @classmethod
    def of(cls, *, phone: str = "", contact_id: str = "", platform: str = "") -> Person:
        """Raises ``ValueError`` with a sentence where the number is none."""
        if not phone:
            return cls(contact_id=contact_id, platform=platform)
        number = parse_phone(phone, home_region=settings.PHONE_REGION)
        plain = number.e164 or number.national
        if not plain:
            raise ValueError("This is no phone number. Write it with its country code, such as +14155550100.")
        digits = "".join(re.findall(r"[0-9]", plain))
        return cls(number_hash=hashed_number(plain), digits=digits, contact_id=contact_id, platform=platform)

    @property
    def columns(self) -> Q:
        """Rows with the person's number or contact in their columns."""
        by_number = Q(number_hash=self.number_hash) if self.number_hash else Q(pk=None)
        return by_number | (self.contact if self.contact_id else Q(pk=None))

    @property
    def contact(self) -> Q:
        return Q(contact_id=self.contact_id, **({"platform": self.platform} if self.platform else {}))

    def is_in(self, text: str, *, platform: str) -> bool:
        """Whether a text (JSON, mostly) has the number in any notation, or the contact's id."""
        if self.digits and any(self._is_number(item) for item in _NUMBER.findall(text)):
            return True
        return bool(self.contact_id) and self.platform in ("", platform) and self.contact_id in set(_contact_ids(text))

    def _is_number(self, written: str) -> bool:
        digits = "".join(re.findall(r"[0-9]", written))
        least = min(_SAME_DIGITS, len(self.digits))
        return len(digits) >= least and digits[-least:] == self.digits[-least:]


def _contact_ids(text: str) -> Iterator[str]:
    try:
        yield from _ids_below(json.loads(text), is_contact=False)
    except ValueError:
        return


def _ids_below(value: Any, *, is_contact: bool) -> Iterator[str]:
    if isinstance(value, dict):
        if is_contact and value.get("id") is not None:
            yield str(value["id"])
        for name, item in value.items():
            yield from _ids_below(item, is_contact=name in ("contact", "contacts", "shown"))
    elif isinstance(value, list):
        for item in value:
            yield from _ids_below(item, is_contact=is_contact)


@dataclass(kw_only=True)
class Holdings:
    """The rows about a person, by what they are called to whoever asked."""

    call_logs: list[CallLog] = field(default_factory=list)
    conversations: list[ConversationLog] = field(default_factory=list)
    reasons: list[LogReason] = field(default_factory=list)
    look_ups: list[LookUp] = field(default_factory=list)
    callbacks: list[CallDownEntry] = field(default_factory=list)
    cached_look_ups: list[ContactMatch] = field(default_factory=list)
    created_contacts: list[ContactCreation] = field(default_factory=list)
    placeholder_contacts: list[PlaceholderContact] = field(default_factory=list)
    note_drafts: list[NoteDraft] = field(default_factory=list)
    kept_changes: list[Delivery] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name.replace("_", " "): len(rows) for name, rows in vars(self).items()}


def find(person: Person, progress: Progress = lambda done, total: None) -> Holdings:
    """Everything about a person. Encrypted texts are read one by one. ``progress``: rows read and in all."""
    found = Holdings(
        call_logs=list(CallLog.objects.filter(person.columns)),
        conversations=list(ConversationLog.objects.filter(person.columns)),
    )
    found.placeholder_contacts = list(PlaceholderContact.objects.filter(person.columns))
    of_logs = Q(call_log__in=found.call_logs) | Q(conversation__in=found.conversations)
    found.reasons = list(LogReason.objects.filter(of_logs))
    sessions = {item for log in found.call_logs for item in (log.session_id, log.telephony_session_id) if item}
    is_logged = {row.pk for row in Delivery.objects.filter(of_logs)}
    searched: list[tuple[list[Any], QuerySet[Any], Callable[[Any], bool]]] = [
        (
            found.look_ups,
            LookUp.objects.select_related("user"),
            lambda row: (
                (bool(person.number_hash) and row.number_hash == person.number_hash)
                or (bool(person.contact_id) and person.is_in(_read(row, "trace"), platform=row.user.platform))
            ),
        ),
        (
            found.callbacks,
            CallDownEntry.objects.select_related("user"),
            lambda row: (
                (row.contact_id == person.contact_id != "" and person.platform in ("", row.user.platform))
                or person.is_in(_read(row, "phone_number"), platform=row.user.platform)
            ),
        ),
        (
            found.cached_look_ups,
            ContactMatch.objects.select_related("user"),
            lambda row: person.is_in(json.dumps(row.result), platform=row.user.platform),
        ),
        (
            found.created_contacts,
            ContactCreation.objects.exclude(result=None),
            lambda row: person.is_in(json.dumps({"contact": row.result}), platform=row.platform),
        ),
        (
            found.note_drafts,
            NoteDraft.objects.select_related("user"),
            lambda row: row.session_id in sessions or person.is_in(_read(row, "note"), platform=row.user.platform),
        ),
        (
            found.kept_changes,
            Delivery.objects.select_related("user", "call_log", "conversation"),
            lambda row: row.pk in is_logged or person.is_in(_read(row, "payload"), platform=row.platform),
        ),
    ]
    total = sum(rows.count() for _, rows, _ in searched)
    done = 0
    for chosen, rows, is_theirs in searched:
        for row in rows.iterator(chunk_size=500):
            if is_theirs(row):
                chosen.append(row)
            done += 1
            progress(min(done, total), total)
    return found


def _read(row: Any, name: str) -> str:
    """An encrypted text; "" where it cannot be read with the keys of this server."""
    try:
        return str(getattr(row, name))
    except Undecipherable:
        return ""


def erase(found: Holdings) -> dict[str, int]:
    """Removes what ``find`` has found; returns how many of each. What is being sent at this moment stays."""
    for model, logs in ((CallLog, found.call_logs), (ConversationLog, found.conversations)):
        rows = model._default_manager.filter(pk__in=[log.pk for log in logs])
        rows.update(number_hash="", number_ending="")
    deleted: Iterable[list[Any]] = (
        found.reasons,
        found.look_ups,
        found.callbacks,
        found.cached_look_ups,
        found.created_contacts,
        found.placeholder_contacts,
        found.note_drafts,
    )
    for chosen in deleted:
        if chosen:
            type(chosen[0])._default_manager.filter(pk__in=[row.pk for row in chosen]).delete()
    found.kept_changes = [delivery for delivery in found.kept_changes if support.erase(delivery)]
    counts = found.counts()
    record("person.erase", actor="operator", detail=counts)
    return counts


_TEXTS = {"reasons": "text", "look_ups": "trace", "note_drafts": "note", "kept_changes": "payload"}
#: When each of these was kept; of a draft, until when.
_TIMES = {
    "reasons": "said_at",
    "look_ups": "asked_at",
    "note_drafts": "expires_at",
    "kept_changes": "accepted_at",
    "cached_look_ups": "fetched_at",
    "created_contacts": "changed_at",
}


def shown(found: Holdings) -> Iterator[dict[str, Any]]:
    """Each row as what the person may read of it, encrypted texts in clear."""
    for kind, rows in vars(found).items():
        for row in rows:
            yield {"kind": kind.replace("_", " "), **_columns(kind, row)}
    record("person.export", actor="operator", detail=found.counts())


def _platform_behind(row: Any) -> str:
    """Of a row that has no platform itself: that of its user or log."""
    behind = (getattr(row, name, None) for name in ("user", "call_log", "conversation"))
    return next((item.platform for item in behind if item is not None), "")


def _columns(kind: str, row: Any) -> dict[str, Any]:
    platform = getattr(row, "platform", "") or _platform_behind(row)
    names: tuple[str, ...]
    if kind == "call_logs":
        names = ("session_id", "direction", "started_at", "contact_id", "contact_type", "crm_log_id", "number_ending")
    elif kind == "conversations":
        names = ("conversation_log_id", "created_at", "contact_id", "contact_type", "crm_log_id", "number_ending")
    elif kind == "placeholder_contacts":
        names = ("created_at", "contact_id", "contact_type", "number_ending")
    elif kind == "callbacks":
        names = ("contact_id", "status", "scheduled_at", "last_call_at")
        texts = {name: _read(row, name) for name in ("contact_name", "phone_number", "note")}
        return {"platform": row.user.platform, **{name: getattr(row, name) for name in names}, **texts}
    elif kind in ("cached_look_ups", "created_contacts"):
        return {"platform": platform, "result": row.result, _TIMES[kind]: getattr(row, _TIMES[kind])}
    else:
        return {"platform": platform, "text": _read(row, _TEXTS[kind]), _TIMES[kind]: getattr(row, _TIMES[kind])}
    return {"platform": platform, **{name: getattr(row, name) for name in names}}
