"""Logs a call once: claims the row, composes the body, calls the CRM with no transaction open, completes the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from adapters import registry
from adapters.contract import (
    AlreadyLogged,
    Assignee,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    ContactRef,
    CrmAdapter,
    Disposition,
    LogFormat,
    LoggedCall,
    LogRef,
    LogResult,
    RequestRejected,
    UnsupportedOperation,
)
from adapters.contract.http import count_calls
from audit.models import CallLog, LogState, call_logs_for
from audit.recorder import audited
from connectors.log_body import CallDetails, compose_call, read_note, read_subject, update_call
from connectors.models import CrmUser
from connectors.services.adapters import with_adapter
from connectors.services.note_drafts import take_note_draft
from connectors.services.settings import account_settings


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
class LoggedSession:
    """One session in the answer to a look-up."""

    session_id: str
    log: CallLog | None = None
    call: LoggedCall | None = None
    error: ConnectorError | None = None
    note: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class CallUpdate:
    """The outcome of an edit: the id, the new body, and a notice of the adapter's own."""

    log_id: str | int
    body: str | None
    result: LogResult = field(default_factory=lambda: LogResult(log_id=""))


def create_call_log(*, user: CrmUser, submission: CallSubmission) -> LogResult:
    """Writes the call into the CRM once.

    Raises ``AlreadyLogged`` when it is there, or being written by somebody else; any other ``ConnectorError`` when the
    CRM did not take it. An attempt whose outcome is unknown is first looked for in the CRM, never repeated blindly.
    """
    identity, entry = submission.identity, submission.entry
    if submission.is_server_side and not entry.note:
        entry = replace(entry, note=take_note_draft(user=user, session_id=identity.session_id))
    with (
        audited(
            "call_log.create", actor=user.actor, platform=user.platform, owner=user.owner, subject=identity.session_id
        ) as event,
        count_calls() as calls,
    ):
        log = _claim(user, identity, entry)
        if log is None:
            event.error = AlreadyLogged.__name__
            raise AlreadyLogged(f"Existing log for session {identity.session_id}")

        def write(adapter: CrmAdapter) -> LogResult:
            if log.was_uncertain:
                found = _found_in_crm(adapter, entry)
                if found is not None:
                    return LogResult(log_id=found)
            return adapter.create_call_log(
                replace(entry, body=_composed(adapter, submission, entry), created=log.created)
            )

        try:
            result = with_adapter(user, write, may_repeat=lambda: not log.crm_log_id and _refuses_before_acting(user))
            log.complete(result.log_id)
        except BaseException as error:
            # Anything unforeseen may have happened after the CRM was called.
            maybe_applied = error.maybe_applied if isinstance(error, ConnectorError) else True
            log.give_up(error=type(error).__name__, maybe_applied=maybe_applied)
            if log.state == LogState.LOGGED and isinstance(error, ConnectorError):
                event.detail["followup"] = type(error).__name__
                return LogResult(log_id=log.wire_log_id())
            raise
        finally:
            event.crm_calls = calls.value
            event.target = log.crm_log_id
    return result


def _refuses_before_acting(user: CrmUser) -> bool:
    return registry.manifests()[user.platform].server.auth.retry_writes_after_401


def _claim(user: CrmUser, identity: CallIdentity, entry: CallLogEntry) -> CallLog | None:
    key = {
        "platform": user.platform,
        "owner": user.owner,
        "session_id": identity.session_id,
        "extension": identity.extension,
    }
    known = call_logs_for(
        platform=user.platform, owner=user.owner, session_ids=[identity.session_id], extension=identity.extension
    ).get(identity.session_id)
    if known:
        key["extension"] = known.extension
        if known.state == LogState.UNCERTAIN:
            return _take_uncertain(user, known)
    claimed: CallLog | None = CallLog.objects.claim(
        now=timezone.now(),
        lifetime=settings.CLAIM_LIFETIME,
        key=key,
        values={
            "user": user,
            "telephony_session_id": identity.telephony_session_id,
            "contact_id": str(entry.contact.id),
            "contact_type": entry.contact.type,
            "direction": entry.direction,
            "started_at": entry.started_at,
        },
    )
    return claimed


def _take_uncertain(user: CrmUser, log: CallLog) -> CallLog | None:
    """The uncertain row, if the CRM can be asked about it and has had time to show what was written."""
    server = registry.manifests()[user.platform].server
    shown_after = log.claimed_at + timedelta(seconds=server.find_lag_seconds)
    if "find_call_log" not in server.capabilities or timezone.now() < shown_after:
        return None
    claimed: CallLog | None = CallLog.objects.claim_uncertain(pk=log.pk, now=timezone.now())
    return claimed


def _found_in_crm(adapter: CrmAdapter, entry: CallLogEntry) -> str | int | None:
    try:
        return adapter.find_call_log(entry.as_marker())
    except UnsupportedOperation:
        return None


def _composed(adapter: CrmAdapter, submission: CallSubmission, entry: CallLogEntry) -> str:
    if adapter.log_format is LogFormat.CUSTOM:
        return ""
    details = replace(submission.details, note=entry.note)
    return compose_call(details, log_format=adapter.log_format, options=adapter.options, zone=adapter.zone())


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
    with (
        audited("call_log.read", actor=user.actor, platform=user.platform, owner=user.owner) as event,
        count_calls() as calls,
    ):
        refs = [_ref(item.log) for item in wanted if item.log]

        def read(adapter: CrmAdapter) -> dict[str, LoggedSession]:
            outcomes = adapter.get_call_logs(refs)
            return {
                item.session_id: _detailed(adapter, item, outcome)
                for item, outcome in zip(wanted, outcomes, strict=True)
            }

        details = with_adapter(user, read)
        event.crm_calls = calls.value
    return [details.get(item.session_id, item) for item in plain]


def _ref(log: CallLog) -> LogRef:
    contact = ContactRef(id=log.contact_id, type=log.contact_type) if log.contact_id else None
    return LogRef(log_id=log.crm_log_id, marker=log.session_id, contact=contact)


def _detailed(adapter: CrmAdapter, item: LoggedSession, outcome: LoggedCall | ConnectorError) -> LoggedSession:
    if isinstance(outcome, ConnectorError):
        return replace(item, error=outcome)
    note = outcome.note if outcome.note is not None else read_note(outcome.body, adapter.log_format)
    subject = outcome.subject or read_subject(outcome.body, adapter.log_format)
    return replace(item, call=outcome, note=note, subject=subject)


def _logged(user: CrmUser, identity: CallIdentity) -> CallLog | None:
    log = call_logs_for(
        platform=user.platform, owner=user.owner, session_ids=[identity.session_id], extension=identity.extension
    ).get(identity.session_id)
    return log if log and log.state == LogState.LOGGED else None


def update_call_log(*, user: CrmUser, edit: CallEdit) -> CallUpdate | None:
    """Edits a logged call: reads the body as it stands, replaces our own sections, writes what was given.

    None when the session is not logged. If the body cannot be read nothing is written and the error is raised: an edit
    composed on nothing would wipe what people wrote.
    """
    log = _logged(user, edit.identity)
    if log is None:
        return None
    with (
        audited(
            "call_log.update", actor=user.actor, platform=user.platform, owner=user.owner, subject=log.session_id
        ) as event,
        count_calls() as calls,
    ):
        event.target = log.crm_log_id

        def write(adapter: CrmAdapter) -> CallUpdate:
            current = adapter.get_call_log(_ref(log))
            body = _recomposed(adapter, edit, current)
            change = replace(edit.change, current=current, body=None if body == current.body else body)
            result = adapter.update_call_log(_ref(log), change)
            return CallUpdate(log_id=log.wire_log_id(), body=body, result=result)

        try:
            update = with_adapter(user, write, may_repeat=lambda: _refuses_before_acting(user))
        finally:
            event.crm_calls = calls.value
    return update


def _recomposed(adapter: CrmAdapter, edit: CallEdit, current: LoggedCall) -> str:
    if adapter.log_format is LogFormat.CUSTOM:
        return current.body
    marker = adapter.auto_log_marker
    facts_only = edit.is_server_side and marker is not None and marker not in current.body
    return update_call(
        current.body,
        edit.details,
        log_format=adapter.log_format,
        options=adapter.options,
        zone=adapter.zone(),
        facts_only=facts_only,
    )


def set_disposition(*, user: CrmUser, identity: CallIdentity, disposition: Disposition) -> LogResult | None:
    """Applies choices made after the call; None: nothing to change.

    Raises ``RequestRejected`` when the session is not logged.
    """
    log = _logged(user, identity)
    if log is None:
        raise RequestRejected("Cannot find log")
    with (
        audited(
            "call_log.disposition", actor=user.actor, platform=user.platform, owner=user.owner, subject=log.session_id
        ) as event,
        count_calls() as calls,
    ):
        event.target = log.crm_log_id
        try:
            return with_adapter(user, lambda adapter: adapter.set_disposition(_ref(log), disposition))
        except UnsupportedOperation:
            return None
        finally:
            event.crm_calls = calls.value


def assignee_of(*, user: CrmUser, submission: dict[str, Any], assigned_user: CrmUser | None) -> Assignee | None:
    """The CRM user a log is written for: the administrator's mapping first, else the user behind an assigned token.

    A token of another tenant or platform counts for nothing.
    """
    if not submission.get("isAssignedToUser"):
        return None
    same_tenant = (
        assigned_user is not None and assigned_user.platform == user.platform and assigned_user.owner == user.owner
    )
    wanted = str(submission.get("adminAssignedUserRcId") or "")
    account = account_settings(user) if wanted else None
    for mapping in account.user_mappings if account else []:
        extensions = mapping.get("rcExtensionId")
        extensions = extensions if isinstance(extensions, list) else [extensions]
        if wanted in [str(extension) for extension in extensions] and mapping.get("crmUserId"):
            return Assignee(user_id=str(mapping["crmUserId"]))
    if same_tenant and assigned_user:
        return Assignee(user_id=assigned_user.crm_user_id, profile=assigned_user.profile())
    return None
