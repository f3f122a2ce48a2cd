"""Extensions: what their windows ask for, through the services of production, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.utils import OperationalError

from adapters.contract import (
    AlreadyLogged,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    ContactDraft,
    ContactRef,
    Direction,
    Disposition,
    Message,
    MessageKind,
)
from connectors.deliveries.changes import CallEdit, CallIdentity, CallSubmission, Conversation
from connectors.log_body import CallDetails
from connectors.models import CrmUser
from connectors.services import call_logs, contacts, sessions, settings_changes
from connectors.services.message_logs import log_messages
from connectors.services.numbers import read_number
from simulation.crm import crm
from simulation.expectation import Expectation, Told
from simulation.people import Person, login, tenant_of
from simulation.threads import Actor, Killed
from simulation.world import START, world

#: The sandbox finds him by this reference in every company.
LUKE = ContactRef(id="contact-1", type="Contact", name="Luke Skywalker", phone="+16505551212")
#: Seconds between two requests of a window.
PAUSES = (0.0, 0.0, 0.5, 5.0, 20.0)
_STARTED = datetime.fromtimestamp(START - 60, UTC)
#: Longer than a CRM with a limit takes, see ``schedule``.
_TRANSCRIPT = "What was said at length. " * 1700
#: One of these fits there, two do not.
_LONG_TEXT = "And so on. " * 2300


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of a window.

    ``date``: of texts, by the window's clock, where those of several time zones are at work; ``long_numbers``: long
    texts; ``company``: where the person goes, for a move.
    """

    kind: str
    person: Person
    subject: str = ""
    text: str = ""
    numbers: tuple[int, ...] = ()
    date: str = ""
    long_numbers: frozenset[int] = frozenset()
    is_long: bool = False
    company: str | None = None


class Window:
    """Somebody's extension: sends its requests one by one, and some of them again where no answer came."""

    def __init__(
        self, expectation: Expectation, requests: Sequence[Request], *, pauses: Sequence[float] = PAUSES
    ) -> None:
        self.expected, self.requests, self.pauses = expectation, requests, pauses

    def __call__(self, actor: Actor) -> None:
        for request in self.requests:
            for _ in range(3):
                if self._send(actor, request) or world.rng.random() < 0.4:
                    break
                world.sleep(world.rng.choice(self.pauses))
            world.sleep(world.rng.choice(self.pauses))

    def _send(self, actor: Actor, request: Request) -> bool:
        """Whether the window was told that it is done, or kept."""
        told: Told | None = None
        failing = world.failing_statements_left
        world.begin_work(actor)
        try:
            user = request.person.row()
            world.note(f"request {request.kind} {request.subject} {request.text} {request.numbers or ''}")
            text = request.text or " ".join(map(str, request.numbers))
            told = self.expected.begin(request.kind, tenant_of(user), request.subject, text)
            answer = _CARRY_OUT[request.kind](user, request)
            told.accepted = True
            told.new = answer or ""
        except Killed:
            connection.close()
            if told is not None:
                told.was_killed = True
        except AlreadyLogged:  # somebody else is at it, and may yet be refused
            assert told is not None
            told.was_known = True
            told.accepted = request.subject not in crm.judged
        except ConnectorError as error:
            assert told is not None
            told.refused, told.error = not error.try_later, type(error).__name__
            world.count(f"told: {type(error).__name__}")
        except call_logs.NotLogged:
            world.count("told: NotLogged")
        except Exception as error:
            connection.close()
            if told is not None:  # what the CRM said before a statement failed
                told.refused = request.subject in crm.judged
            if not (isinstance(error, OperationalError) and world.failing_statements_left < failing):
                self.expected.surprises.append(f"{request.kind}: {error!r}")
        finally:
            crm.leave(actor)
            world.end_work(actor)
        if told is None:
            return False
        told.ended = world.now
        world.note(f"told {'accepted' if told.accepted else 'not'}")
        return told.accepted


def _identity(request: Request) -> CallIdentity:
    return CallIdentity(session_id=request.subject, extension=request.person.extension)


def _log(user: CrmUser, request: Request) -> None:
    entry = CallLogEntry(
        session_id=request.subject,
        direction=Direction.INBOUND,
        contact=LUKE,
        started_at=_STARTED,
        duration=5,
        note=request.text,
        subject=f"Call {request.subject}",
    )
    submission = CallSubmission(identity=_identity(request), entry=entry, details=_details(request))
    call_logs.create_call_log(user=user, submission=submission)


def _details(request: Request) -> CallDetails:
    transcript = _TRANSCRIPT if request.is_long else None
    if request.kind == "log":
        return CallDetails(note=request.text, duration=5, result="Call connected", transcript=transcript)
    return CallDetails(note=request.text, transcript=transcript)


def _edit(user: CrmUser, request: Request) -> None:
    change = CallLogChange(note=request.text)
    call_logs.update_call_log(
        user=user, edit=CallEdit(identity=_identity(request), change=change, details=_details(request))
    )


def _dispose(user: CrmUser, request: Request) -> None:
    disposition = Disposition(fields={"address": request.text})
    call_logs.set_disposition(user=user, identity=_identity(request), disposition=disposition)


def subject_of(marker: str) -> str:
    """The session, or the day of texts whatever its date and part, by which the CRM knows a record."""
    return marker.partition(" (")[0].partition("/")[0]


def text_of(day: str, number: int) -> str:
    return f"Text {number} of {day}."


def _texts(user: CrmUser, request: Request) -> str:
    """The numbers of the texts that this request was told about: those not accepted before."""
    start = datetime(2027, 1, 15, 7, tzinfo=UTC)
    messages = tuple(
        Message(
            id=f"{request.subject}-{number}",
            kind=MessageKind.SMS,
            direction=Direction.INBOUND,
            sent_at=start + timedelta(minutes=number),
            text=text_of(request.subject, number) + (_LONG_TEXT if number in request.long_numbers else ""),
        )
        for number in request.numbers
    )
    conversation = Conversation(
        conversation_id=f"conversation-{request.subject}",
        conversation_log_id=f"{request.subject}/{request.date}" if request.date else request.subject,
        contact=LUKE,
        messages=messages,
        started_at=messages[0].sent_at,
        ended_at=messages[-1].sent_at,
        submission={},
        wire={},
    )
    logged = log_messages(user=user, conversation=conversation)
    return " ".join(message_id.rpartition("-")[2] for message_id in logged.ids)


def _contact(user: CrmUser, request: Request) -> None:
    draft = ContactDraft(name=request.subject, phone=read_number(user, request.text), type="Contact")
    contacts.create_contact(user=user, draft=draft, render=lambda contact: {"id": contact.id})


def _setting(user: CrmUser, request: Request) -> None:
    entry = {"customizable": True, "value": request.text}
    settings_changes.save_user_settings(user=user, given={request.text: entry}, remove=[])


def _logout(user: CrmUser, request: Request) -> None:
    sessions.disconnect(user=user, actor="simulation")


def _login(user: CrmUser, request: Request) -> None:
    login(request.person)


def _move(user: CrmUser, request: Request) -> None:
    """The person changes their company, and connects there."""
    world.count("a person changes the company")
    crm.move(request.person.key, request.company)
    login(request.person)


_CARRY_OUT: dict[str, Callable[[CrmUser, Request], str | None]] = {
    "log": _log,
    "edit": _edit,
    "dispose": _dispose,
    "texts": _texts,
    "contact": _contact,
    "setting": _setting,
    "logout": _logout,
    "login": _login,
    "move": _move,
}
