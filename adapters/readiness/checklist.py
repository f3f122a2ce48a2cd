"""The compatibility checklist: every thing a user does, done once with a real account of a CRM."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from adapters.contract import (
    AccountCache,
    CallLogChange,
    CallLogEntry,
    Contact,
    ContactDraft,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    Direction,
    Id,
    LoggedCall,
    LogMarker,
    LogRef,
    Manifest,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    Party,
    PhoneNumber,
    UnexpectedResponse,
    UnsupportedOperation,
    UserProfile,
    parse_phone,
)
from adapters.contract.errors import ConnectorError
from adapters.contract.http import count_calls
from adapters.readiness.notations import Finding, Stored, looked_up_with, notations, verdict

OK, FAILED, NOTE, NOT_OFFERED = "ok", "FAILED", "note", "not offered"
NOTES = ("Readiness check, first note", "Readiness check, second note")
_CALL_TITLE, _SMS_TITLE, _CALL_RESULT = "Outbound Call to", "SMS conversation with", "Call connected"
#: Seconds between two looks for a record that a CRM's search does not know yet.
_PAUSE = 1.0

Open = Callable[[UserProfile, Credentials], CrmAdapter]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the table."""

    name: str
    outcome: str
    detail: str = ""
    requests: int = 0
    milliseconds: int = 0


class MemoryCache(AccountCache):
    """An account cache for the length of one run."""

    def __init__(self) -> None:
        #: All that is kept, by key.
        self.values: dict[str, Any] = {}

    def get(self, key: str, *, max_age: timedelta) -> Any:
        return self.values.get(key)

    def get_stale(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value

    def forget(self, key: str) -> None:
        self.values.pop(key, None)


@dataclass(kw_only=True)
class Checklist:
    """One run. ``open``: the adapter for a user and credentials. ``phone``: the number the new contact gets.

    ``patience``: seconds in which a record just written has to be found. ``left``: what stays behind in the CRM.
    ``name``: tells what this run logs from what others logged in the same second.
    """

    manifest: Manifest
    open: Open
    hostname: str = ""
    phone: PhoneNumber
    contact_type: str = ""
    now: datetime
    patience: float = 30.0
    left: list[str] = field(default_factory=list)
    name: str = field(default_factory=lambda: uuid4().hex[:12])
    user: UserProfile = field(init=False)
    credentials: Credentials = field(init=False, default_factory=Credentials)

    def __post_init__(self) -> None:
        self.user = UserProfile(id="readiness", name="", hostname=self.hostname)

    @property
    def adapter(self) -> CrmAdapter:
        return self.open(self.user, self.credentials)

    def texts(self) -> list[str]:
        """What the checklist writes and looks for: notes, the number in its notations, titles, the call's result."""
        return [*NOTES, *filter(None, _notations(self.phone)), _CALL_TITLE, _SMS_TITLE, _CALL_RESULT]

    def run(self, login: Callable[[CrmAdapter], Credentials]) -> Iterator[Step]:
        """The steps as they are done; what needs a step that failed is left out."""
        if not (yield from self._do("Log in", lambda: self._log_in(login))):
            return
        if (yield from self._do("Current user", self._current_user)):
            yield from self._do("Refresh the login", self._refresh)
            yield from self._do("Validate the session", self._validate)
            yield from self._do("List users", lambda: f"{len(self.adapter.list_users())} users")
            yield from self._with_contact()
        yield from self._do("Log out", self._log_out)
        if self.left:
            detail = f"to be deleted in {self.manifest.display_name} by hand: {', '.join(self.left)}"
            yield Step(name="Clean up", outcome=NOTE, detail=detail)

    # --- login and logout --------------------------------------------------------------------------

    def _log_in(self, login: Callable[[CrmAdapter], Credentials]) -> str:
        self.credentials = login(self.adapter)
        expiry = self.credentials.expires_at
        return f"the token expires at {expiry:%Y-%m-%d %H:%M} UTC" if expiry else "the login does not expire"

    def _current_user(self) -> str:
        self.user = self.adapter.user_profile()
        return f"{self.user.name}, id {self.user.id}, time zone {self.user.timezone or 'unknown'}"

    def _refresh(self) -> str:
        if not self.credentials.refresh_token:
            raise UnsupportedOperation("refresh")

        def keep(credentials: Credentials) -> None:
            self.credentials = credentials

        keep(self.adapter.refresh(self.credentials, keep=keep))
        self.adapter.user_profile()
        return "the new token is accepted"

    def _validate(self) -> str:
        _expect(self.adapter.validate_session(), "the session just begun is called invalid")
        return ""

    def _log_out(self) -> str:
        self.adapter.revoke()
        try:
            self.adapter.user_profile()
        except CredentialsRejected:
            return "the CRM no longer accepts the login"
        if self.manifest.server.auth.type == "oauth":
            raise UnexpectedResponse(reason="the CRM still accepts the token")
        raise _Remark("the CRM still accepts the key, which belongs to its owner")

    # --- contacts ----------------------------------------------------------------------------------

    def _with_contact(self) -> Iterator[Step]:
        created: list[Contact] = []

        def create() -> str:
            name = f"Readiness Check {self.now:%Y%m%d%H%M%S}"
            draft = ContactDraft(name=name, phone=self.phone, type=self.contact_type)
            created.append(self.adapter.create_contact(draft))
            self._leave("contact", created[0].id)
            return f"{created[0].type or 'contact'} {created[0].id}"

        yield from self._do("Look up a number nobody has", self._look_up_nobody)
        if not (yield from self._do("Create a contact", create)):
            return
        contact = created[0]
        for notation in dict.fromkeys(filter(None, _notations(self.phone))):
            yield from self._do(f"Look up {notation}", partial(self._look_up, notation, contact))
        yield from self._with_notations()
        yield from self._do("Search the name", lambda: self._search_name(contact))
        ref = ContactRef(id=contact.id, type=contact.type, name=contact.name, phone=self.phone.e164)
        yield from self._with_call(ref)
        yield from self._with_conversation(ref)

    def _look_up_nobody(self) -> str:
        if count := len(self.adapter.find_contacts(self.phone).contacts):
            raise _Remark(f"{count} found: give --phone a number that nobody has")
        return "nobody found"

    def _look_up(self, notation: str, contact: Contact) -> str:
        phone = parse_phone(notation, formats=self.phone.formats)

        def found() -> int:
            matches = self.adapter.find_contacts(phone)
            ids = [match.id for match in matches.contacts]
            return len(ids) if contact.id in ids else 0

        return f"{self._soon(found, 'the contact is not found')} found, the new one among them"

    def _with_notations(self) -> Iterator[Step]:
        """Contacts stored in other notations, looked up by E.164, then with the overriding format for them."""
        findings: list[Finding] = []

        def try_one(stored: Stored) -> str:
            name = f"Readiness Check {self.now:%Y%m%d%H%M%S}-{len(findings) + 2}"
            phone = replace(self.phone, e164="", raw=stored.written, national_format=stored.written)
            contact = self.adapter.create_contact(ContactDraft(name=name, phone=phone, type=self.contact_type))
            self._leave("contact", contact.id)

            def is_found(template: str) -> bool:
                matches = self.adapter.find_contacts(looked_up_with(self.phone, template))
                return contact.id in [match.id for match in matches.contacts]

            give_up = time.monotonic() + self.patience
            while not (with_format := is_found(stored.template)) and time.monotonic() < give_up:
                time.sleep(_PAUSE)
            plain = is_found("")
            findings.append(Finding(stored=stored, plain=plain, with_format=with_format))
            if plain:
                return "found by the E.164 form"
            how = f'only with the overriding format "{stored.template}"' if with_format else "not found"
            raise _Remark(how)

        for stored in notations(self.phone):
            yield from self._do(f"Find it stored as {stored.written}", partial(try_one, stored))
        if findings:
            yield Step(name="How strict the search is", outcome=NOTE, detail=verdict(findings))

    def _search_name(self, contact: Contact) -> str:
        def found() -> int:
            ids = [match.id for match in self.adapter.find_contacts_by_name(contact.name).contacts]
            return len(ids) if contact.id in ids else 0

        return f"{self._soon(found, 'the contact is not found')} found, the new one among them"

    # --- logs --------------------------------------------------------------------------------------

    def _with_call(self, contact: ContactRef) -> Iterator[Step]:
        entry = CallLogEntry(
            session_id=f"readiness-{self.name}",
            direction=Direction.OUTBOUND,
            contact=contact,
            started_at=self.now - timedelta(minutes=3),
            duration=95,
            result=_CALL_RESULT,
            subject=f"{_CALL_TITLE} {contact.name}",
            body=self._body(NOTES[0]),
            note=NOTES[0],
            caller=Party(name=self.user.name),
            callee=Party(name=contact.name, phone_number=self.phone.e164),
        )
        ids: list[Id] = []
        read: list[LoggedCall] = []

        def create() -> str:
            ids.append(self.adapter.create_call_log(replace(entry, created=self._keeper("call log"))).log_id)
            return f"log {ids[0]}"

        if not (yield from self._do("Log a call", create)):
            return
        ref = LogRef(log_id=str(ids[0]), marker=entry.session_id, contact=contact)

        def read_back(note: str) -> str:
            read.append(self.adapter.get_call_log(ref))
            text = f"{read[-1].note or ''} {read[-1].body}"
            _expect(note in text, "the note is not in the log")
            return f"subject, note and {'duration' if read[-1].duration is not None else 'no duration'}"

        def update() -> str:
            current = read[-1]
            body = current.body.replace(NOTES[0], NOTES[1])
            self.adapter.update_call_log(ref, CallLogChange(body=body, note=NOTES[1], current=current))
            return read_back(NOTES[1])

        if (yield from self._do("Read the call log", lambda: read_back(NOTES[0]))):
            yield from self._do("Change its note", update)
        yield from self._do("Find the call log", lambda: self._find("find_call_log", entry.as_marker(), ref))

    def _with_conversation(self, contact: ContactRef) -> Iterator[Step]:
        first, second = (self._message(number, contact, text) for number, text in enumerate(NOTES))
        entry = MessageLogEntry(
            conversation_log_id=f"readiness-messages-{self.name}",
            contact=contact,
            messages=(first,),
            subject=f"{_SMS_TITLE} {contact.name}",
            body=self._body(first.text),
            compose=lambda messages: self._body(*(message.text for message in messages)),
            started_at=first.sent_at,
            ended_at=first.sent_at,
        )
        ids: list[Id] = []

        def create() -> str:
            ids.append(self.adapter.create_message_log(replace(entry, created=self._keeper("conversation"))).log_id)
            return f"log {ids[0]}"

        if not (yield from self._do("Log an SMS", create)):
            return
        ref = LogRef(log_id=str(ids[0]), marker=entry.conversation_log_id, contact=contact)

        def append() -> str:
            change = MessageLogChange(
                contact=contact,
                messages=(second,),
                append=lambda body, messages: "\n".join([body, *(message.text for message in messages)]),
                ended_at=second.sent_at,
            )
            self.adapter.update_message_log(ref, change)
            return "a second message is in the same log"

        yield from self._do("Add an SMS to it", append)
        yield from self._do("Find the SMS log", lambda: self._find("find_message_log", entry.as_marker(), ref))

    def _find(self, operation: str, marker: LogMarker, ref: LogRef) -> str:
        found: Any = self._soon(lambda: getattr(self.adapter, operation)(marker), "the log is not found")
        _expect(str(found) == ref.log_id, f"another log is found: {found}")
        return f"log {found}"

    def _message(self, number: int, contact: ContactRef, text: str) -> Message:
        return Message(
            id=f"readiness-{self.name}-{number}",
            kind=MessageKind.SMS,
            direction=Direction.OUTBOUND,
            sent_at=self.now - timedelta(minutes=2 - number),
            text=text,
            sender=Party(name=self.user.name),
            recipients=(Party(name=contact.name, phone_number=self.phone.e164),),
        )

    def _body(self, *texts: str) -> str:
        return "\n".join(f"- {text}" for text in texts)

    # --- the steps themselves ----------------------------------------------------------------------

    def _do(self, name: str, action: Callable[[], str]) -> Generator[Step, None, bool]:
        """Does one step, yields its line, and returns whether later steps can build on it."""
        started = time.monotonic()
        with count_calls() as counter:
            try:
                outcome, detail = OK, action()
            except UnsupportedOperation:
                outcome, detail = NOT_OFFERED, ""
            except _Remark as remark:
                outcome, detail = NOTE, str(remark)
            except ConnectorError as error:
                reason = f" ({error.reason})" if error.reason else ""
                outcome, detail = FAILED, f"{type(error).__name__}: {error.message}{reason}"
        milliseconds = round((time.monotonic() - started) * 1000)
        yield Step(name=name, outcome=outcome, detail=detail, requests=counter.value, milliseconds=milliseconds)
        return outcome != FAILED

    def _soon(self, look: Callable[[], Any], otherwise: str) -> Any:
        """What ``look`` finds, asked again for a while: search indexes lag behind."""
        give_up = time.monotonic() + self.patience
        while not (found := look()):
            if time.monotonic() > give_up:
                raise UnexpectedResponse(reason=f"{otherwise} within {self.patience:g} seconds")
            time.sleep(_PAUSE)
        return found

    def _keeper(self, kind: str) -> Callable[[Id], None]:
        """Notes a record as soon as it exists, even if a later request of the same step fails."""
        return lambda log_id: self._leave(kind, log_id)

    def _leave(self, kind: str, identity: Id) -> None:
        self.left.append(f"{kind} {identity}")


class _Remark(Exception):
    """Something to know that is no fault."""


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UnexpectedResponse(reason=otherwise)


def _notations(phone: PhoneNumber) -> tuple[str, ...]:
    return (phone.e164, phone.national, phone.national_format, phone.international_format, *phone.formats)
