"""What windows, workers and support do in a schedule, through the services of production."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.utils import OperationalError
from django.utils import timezone

from adapters.contract import (
    AlreadyLogged,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    ContactDraft,
    ContactRef,
    Credentials,
    Direction,
    Disposition,
    LoginForm,
    Message,
    MessageKind,
)
from connectors.deliveries import support, worker
from connectors.deliveries.changes import CallEdit, CallIdentity, CallSubmission, Conversation
from connectors.deliveries.models import Delivery
from connectors.deliveries.queue import State
from connectors.log_body import CallDetails
from connectors.models import CrmUser
from connectors.services import call_logs, contacts, sessions
from connectors.services.message_logs import log_messages
from connectors.services.numbers import read_number
from simulation.crm import crm
from simulation.expectation import Expectation
from simulation.world import Actor, Killed, world

PLATFORM = "testCRM"
#: The sandbox finds him by this reference in every company.
LUKE = ContactRef(id="contact-1", type="Contact", name="Luke Skywalker", phone="+16505551212")
_PAUSES = (0.0, 0.0, 0.5, 5.0, 20.0)
_LONG_TRANSCRIPT = "What was said at length. " * 1300


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user: the API key, which names the company too, and the extension whose calls they log."""

    key: str
    extension: str = ""

    @property
    def wire_id(self) -> str:
        return f"{crm.store.user_of_key(self.key).id}-{PLATFORM}"

    def row(self) -> CrmUser:
        return CrmUser.objects.get(platform=PLATFORM, wire_id=self.wire_id)


def connect(person: Person) -> None:
    """The row of a connected user, without asking the CRM."""
    known = crm.store.user_of_key(person.key)
    user = CrmUser(
        platform=PLATFORM,
        wire_id=person.wire_id,
        crm_user_id=known.id,
        crm_account_id=known.company or "",
        name=known.name,
        host="127.0.0.1:8070",
        connected_at=timezone.now(),
    )
    user.set_credentials(Credentials(access_token=person.key))
    user.save(force_insert=True)


# --- windows -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of a window."""

    kind: str
    person: Person
    subject: str = ""
    text: str = ""
    numbers: tuple[int, ...] = ()
    is_long: bool = False


class Window:
    """Somebody's extension: sends its requests one by one, and some of them again where no answer came."""

    def __init__(self, expectation: Expectation, requests: Sequence[Request]) -> None:
        self.expected, self.requests = expectation, requests

    def __call__(self, actor: Actor) -> None:
        try:
            for request in self.requests:
                for _ in range(3):
                    if self._send(actor, request) or world.rng.random() < 0.4:
                        break
                    world.sleep(world.rng.choice(_PAUSES))
                world.sleep(world.rng.choice(_PAUSES))
        finally:
            connection.close()

    def _send(self, actor: Actor, request: Request) -> bool:
        """Whether the window was told that it is done, or kept."""
        world.note(f"request {request.kind} {request.subject} {request.text} {request.numbers or ''}")
        failing = world.failing_statements_left
        told = self.expected.begin(request.kind, request.subject, request.text)
        actor.may_be_killed = True
        try:
            answer = _CARRY_OUT[request.kind](request)
            told.accepted = True
            if isinstance(answer, tuple):
                told.text = " ".join(answer)
        except Killed:
            connection.close()
            world.restart(actor)
        except AlreadyLogged:  # somebody else is at it, and may yet be refused
            told.accepted = request.subject not in crm.judged
        except ConnectorError as error:
            told.refused = not error.try_later
            world.count(f"told: {type(error).__name__}")
        except call_logs.NotLogged:
            world.count("told: NotLogged")
        except Exception as error:
            if not (isinstance(error, OperationalError) and world.failing_statements_left < failing):
                self.expected.surprises.append(f"{request.kind}: {error!r}")
        finally:
            actor.may_be_killed = False
        told.ended = world.now
        world.note(f"told {'accepted' if told.accepted else 'not'}")
        return told.accepted


def _identity(request: Request) -> CallIdentity:
    return CallIdentity(session_id=request.subject, extension=request.person.extension)


def _log(request: Request) -> bool:
    transcript = _LONG_TRANSCRIPT if request.is_long else None
    entry = CallLogEntry(
        session_id=request.subject,
        direction=Direction.INBOUND,
        contact=LUKE,
        started_at=timezone.now() - timedelta(seconds=60),
        duration=5,
        note=request.text,
        subject=f"Call {request.subject}",
    )
    details = CallDetails(note=request.text, duration=5, result="Call connected", transcript=transcript)
    submission = CallSubmission(identity=_identity(request), entry=entry, details=details)
    call_logs.create_call_log(user=request.person.row(), submission=submission)
    return True


def _edit(request: Request) -> bool:
    edit = CallEdit(
        identity=_identity(request),
        change=CallLogChange(note=request.text),
        details=CallDetails(note=request.text),
    )
    call_logs.update_call_log(user=request.person.row(), edit=edit)
    return True


def _dispose(request: Request) -> bool:
    disposition = Disposition(fields={"address": request.text})
    call_logs.set_disposition(user=request.person.row(), identity=_identity(request), disposition=disposition)
    return True


def text_of(day: str, number: int) -> str:
    return f"Text {number} of {day}."


def _texts(request: Request) -> tuple[str, ...]:
    """The numbers of the texts that this request was told about: those not accepted before."""
    start = datetime(2027, 1, 15, 8, tzinfo=UTC)
    messages = tuple(
        Message(
            id=f"{request.subject}-{number}",
            kind=MessageKind.SMS,
            direction=Direction.INBOUND,
            sent_at=start + timedelta(minutes=number),
            text=text_of(request.subject, number) + (_LONG_TRANSCRIPT if request.is_long else ""),
        )
        for number in request.numbers
    )
    conversation = Conversation(
        conversation_id=f"conversation-{request.subject}",
        conversation_log_id=request.subject,
        contact=LUKE,
        messages=messages,
        started_at=messages[0].sent_at,
        ended_at=messages[-1].sent_at,
        submission={},
        wire={},
    )
    logged = log_messages(user=request.person.row(), conversation=conversation)
    return tuple(message_id.rpartition("-")[2] for message_id in logged.ids)


def _contact(request: Request) -> bool:
    user = request.person.row()
    draft = ContactDraft(name=request.subject, phone=read_number(user, request.text), type="Contact")
    contacts.create_contact(user=user, draft=draft, render=lambda contact: {"id": contact.id})
    return True


def _logout(request: Request) -> bool:
    sessions.disconnect(user=request.person.row(), actor="simulation")
    return True


def login(person: Person) -> None:
    """Connects the user again."""
    sessions.connect_by_form(
        platform=PLATFORM,
        form=LoginForm(fields={"apiKey": person.key}),
        rc_account_id="",
        rc_account_verified=False,
        hashed_extension_id="",
    )


def _login(request: Request) -> bool:
    login(request.person)
    return True


_CARRY_OUT: dict[str, Callable[[Request], Any]] = {
    "log": _log,
    "edit": _edit,
    "dispose": _dispose,
    "texts": _texts,
    "contact": _contact,
    "logout": _logout,
    "login": _login,
}


# --- workers and support -----------------------------------------------------------------------------------


class Rounds:
    """A thread of the server's own, which does a thing now and then, and starts anew after its process was killed."""

    def __init__(self, expectation: Expectation, work: Callable[[], Any], *, rounds: int) -> None:
        self.expected, self.work, self.rounds = expectation, work, rounds

    def __call__(self, actor: Actor) -> None:
        try:
            for _ in range(self.rounds):
                failing = world.failing_statements_left
                actor.may_be_killed = True
                try:
                    self.work()
                except Killed:
                    connection.close()
                    world.restart(actor)
                except Exception as error:
                    connection.close()
                    if not (isinstance(error, OperationalError) and world.failing_statements_left < failing):
                        self.expected.surprises.append(f"{actor.name}: {error!r}")
                finally:
                    actor.may_be_killed = False
                world.sleep(world.rng.choice((1.0, 8.0, 40.0, 130.0)))
        finally:
            connection.close()


def send_due() -> None:
    """A round of a worker."""
    if world.rng.random() < 0.2:
        worker.clear_up()
    for delivery in worker.take_due(limit=4):
        worker.deliver(delivery)


def decide_of_support() -> None:
    """Support looks at the CRM, and decides about one change that waits for it."""
    waiting = Delivery.objects.filter(state__in=(State.PERSON, State.GIVEN_UP)).order_by("accepted_at", "position")
    delivery = waiting.select_related("user", "call_log", "conversation").first()
    if delivery is not None:
        decide(delivery)


def decide(delivery: Delivery) -> None:
    """Marks as logged what is in the CRM, sends everything else."""
    world.count("support decides")
    record = delivery.record
    if delivery.is_in_doubt and record is not None and not record.crm_log_id:
        if not delivery.is_settled:
            return  # whoever looks too early cannot tell
        rows = [row for row in crm.store.activities(None, limit=1000) if row["external_id"] == delivery.subject]
        free = [row for row in rows if not record.belongs_to_another(row["id"])]
        if free and delivery.call_log_id:
            support.mark_as_logged(delivery, str(free[-1]["id"]))
            return
    support.send_again(Delivery.objects.filter(pk=delivery.pk))
