"""Logs a call once, edits its log, and tells which calls are logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.contract import (
    AlreadyLogged,
    Assignee,
    ConnectorError,
    CrmAdapter,
    CrmUnavailable,
    Disposition,
    ErrorKind,
    LoggedCall,
    LogResult,
)
from audit.models import CallLog, call_logs_for
from audit.recorder import record
from connectors.deliveries import calls
from connectors.deliveries.calls import NotLogged, ref_of
from connectors.deliveries.changes import CallEdit, CallIdentity, CallSubmission, CallUpdate
from connectors.deliveries.notices import kept_notice
from connectors.deliveries.policy import Kind
from connectors.deliveries.sending import send_now
from connectors.log_body import read_note, read_subject
from connectors.models import CrmUser
from connectors.services.crm_access import require_adapter
from connectors.services.crm_audit import audited_at_crm
from connectors.services.looking import look
from connectors.services.note_drafts import forget_handed_back, take_note_draft
from connectors.services.settings import account_settings

__all__ = [
    "LoggedSession",
    "NotLogged",
    "assignee_of",
    "create_call_log",
    "find_logs",
    "set_disposition",
    "update_call_log",
]


@dataclass(frozen=True, kw_only=True)
class LoggedSession:
    """One session in the answer to a look-up."""

    session_id: str
    log: CallLog | None = None
    call: LoggedCall | None = None
    error: ConnectorError | None = None
    #: Support handed it back: the user is told so with this look-up, and never again.
    is_handed_back: bool = False
    note: str = ""
    subject: str = ""


def create_call_log(*, user: CrmUser, submission: CallSubmission, assigned_user: CrmUser | None = None) -> LogResult:
    """Writes the call into the CRM once, or keeps it until the CRM takes it.

    Server-side logging sends no note; the one is taken that the user, or the colleague it logs for, wrote meanwhile. A
    call that support handed back has its note again.

    ``log_id`` of the result is "" while it is only kept; its notice says so then. Raises ``AlreadyLogged`` when the
    call is there, or being written by somebody else; any other ``ConnectorError`` when the CRM refused it.
    """
    identity, entry = submission.identity, submission.entry
    if not entry.note:
        writers = [user, *([assigned_user] if assigned_user and submission.is_server_side else [])]
        of_agents = not submission.is_server_side
        notes = (
            take_note_draft(user=writer, session_id=identity.session_id, only_handed_back=of_agents)
            for writer in writers
        )
        if note := next(filter(None, notes), ""):
            submission = replace(submission, entry=replace(entry, note=note))
    delivery = calls.accept_call(user, submission)
    if delivery is None:
        record(
            Kind.CREATE,
            actor=user.actor,
            outcome="failure",
            platform=user.platform,
            owner=user.owner,
            subject=identity.session_id,
            error=AlreadyLogged.__name__,
        )
        raise AlreadyLogged(f"Existing log for session {identity.session_id}")
    # A delivery that was waiting may hold another version: the one that may be in the CRM already.
    newer, is_first = calls.newer_note(delivery, submission), delivery.attempts == 1
    outcome = send_now(delivery, submission if is_first else None)
    if delivery.was_handed_back or submission.entry.note != entry.note:  # it was, or the note is the one kept then
        forget_handed_back(user=user, session_id=identity.session_id)
    is_written_as_it_is = is_first and delivery.rewrites is not None and not outcome.waits
    if newer and not is_written_as_it_is:
        update_call_log(user=user, edit=newer)
    if outcome.waits:
        outcome = replace(outcome, is_colleagues=delivery.user_id != user.pk)
        return LogResult(log_id="", notice=kept_notice(user, "Call log", outcome))
    result: LogResult = outcome.result
    return result


def find_logs(
    *, user: CrmUser, session_ids: Sequence[str], extension: str, with_details: bool, details_at_most: int = 5
) -> list[LoggedSession]:
    """Which sessions are logged, in the order asked; with details, the log as the CRM shows it now.

    Details are read for the first ``details_at_most`` logged sessions, together; one that fails carries its error.
    """
    logs = call_logs_for(platform=user.platform, owner=user.owner, session_ids=list(session_ids), extension=extension)
    logged = {key: log for key, log in logs.items() if log.is_logged}
    told = {key for key, log in logs.items() if log.tell_handed_back()}
    plain = [LoggedSession(session_id=key, log=logged.get(key), is_handed_back=key in told) for key in session_ids]
    if not with_details:
        return plain
    wanted = [item for item in plain if item.log][:details_at_most]
    if not wanted:
        return plain
    with audited_at_crm("call_log.read", user=user):
        refs = [ref_of(item.log) for item in wanted if item.log]

        def read(adapter: CrmAdapter) -> dict[str, LoggedSession]:
            outcomes = adapter.get_call_logs(refs)
            if isinstance(outcomes[0], CrmUnavailable) and all(isinstance(one, CrmUnavailable) for one in outcomes):
                raise outcomes[0]
            return {
                item.session_id: _detailed(adapter, item, outcome)
                for item, outcome in zip(wanted, outcomes, strict=True)
            }

        try:
            details = look(user, read)
        except ConnectorError as error:
            if not error.try_later:
                raise
            details = {item.session_id: replace(item, error=error) for item in wanted}
    return [_unless_gone(details.get(item.session_id, item), user) for item in plain]


def _unless_gone(item: LoggedSession, user: CrmUser) -> LoggedSession:
    """A log that was deleted in the CRM counts as not logged, so that the client offers to log the call again."""
    if item.error is None or item.log is None or item.error.kind is not ErrorKind.GONE:
        return item
    record(
        "call_log.gone",
        actor=user.actor,
        platform=user.platform,
        owner=user.owner,
        subject=item.session_id,
        target=item.log.crm_log_id,
    )
    item.log.forget_record()
    return LoggedSession(session_id=item.session_id)


def _detailed(adapter: CrmAdapter, item: LoggedSession, outcome: LoggedCall | ConnectorError) -> LoggedSession:
    if isinstance(outcome, ConnectorError):
        return replace(item, error=outcome)
    note = outcome.note if outcome.note is not None else read_note(outcome.body, adapter.log_format)
    subject = outcome.subject or read_subject(outcome.body, adapter.log_format)
    return replace(item, call=outcome, note=note, subject=subject)


def update_call_log(*, user: CrmUser, edit: CallEdit) -> CallUpdate:
    """Edits a call log, after whatever was accepted for it before.

    A CRM that cannot be reached gets the edit later. Raises ``NotLogged``, and the ``ConnectorError`` of a CRM that
    refused it.
    """
    log, delivery = calls.accept_change(user, edit.identity, Kind.EDIT, edit)
    outcome = send_now(delivery, edit)
    if outcome.waits:
        kept = LogResult(log_id="", notice=kept_notice(user, "Change", outcome))
        return CallUpdate(log_id=log.wire_log_id(), result=kept)
    update: CallUpdate | None = outcome.result
    return update or CallUpdate(log_id=log.wire_log_id())


def set_disposition(*, user: CrmUser, identity: CallIdentity, disposition: Disposition) -> LogResult | None:
    """Applies choices made after the call, as ``update_call_log`` does; None: nothing to change.

    Raises as that does.
    """
    log, delivery = calls.accept_change(user, identity, Kind.DISPOSITION, disposition)
    outcome = send_now(delivery, disposition)
    if outcome.waits:
        return LogResult(log_id=log.wire_log_id(), notice=kept_notice(user, "Change", outcome))
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
