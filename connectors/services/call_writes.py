"""Carries out what was accepted for a call: writes its log into the CRM, edits it, sets its disposition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from adapters.contract import (
    CallLogChange,
    CallLogEntry,
    ContactRef,
    CrmAdapter,
    CrmUnavailable,
    Disposition,
    Id,
    LogFormat,
    LoggedCall,
    LogRef,
    LogResult,
    RecordNotFound,
    UnsupportedOperation,
    precondition,
)
from audit.models import CallLog, Delivery, DeliveryKind, LogState
from connectors.log_body import CallDetails, compose_call, update_call
from connectors.services.crm_access import refuses_before_acting
from connectors.services.delivery_queue import begin_write
from connectors.services.stale_contacts import write_about

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class CallIdentity:
    """Which log is meant: session and extension (hashed id, else number, else "")."""

    session_id: str
    extension: str = ""
    telephony_session_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CallSubmission:
    """A call to be logged, as the request gave it; ``entry.body`` is composed here."""

    identity: CallIdentity
    entry: CallLogEntry
    details: CallDetails
    is_server_side: bool = False


@dataclass(frozen=True, kw_only=True)
class CallEdit:
    """An edit of a logged call; ``change.body`` and ``change.current`` are filled in here."""

    identity: CallIdentity
    change: CallLogChange
    details: CallDetails
    is_server_side: bool = False


@dataclass(frozen=True, kw_only=True)
class CallUpdate:
    """The outcome of an edit: the id, the new body (None: not known here), and a notice of the adapter's own."""

    log_id: Id
    body: str | None = None
    result: LogResult = field(default_factory=lambda: LogResult(log_id=""))

    @property
    def gone(self) -> tuple[str, ...]:
        return self.result.gone


class Undecidable(UnsupportedOperation):
    """The CRM cannot be asked whether the record was written; a person has to look."""


class NotInCrmYet(CrmUnavailable):
    """The log is not in the CRM yet; this change follows it."""


def create(delivery: Delivery, submission: CallSubmission) -> LogResult:
    """Writes the call into the CRM, unless an earlier attempt did. Its id is kept as soon as it is known."""
    log = _log_of(delivery)

    def write(adapter: CrmAdapter) -> LogResult:
        entry = replace(submission.entry, body=_composed(adapter, submission), created=log.created)
        if log.crm_log_id:  # an earlier attempt wrote it, and ended before it was whole
            return adapter.complete_call_log(log.wire_log_id(), entry)
        if log.state == LogState.UNCERTAIN and (found := _found(adapter, log, entry)) is not None:
            log.created(found)
            return adapter.complete_call_log(found, entry)
        if not begin_write(delivery):
            raise CrmUnavailable("This took too long; it is tried again later.")
        return adapter.create_call_log(entry)

    return write_about(
        submission.entry.contact,
        delivery.user,
        write,
        may_repeat=lambda: not log.crm_log_id and refuses_before_acting(delivery.platform),
    )


def _found(adapter: CrmAdapter, log: CallLog, entry: CallLogEntry) -> Id | None:
    try:
        found = adapter.find_call_log(replace(entry.as_marker(), is_anothers=log.belongs_to_another))
    except UnsupportedOperation:
        raise Undecidable from None
    return None if found is None or log.belongs_to_another(found) else found


def _composed(adapter: CrmAdapter, submission: CallSubmission) -> str:
    if adapter.log_format is LogFormat.CUSTOM:
        return ""
    note = _own_lines(submission.entry.note, adapter) if submission.is_server_side else submission.entry.note
    details = replace(submission.details, note=note)
    return compose_call(details, log_format=adapter.log_format, options=adapter.options, zone=adapter.zone())


def update(delivery: Delivery, edit: CallEdit) -> CallUpdate:
    """Reads the body as it stands, replaces our own sections, writes what was given.

    If the body cannot be read nothing is written: an edit composed on nothing would wipe what people wrote.
    """
    log = _logged(delivery)

    def write(adapter: CrmAdapter) -> CallUpdate:
        with precondition(reads_the_record=True):
            current = adapter.get_call_log(ref_of(log))
        body = _recomposed(adapter, edit, current)
        change = replace(edit.change, current=current, body=None if body == current.body else body)
        result = adapter.update_call_log(ref_of(log), change)
        return CallUpdate(log_id=log.wire_log_id(), body=body, result=result)

    contact = ref_of(log).contact
    return write_about(contact, delivery.user, write, may_repeat=lambda: refuses_before_acting(delivery.platform))


def _own_lines(note: str, adapter: CrmAdapter) -> str:
    """Server-side logging writes the breaks of its own notes as HTML, and knows a note as its own by them."""
    return _BREAK.sub("\n", note) if adapter.log_format is LogFormat.HTML else note


def _recomposed(adapter: CrmAdapter, edit: CallEdit, current: LoggedCall) -> str:
    if adapter.log_format is LogFormat.CUSTOM:
        return current.body
    marker = adapter.auto_log_marker
    facts_only = edit.is_server_side and marker is not None and marker not in current.body
    details = edit.details
    if edit.is_server_side and details.note:
        details = replace(details, note=_own_lines(details.note, adapter))
    return update_call(
        current.body,
        details,
        log_format=adapter.log_format,
        options=adapter.options,
        zone=adapter.zone(),
        facts_only=facts_only,
    )


def set_disposition(delivery: Delivery, disposition: Disposition) -> LogResult | None:
    """Applies choices made after the call; None: nothing to change, or the CRM has no such choices."""
    log = _logged(delivery)
    try:
        ref = ref_of(log)
        return write_about(ref.contact, delivery.user, lambda adapter: adapter.set_disposition(ref, disposition))
    except UnsupportedOperation:
        return None


def ref_of(log: CallLog) -> LogRef:
    """The log as an adapter knows it."""
    contact = ContactRef(id=log.contact_id, type=log.contact_type) if log.contact_id else None
    return LogRef(log_id=log.crm_log_id, marker=log.session_id, contact=contact)


def _log_of(delivery: Delivery) -> CallLog:
    assert delivery.call_log is not None
    return delivery.call_log


def _logged(delivery: Delivery) -> CallLog:
    log = _log_of(delivery)
    is_coming = log.deliveries.filter(kind=DeliveryKind.CREATE_CALL_LOG).exists()  # asked before the state
    if log.state != LogState.LOGGED:
        log.refresh_from_db()
    if log.state == LogState.FAILED or (log.state != LogState.LOGGED and not is_coming):
        raise RecordNotFound("The log that this changes could not be written.")
    if log.state != LogState.LOGGED:
        raise NotInCrmYet
    return log
