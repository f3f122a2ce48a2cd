"""A month at four companies: calls, texts, look-ups and logins of each working day, and a CRM's bad hours."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from audit.models import AuditEvent, CallLog, ConversationLog, LogReason, MessageLog
from audit.past_rows import insert
from audit.states import LogState
from connectors.deliveries.policy import Next
from connectors.demo.people import Company, Contact
from connectors.models import CrmUser, LookUp

DAYS = 30
#: Share of calls that fail for good, by the error of the event, and what the CRM said.
_TROUBLE = (
    ("RequestRejected", 0.010, "Subject is invalid: it must not be longer than 250 characters."),
    ("RateLimited", 0.008, "Too many requests."),
    ("AccessDenied", 0.004, "You do not have permission to create activities."),
    ("UnexpectedResponse", 0.004, ""),
)
_STATUSES = {"RequestRejected": 422, "RateLimited": 429, "AccessDenied": 403, "UnexpectedResponse": 200}
#: Days before now, first hour, hours, which company: when a CRM did not answer.
_OUTAGES = ((17, 9, 3, 1), (6, 13, 1, 2))


class Month:
    """Writes it day by day; ``events`` are collected in order of time, as the trail has them."""

    def __init__(self, *, dice: random.Random, companies: list[Company], now: datetime) -> None:
        self._dice, self._companies, self._now = dice, companies, now
        self._session = 800_000_000_000 + dice.randrange(10**9)

    def write(self, progress: Callable[[int, int], None]) -> None:
        for back in range(DAYS, -1, -1):
            events: list[AuditEvent] = []
            for place, company in enumerate(self._companies):
                self._day(company, place, back, events)
            insert(sorted(events, key=lambda event: event.occurred_at))
            progress(DAYS - back + 1, DAYS + 1)

    # --- one day ---------------------------------------------------------------------------------

    def _day(self, company: Company, place: int, back: int, events: list[AuditEvent]) -> None:
        day = (self._now - timedelta(days=back)).astimezone(company.zone).date()
        busy = 0.15 if day.weekday() >= 5 else 1.0
        calls: list[CallLog] = []
        reasons: list[LogReason] = []
        traces: list[LookUp] = []
        days: list[ConversationLog] = []
        texts: list[MessageLog] = []
        for agent in company.agents:
            if back == DAYS:
                connected_at = agent.connected_at or self._now
                events.append(_event("session.connect", agent, connected_at, actor="anonymous", target=agent.wire_id))
            for moment in self._moments(company, day, round(self._dice.randint(7, 14) * busy)):
                contact = self._dice.choice(company.contacts)
                self._look_up(agent, contact, moment, back, events, traces)
                is_down = self._is_down(place, back, moment)
                calls.append(self._call(company, agent, contact, moment, is_down, events, reasons))
            for moment in self._moments(company, day, round(self._dice.randint(0, 3) * busy)):
                contact = self._dice.choice(company.contacts)
                self._texts(company, agent, contact, moment, events, days, texts)
        for rows in (calls, reasons, traces, days, texts):
            insert(rows)

    def _moments(self, company: Company, day: Any, number: int) -> Iterator[datetime]:
        """So many moments of the working day that are over already, in order."""
        start = datetime(day.year, day.month, day.day, 8, tzinfo=company.zone)
        offsets = sorted(self._dice.randrange(9 * 3600) for _ in range(number))
        moments = (start + timedelta(seconds=offset) for offset in offsets)
        yield from (moment for moment in moments if moment < self._now - timedelta(minutes=3))

    def _is_down(self, place: int, back: int, moment: datetime) -> bool:
        return any(
            (back, place) == (days, company) and first <= moment.hour < first + hours
            for days, first, hours, company in _OUTAGES
        )

    def _look_up(
        self,
        agent: CrmUser,
        contact: Contact,
        moment: datetime,
        back: int,
        events: list[AuditEvent],
        traces: list[LookUp],
    ) -> None:
        found = 0 if self._dice.random() < 0.12 else 1
        asked_at = moment - timedelta(seconds=self._dice.randint(20, 200))
        request_id = self._reference()
        forms = [contact.number, f"({contact.number[2:5]}) {contact.number[5:8]}-{contact.number[8:]}"]
        dropped = [{"id": contact.id + 500, "reason": "has another number"}] if self._dice.random() < 0.1 else []
        took = self._took(280)
        events.append(
            _event(
                "contact.find",
                agent,
                asked_at,
                request_id=request_id,
                milliseconds=took,
                crm_calls=1,
                detail={
                    "variants": 2,
                    "found": found,
                    "dropped": dropped,
                    "requests": [["GET", "/contacts", 200, took - 9, f"v-{request_id[:8]}"]],
                },
            )
        )
        if back <= 14:
            shown = [{"id": contact.id, "type": "Contact"}] if found else []
            columns = {name: contact.columns[name] for name in ("number_hash", "number_ending")}
            trace = {"forms": forms, "served_kept": False, "shown": shown, "dropped": dropped, "by_ending": []}
            columns["trace"] = json.dumps(trace)
            traces.append(
                LookUp(
                    user=agent,
                    asked_at=asked_at,
                    request_id=request_id,
                    found=found,
                    **columns,
                )
            )

    def _call(
        self,
        company: Company,
        agent: CrmUser,
        contact: Contact,
        moment: datetime,
        is_down: bool,
        events: list[AuditEvent],
        reasons: list[LogReason],
    ) -> CallLog:
        self._session += self._dice.randint(1000, 90_000)
        ended = moment + timedelta(seconds=self._dice.randint(15, 900))
        logged_at = min(ended + timedelta(seconds=self._dice.randint(2, 30)), self._now)
        log = CallLog(
            platform=company.platform,
            owner=agent.owner,
            user=agent,
            session_id=str(self._session),
            telephony_session_id=f"s-{self._session:x}",
            extension=agent.hashed_rc_extension_id,
            direction=self._dice.choice(("Inbound", "Outbound")),
            started_at=moment,
            contact_id_is_number=True,
            last_position=1,
            created_at=logged_at,
            updated_at=logged_at,
            **contact.columns,
        )
        reference = self._reference()
        if is_down:
            failed = self._failed(agent, log, logged_at, reference, "CrmUnavailable", 0, 10_030)
            failed.detail["next"] = Next.AGAIN
            events.append(failed)
            logged_at = min(logged_at + timedelta(minutes=self._dice.randint(20, 180)), self._now)
            self._logged(company, agent, log, logged_at, reference, events, actor="worker", attempt=4)
            return log
        chance = self._dice.random()
        for error, share, said in _TROUBLE:
            chance -= share
            if chance < 0:
                return self._refused(agent, log, logged_at, reference, error, said, events, reasons)
        self._logged(company, agent, log, logged_at, reference, events, actor=agent.actor, attempt=1)
        return log

    def _logged(
        self,
        company: Company,
        agent: CrmUser,
        log: CallLog,
        moment: datetime,
        reference: str,
        events: list[AuditEvent],
        *,
        actor: str,
        attempt: int,
    ) -> None:
        log.state, log.crm_log_id, log.crm_log_id_is_number = LogState.LOGGED, company.new_record(), True
        took = self._took(420)
        detail: dict[str, Any] = {"requests": [["POST", "/activities", 201, took - 11, f"v-{reference[:8]}"]]}
        if attempt > 1:
            detail["attempt"] = attempt
        event = _event("call_log.create", agent, moment, actor=actor, request_id=reference, subject=log.session_id)
        event.target, event.milliseconds, event.crm_calls, event.detail = log.crm_log_id, took, 1, detail
        events.append(event)

    def _refused(
        self,
        agent: CrmUser,
        log: CallLog,
        moment: datetime,
        reference: str,
        error: str,
        said: str,
        events: list[AuditEvent],
        reasons: list[LogReason],
    ) -> CallLog:
        log.state, log.last_error = LogState.FAILED, error
        event = self._failed(agent, log, moment, reference, error, _STATUSES[error], self._took(300))
        if said:
            reason = LogReason(call_log=log, text=said, said_at=moment)
            reasons.append(reason)
            event.detail["said"] = str(reason.pk)
        events.append(event)
        return log

    def _failed(
        self, agent: CrmUser, log: CallLog, moment: datetime, reference: str, error: str, status: int, took: int
    ) -> AuditEvent:
        event = _event("call_log.create", agent, moment, request_id=reference, subject=log.session_id)
        event.outcome, event.error, event.milliseconds, event.crm_calls = "failure", error, took, 1
        event.detail = {"requests": [["POST", "/activities", status, took - 5, ""]], "next": Next.FORGET}
        return event

    def _texts(
        self,
        company: Company,
        agent: CrmUser,
        contact: Contact,
        moment: datetime,
        events: list[AuditEvent],
        days: list[ConversationLog],
        texts: list[MessageLog],
    ) -> None:
        conversation = f"{agent.crm_user_id}{contact.id}"
        day = ConversationLog(
            platform=company.platform,
            owner=agent.owner,
            user=agent,
            conversation_id=conversation,
            conversation_log_id=f"{conversation}/{moment:%m-%d-%Y}",
            crm_log_id=company.new_record(),
            crm_log_id_is_number=True,
            state=LogState.LOGGED,
            created_at=moment,
            updated_at=moment,
            **contact.columns,
        )
        if any(known.conversation_log_id == day.conversation_log_id for known in days):
            return
        days.append(day)
        for _ in range(self._dice.randint(1, 5)):
            message = str(uuid.UUID(int=self._dice.getrandbits(128)))
            texts.append(
                MessageLog(
                    platform=day.platform, owner=day.owner, conversation=day, message_id=message, created_at=moment
                )
            )
        reference = self._reference()
        event = _event("message_log.write", agent, moment, request_id=reference, subject=day.conversation_log_id)
        event.target, event.milliseconds, event.crm_calls = day.crm_log_id, self._took(500), 2
        events.append(event)

    def _reference(self) -> str:
        return f"{self._dice.getrandbits(64):016x}"

    def _took(self, usual: int) -> int:
        """Milliseconds: mostly about the usual, now and then much longer."""
        return round(usual * self._dice.lognormvariate(0, 0.45))


def _event(action: str, agent: CrmUser, moment: datetime, *, actor: str = "", **columns: Any) -> AuditEvent:
    return AuditEvent(
        occurred_at=moment,
        action=action,
        actor=actor or agent.actor,
        platform=agent.platform,
        owner=agent.owner,
        outcome="success",
        **columns,
    )
