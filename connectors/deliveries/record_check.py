"""Whether a record that support names is the one of a kept change: read with the author's login, and compared."""

from __future__ import annotations

import json
import re
from typing import Any

from adapters.contract import ContactRef, CrmAdapter, LoggedCall, LogRef, UnsupportedOperation
from audit.fields import Undecipherable
from connectors.deliveries.changes import CallSubmission, Conversation, UnreadableChange, from_json
from connectors.deliveries.models import Delivery
from connectors.services.crm_access import with_adapter
from connectors.services.crm_audit import audited_at_crm

#: Digits of a number that cannot stand among the digits of a text by chance, and of an id that tells what it is of.
_SHORTEST_NUMBER, _DIGITS_OF_AN_ID = 7, 5


class Different(ValueError):
    """The record is not the one of this call; the text says what differs."""


class NotComparable(Exception):
    """The record cannot be read, or says nothing that could be compared: a person has to know."""


def check_record(delivery: Delivery, log_id: str | int, *, actor: str) -> LoggedCall:
    """The record as the CRM shows it now, if day and contact are those of the call.

    Raises ``Different``, ``NotComparable``, and the ``ConnectorError`` of a CRM that cannot be asked.
    """
    log = delivery.call_log
    if log is None:  # no CRM is asked for a single record of messages
        raise NotComparable
    contact = contact_of(delivery)
    ref = LogRef(log_id=str(log_id), marker=log.session_id, contact=contact)

    def read(adapter: CrmAdapter) -> LoggedCall:
        found = adapter.get_call_log(ref)
        _compare(adapter, delivery, found, contact)
        return found

    with audited_at_crm("call_log.read", user=delivery.user, actor=actor, subject=delivery.subject) as event:
        event.target = str(log_id)
        try:
            return with_adapter(delivery.user, read)
        except UnsupportedOperation:
            raise NotComparable from None


def contact_of(delivery: Delivery) -> ContactRef | None:
    """Whom the kept change is about; None where it cannot be read."""
    kind = CallSubmission if delivery.call_log is not None else Conversation
    try:
        change: Any = from_json(delivery.payload, kind)
    except (Undecipherable, UnreadableChange):
        return None
    contact: ContactRef = change.entry.contact if isinstance(change, CallSubmission) else change.contact
    return contact


def _compare(adapter: CrmAdapter, delivery: Delivery, found: LoggedCall, contact: ContactRef | None) -> None:
    log = delivery.call_log
    agrees = []
    if found.started_at is not None and log is not None and log.started_at is not None:
        zone = adapter.zone()
        of_record, of_call = found.started_at.astimezone(zone).date(), log.started_at.astimezone(zone).date()
        if of_record != of_call:
            raise Different(f"That record is of {of_record}, the call of {of_call}.")
        agrees.append("day")
    if contact is not None and (verdict := _same_contact(found, contact)) is not None:
        if not verdict:
            raise Different("That record is about somebody else than the call.")
        agrees.append("contact")
    if len(agrees) < 2:
        raise NotComparable


def _same_contact(found: LoggedCall, contact: ContactRef) -> bool | None:
    """None: the record does not say enough to tell."""
    number = _digits(contact.phone)[-9:]
    if len(number) >= _SHORTEST_NUMBER and number in _digits(found.body):
        return True
    alike = _alike(found.contact_name, contact.name)
    if alike is not True and str(contact.id) in _values(found.raw):
        # Whoever was renamed has another name now; and a small number may be a duration, or the id of something else.
        return None if alike is False or _is_small_number(str(contact.id)) else True
    return alike


def _is_small_number(text: str) -> bool:
    return text.isdigit() and len(text) < _DIGITS_OF_AN_ID


def _alike(one: str, other: str) -> bool | None:
    """Whether two names are of one person; None: one is missing, or they share only a part."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return None
    if first <= second or second <= first:
        return True
    return None if first & second else False


def _values(raw: Any) -> set[str]:
    """Every value in the vendor's record, as text."""
    if isinstance(raw, dict):
        return {text for value in raw.values() for text in _values(value)}
    if isinstance(raw, list | tuple):
        return {text for value in raw for text in _values(value)}
    if isinstance(raw, str) and raw[:1] in "[{":
        try:
            return _values(json.loads(raw))
        except ValueError:
            pass
    return {str(raw)}


def _digits(text: str) -> str:
    return "".join(re.findall(r"[0-9]", text))


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", name.casefold()))
