"""Carries out accepted changes: at once for the request that brought them, later for those the CRM could not take."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from adapters import registry
from adapters.contract import (
    AddressNotPublic,
    ConnectorError,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Disposition,
    ErrorKind,
    LogResult,
    Notice,
    NoticeLevel,
    RateLimited,
    ServerMisconfigured,
    UnexpectedResponse,
    UnsupportedOperation,
)
from adapters.contract.http import count_calls
from adapters.contract.write_fence import writes_until
from audit.fields import Undecipherable
from audit.models import Delivery, DeliveryKind, LogState, WaitsFor
from audit.recorder import Recording
from connectors.models import CrmUser
from connectors.services import call_writes, circuits, delivery_queue, message_writes
from connectors.services.call_writes import CallEdit, CallSubmission, NotInCrmYet, Undecidable
from connectors.services.crm_access import SessionEnded, build_adapter, pace_key_of
from connectors.services.crm_audit import audited_at_crm
from connectors.services.delivery_payloads import UnreadablePayload, from_json
from connectors.services.message_writes import Conversation

log = logging.getLogger("switchboard.deliveries")

_WAIT_FOR_EARLIER = 15.0  # seconds; below the client's own time limit of 30
#: No answer, or one from whatever stands before the CRM. Its own 500 may be about this one request.
_DOWN = (0, 502, 503, 504)
#: Attempts of one change whose failure counts against the CRM.
_TELLS_OF_THE_CRM = 3
#: Attempts answered by something else than the CRM, a page of a proxy, say; then a person has to look.
_TRIES_NOT_UNDERSTOOD = 8
#: Errors that say nothing about the change: it waits, whoever is told.
_KEPT = (ErrorKind.NOT_UNDERSTOOD, ErrorKind.MISCONFIGURED)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a change: the writer's result, or that it waits, and because of which error.

    Both None: another process carried it out.
    """

    result: Any = None
    waits: bool = False
    error: ConnectorError | None = None


class OwnFault(ConnectorError):
    """An error on this server kept it from being sent."""

    try_later = True
    kind_if_not_applied = ErrorKind.OWN_FAULT


def _revoke(delivery: Delivery, credentials: Credentials) -> None:
    """Ends a login at the CRM that is gone here already."""
    user = delivery.user
    adapter = build_adapter(
        platform=user.platform,
        user=user.profile(),
        credentials=credentials,
        owner=user.owner,
        pace_key=pace_key_of(user),
    )
    with contextlib.suppress(CredentialsRejected, UnsupportedOperation):  # useless already, or not to be made so
        adapter.revoke()


_WRITERS: dict[str, tuple[type[Any], Callable[[Delivery, Any], Any]]] = {
    DeliveryKind.CREATE_CALL_LOG: (CallSubmission, call_writes.create),
    DeliveryKind.UPDATE_CALL_LOG: (CallEdit, call_writes.update),
    DeliveryKind.SET_DISPOSITION: (Disposition, call_writes.set_disposition),
    DeliveryKind.WRITE_MESSAGES: (Conversation, message_writes.write),
    DeliveryKind.REVOKE_SESSION: (Credentials, _revoke),
}


def deliver_now(delivery: Delivery, change: Any) -> Outcome:
    """Carries out a change just accepted, after those accepted before it for the same record.

    Waits a while for another process at work on that record. Raises the ``ConnectorError`` of a CRM that refused the
    change, which is then forgotten: the user is told, and nobody would know what to do with it.
    """
    mine = delivery if delivery.lease else _wait_for_turn(delivery)
    if mine is not None:
        return attempt(mine, change, actor=delivery.user.actor, tells_user=True)
    return Outcome(waits=delivery_queue.leave_to_workers(delivery))


def _wait_for_turn(delivery: Delivery) -> Delivery | None:
    """The delivery, leased; None when it has to wait for earlier ones, or another process has carried it out."""
    give_up = time.monotonic() + _WAIT_FOR_EARLIER
    while (mine := delivery_queue.take(delivery.pk)) is None and time.monotonic() < give_up:
        first = _first_in_line(delivery)
        if first is None:
            return None
        if first.attempts and _is_free(first):
            is_mine_to_send = _is_edit_of_colleague(first, delivery.user)
            if not is_mine_to_send and (first.waits_for or first.next_attempt_at > timezone.now()):
                return None
            if first.pk != delivery.pk and (taken := delivery_queue.take(first.pk)):
                if is_mine_to_send:
                    delivery_queue.hand_over(taken, delivery.user)
                attempt(taken, actor=delivery.user.actor)
                continue
        time.sleep(0.05)
    return mine


def _first_in_line(delivery: Delivery) -> Delivery | None:
    """The earliest change of the same record; None when this one is gone: somebody else carried it out."""
    same = Delivery.objects.filter(call_log=delivery.call_log_id, conversation=delivery.conversation_id)
    line = list(same.exclude(delivery_queue.passed_over(delivery.user)).order_by("position"))
    return line[0] if any(item.pk == delivery.pk for item in line) else None


def _is_edit_of_colleague(delivery: Delivery, user: CrmUser) -> bool:
    """An edit that waits for the login of somebody else: whoever edits the log now sends it first."""
    edits = (DeliveryKind.UPDATE_CALL_LOG, DeliveryKind.SET_DISPOSITION)
    return delivery.waits_for == WaitsFor.LOGIN and delivery.user_id != user.pk and delivery.kind in edits


def _is_free(delivery: Delivery) -> bool:
    return delivery.lease_until is None or delivery.lease_until < timezone.now()


def attempt(delivery: Delivery, change: Any = None, *, actor: str, tells_user: bool = False) -> Outcome:
    """One attempt by the holder of the lease; afterwards the delivery is gone, waits again, or is parked.

    ``change``: the payload, where the caller has it at hand. ``tells_user``: a refusal by the CRM is raised, and the
    change forgotten; else it is kept for support.
    """
    kind, writer = _WRITERS[delivery.kind]
    was_there = bool(_target(delivery))
    _notice_interruption(delivery)
    try:
        change = from_json(delivery.payload, kind) if change is None else change
    except (Undecipherable, UnreadablePayload) as error:
        return _parked(delivery, WaitsFor.PERSON, error, actor=actor)
    if not _has_its_login(delivery):
        return _parked(delivery, WaitsFor.LOGIN, SessionEnded(final=True), actor=actor)
    if early := _too_early(delivery):
        return Outcome(waits=True, error=early)
    until = time.monotonic() + delivery_queue.seconds_to_write(delivery)
    with _audited(delivery, actor) as event, count_calls() as calls:
        try:
            with writes_until(until):
                result = writer(delivery, change)
        except ConnectorError as error:
            try:
                return _failed(delivery, error, event, was_there=was_there, tells_user=tells_user)
            finally:
                _note_trouble(delivery, error)
        except Exception as error:  # whatever it was, it must not be repeated blindly, nor hold up other deliveries
            log.exception("delivery failed", extra={"kind": delivery.kind, "platform": delivery.platform})
            event.error = type(error).__name__
            was_sent = calls.value > 0
            delivery_queue.postpone(
                delivery,
                error=event.error,
                state=LogState.UNCERTAIN if was_sent else _state_before(delivery),
                seconds=_find_lag(delivery) if was_sent else 0,
            )
            return Outcome(waits=True, error=OwnFault(maybe_applied=was_sent))
        finally:
            event.target = _target(delivery)
        _finish(delivery, result, event)
        _note_answer(delivery.crm)
    return Outcome(result=result)


@contextlib.contextmanager
def _audited(delivery: Delivery, actor: str) -> Iterator[Recording]:
    with audited_at_crm(delivery.kind, user=delivery.user, actor=actor, subject=delivery.subject) as event:
        if delivery.attempts > 1:
            event.detail["attempt"] = delivery.attempts
        yield event


def _parked(delivery: Delivery, waits_for: WaitsFor, error: Exception, *, actor: str) -> Outcome:
    with _audited(delivery, actor) as event:
        event.error = type(error).__name__
        if waits_for == WaitsFor.LOGIN:
            _park_until_login(delivery, error=event.error)
        else:
            delivery_queue.park(delivery, waits_for, error=event.error, state=_state_before(delivery))
    return Outcome(waits=True, error=error if isinstance(error, ConnectorError) else None)


def _park_until_login(delivery: Delivery, *, error: str) -> None:
    login = delivery.user.connected_at
    delivery_queue.park(delivery, WaitsFor.LOGIN, error=error, state=_state_before(delivery))
    user = CrmUser.objects.filter(pk=delivery.user_id).first()
    if user is not None and user.connected_at != login:  # they logged in meanwhile, when nothing waited for it yet
        delivery_queue.wake(user)


def _has_its_login(delivery: Delivery) -> bool:
    """Whether the user is connected to the CRM account that the record belongs to: they may have moved to another."""
    record = delivery.call_log or delivery.conversation
    if record is None:
        return True
    return delivery.user.is_connected and record.owner == delivery.user.owner


def _too_early(delivery: Delivery) -> ConnectorError | None:
    """The reason not to ask the CRM now; the delivery is put back then."""
    error: ConnectorError
    seconds = (delivery.not_before - timezone.now()).total_seconds()
    if seconds > 0:
        in_doubt = _state_before(delivery) == LogState.UNCERTAIN
        limited = delivery.last_error == RateLimited.__name__
        error = RateLimited() if limited else CrmUnavailable(maybe_applied=in_doubt)
    elif circuits.may_call(delivery.crm):
        return None
    else:
        error = CrmUnavailable()
    delivery_queue.postpone(
        delivery, error=type(error).__name__, state=_state_before(delivery), seconds=max(seconds, 0)
    )
    return error


def _notice_interruption(delivery: Delivery) -> None:
    """A record still claimed when its delivery is taken again belongs to a process that died in mid-write."""
    record = delivery.call_log or delivery.conversation
    if record is not None and record.state == LogState.CLAIMED and delivery.attempts > 1:
        delivery_queue.begin_in_doubt(delivery)


def _note_answer(crm: str) -> None:
    """The CRM answered, if only to refuse: what waited for it is due."""
    try:
        if circuits.note_success(crm):
            delivery_queue.wake_crm(crm)
    except DatabaseError:  # a deadlock: others come due by themselves, and the change at hand is done
        log.exception("deliveries were not woken", extra={"crm": crm})


def _note_trouble(delivery: Delivery, error: ConnectorError) -> None:
    if type(error) is CrmUnavailable and error.status in _DOWN:
        # One that goes on failing tells of itself: a change on which the CRM stumbles must not close it for everybody.
        if delivery.attempts <= _TELLS_OF_THE_CRM:
            circuits.note_failure(delivery.crm)
    elif error.status:
        _note_answer(delivery.crm)


def _target(delivery: Delivery) -> str:
    record = delivery.call_log or delivery.conversation
    return record.crm_log_id if record else ""


def _finish(delivery: Delivery, result: Any, event: Recording) -> None:
    log_id = None
    if delivery.kind in (DeliveryKind.CREATE_CALL_LOG, DeliveryKind.WRITE_MESSAGES):
        log_id = result.log_id
    if not delivery_queue.finish(delivery, log_id=log_id):
        event.error = "LeaseLost"
        log.error("a delivery took longer than its lease", extra={"kind": delivery.kind, "platform": delivery.platform})
    event.target = _target(delivery)


def _failed(
    delivery: Delivery, error: ConnectorError, event: Recording, *, was_there: bool, tells_user: bool
) -> Outcome:
    """What follows from an error; see the states of a call log in ``audit.models``."""
    name = type(error).__name__
    call_log = delivery.call_log
    may_follow = was_there and (error.try_later or isinstance(error, CredentialsRejected))
    if delivery.kind == DeliveryKind.CREATE_CALL_LOG and call_log and call_log.crm_log_id and not may_follow:
        # A later step failed: the log is there, and must not be written again.
        event.detail["followup"] = name
        result = LogResult(log_id=call_log.wire_log_id())
        _finish(delivery, result, event)
        return Outcome(result=result)
    event.error = name
    asked_for = error.retry_after or 0.0
    if isinstance(error, CredentialsRejected):
        _park_until_login(delivery, error=name)
    elif isinstance(error, Undecidable):
        delivery_queue.park(delivery, WaitsFor.PERSON, error=name, state=LogState.UNCERTAIN)
    elif error.maybe_applied:
        delivery_queue.postpone(
            delivery, error=name, state=LogState.UNCERTAIN, seconds=max(_find_lag(delivery), asked_for)
        )
    elif error.kind is ErrorKind.NOT_UNDERSTOOD and delivery.attempts > _TRIES_NOT_UNDERSTOOD:
        delivery_queue.park(delivery, WaitsFor.PERSON, error=name, state=_state_before(delivery))
    elif error.try_later or error.kind in _KEPT:
        delivery_queue.postpone(delivery, error=name, state=_state_before(delivery), seconds=asked_for)
    elif (tells_user and _state_before(delivery) != LogState.UNCERTAIN) or delivery.kind == DeliveryKind.REVOKE_SESSION:
        delivery_queue.drop(delivery, error=name, state=_state_before(delivery, certain=LogState.FAILED))
        raise error
    else:
        state = _state_before(delivery, certain=LogState.FAILED)
        delivery_queue.park(delivery, WaitsFor.PERSON, error=name, state=state)
    return Outcome(waits=True, error=error)


def _state_before(delivery: Delivery, *, certain: LogState = LogState.QUEUED) -> LogState:
    """``certain``, or uncertain as long as nobody could look whether an earlier attempt had succeeded."""
    record = delivery.call_log or delivery.conversation
    return LogState.UNCERTAIN if record is not None and record.state == LogState.UNCERTAIN else certain


def _find_lag(delivery: Delivery) -> float:
    return float(registry.manifests()[delivery.platform].server.find_lag_seconds)


def kept_notice(user: CrmUser, what: str, error: ConnectorError | None) -> Notice:
    """Tells the user that a change is kept and will be sent. ``what``: "Call log", "Messages", "Change".

    A login that is over is raised instead: only the user can help.
    """
    crm = registry.display_name(user.platform)
    they, them = ("they", "them") if what == "Messages" else ("it", "it")
    if isinstance(error, CredentialsRejected):
        error.reason = f"{what} saved. {they.capitalize()} will be sent after you have connected again."
        raise error
    message = f"{what} saved. {they.capitalize()} will be sent when {crm} is back."
    if isinstance(error, Undecidable):
        message = f"{what} saved, but {they} may be in {crm} already. Please look there."
        reason = f"{crm} did not confirm {them}, and cannot be asked. Your administrator sees {them} too."
    elif error is not None and error.kind in (ErrorKind.REFUSED, ErrorKind.GONE):  # the look for an earlier attempt
        message = f"{what} saved, but {they} may be in {crm} already. Please look there."
        reason = f"{crm} did not confirm {them}, and could not be asked: {error.message}"
    elif error is not None and error.advice:
        reason = f"{error.message} {error.advice}"
    elif isinstance(error, RateLimited):
        reason = f"{crm} accepts no more requests at the moment."
    elif isinstance(error, ServerMisconfigured):
        message = f"{what} saved. {they.capitalize()} will be sent later."
        reason = error.sentence(crm)
    elif error is not None and error.maybe_applied:
        reason = f"{crm} did not confirm {them}; before anything is sent again we look whether {they} arrived."
    elif isinstance(error, OwnFault):
        message = f"{what} saved. {they.capitalize()} will be sent later."
        reason = f"An error on this server kept {them} from being sent. Your administrator sees {them} too."
    elif isinstance(error, UnexpectedResponse):
        reason = f"{crm} could not be reached: what answered was not understood."
    elif isinstance(error, CrmUnavailable | AddressNotPublic) and not isinstance(error, NotInCrmYet):
        reason = f"{crm} could not be reached."
    else:
        reason = "An earlier change has to be sent first."
    details = [reason]
    if isinstance(error, UnexpectedResponse | CrmUnavailable) and error.reason:
        details.append(f"It answered: {error.reason}.")
    return Notice(message=message, level=NoticeLevel.WARNING, ttl=5000, details=tuple(details))
