"""Why a change waits, for whom, and until when; and what that says of the log it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from adapters.contract import ServerMisconfigured
from audit.models import CallLog, ConversationLog
from audit.states import LogState
from connectors.deliveries import clock, support
from connectors.deliveries.models import Delivery
from connectors.deliveries.other_contact import lacks_contact
from connectors.deliveries.queue import State
from connectors.deliveries.terms import Kind
from connectors.desk.meanings import BY_ITSELF, meaning_of

_WHAT: dict[str, str] = {
    Kind.CREATE: "The call log",
    Kind.EDIT: "An edit of the log",
    Kind.DISPOSITION: "The outcome of the call",
    Kind.TEXTS: "A batch of messages",
    Kind.REVOKE: "The end of a login",
    Kind.LOOK_AGAIN: "A second look for the record",
}
_MARK, _HAND_BACK = "mark it as logged if it is in the CRM", "hand it back to the agent"
_LABELS: dict[str, str] = {State.PERSON: "Needs a decision", State.LOGIN: "Waits for a login"}


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One change that is not in the CRM yet. ``until``: when it is tried next, or when its text goes."""

    delivery: Delivery
    what: str
    #: For whom or what it waits.
    waits: str
    why: str
    to_do: str
    until_word: str = ""
    until: datetime | None = None
    #: After this it is given up; None: it does not expire.
    expires: datetime | None = None


def waiting_of(delivery: Delivery, *, crm: str, agent: str) -> Waiting:
    """The change in words."""
    meaning = meaning_of(delivery.last_error, crm=crm, agent=agent) if delivery.last_error else None
    told = Waiting(
        delivery=delivery,
        what=what_of(delivery),
        waits=f"waits for {crm}",
        why=plain(delivery.reason),
        to_do=meaning.to_do if meaning and delivery.last_error == ServerMisconfigured.__name__ else BY_ITSELF,
    )
    values: dict[str, object] = {}
    if delivery.state == State.LOGIN:
        connect = f"Ask {agent} to connect {crm} again in the extension; it is sent then."
        values = {"waits": f"waits until {agent} connects {crm} again", "to_do": connect}
    elif delivery.state == State.PERSON:
        advice = "" if meaning is None or meaning.passes else f" {meaning.to_do}"
        values = {"waits": "waits for a decision of support", "to_do": f"{_choices(delivery)}{advice}"}
    elif delivery.state == State.GIVEN_UP:
        to_do = f"Until its text is deleted it can be decided about. {_choices(delivery)}"
        gone = delivery.accepted_at + timedelta(days=settings.DELIVERY_KEEP_DAYS)
        values = {"waits": "was given up", "until_word": "its text is deleted", "until": gone, "to_do": to_do}
    elif delivery.lease_until and delivery.lease_until > clock.now():
        values = {"waits": "is being sent now", "to_do": "Look again in a moment."}
    else:
        expires = delivery.accepted_at + timedelta(hours=settings.DELIVERY_MAX_AGE_HOURS)
        values = {"until_word": "next attempt", "until": delivery.next_attempt_at, "expires": expires}
    return Waiting(**{**vars(told), **values})


def _choices(delivery: Delivery) -> str:
    """What can be decided about it, as a sentence."""
    may_be_marked = delivery.kind in (Kind.CREATE, Kind.TEXTS)
    choices = [
        "send it now",
        *(["choose another contact"] if lacks_contact(delivery) else []),
        *([_MARK] if may_be_marked else []),
        *([_HAND_BACK] if support.may_be_handed_back(delivery) else []),
        *(["give it up"] if delivery.state != State.GIVEN_UP else []),
    ]
    last = choices.pop()
    return f"Decide: {', '.join(choices)} or {last}." if choices else f"Decide: {last}."


def plain(reason: str) -> str:
    """The sentence of a decision, with values in the place of the settings' names."""
    if not reason:
        return "It has not been tried yet."
    reason = reason.replace("DELIVERY_MAX_AGE_HOURS", f"{settings.DELIVERY_MAX_AGE_HOURS:g} hours")
    return reason.replace("DELIVERY_KEEP_DAYS", f"{settings.DELIVERY_KEEP_DAYS:g} days")


def what_of(delivery: Delivery) -> str:
    """What is to be done, as the beginning of a sentence."""
    return _WHAT.get(delivery.kind, "A change")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The first sentence of a page. ``mark``: good, wait or bad; ``label``: the same in two words."""

    mark: str
    label: str
    text: str
    to_do: str = ""


def verdict_on(
    log: CallLog | ConversationLog, waiting: Sequence[Waiting], *, crm: str, agent: str, noun: str
) -> Verdict:
    """Whether the log is in the CRM, and if not, why and what to do."""
    first = waiting[0] if waiting else None
    if log.state == LogState.LOGGED:
        more = [item for item in waiting if item.delivery.kind != Kind.LOOK_AGAIN]
        if not more:
            return Verdict(mark="good", label=f"In {crm}", text=f"This {noun} is in {crm}.")
        text = f"This {noun} is in {crm}; {_count(len(more))} of it {'waits' if len(more) == 1 else 'wait'}."
        return Verdict(mark="wait", label=f"In {crm}, changes wait", text=text, to_do=more[0].to_do)
    if first is not None and first.delivery.state != State.GIVEN_UP:
        where = f"is not in {crm}: it"
        if log.state == LogState.UNCERTAIN:
            where = f"may be in {crm} already, which did not confirm it; it"
        mark = "bad" if first.delivery.state in (State.PERSON, State.LOGIN) else "wait"
        text = f"This {noun} {where} {first.waits}."
        return Verdict(mark=mark, label=_LABELS.get(first.delivery.state, "Waits"), text=text, to_do=first.to_do)
    if log.state == LogState.UNCERTAIN:
        return Verdict(
            mark="bad",
            label="In doubt",
            text=f"This {noun} may be in {crm}: {crm} did not confirm it, and nobody looks for it any more.",
            to_do=f"Look in {crm}. If it is not there, ask {agent} to log it again: it is looked for before.",
        )
    if log.state in (LogState.CLAIMED, LogState.QUEUED):
        return Verdict(mark="wait", label="Being written", text=f"This {noun} is being written into {crm} right now.")
    meaning = meaning_of(log.last_error, crm=crm, agent=agent)
    if first is not None:
        tried = f"after {first.delivery.attempts} attempts" if first.delivery.attempts > 1 else "after one attempt"
        by_support = first.delivery.last_error == "given up"
        text = f"This {noun} is not in {crm}: {'support gave it up' if by_support else 'it was given up'} {tried}."
        text += "" if by_support else f" The last time {meaning.happened}."
        return Verdict(mark="bad", label="Given up", text=text, to_do=first.to_do)
    text = f"This {noun} is not in {crm}: {meaning.happened}."
    return Verdict(mark="bad", label=f"Not in {crm}", text=text, to_do=meaning.to_do)


def _count(number: int) -> str:
    return "one change" if number == 1 else f"{number} changes"
