"""The extension's session at a CRM, the same for every CRM; the folder of each says what its own records look like."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.extension import Extension, call, conversation
from tests.live_server import LiveServer

SESSION = "404430540004"
NOTE = "Wants a <b>quote</b> & café"
RECORDING = "https://media.ringcentral.com/rec/10"

Record = dict[str, Any]


class CrmSession:
    """A subclass in the CRM's folder sets ``me`` and ``server`` in a fixture, for a user of each test's own.

    Its attributes and methods say what the CRM has. A ``see_...`` asserts what is peculiar to the CRM at that point.
    """

    server: LiveServer
    me: Extension
    #: As users read it; who logs in; the contact of most steps, and the number of theirs.
    display: ClassVar[str]
    agent: ClassVar[str]
    caller: ClassVar[str]
    number: ClassVar[str] = "+16505550112"
    #: Of the record of a call: its id, its text, and what changes by itself.
    id_field: ClassVar[str] = "id"
    text_field: ClassVar[str]
    volatile: ClassVar[tuple[str, ...]] = ()
    #: What finds the contact by name, and what finds nobody.
    names: ClassVar[tuple[str, ...]]
    no_name: ClassVar[str] = "Zzyzx Nobody"
    #: Number, name, kind and fields of contacts that the user makes.
    new_contacts: ClassVar[tuple[tuple[str, str, str, Record], ...]]
    #: Whether reading a log tells the name of its contact.
    reads_names: ClassVar[bool] = True
    #: In which a new contact is looked for; each costs requests.
    formats: ClassVar[str] = ""
    second_note: ClassVar[str] = "Second note"
    #: What the extension sends once it knows more of the call.
    later: ClassVar[Record] = {
        "recordingLink": RECORDING,
        "startTime": "2026-05-04T16:31:07.000Z",
        "duration": 190,
        "result": "Call connected",
        "direction": "Inbound",
    }

    # --- what a CRM does in its own way -----------------------------------------------------------------

    def login(self) -> Record:
        """The answer to the login."""
        raise NotImplementedError

    def add_caller(self) -> Record:
        """Puts the contact into the CRM, as somebody there would; as the extension names it."""
        raise NotImplementedError

    def add_others(self) -> list[tuple[str, Record]]:
        """Contacts whose numbers are stored in other notations, each with the number that has to find it."""
        raise NotImplementedError

    def call_of(self, contact: Record) -> Record:
        """The only record of a call with the contact."""
        raise NotImplementedError

    def day_of(self, contact: Record) -> Record:
        """The only record of texts with the contact."""
        raise NotImplementedError

    def written(self, text: str) -> str:
        """As a text of the user stands in a record."""
        return text

    def chosen(self) -> Record:
        """What the user fills in beside the note of a call."""
        return {}

    def chosen_for_texts(self) -> Record:
        return {}

    def conversation(self, contact: Record, count: int, **changes: Any) -> Record:
        return conversation("conv1", contact, count, **changes)

    def type_into(self, record: Record) -> None:
        """Somebody edits the record in the CRM itself."""

    def begin_new_contacts(self) -> None:
        """What makes new contacts hard to find, in a CRM whose search lags."""

    def see_login(self, welcome: Record) -> None: ...
    def see_logout(self) -> None: ...
    def see_caller(self, contact: Record, rows: list[Record]) -> None: ...
    def see_other(self, contact: Record, row: Record) -> None: ...
    def see_nobody(self, reply: Record) -> None: ...
    def see_named(self, contact: Record, row: Record) -> None: ...
    def see_new_contact(self, created: Record, number: str, name: str, kind: str) -> None: ...
    def see_call(self, contact: Record, record: Record) -> None: ...
    def see_details(self, data: Record) -> None: ...
    def see_edited_note(self, record: Record) -> None: ...
    def see_later(self, record: Record) -> None: ...
    def file(self, contact: Record, record: Record) -> None:
        """Chooses dispositions, and sees them in the record."""

    def see_day(self, contact: Record, day: Record, count: int) -> None: ...

    # --- the session ------------------------------------------------------------------------------------

    def test_a_login_is_welcomed_and_ends_with_the_logout(self) -> None:
        welcome = self.login()
        assert (welcome["name"], welcome["returnMessage"]["message"]) == (self.agent, f"Connected to {self.display}.")
        self.see_login(welcome)
        contact = self.add_caller()
        assert self.me.log_call(call(f"{SESSION}-1", contact))["successful"]
        assert self.me.logout()["returnMessage"]["message"] == f"Logged out of {self.display}"
        self.see_logout()
        refused = self.me.send("GET", f"/contact?phoneNumber={self.number}")
        assert (refused.status_code, refused.text) == (400, "Please go to Settings and authorize CRM platform")
        assert "rc-secret-token" not in self.server.log()

    def test_people_are_found_by_their_numbers_in_any_notation_and_by_their_names(self) -> None:
        contact = self.add_caller()
        others = self.add_others()
        self.login()
        rows = self.me.look_up(self.number)["contact"]
        assert (rows[0]["id"], rows[0]["name"]) == (contact["id"], self.caller)
        self.see_caller(contact, rows)
        for number, other in others:
            row = self.me.look_up(number)["contact"][0]
            assert row["id"] == other["id"], number
            self.see_other(other, row)
        unknown = self.me.look_up("+12125550199", formats="")
        assert unknown["successful"] is True
        assert [row["id"] for row in unknown["contact"]] == ["createNewContact"]
        assert unknown["returnMessage"]["message"] == "Contact not found"
        self.see_nobody(unknown)
        for name in self.names:
            [row] = self.me.search(name)["contact"]
            assert row["id"] == contact["id"], name
            self.see_named(contact, row)
        nobody = self.me.search(self.no_name)
        assert nobody["contact"] == []
        assert nobody["returnMessage"]["message"] == f"No contact found with name {self.no_name} "

    def test_a_new_contact_is_found_by_its_number_at_once(self) -> None:
        self.login()
        self.begin_new_contacts()
        for number, name, kind, fields in self.new_contacts:
            created = self.me.create_contact(number, name, kind, **fields)["contact"]
            self.see_new_contact(created, number, name, kind)
            found = self.me.look_up(number, self.formats)["contact"]
            assert created["id"] in [row["id"] for row in found]
            assert " ".join(name.split()) in [row["name"] for row in found]

    def test_a_call_is_logged_once_read_edited_and_filed(self) -> None:
        contact = self.add_caller()
        self.login()
        me = self.me
        logged = me.log_call(call(SESSION, contact, additionalSubmission=self.chosen()))
        assert (logged["successful"], logged["returnMessage"]["message"]) == (True, "Call logged")
        again = me.log_call(call(SESSION, contact, note="again"))
        existing = (False, f"Existing log for session {SESSION}")
        assert (again["successful"], again["returnMessage"]["message"]) == existing
        record = self.call_of(contact)
        assert record[self.id_field] == logged["logId"]
        assert self.written(NOTE) in record[self.text_field]
        assert "rc-secret-token" not in str(record)
        self.see_call(contact, record)

        matched, unmatched = me.logged(SESSION, "99999999")
        assert (matched["matched"], matched["logId"]) == (True, logged["logId"])
        assert unmatched == {"sessionId": "99999999", "matched": False}
        [detail] = me.logged(SESSION, details=True)
        data = detail["logData"]
        assert detail["logId"] == logged["logId"]
        subject = f"Inbound Call from {self.caller}"
        assert (data["note"], data["subject"]) == (NOTE, subject)
        assert data["contactName"] == (self.caller if self.reads_names else "")
        self.see_details(data)

        self.type_into(record)
        before = self.call_of(contact)
        edited = me.edit_call(SESSION, note=self.second_note)
        assert (edited["successful"], edited["returnMessage"]["message"]) == (True, "Call log updated.")
        record = self.call_of(contact)
        text = before[self.text_field].replace(self.written(NOTE), self.written(self.second_note))
        assert self._steady(record) == {**self._steady(before), self.text_field: text}
        self.see_edited_note(record)

        assert me.edit_call(SESSION, **self.later)["successful"]
        record = self.call_of(contact)
        assert RECORDING in record[self.text_field]
        assert self.written(self.second_note) in record[self.text_field]
        self.see_later(record)
        self.file(contact, record)

    def test_the_texts_of_a_day_join_one_log(self) -> None:
        contact = self.add_caller()
        self.login()
        me = self.me
        first = me.log_messages(self.conversation(contact, 3, additionalSubmission=self.chosen_for_texts()))
        assert len(first["logIds"]) == 3
        self.see_day(contact, self.day_of(contact), 3)
        assert len(me.log_messages(self.conversation(contact, 5))["logIds"]) == 2
        nothing_new = {"successful": True, "logIds": [], "returnMessage": None}
        assert me.log_messages(self.conversation(contact, 5)) == nothing_new
        day = self.day_of(contact)
        assert "Conversation(5 messages)" in day[self.text_field]
        texts = [self.written(f"text number {index} <i>&</i> ñ") for index in range(5)]
        assert [day[self.text_field].count(text) for text in texts] == [1] * 5
        assert sorted(texts, key=day[self.text_field].index) == texts
        self.see_day(contact, day, 5)

    def _steady(self, record: Record) -> Record:
        return {name: value for name, value in record.items() if name not in self.volatile}
