"""Sends an accepted change: at once for the request that brought it, later for workers. One attempt, one decision."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import DatabaseError
from django.db.models import QuerySet

from adapters.contract import (
    ConnectorError,
    Credentials,
    CrmUnavailable,
    Disposition,
    LogMarker,
    LogResult,
    RateLimited,
)
from adapters.contract.http import count_calls
from adapters.contract.write_fence import writes_until
from audit.fields import Undecipherable
from audit.models import CallLog
from audit.prepared import PreparedQuery
from audit.prepared import change as change_rows
from audit.reasons import keep_reason
from audit.recorder import Recording
from connectors.deliveries import calls, circuit, clock, logins, messages, second_looks
from connectors.deliveries.changes import CallEdit, CallSubmission, Conversation, UnreadableChange, from_json
from connectors.deliveries.models import Delivery
from connectors.deliveries.outcome import NotNow, Outcome, OwnFault
from connectors.deliveries.policy import Decision, Event, Kind, Next, Situation, decide, tells_that_it_is_down
from connectors.deliveries.queue import State, passed_over
from connectors.models import CrmUser
from connectors.services.crm_access import SessionEnded
from connectors.services.crm_audit import audited_at_crm
from connectors.services.leases import settling_time

log = logging.getLogger("switchboard.deliveries")

_WAIT_FOR_EARLIER = 15.0  # seconds; below the client's own time limit of 30
#: Attempts of one change whose failure counts against the CRM.
_TELLS_OF_THE_CRM = 3
_LONG = 30_000  # characters; a refusal of more may be one of the length

Prepare = Callable[[Delivery, Any], tuple[Any, dict[str, Any]]]

#: What each kind carries, and who writes it: ``(delivery, change, is_short=...) -> result``.
WRITERS: dict[str, tuple[type[Any], Callable[..., Any]]] = {
    Kind.CREATE: (CallSubmission, calls.create),
    Kind.EDIT: (CallEdit, calls.update),
    Kind.DISPOSITION: (Disposition, calls.set_disposition),
    Kind.TEXTS: (Conversation, messages.write),
    Kind.REVOKE: (Credentials, logins.revoke),
    Kind.LOOK_AGAIN: (LogMarker, second_looks.look_again),
}


# --- whose turn it is ------------------------------------------------------------------------------


def send_now(delivery: Delivery, change: Any, *, user_waits: bool = True) -> Outcome:
    """Sends a change just accepted, after those accepted before it for the same record.

    Waits a while for another process at work on that record. Raises the ``ConnectorError`` of a CRM that refused the
    change, which is then forgotten: the user is told, and nobody would know what to do with it. Not so where the user
    waits for a part of it only (not ``user_waits``): the rest is left to support.
    """
    mine = delivery if delivery.lease else _wait_for_turn(delivery)
    if mine is not None:
        return attempt(mine, change, actor=delivery.user.actor, user_waits=user_waits)
    change_rows(Delivery, {"pk": delivery.pk, "attempts": 0, "lease": None}, {"next_attempt_at": clock.now()})
    if not Delivery.objects.filter(pk=delivery.pk).exists():
        return Outcome()
    decision = decide(_situation(delivery, Event.EARLIER_FIRST, user_waits=True))
    return Outcome(waits=True, told=decision.told, reference=delivery.request_id)


def _wait_for_turn(delivery: Delivery) -> Delivery | None:
    """The delivery, leased; None when it has to wait for earlier ones, or another process has carried it out."""
    give_up = time.monotonic() + _WAIT_FOR_EARLIER
    while (mine := Delivery.objects.take(delivery.pk, delivery.platform)) is None and time.monotonic() < give_up:
        first = _first_in_line(delivery)
        if first is None:
            return None
        if first.attempts and _is_free(first):
            is_mine_to_send = _is_edit_of_colleague(first, delivery.user)
            if not is_mine_to_send and not _is_due(first):
                return None
            if first.pk != delivery.pk and (taken := Delivery.objects.take(first.pk, first.platform)):
                if is_mine_to_send:
                    taken.hand_over(delivery.user)
                attempt(taken, actor=delivery.user.actor)
                continue
        time.sleep(0.05)
    return mine


def _first_in_line(delivery: Delivery) -> Delivery | None:
    """The earliest change of the same record; None when this one is gone: somebody else carried it out."""
    record = delivery.record
    if record is None:
        return None
    line = (_line_of_call if isinstance(record, CallLog) else _line_of_day)(record.pk, delivery.user_id)
    return line[0] if any(item.pk == delivery.pk for item in line) else None


def _line(user_id: Any, **record: Any) -> QuerySet[Delivery]:
    waiting = Delivery.objects.filter(**record).exclude(kind=Kind.LOOK_AGAIN).exclude(passed_over(user_id))
    return waiting.order_by("position")


_line_of_call = PreparedQuery(lambda pk, user_id: _line(user_id, call_log=pk))
_line_of_day = PreparedQuery(lambda pk, user_id: _line(user_id, conversation=pk))


def _is_edit_of_colleague(delivery: Delivery, user: CrmUser) -> bool:
    """An edit that waits for the login of somebody else: whoever edits the log now sends it first."""
    return bool(_edit_of_colleague(delivery.pk, user.pk))


_edit_of_colleague = PreparedQuery(
    lambda pk, user: (
        Delivery.objects.filter(pk=pk, kind__in=(Kind.EDIT, Kind.DISPOSITION), state=State.LOGIN)
        .exclude(user=user)
        .only("pk")
    )
)


def _is_free(delivery: Delivery) -> bool:
    return delivery.lease_until is None or delivery.lease_until < clock.now()


def _is_due(delivery: Delivery) -> bool:
    return bool(_due(delivery.pk, clock.now()))


_due = PreparedQuery(lambda pk, now: Delivery.objects.due(at=now).filter(pk=pk).only("pk"))


# --- one attempt -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Happened:
    """What an attempt met, in the words of the table; ``name`` is the error's class, for the audit trail."""

    event: Event
    result: Any = None
    error: ConnectorError | None = None
    name: str = ""
    seconds: float = 0.0


def attempt(delivery: Delivery, change: Any = None, *, actor: str, user_waits: bool = False) -> Outcome:
    """One attempt by the holder of the lease; afterwards the delivery is gone, or waits for something.

    ``change``: the payload, where the caller has it at hand. ``user_waits``: a refusal by the CRM is raised.
    """
    with audited_at_crm(delivery.kind, user=delivery.user, actor=actor, subject=delivery.subject) as event:
        if delivery.attempts > 1:
            event.detail["attempt"] = delivery.attempts
        happened = _try(delivery, change)
        decision = decide(_situation(delivery, happened.event, user_waits=user_waits))
        while prepare := _AT_ONCE.get(decision.next):
            _note_for_circuit(delivery, happened)  # it has answered: this attempt, a probe perhaps, may ask again
            event.detail |= {"first": decision.support, "former": _target(delivery)}
            happened, change = _try(delivery, change, prepare=prepare), None  # what is left of it is read again
            decision = decide(_situation(delivery, happened.event, user_waits=user_waits, was_changed=True))
        _note_for_circuit(delivery, happened)
        event.detail |= {"next": str(decision.next)} if happened.name else {}
        ending = _Ending(delivery, decision, happened, event)
        if decision.is_done:
            event.along = ending.carry_out  # one transaction, and one flush, for the outcome and its event
        else:
            ending.carry_out()
    outcome = ending.outcome
    if outcome.error is not None and not outcome.waits and user_waits:
        raise outcome.error
    return outcome


@dataclass
class _Ending:
    """The end of an attempt: what was decided, and what it comes to for the user."""

    delivery: Delivery
    decision: Decision
    happened: _Happened
    event: Recording
    outcome: Outcome = field(default_factory=Outcome)

    def carry_out(self) -> None:
        delivery, error = self.delivery, self.happened.error
        self.outcome = _CARRY_OUT[self.decision.next](delivery, self.decision, self.happened, self.event)
        self.event.target = _target(delivery)
        if error is not None and error.said and delivery.record is not None:
            self.event.detail["said"] = keep_reason(delivery.record, error.said)


def _situation(delivery: Delivery, event: Event, *, user_waits: bool, was_changed: bool = False) -> Situation:
    return Situation(
        kind=Kind(delivery.kind),
        known=delivery.known,
        event=event,
        odd_answers=delivery.odd_answers,
        is_old=delivery.is_old,
        user_waits=user_waits,
        is_long=delivery.length > _LONG,
        was_changed=was_changed,
        has_several_texts=delivery.texts > 1,
    )


def _try(delivery: Delivery, change: Any, *, prepare: Prepare | None = None) -> _Happened:
    """Sends it, and says what happened. The delivery's doubt is up to date afterwards."""
    kind, writer = WRITERS[delivery.kind]
    with count_calls() as requests:
        try:
            change = from_json(delivery.payload, kind) if change is None else change
            change, options = prepare(delivery, change) if prepare else (change, {})
            happened = _obstacle(delivery)
            if happened is None:
                with writes_until(time.monotonic() + delivery.seconds_to_write):
                    happened = _Happened(event=Event.DONE, result=writer(delivery, change, **options))
        except NotNow as reason:
            happened = _Happened(event=reason.event, name=reason.event)
        except ConnectorError as error:
            happened = _Happened(
                event=Event(error.kind), error=error, name=type(error).__name__, seconds=error.retry_after or 0.0
            )
        except (Undecipherable, UnreadableChange) as error:
            happened = _Happened(event=Event.UNREADABLE, name=type(error).__name__)
        except Exception as error:  # whatever it was, it must not be repeated blindly, nor hold up other deliveries
            log.exception("delivery failed", extra={"kind": delivery.kind, "platform": delivery.platform})
            fault = OwnFault(maybe_applied=delivery.has_begun and requests.value > 0)
            happened = _Happened(event=Event(fault.kind), error=fault, name=type(error).__name__)
    return _with_doubt(delivery, happened)


def _obstacle(delivery: Delivery) -> _Happened | None:
    """What keeps the CRM from being asked at all."""
    if not delivery.has_its_login:
        ended = SessionEnded(final=True)
        return _Happened(event=Event(ended.kind), error=ended, name=type(ended).__name__)
    if seconds := delivery.seconds_on_hold:
        return _Happened(
            event=_HELD_AFTER.get(delivery.last_error, Event.NOT_ASKED), name=delivery.last_error, seconds=seconds
        )
    if not circuit.may_call(delivery.crm):
        return _Happened(event=Event.NOT_ASKED, name=CrmUnavailable.__name__)
    return None


_HELD_AFTER = {RateLimited.__name__: Event.HELD}


def _with_doubt(delivery: Delivery, happened: _Happened) -> _Happened:
    """Brings up to date whether an attempt may have reached the CRM, and counts answers that were not understood."""
    delivery.odd_answers = delivery.odd_answers + 1 if happened.event.is_odd else 0
    if not delivery.has_begun:  # an earlier doubt stays; nothing was sent this time that could be in doubt
        return replace(happened, event=happened.event.if_only_read)
    settled = clock.now() + settling_time(delivery.platform)
    delivery.settles_at = settled if happened.event.leaves_doubt else delivery.doubt_before
    return happened


def _target(delivery: Delivery) -> str:
    record = delivery.record
    return record.crm_log_id if record else ""


# --- carrying the decision out ---------------------------------------------------------------------


def _shorten(delivery: Delivery, change: Any) -> tuple[Any, dict[str, Any]]:
    return change, {"is_short": True}


def _begin_anew(delivery: Delivery, change: Any) -> tuple[Any, dict[str, Any]]:
    messages.begin_record(delivery)
    return change, {}


def _begin_next_part(delivery: Delivery, change: Any) -> tuple[Any, dict[str, Any]]:
    return messages.begin_next_part(delivery, change), {}


def _split(delivery: Delivery, change: Any) -> tuple[Any, dict[str, Any]]:
    return messages.split(delivery, change), {}


#: What is changed before the next try of the same attempt; returns the change and further arguments of the writer.
_AT_ONCE: dict[Next, Prepare] = {
    Next.SHORTEN: _shorten,
    Next.ANEW: _begin_anew,
    Next.NEXT_PART: _begin_next_part,
    Next.SPLIT: _split,
}


def _done(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    result, log_id = happened.result, None
    if decision.record is not None and delivery.record is not None:
        if happened.error is not None:  # a later step was refused: the log is there
            event.detail["followup"] = happened.name
            result = LogResult(log_id=delivery.record.wire_log_id())
        log_id = result.log_id
    if not delivery.finish(log_id=log_id, then=lambda: second_looks.accept_look(delivery)):
        event.error = "LeaseLost"
        log.error("a delivery outlived its lease", extra={"kind": delivery.kind, "platform": delivery.platform})
    return Outcome(result=result)


def _again(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error = happened.name
    delivery.postpone(decision, error=happened.name, seconds=happened.seconds)
    return _kept(delivery, decision, happened)


def _settle(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error = happened.name
    can_be_found = decision.record is not None and not _target(delivery)
    delivery.postpone(decision, error=happened.name, seconds=happened.seconds, until_settled=not can_be_found)
    return _kept(delivery, decision, happened)


def _until_login(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error = happened.name
    login = delivery.user.connected_at
    delivery.park(decision, State.LOGIN, error=happened.name)
    user = CrmUser.objects.filter(pk=delivery.user_id).first()
    if user is not None and user.connected_at != login:  # they connected meanwhile, when nothing waited for it yet
        logins.wake(user)
    return _kept(delivery, decision, happened)


def _for_support(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error = happened.name
    unreadable = logins.keys_and_version() if happened.event.is_unreadable else ""
    delivery.park(decision, State.PERSON, error=happened.name, unreadable_with=unreadable)
    return _kept(delivery, decision, happened)


def _give_up(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error, event.detail["given_up"] = happened.name, True
    delivery.park(decision, State.GIVEN_UP, error=happened.name)
    return _kept(delivery, decision, happened)


def _forget(delivery: Delivery, decision: Decision, happened: _Happened, event: Recording) -> Outcome:
    event.error = happened.name
    if decision.forgets_record:
        event.detail["former"] = _target(delivery)
    delivery.drop(decision, error=happened.name)
    return Outcome(error=happened.error)


def _kept(delivery: Delivery, decision: Decision, happened: _Happened) -> Outcome:
    return Outcome(waits=True, told=decision.told, error=happened.error, reference=delivery.request_id)


_CARRY_OUT: dict[Next, Callable[[Delivery, Decision, _Happened, Recording], Outcome]] = {
    Next.DONE: _done,
    Next.AGAIN: _again,
    Next.SETTLE: _settle,
    Next.LOGIN: _until_login,
    Next.PERSON: _for_support,
    Next.GIVE_UP: _give_up,
    Next.FORGET: _forget,
}


# --- what the answer says about the CRM ------------------------------------------------------------


def _note_for_circuit(delivery: Delivery, happened: _Happened) -> None:
    """Only a delivery's first three failures count: a change on which the CRM stumbles closes it for nobody else."""
    error = happened.error
    try:
        if error is not None and tells_that_it_is_down(happened.event, error.status):
            if delivery.attempts <= _TELLS_OF_THE_CRM:
                circuit.note_failure(delivery.crm)
        elif happened.event.is_done or (error is not None and error.status):
            circuit.note_answer(delivery.crm)
    except DatabaseError:  # a deadlock: others come due by themselves, and the change at hand is done
        log.exception("deliveries were not woken", extra={"crm": delivery.crm})
