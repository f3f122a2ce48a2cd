"""What happened to a call or conversation day, step by step, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone

from audit.models import AuditEvent, CallLog, ConversationLog, LogReason
from audit.reasons import text_of
from connectors.deliveries.policy import Next
from connectors.deliveries.terms import Kind
from connectors.desk.meanings import meaning_of
from connectors.models import CrmUser

#: Of one log, the newest so many events are shown.
MOST_EVENTS = 400

_DONE: dict[str, str] = {
    Kind.CREATE: "Written into {crm}",
    Kind.EDIT: "Edit written into {crm}",
    Kind.DISPOSITION: "Outcome set in {crm}",
    Kind.TEXTS: "Messages written into {crm}",
    Kind.LOOK_AGAIN: "Looked in {crm} for a second record of it",
    "call_log.gone": "Found deleted in {crm}: it counts as not logged, and can be logged again",
    "call_log.read": "Read in {crm}",
    "message_log.gone": "Record found deleted in {crm}: its messages can be logged again",
    "message_log.read": "Looked in {crm} whether the record is still there",
    "delivery.decide": "Decided by support",
}
_FOUND_GONE = ("call_log.gone", "message_log.gone")
_TRIED: dict[str, str] = {
    Kind.CREATE: "Tried to log it",
    Kind.EDIT: "Tried to edit the log",
    Kind.DISPOSITION: "Tried to set the outcome",
    Kind.TEXTS: "Tried to log the messages",
    Kind.LOOK_AGAIN: "Tried to look for a second record of it",
}
_BECAME: dict[str, str] = {
    Next.AGAIN: "Kept, to be sent again.",
    Next.SETTLE: "Kept; it is looked for before anything is sent again.",
    Next.LOGIN: "Kept until the agent has connected again.",
    Next.PERSON: "Kept until support decides.",
    Next.GIVE_UP: "Given up: nobody sends it any more.",
    Next.FORGET: "Not kept: the agent was told why.",
}


_ACTIONS: dict[str, str] = {
    Kind.CREATE: "Logging a call",
    Kind.EDIT: "Editing a call log",
    Kind.DISPOSITION: "Setting the outcome of a call",
    Kind.TEXTS: "Logging messages",
    Kind.REVOKE: "Ending a login at the CRM",
    Kind.LOOK_AGAIN: "Looking for a second record",
    "audit.export": "Export of the trail",
    "call_log.gone": "Log found deleted in the CRM",
    "call_log.read": "Reading call logs",
    "message_log.gone": "Record of messages found deleted in the CRM",
    "message_log.read": "Looking whether a record of messages is there",
    "contact.create": "Creating a contact",
    "contact.decide": "Decision of support about contacts",
    "contact.find": "Look-up of a number",
    "contact.search": "Search for a name",
    "crm.try": "Trial of a CRM",
    "delivery.decide": "Decision of support",
    "session.connect": "Connecting",
    "session.disconnect": "Signing out",
    "session.forget": "Login ended by the CRM",
    "staff.read_text": "Support read a kept text",
    "staff.sign_in": "Sign-in of support",
}


def words_of(action: str) -> str:
    """An event's action, as people call it."""
    return _ACTIONS.get(action) or action.replace("_", " ").replace(".", ": ").capitalize()


class Request(NamedTuple):
    """One request to the CRM."""

    method: str
    template: str
    status: int
    milliseconds: int
    vendor_id: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the timeline. ``mark``: good, wait, bad, or "" for what is neither."""

    at: datetime
    text: str
    mark: str = ""
    who: str = ""
    #: The CRM's own words.
    said: str = ""
    to_do: str = ""
    requests: tuple[Request, ...] = ()
    reference: str = ""
    #: How often in a row, and when the last time.
    times: int = 1
    until: datetime | None = None
    starts_day: bool = field(default=False)
    #: Whether something was to be written into the CRM.
    is_attempt: bool = False


def steps_of(log: CallLog | ConversationLog, *, subject: str, crm: str, agent: str) -> list[Step]:
    """The steps from receipt to now, oldest first. Three queries: events, the CRM's words, names of agents."""
    rows = AuditEvent.objects.filter(subject=subject, platform=log.platform, owner=log.owner)
    events = list(rows.order_by("-occurred_at", "-pk")[:MOST_EVENTS])[::-1]
    words = {str(reason.pk): text_of(reason) for reason in LogReason.objects.filter(**_of(log))}
    names = names_of({event.actor for event in events}, platform=log.platform, owner=log.owner)
    received = Step(at=log.created_at, text="Received from the extension", who=agent)
    steps = [_step(event, crm=crm, agent=agent, names=names, words=words) for event in events]
    return _with_days(_together([received, *steps]))


def _of(log: CallLog | ConversationLog) -> dict[str, Any]:
    return {"call_log" if isinstance(log, CallLog) else "conversation": log}


def names_of(actors: Iterable[str], *, platform: str, owner: str) -> dict[str, str]:
    """Who acted, by the actor of an event, as people call them."""
    wire_ids = [actor.removeprefix("user:") for actor in actors if actor.startswith("user:")]
    users = CrmUser.objects.filter(platform=platform, wire_id__in=wire_ids) if wire_ids else ()
    names = {user.actor: user.name or user.email for user in users if user.owner == owner and (user.name or user.email)}
    return {actor: names.get(actor) or name_of_actor(actor) for actor in actors}


def name_of_actor(actor: str) -> str:
    """Of an actor whose name is not known: what it is."""
    kind, _, name = actor.partition(":")
    if kind == "staff":
        return f"{name} (support)"
    return {"worker": "this server", "user": "an agent", "crm": "the CRM"}.get(kind, kind)


def _step(event: AuditEvent, *, crm: str, agent: str, names: Mapping[str, str], words: Mapping[str, str]) -> Step:
    detail = event.detail if isinstance(event.detail, dict) else {}
    step = Step(
        at=event.occurred_at,
        text="",
        who=names.get(event.actor, ""),
        said=words.get(str(detail.get("said", "")), ""),
        requests=tuple(Request(*item) for item in detail.get("requests", ()) if len(item) == len(Request._fields)),
        reference=event.request_id,
        is_attempt=event.action in tuple(Kind),
    )
    if event.action == "delivery.decide":
        return replace(step, text=f"Support decided: {detail.get('decision', '')}")
    if event.outcome == "success":
        text = _DONE[event.action].format(crm=crm) if event.action in _DONE else words_of(event.action)
        followup = detail.get("followup")
        if followup:
            text += f"; a step after it did not succeed: {meaning_of(followup, crm=crm, agent=agent).happened}"
        is_good = event.action in tuple(Kind) and event.action != Kind.LOOK_AGAIN
        return replace(step, text=text, mark="bad" if event.action in _FOUND_GONE else "good" if is_good else "")
    meaning = meaning_of(event.error, crm=crm, agent=agent)
    becomes = str(detail.get("next", ""))
    tried = _TRIED.get(event.action) or words_of(event.action)
    text = f"{tried}: {meaning.happened}."
    waits = becomes in (Next.AGAIN, Next.SETTLE)
    is_told = waits or meaning.passes or event.error == "AlreadyLogged"
    return replace(
        step,
        text=f"{text} {_BECAME.get(becomes, '')}".strip(),
        mark="wait" if waits else "" if event.error == "AlreadyLogged" else "bad",
        to_do="" if is_told else meaning.to_do,
    )


def _together(steps: Iterable[Step]) -> list[Step]:
    """Steps that repeat the one before are one step that tells how often; a reference is shown once."""
    result: list[Step] = []
    for step in steps:
        last = result[-1] if result else None
        is_same = last and step.mark in ("wait", "bad") and (last.text, last.said) == (step.text, step.said)
        if last and is_same and last.who == step.who:
            result[-1] = replace(last, times=last.times + 1, until=step.at, requests=step.requests)
            continue
        if last and is_same:
            result[-1] = replace(last, to_do="")
        if step.reference and any(earlier.reference == step.reference for earlier in result):
            step = replace(step, reference="")
        result.append(step)
    return result


def _with_days(steps: Iterable[Step]) -> list[Step]:
    result, day = [], None
    for step in steps:
        local = timezone.localtime(step.at).date()
        result.append(replace(step, starts_day=local != day))
        day = local
    return result
