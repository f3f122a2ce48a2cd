"""Call logs: accepts what is to be logged or changed, and writes it into the CRM."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from django.db import transaction

from adapters.contract import (
    CallLogChange,
    CallLogEntry,
    ContactRef,
    CrmAdapter,
    Disposition,
    Id,
    LogFormat,
    LoggedCall,
    LogMarker,
    LogRef,
    LogResult,
    Notice,
    NoticeLevel,
    RecordNotFound,
    precondition,
)
from audit.fields import Undecipherable
from audit.models import CallLog, OwnedLog, call_logs_for
from audit.prepared import PreparedQuery, insert
from connectors.deliveries.accepting import accept, next_position
from connectors.deliveries.changes import (
    CallEdit,
    CallIdentity,
    CallSubmission,
    CallUpdate,
    UnreadableChange,
    from_json,
    without_long_sections,
)
from connectors.deliveries.models import Delivery, Restoration
from connectors.deliveries.outcome import NotNow
from connectors.deliveries.policy import Event, Kind
from connectors.deliveries.session_lock import SessionLock
from connectors.log_body import CallDetails, compose_call, cut_title, holds, update_call
from connectors.models import CrmUser
from connectors.services.crm_access import refuses_before_acting
from connectors.services.leases import settling_time
from connectors.services.numbers import columns_of_text
from connectors.services.stale_contacts import write_about

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class NotLogged(Exception):
    """The user has no log of the session."""


# --- accepting -------------------------------------------------------------------------------------


def accept_call(user: CrmUser, submission: CallSubmission) -> Delivery | None:
    """The call's delivery, leased to this request; None when the call is logged, or somebody else is at it.

    What was kept of an earlier attempt is taken up again; the newest version counts, unless the earlier one may have
    reached the CRM.
    """
    session_id = submission.identity.session_id
    with transaction.atomic():
        SessionLock.take(user, session_id)
        known = _known(user, submission.identity)
        if known is None:
            return _first_claim(user, submission)
        if known.is_logged:
            return None
        waiting = Delivery.objects.of(known).filter(kind=Kind.CREATE).first()
        if waiting is None:
            known.refresh_from_db()  # whoever was at it may have ended between the two reads
            return None if known.is_logged else _claim_again(user, known, submission)
        taken = Delivery.objects.take(waiting.pk, waiting.platform)
        if taken is not None:
            taken.reopen()
        if taken is not None and not taken.is_in_doubt:
            taken.hand_over(user)  # it may wait for the login of a colleague
            taken.replace_change(submission)
            CallLog.objects.filter(pk=known.pk).update(**_contact_of(user, submission))
        return taken


def _known(user: CrmUser, identity: CallIdentity) -> CallLog | None:
    return call_logs_for(
        platform=user.platform, owner=user.owner, session_ids=[identity.session_id], extension=identity.extension
    ).get(identity.session_id)


def _contact_of(user: CrmUser, submission: CallSubmission) -> dict[str, Any]:
    """The columns that tell the contact and the number, for those who look for the log."""
    contact = submission.entry.contact
    return {
        "contact_id": str(contact.id),
        "contact_id_is_number": isinstance(contact.id, int),
        "contact_type": contact.type,
        **columns_of_text(user, contact.phone),
    }


def _first_claim(user: CrmUser, submission: CallSubmission) -> Delivery:
    identity, entry = submission.identity, submission.entry
    log = CallLog(
        platform=user.platform,
        owner=user.owner,
        session_id=identity.session_id,
        extension=identity.extension,
        user=user,
        telephony_session_id=identity.telephony_session_id,
        direction=entry.direction,
        started_at=entry.started_at,
        last_position=1,
        **_contact_of(user, submission),
    )
    insert(log)
    shows_by = Restoration.shows_by(entry.started_at, user.platform)
    return accept(
        kind=Kind.CREATE, user=user, change=submission, record=log, position=1, leased=True, shows_by=shows_by
    )


def _claim_again(user: CrmUser, log: CallLog, submission: CallSubmission) -> Delivery:
    """A row whose earlier attempt is over: refused by the CRM, given up, or deleted there since.

    After a restored back-up that may have been so when it was made, and the call have been logged afterwards. What may
    be in the CRM is looked for with the login of whoever tried it: it is among their records.
    """
    position, shows_by = next_position(log), Restoration.shows_by(log.updated_at, user.platform)
    if log.may_be_there and shows_by is None:  # the earlier attempt may still take effect
        shows_by = log.updated_at + settling_time(user.platform)
    if log.may_be_there and log.user is not None:
        user = log.user
    was_handed_back = log.was_handed_back
    CallLog.objects.filter(pk=log.pk).update(
        state=log.state_when_claimed, last_error="", user=user, **_contact_of(user, submission)
    )
    log.refresh_from_db()
    delivery = accept(
        kind=Kind.CREATE, user=user, change=submission, record=log, position=position, leased=True, shows_by=shows_by
    )
    delivery.was_handed_back = was_handed_back
    return delivery


def newer_note(delivery: Delivery, submission: CallSubmission) -> CallEdit | None:
    """The edit that adds a note which the version that may be in the CRM does not have.

    Where that version is not kept any more (support handed the call back, or gave it up), or cannot be read, it may
    have any note.
    """
    note = submission.entry.note
    if not note or (delivery.attempts == 1 and delivery.has_begun):
        return None
    if delivery.attempts == 1:
        return _note_edit(submission)
    try:
        kept = from_json(delivery.payload, CallSubmission)
    except (Undecipherable, UnreadableChange):
        return _note_edit(submission)
    return None if note == kept.entry.note else _note_edit(submission)


def _note_edit(submission: CallSubmission) -> CallEdit:
    note = submission.entry.note
    wire = {"sessionId": submission.identity.session_id, "note": note}
    return CallEdit(
        identity=submission.identity,
        change=CallLogChange(note=note, wire=wire),
        details=CallDetails(note=note),
        is_server_side=submission.is_server_side,
    )


def accept_change(user: CrmUser, identity: CallIdentity, kind: Kind, change: Any) -> tuple[CallLog, Delivery]:
    """Keeps an edit or disposition of a log in the CRM, or on its way there. Raises ``NotLogged``."""
    log = _known(user, identity)
    if log is None or log.is_failed:
        raise NotLogged
    with transaction.atomic():
        position = next_position(log)
        is_its_turn = not Delivery.objects.of(log).exists()
        return log, accept(
            kind=kind, user=user, change=change, record=log, position=position, leased=is_its_turn, begun=False
        )


# --- writing ---------------------------------------------------------------------------------------


def create(delivery: Delivery, submission: CallSubmission, *, is_short: bool = False) -> LogResult:
    """Writes the call into the CRM, unless an earlier attempt did. Its id is kept as soon as it is known."""
    log = _log_of(delivery)
    submission = without_long_sections(submission) if is_short else submission

    def write(adapter: CrmAdapter) -> LogResult:
        subject = cut_title(submission.entry.subject, adapter.manifest.server.title_length)
        body = _composed(adapter, submission)
        entry = replace(submission.entry, subject=subject, body=body, created=delivery.keeps_id)
        delivery.length = len(entry.body)
        if not log.crm_log_id and (found := _found(adapter, delivery, log, entry)) is not None:
            delivery.keeps_id(found)
        begin(delivery)
        if log.crm_log_id:  # an earlier attempt wrote it, and ended before it was whole
            return adapter.complete_call_log(log.wire_log_id(), entry)
        return adapter.create_call_log(entry)

    result = write_about(
        submission.entry.contact,
        delivery.user,
        write,
        may_repeat=lambda: not log.crm_log_id and refuses_before_acting(delivery.platform),
    )
    return _with_word(result, "Call logged") if is_short else result


def _with_word(result: LogResult, headline: str) -> LogResult:
    """The result, with a word about what was left out."""
    notice = result.notice or Notice(message=headline, level=NoticeLevel.WARNING, ttl=5000)
    line = "It was too long for the CRM: its long sections were shortened."
    return replace(result, notice=replace(notice, details=(*notice.details, line)))


def _found(adapter: CrmAdapter, delivery: Delivery, log: CallLog, entry: CallLogEntry) -> Id | None:
    """The record of an earlier attempt, None: it is certainly not there, or there was no such attempt."""
    if delivery.has_begun or not delivery.is_in_doubt:
        return None
    marker = replace(entry.as_marker(), is_anothers=log.belongs_to_another)
    return settled(delivery, log, marker, adapter.find_call_log(marker))


def settled(delivery: Delivery, record: OwnedLog, marker: LogMarker, found: Id | None) -> Id | None:
    """What was found. Raises ``NotNow`` while "not found" means nothing yet."""
    if found is not None and not record.belongs_to_another(found):
        return found
    if not delivery.is_settled:
        raise NotNow(Event.NOT_FOUND_YET)
    delivery.rewrites = marker
    return None


def begin(delivery: Delivery) -> None:
    """The CRM may have the change from now on. Raises ``NotNow`` when the lease was lost, or is about to be."""
    if not delivery.has_begun and not delivery.begin():
        raise NotNow(Event.NOT_ASKED)


def wait_until_settled(delivery: Delivery) -> None:
    """An attempt in doubt may still reach the CRM, and would undo what is written now. Raises ``NotNow``."""
    if not delivery.has_begun and not delivery.is_settled:
        raise NotNow(Event.NOT_FOUND_YET)


def _composed(adapter: CrmAdapter, submission: CallSubmission) -> str:
    if adapter.log_format is LogFormat.CUSTOM:
        return ""
    note = _own_lines(submission.entry.note, adapter) if submission.is_server_side else submission.entry.note
    details = replace(submission.details, note=note)
    return compose_call(
        details,
        log_format=adapter.log_format,
        options=adapter.options,
        zone=adapter.zone(),
        limit=adapter.manifest.server.body_length,
    )


def update(delivery: Delivery, edit: CallEdit, *, is_short: bool = False) -> CallUpdate:
    """Reads the body as it stands, replaces our own sections, writes what was given.

    If the body cannot be read nothing is written: an edit composed on nothing would wipe what people wrote.
    """
    log = _logged(delivery)
    edit = without_long_sections(edit) if is_short else edit

    def write(adapter: CrmAdapter) -> CallUpdate:
        wait_until_settled(delivery)
        with precondition(reads_the_record=True):
            current = adapter.get_call_log(ref_of(log))
        body = _recomposed(adapter, edit, current)
        delivery.length = len(body)
        subject = edit.change.subject and cut_title(edit.change.subject, adapter.manifest.server.title_length)
        new_body = None if body == current.body else body
        change = replace(edit.change, current=current, subject=subject, body=new_body)
        begin(delivery)
        result = adapter.update_call_log(ref_of(log), change)
        result = _with_word(result, "Call log updated.") if is_short else result
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
    facts_only = edit.is_server_side and marker is not None and not holds(current.body, marker)
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
        limit=adapter.manifest.server.body_length,
    )


def set_disposition(delivery: Delivery, disposition: Disposition, *, is_short: bool = False) -> LogResult | None:
    """Applies choices made after the call; None: nothing to change."""
    ref = ref_of(_logged(delivery))

    def write(adapter: CrmAdapter) -> LogResult | None:
        wait_until_settled(delivery)
        begin(delivery)
        return adapter.set_disposition(ref, disposition)

    return write_about(ref.contact, delivery.user, write, may_repeat=lambda: refuses_before_acting(delivery.platform))


def ref_of(log: CallLog) -> LogRef:
    """The log as an adapter knows it."""
    contact = ContactRef(id=log.contact_id, type=log.contact_type) if log.contact_id else None
    return LogRef(log_id=log.crm_log_id, marker=log.session_id, contact=contact)


def _log_of(delivery: Delivery) -> CallLog:
    assert delivery.call_log is not None
    return delivery.call_log


def _logged(delivery: Delivery) -> CallLog:
    """The log that is to be changed. Raises ``NotNow`` while it is on its way or waits for support.

    Raises ``RecordNotFound`` when it will not come.
    """
    log = _log_of(delivery)
    is_coming = bool(_creations(log.pk))  # asked before the state
    if not log.is_logged:
        log.refresh_from_db()
    if log.is_logged:
        return log
    if not is_coming:
        raise RecordNotFound("The log that this changes could not be written.")
    raise NotNow(Event.EARLIER_FIRST)


_creations = PreparedQuery(lambda log: Delivery.objects.filter(call_log=log, kind=Kind.CREATE).only("pk"))
