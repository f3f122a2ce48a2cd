"""Logs a call once, edits its log, and tells which calls are logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction

from adapters.contract import (
    AlreadyLogged,
    Assignee,
    CallLogChange,
    ConnectorError,
    CrmAdapter,
    Disposition,
    LoggedCall,
    LogResult,
)
from audit.fields import Undecipherable
from audit.models import CallLog, Delivery, DeliveryKind, LogState, call_logs_for
from audit.recorder import record
from connectors.log_body import CallDetails, read_note, read_subject
from connectors.models import CrmUser
from connectors.services.call_writes import CallEdit, CallIdentity, CallSubmission, CallUpdate, ref_of
from connectors.services.crm_access import require_adapter, with_adapter
from connectors.services.crm_audit import audited_at_crm
from connectors.services.deliveries import Outcome, deliver_now, kept_notice
from connectors.services.delivery_payloads import UnreadablePayload, from_json
from connectors.services.delivery_queue import accept, hand_over, replace_change, take
from connectors.services.note_drafts import take_note_draft
from connectors.services.settings import account_settings


class NotLogged(Exception):
    """The user has no log of the session."""


@dataclass(frozen=True, kw_only=True)
class LoggedSession:
    """One session in the answer to a look-up."""

    session_id: str
    log: CallLog | None = None
    call: LoggedCall | None = None
    error: ConnectorError | None = None
    note: str = ""
    subject: str = ""


def create_call_log(*, user: CrmUser, submission: CallSubmission, assigned_user: CrmUser | None = None) -> LogResult:
    """Writes the call into the CRM once, or keeps it until the CRM takes it.

    Server-side logging sends no note; the one is taken that the user, or the colleague it logs for, wrote meanwhile.

    ``log_id`` of the result is "" while it is only kept; its notice says so then. Raises ``AlreadyLogged`` when the
    call is there, or being written by somebody else; any other ``ConnectorError`` when the CRM refused it.
    """
    identity, entry = submission.identity, submission.entry
    if submission.is_server_side and not entry.note:
        writers = [user, *([assigned_user] if assigned_user else [])]
        notes = (take_note_draft(user=writer, session_id=identity.session_id) for writer in writers)
        note = next(filter(None, notes), "")
        submission = replace(submission, entry=replace(entry, note=note))
    delivery = _accepted(user, submission)
    if delivery is None:
        record(
            DeliveryKind.CREATE_CALL_LOG,
            actor=user.actor,
            outcome="failure",
            platform=user.platform,
            owner=user.owner,
            subject=identity.session_id,
            error=AlreadyLogged.__name__,
        )
        raise AlreadyLogged(f"Existing log for session {identity.session_id}")
    # A delivery that was waiting may hold another version: the one that may be in the CRM already.
    newer = _newer_note(delivery, submission)
    outcome = deliver_now(delivery, submission if delivery.attempts == 1 else None)
    if newer:
        update_call_log(user=user, edit=newer)
    if outcome.waits:
        return LogResult(log_id="", notice=kept_notice(user, "Call log", outcome.error))
    result: LogResult = outcome.result
    return result


def _accepted(user: CrmUser, submission: CallSubmission) -> Delivery | None:
    """The call's delivery, leased to this request; None when the call is logged, or somebody else is at it."""
    identity = submission.identity
    known = call_logs_for(
        platform=user.platform, owner=user.owner, session_ids=[identity.session_id], extension=identity.extension
    ).get(identity.session_id)
    if known is None:
        return _first_claim(user, submission)
    if known.state == LogState.LOGGED:
        return None
    waiting = known.deliveries.filter(kind=DeliveryKind.CREATE_CALL_LOG).first()
    if waiting is None:
        return _claim_again(user, known, submission)
    taken = take(waiting.pk)
    if taken and taken.call_log:
        hand_over(taken, user)  # it may wait for the login of a colleague
        if taken.call_log.state in (LogState.QUEUED, LogState.FAILED):  # not in the CRM: the newest version counts
            replace_change(taken, submission)
            CallLog.objects.filter(pk=taken.call_log.pk).update(**_contact_of(submission))
    return taken


def _newer_note(delivery: Delivery, submission: CallSubmission) -> CallEdit | None:
    """The edit that adds a note which the version kept for the CRM does not have."""
    note = submission.entry.note
    if not note or delivery.attempts == 1:
        return None
    try:
        kept = from_json(delivery.payload, CallSubmission)
    except (Undecipherable, UnreadablePayload):
        return None
    if note == kept.entry.note:
        return None
    wire = {"sessionId": submission.identity.session_id, "note": note}
    return CallEdit(
        identity=submission.identity,
        change=CallLogChange(note=note, wire=wire),
        details=CallDetails(note=note),
        is_server_side=submission.is_server_side,
    )


def _contact_of(submission: CallSubmission) -> dict[str, Any]:
    """The columns that name the contact."""
    contact = submission.entry.contact
    return {
        "contact_id": str(contact.id),
        "contact_id_is_number": isinstance(contact.id, int),
        "contact_type": contact.type,
    }


def _first_claim(user: CrmUser, submission: CallSubmission) -> Delivery | None:
    identity, entry = submission.identity, submission.entry
    try:
        with transaction.atomic():
            log = CallLog.objects.create(
                platform=user.platform,
                owner=user.owner,
                session_id=identity.session_id,
                extension=identity.extension,
                user=user,
                telephony_session_id=identity.telephony_session_id,
                direction=entry.direction,
                started_at=entry.started_at,
                last_position=1,
                **_contact_of(submission),
            )
            return accept(
                kind=DeliveryKind.CREATE_CALL_LOG, user=user, change=submission, call_log=log, position=1, leased=True
            )
    except IntegrityError:  # another request for this call was first
        return None


def _claim_again(user: CrmUser, log: CallLog, submission: CallSubmission) -> Delivery | None:
    """A row whose earlier attempt is over: refused by the CRM, or given up.

    Of two requests at once one counts the position up; the other finds the row changed, whatever it reads elsewhere.
    """
    position = log.last_position + 1
    again = LogState.CLAIMED if log.state == LogState.FAILED else LogState.UNCERTAIN
    with transaction.atomic():
        rows = CallLog.objects.filter(pk=log.pk, state=log.state, last_position=log.last_position)
        if not rows.update(state=again, last_position=position, user=user, **_contact_of(submission)):
            return None
        log.refresh_from_db()
        return accept(
            kind=DeliveryKind.CREATE_CALL_LOG,
            user=user,
            change=submission,
            call_log=log,
            position=position,
            leased=True,
        )


def find_logs(
    *, user: CrmUser, session_ids: Sequence[str], extension: str, with_details: bool, details_at_most: int = 5
) -> list[LoggedSession]:
    """Which sessions are logged, in the order asked; with details, the log as the CRM shows it now.

    Details are read for the first ``details_at_most`` logged sessions, together; one that fails carries its error.
    """
    logs = call_logs_for(platform=user.platform, owner=user.owner, session_ids=list(session_ids), extension=extension)
    logged = {key: log for key, log in logs.items() if log.state == LogState.LOGGED}
    plain = [LoggedSession(session_id=key, log=logged.get(key)) for key in session_ids]
    if not with_details:
        return plain
    wanted = [item for item in plain if item.log][:details_at_most]
    if not wanted:
        return plain
    with audited_at_crm("call_log.read", user=user):
        refs = [ref_of(item.log) for item in wanted if item.log]

        def read(adapter: CrmAdapter) -> dict[str, LoggedSession]:
            outcomes = adapter.get_call_logs(refs)
            return {
                item.session_id: _detailed(adapter, item, outcome)
                for item, outcome in zip(wanted, outcomes, strict=True)
            }

        details = with_adapter(user, read)
    return [details.get(item.session_id, item) for item in plain]


def _detailed(adapter: CrmAdapter, item: LoggedSession, outcome: LoggedCall | ConnectorError) -> LoggedSession:
    if isinstance(outcome, ConnectorError):
        return replace(item, error=outcome)
    note = outcome.note if outcome.note is not None else read_note(outcome.body, adapter.log_format)
    subject = outcome.subject or read_subject(outcome.body, adapter.log_format)
    return replace(item, call=outcome, note=note, subject=subject)


def _known(user: CrmUser, identity: CallIdentity) -> CallLog:
    """The session's log, in the CRM or on its way there. Raises ``NotLogged``."""
    log = call_logs_for(
        platform=user.platform, owner=user.owner, session_ids=[identity.session_id], extension=identity.extension
    ).get(identity.session_id)
    if log is None or log.state == LogState.FAILED:
        raise NotLogged
    return log


def _deliver_change(user: CrmUser, log: CallLog, kind: DeliveryKind, change: Any) -> Outcome:
    with transaction.atomic():
        delivery = accept(kind=kind, user=user, change=change, call_log=log)
    return deliver_now(delivery, change)


def update_call_log(*, user: CrmUser, edit: CallEdit) -> CallUpdate:
    """Edits a call log, after whatever was accepted for it before.

    A CRM that cannot be reached gets the edit later. Raises ``NotLogged``, and the ``ConnectorError`` of a CRM that
    refused it.
    """
    log = _known(user, edit.identity)
    outcome = _deliver_change(user, log, DeliveryKind.UPDATE_CALL_LOG, edit)
    if outcome.waits:
        kept = LogResult(log_id="", notice=kept_notice(user, "Change", outcome.error))
        return CallUpdate(log_id=log.wire_log_id(), result=kept)
    update: CallUpdate | None = outcome.result
    return update or CallUpdate(log_id=log.wire_log_id())


def set_disposition(*, user: CrmUser, identity: CallIdentity, disposition: Disposition) -> LogResult | None:
    """Applies choices made after the call, as ``update_call_log`` does; None: nothing to change.

    Raises as that does.
    """
    log = _known(user, identity)
    outcome = _deliver_change(user, log, DeliveryKind.SET_DISPOSITION, disposition)
    if outcome.waits:
        return LogResult(log_id=log.wire_log_id(), notice=kept_notice(user, "Change", outcome.error))
    result: LogResult | None = outcome.result
    return result


def assignee_of(*, user: CrmUser, submission: dict[str, Any], assigned_user: CrmUser | None) -> Assignee | None:
    """The CRM user a log is written for: the one behind the token, or the one an administrator has mapped.

    Where they differ the adapter knows who comes first.
    """
    if not submission.get("isAssignedToUser"):
        return None
    colleague = Assignee(user_id=assigned_user.crm_user_id, profile=assigned_user.profile()) if assigned_user else None
    if colleague and not require_adapter(user.platform).mapping_before_token:
        return colleague
    mapped = _mapped(user, str(submission.get("adminAssignedUserRcId") or ""))
    return Assignee(user_id=mapped) if mapped and not (colleague and colleague.user_id == mapped) else colleague


def _mapped(user: CrmUser, extension_id: str) -> str:
    """The CRM user whom the account's administrator has mapped to a RingCentral extension; empty: none."""
    account = account_settings(user) if extension_id else None
    for mapping in account.user_mappings if account else []:
        extensions = mapping.get("rcExtensionId")
        extensions = extensions if isinstance(extensions, list) else [extensions]
        if extension_id in [str(extension) for extension in extensions] and mapping.get("crmUserId"):
            return str(mapping["crmUserId"])
    return ""
