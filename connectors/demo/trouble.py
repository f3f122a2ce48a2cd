"""What goes wrong at the moment at the four companies: changes that wait, each for another reason."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.contract import CallLogEntry, Direction, Party
from audit.models import AuditEvent, CallLog, LogReason
from audit.past_rows import insert
from audit.states import LogState
from connectors.deliveries.changes import CallIdentity, CallSubmission, stored
from connectors.deliveries.models import Circuit, Delivery, Recovery
from connectors.deliveries.policy import Kind, Next
from connectors.deliveries.queue import State
from connectors.demo.people import Company, Contact
from connectors.log_body import CallDetails
from connectors.models import CallDownEntry, CrmUser, NoteDraft, PlaceholderContact

_DOWN_SINCE = timedelta(hours=2)
_UP_SINCE = timedelta(days=5, hours=20)
_NEXT_TRY = timedelta(hours=6)  # nobody is there to be tried
_BECAME = {
    State.WAITING: Next.AGAIN, State.PERSON: Next.PERSON, State.LOGIN: Next.LOGIN, State.GIVEN_UP: Next.GIVE_UP,
}  # fmt: skip
_STATUSES = {"RequestRejected": 422, "ReferenceGone": 422, "SessionEnded": 401, "RateLimited": 429}
_NOTES = (
    "Wants the offer by Friday, with the second location.",
    "Asked for a call back after the holidays.",
    "Is happy with the new contract.",
    "Complains about the last invoice; promised to look into it.",
)


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """One reason for which calls wait: how many at which company, since when, and what support sees."""

    company: int
    number: int
    hours: float
    state: State
    error: str
    reason: str
    log_state: LogState = LogState.QUEUED
    said: str = ""
    in_doubt: bool = False
    attempts: int = 3


_STUCK = (
    Stuck(company=1, number=9, hours=1.9, state=State.WAITING, error="CrmUnavailable", attempts=7,
          reason="The CRM could not be reached; is sent again with growing pauses."),
    Stuck(company=0, number=2, hours=20, state=State.PERSON, error="RequestRejected", log_state=LogState.FAILED,
          reason="The CRM refused it when nobody waited for the reply.",
          said="Subject is invalid: it must not be longer than 250 characters."),
    Stuck(company=0, number=1, hours=30, state=State.PERSON, error="ReferenceGone", log_state=LogState.FAILED,
          reason="The CRM refused it when nobody waited for the reply.", said="This contact does not exist any more."),
    Stuck(company=2, number=3, hours=44, state=State.LOGIN, error="SessionEnded", attempts=2,
          reason="Is sent after the user has connected again."),
    Stuck(company=3, number=1, hours=5, state=State.PERSON, error="UnsupportedOperation", in_doubt=True,
          log_state=LogState.UNCERTAIN,
          reason="May be in the CRM, which cannot be asked: look there, then mark as logged or send."),
    Stuck(company=2, number=2, hours=0.2, state=State.WAITING, error="RateLimited", attempts=2,
          reason="The CRM's request limit is reached; is sent when the CRM accepts requests again."),
    Stuck(company=3, number=1, hours=90, state=State.GIVEN_UP, error="CrmUnavailable", log_state=LogState.FAILED,
          attempts=40, reason="Could not be sent within DELIVERY_MAX_AGE_HOURS; is kept for DELIVERY_KEEP_DAYS."),
)  # fmt: skip


def write(*, dice: random.Random, companies: list[Company], now: datetime) -> None:
    """The changes, the CRM that is down, a login that has ended, drafts and call-backs."""
    events: list[AuditEvent] = []
    for stuck in _STUCK:
        company = companies[stuck.company]
        for _ in range(stuck.number):
            agent = company.agents[-1] if stuck.state == State.LOGIN else dice.choice(company.agents[:-1])
            _wait(dice, agent, dice.choice(company.contacts), stuck, now, events)
    insert(sorted(events, key=lambda event: event.occurred_at))
    down = companies[1]
    Circuit.objects.create(crm=down.crm, failures=12, since=now - _DOWN_SINCE, open_until=now + _NEXT_TRY)
    Recovery.objects.create(crm=companies[2].crm, up_since=now - _UP_SINCE)
    _logins(companies, now)
    for company in companies:
        _lists(dice, company, now)


def _logins(companies: list[Company], now: datetime) -> None:
    """Everybody was seen a moment ago and has settings of their own; one login has ended, one is refused."""
    agents = [agent.pk for company in companies for agent in company.agents]
    own = {"autoLogCall": {"value": True}, "autoLogSMS": {"value": False}}
    renewed = now - timedelta(minutes=50)
    CrmUser.objects.filter(pk__in=agents).update(
        last_seen_at=now - timedelta(minutes=4), refreshed_at=renewed, settings=own
    )
    ended = {"access_token": "", "last_error": "session ended", "last_error_at": now - timedelta(days=2)}
    CrmUser.objects.filter(pk=companies[2].agents[-1].pk).update(**ended)
    refused = {"last_error": "login refused", "last_error_at": now - timedelta(hours=3)}
    CrmUser.objects.filter(pk=companies[3].agents[0].pk).update(**refused)


def _wait(
    dice: random.Random, agent: CrmUser, contact: Contact, stuck: Stuck, now: datetime, events: list[AuditEvent]
) -> None:
    accepted = now - timedelta(hours=stuck.hours, minutes=dice.randint(0, 20))
    started = accepted - timedelta(minutes=dice.randint(3, 15))
    session_id = str(810_000_000_000 + dice.randrange(10**9))
    reference = f"{dice.getrandbits(64):016x}"
    log = CallLog(
        platform=agent.platform,
        owner=agent.owner,
        user=agent,
        session_id=session_id,
        extension=agent.hashed_rc_extension_id,
        direction="Outbound",
        started_at=started,
        contact_id_is_number=True,
        state=stuck.log_state,
        last_error=stuck.error,
        last_position=1,
        created_at=accepted,
        updated_at=accepted,
        **contact.columns,
    )
    insert([log])
    delivery = Delivery(
        id=uuid.UUID(int=dice.getrandbits(128)),
        kind=Kind.CREATE,
        platform=agent.platform,
        crm=f"{agent.platform}:{agent.host}",
        user=agent,
        call_log=log,
        position=1,
        payload=stored(agent.platform, _submission(dice, agent, contact, log, started)),
        request_id=reference,
        accepted_at=accepted,
        state=stuck.state,
        next_attempt_at=accepted if stuck.state == State.GIVEN_UP else now + _NEXT_TRY,
        hold_until=accepted,
        settles_at=accepted + timedelta(minutes=2) if stuck.in_doubt else None,
        attempts=stuck.attempts,
        last_error=stuck.error,
        reason=stuck.reason,
    )
    insert([delivery])
    down = {"requests": [["POST", "/activities", 503, 380, ""]], "next": Next.AGAIN}
    status = _STATUSES.get(stuck.error, 503)
    detail: dict[str, object] = {
        "requests": [["POST", "/activities", status, 380, f"v-{reference[:8]}"]],
        "next": _BECAME[stuck.state],
    }
    if stuck.said:
        reason = LogReason(call_log=log, text=stuck.said, said_at=accepted)
        insert([reason])
        detail["said"] = str(reason.pk)
    for number in range(tries := min(stuck.attempts, 3)):
        is_last = number == tries - 1
        events.append(
            AuditEvent(
                occurred_at=min(accepted + timedelta(minutes=number * 2), now),
                request_id=reference,
                actor="worker" if number else agent.actor,
                action=Kind.CREATE,
                platform=agent.platform,
                owner=agent.owner,
                outcome="failure",
                error=stuck.error if is_last else "CrmUnavailable",
                subject=session_id,
                milliseconds=390 + number,
                crm_calls=1,
                detail={**(detail if is_last else down), **({"attempt": number + 1} if number else {})},
            )
        )


def _submission(
    dice: random.Random, agent: CrmUser, contact: Contact, log: CallLog, started: datetime
) -> CallSubmission:
    note = dice.choice(_NOTES)
    entry = CallLogEntry(
        session_id=log.session_id,
        direction=Direction.OUTBOUND,
        contact=contact.ref,
        started_at=started,
        duration=dice.randint(20, 600),
        result="Call connected",
        subject=f"Outbound Call to {contact.name}",
        note=note,
        caller=Party(name=agent.name, phone_number="+16505550000"),
        callee=Party(name=contact.name, phone_number=contact.number),
    )
    details = CallDetails(note=note, session_id=log.session_id, contact_number=contact.number)
    return CallSubmission(
        identity=CallIdentity(session_id=log.session_id, extension=log.extension), entry=entry, details=details
    )


def _lists(dice: random.Random, company: Company, now: datetime) -> None:
    agent, contact = company.agents[0], company.contacts[0]
    unnamed = [
        PlaceholderContact(
            user=agent,
            platform=agent.platform,
            owner=agent.owner,
            created_at=now - timedelta(hours=dice.randint(1, 90)),
            **company.contacts[-number].columns,
        )
        for number in (1, 2)
    ]
    insert(unnamed)
    CallDownEntry.objects.create(
        user=agent,
        contact_id=str(contact.id),
        contact_name=contact.name,
        phone_number=contact.number,
        note=dice.choice(_NOTES),
        scheduled_at=now + timedelta(days=1),
        status=CallDownEntry.Status.SCHEDULED,
    )
    NoteDraft.objects.create(
        user=agent,
        session_id=str(dice.randrange(10**12)),
        note=dice.choice(_NOTES),
        expires_at=now + timedelta(hours=1),
    )
