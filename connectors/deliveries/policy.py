"""What becomes of a change that was to be written into a CRM: one table of decisions.

``decide`` is asked after every attempt, whoever made it: the request that brought the change, a worker, Celery, or a
member of support. It is a pure function: no database, no clock, no HTTP. ``docs/deliveries.md`` prints ``RULES``.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.states import LogState
from connectors.deliveries.terms import Event, IfSent, Kind, Known, Next, Told

__all__ = [
    "RULES",
    "Decision",
    "Event",
    "IfSent",
    "Kind",
    "Known",
    "Next",
    "Situation",
    "Told",
    "decide",
    "if_sent",
    "tells_that_it_is_down",
]

#: Attempts in a row whose answers were not understood before a person has to look.
MOST_ODD_ANSWERS = 5


#: HTTP statuses of a CRM that does not answer (0: no connection), or of whatever stands before it.
NO_ANSWER = (0, 502, 503, 504)


def tells_that_it_is_down(event: Event, status: int) -> bool:
    """Whether an error counts towards the circuit. A CRM's own 500 may be about this one request."""
    return event in (Event.DOWN, Event.IN_DOUBT) and status in NO_ANSWER


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision depends on.

    ``is_long``: more than 30,000 characters were sent, so that a refusal may be one of the length.
    ``odd_answers``: attempts in a row, this one included, whose answer was not understood. ``is_old``: accepted longer
    ago than DELIVERY_MAX_AGE_HOURS. ``user_waits``: somebody reads the reply. ``was_changed``: this attempt has been
    shortened or begun anew already. ``has_several_texts``: it holds more than one message.
    """

    kind: Kind
    known: Known
    event: Event
    odd_answers: int = 0
    is_old: bool = False
    user_waits: bool = False
    is_long: bool = False
    was_changed: bool = False
    has_several_texts: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """``record``: the state of the call's or day's row, None: as it is. ``forgets_record``: its CRM id is dead."""

    next: Next
    told: Told
    record: LogState | None = None
    forgets_record: bool = False
    support: str = ""

    @property
    def is_done(self) -> bool:
        return self.next is Next.DONE


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of the table: it applies where every condition that it names holds. The first that applies decides."""

    events: tuple[Event, ...]
    kinds: tuple[Kind, ...] = ()
    known: tuple[Known, ...] = ()
    is_old: bool | None = None
    user_waits: bool | None = None
    is_long: bool | None = None
    was_changed: bool | None = None
    has_several_texts: bool | None = None
    odd_answers: int = 0
    next: Next
    told: Told
    #: State of a row whose record is certainly not in the CRM.
    unwritten: LogState = LogState.QUEUED
    forgets_record: bool = False
    support: str

    def applies(self, situation: Situation) -> bool:
        return (
            situation.event in self.events
            and (not self.kinds or situation.kind in self.kinds)
            and (not self.known or situation.known in self.known)
            and self.is_old in (None, situation.is_old)
            and self.user_waits in (None, situation.user_waits)
            and self.is_long in (None, situation.is_long)
            and self.was_changed in (None, situation.was_changed)
            and self.has_several_texts in (None, situation.has_several_texts)
            and situation.odd_answers >= self.odd_answers
        )


_WRITES = (Kind.CREATE, Kind.TEXTS)
_CHANGES = (Kind.EDIT, Kind.DISPOSITION)
_FOR_NOBODY = (Kind.REVOKE, Kind.LOOK_AGAIN)
_THERE = (Known.THERE, Known.THERE_DOUBT)
_AT_ONCE = (Next.SHORTEN, Next.ANEW, Next.NEXT_PART, Next.SPLIT)
_VERDICTS = (Event.REFUSED, Event.UNSUPPORTED, Event.GONE, Event.TOO_LONG)
_TRIED = (Event.LIMIT, Event.DOWN, Event.IN_DOUBT, Event.NOT_UNDERSTOOD, Event.OWN_FAULT, Event.NOT_FOUND_YET)

RULES: tuple[Rule, ...] = (
    Rule(events=(Event.DONE,), next=Next.DONE, told=Told.LOGGED, support="In the CRM."),
    Rule(
        events=(*_VERDICTS, Event.LOGIN_OVER),
        kinds=_FOR_NOBODY,
        next=Next.FORGET,
        told=Told.REASON,
        support="Nothing more can be done for it.",
    ),
    Rule(
        events=(Event.UNSUPPORTED,),
        kinds=(Kind.DISPOSITION,),
        next=Next.DONE,
        told=Told.LOGGED,
        support="The CRM has no such choices: there is nothing to set.",
    ),
    Rule(
        events=_VERDICTS,
        kinds=(Kind.CREATE,),
        known=_THERE,
        next=Next.DONE,
        told=Told.LOGGED,
        support="The log is in the CRM; a step that follows it was refused.",
    ),
    Rule(
        events=(Event.LOGIN_OVER,),
        next=Next.LOGIN,
        told=Told.LOGIN,
        support="Is sent after the user has connected again.",
    ),
    Rule(
        events=(Event.UNREADABLE,),
        next=Next.PERSON,
        told=Told.OWN_FAULT,
        support="Cannot be read with the keys or the version of this server; is tried again when one of them changes.",
    ),
    Rule(
        events=_VERDICTS,
        kinds=_WRITES,
        known=(Known.DOUBT,),
        next=Next.PERSON,
        told=Told.SUPPORT,
        support="May be in the CRM, which cannot be asked: look there, then mark as logged or send.",
    ),
    Rule(
        events=(Event.REFUSED, Event.UNSUPPORTED),
        kinds=(Kind.TEXTS,),
        known=(Known.THERE_DOUBT,),
        next=Next.PERSON,
        told=Told.SUPPORT,
        support="May be in the CRM, which cannot be asked: look there, then mark as logged or send.",
    ),
    Rule(
        events=_TRIED,
        is_old=True,
        next=Next.GIVE_UP,
        told=Told.TOO_LATE,
        unwritten=LogState.FAILED,
        support="Could not be sent within DELIVERY_MAX_AGE_HOURS; is kept for DELIVERY_KEEP_DAYS.",
    ),
    Rule(
        events=(Event.IN_DOUBT, Event.NOT_FOUND_YET),
        next=Next.SETTLE,
        told=Told.UNCONFIRMED,
        support="The CRM did not confirm it; it is looked for before anything is sent again.",
    ),
    Rule(
        events=(Event.NOT_ASKED, Event.HELD),
        known=(Known.DOUBT, Known.THERE_DOUBT),
        next=Next.AGAIN,
        told=Told.UNCONFIRMED,
        support="The CRM did not confirm it, and cannot be asked at the moment; is looked for later.",
    ),
    Rule(
        events=(Event.LIMIT, Event.HELD),
        next=Next.AGAIN,
        told=Told.BUSY,
        support="The CRM's request limit is reached; is sent when the CRM accepts requests again.",
    ),
    Rule(
        events=(Event.DOWN, Event.NOT_ASKED),
        next=Next.AGAIN,
        told=Told.UNREACHABLE,
        support="The CRM could not be reached; is sent again with growing pauses.",
    ),
    Rule(
        events=(Event.MISCONFIGURED,),
        next=Next.AGAIN,
        told=Told.SERVER_LOGIN,
        support="The CRM refuses this server's credentials: correct them in its settings.",
    ),
    Rule(
        events=(Event.OWN_FAULT,),
        next=Next.AGAIN,
        told=Told.OWN_FAULT,
        support="A fault of this server, see its log; is sent again with growing pauses.",
    ),
    Rule(
        events=(Event.EARLIER_FIRST,),
        next=Next.AGAIN,
        told=Told.EARLIER,
        support="Waits for an earlier change of the same record.",
    ),
    Rule(
        events=(Event.NOT_UNDERSTOOD,),
        odd_answers=MOST_ODD_ANSWERS,
        next=Next.PERSON,
        told=Told.SUPPORT,
        support="The CRM, or something before it, goes on giving answers that are not its own: look there, then send.",
    ),
    Rule(
        events=(Event.NOT_UNDERSTOOD,),
        next=Next.AGAIN,
        told=Told.ODD,
        support="The answer was not understood; is sent again with growing pauses.",
    ),
    Rule(
        events=(Event.GONE,),
        kinds=(Kind.TEXTS,),
        known=_THERE,
        was_changed=False,
        next=Next.ANEW,
        told=Told.LOGGED,
        support="The day's record was deleted in the CRM: the day goes on in a new one.",
    ),
    *(
        Rule(
            events=events,
            kinds=(Kind.TEXTS,),
            known=(Known.NOTHING,),
            is_long=is_long,
            has_several_texts=True,
            next=Next.SPLIT,
            told=Told.LOGGED,
            support="Too long for one record: the later half of the texts goes into the day's next record.",
        )
        for events, is_long in (((Event.TOO_LONG,), None), ((Event.REFUSED,), True))
    ),
    *(
        Rule(
            events=events,
            kinds=kinds,
            known=known,
            is_long=is_long,
            was_changed=False,
            next=becomes,
            told=Told.LOGGED,
            support=support,
        )
        for kinds, known, becomes, support in (
            ((Kind.TEXTS,), _THERE, Next.NEXT_PART, "The day's record is full: the day goes on in a second one."),
            ((Kind.CREATE, Kind.EDIT), (), Next.SHORTEN, "Too long for the CRM: is sent without its long sections."),
        )
        for events, is_long in (((Event.TOO_LONG,), None), ((Event.REFUSED,), True))
    ),
    Rule(
        events=(Event.TOO_LONG,),
        next=Next.PERSON,
        told=Told.TOO_LONG,
        unwritten=LogState.FAILED,
        support="Too long for the CRM, also without its long sections.",
    ),
    Rule(
        events=(Event.GONE,),
        kinds=_CHANGES,
        next=Next.FORGET,
        told=Told.REASON,
        forgets_record=True,
        support="The record was deleted in the CRM; the call can be logged again.",
    ),
    Rule(
        events=_VERDICTS,
        user_waits=True,
        next=Next.FORGET,
        told=Told.REASON,
        unwritten=LogState.FAILED,
        support="The CRM refused it, and the user was told why.",
    ),
    Rule(
        events=_VERDICTS,
        next=Next.PERSON,
        told=Told.SUPPORT,
        unwritten=LogState.FAILED,
        support="The CRM refused it when nobody waited for the reply.",
    ),
)


def decide(situation: Situation) -> Decision:
    """What becomes of a change. Every situation has a decision."""
    rule = next(rule for rule in RULES if rule.applies(situation))
    return Decision(
        next=rule.next,
        told=rule.told,
        record=_record_state(situation, rule),
        forgets_record=rule.forgets_record,
        support=rule.support,
    )


def _record_state(situation: Situation, rule: Rule) -> LogState | None:
    """An edit does not change the state of what it edits, unless that turns out to be gone."""
    if rule.forgets_record:
        return LogState.FAILED
    if situation.kind not in _WRITES or rule.next in _AT_ONCE:
        return None
    if rule.next is Next.DONE:
        return LogState.LOGGED
    if situation.known is Known.DOUBT or (situation.known is Known.THERE_DOUBT and situation.kind is Kind.TEXTS):
        return LogState.UNCERTAIN
    return LogState.LOGGED if situation.known in _THERE else rule.unwritten


def if_sent(*, kind: Kind, known: Known, is_at_work: bool, can_be_asked: bool, has_login: bool) -> IfSent:
    """What becomes of a change that support sends now; the first that applies."""
    if is_at_work:
        return IfSent.LEFT
    if not has_login:
        return IfSent.LOGIN
    if kind is Kind.CREATE and known in _THERE:
        return IfSent.MARKED
    if kind in _WRITES and known is Known.DOUBT:
        return IfSent.LOOKED_FOR if can_be_asked else IfSent.BLIND
    return IfSent.SENT
