"""The failure table can fail: an adapter that answers a failure wrongly is caught, once for each way."""

from __future__ import annotations

from adapters.contract import (
    Contact,
    ContactMatches,
    CrmUnavailable,
    LoggedCall,
    LogResult,
    RateLimited,
    RequestRejected,
    dig,
)
from adapters.contract.errors import ConnectorError
from tests.breaking import case_of, exchange, write_case
from tests.conformance import (
    blind_edits,
    failure_faults,
    repeated_writes,
    runs_with_failures,
    turns_of,
)
from tests.exchanges import run


def _faults_with_failures(folder, name):
    case, document = case_of(folder, name)
    recorded, faults = run(case, document), []
    for failure, outcome in runs_with_failures(case, document):
        found = [
            *failure_faults(case, failure, outcome, recorded),
            *repeated_writes(outcome, recorded),
            *blind_edits(case, failure, outcome, document),
        ]
        faults += [f"{failure.name}: {fault}" for fault in found]
    return faults


def test_a_sound_adapter_has_no_fault_in_any_failure(acme):
    for path in (acme / "fixtures").glob("*.json"):
        assert _faults_with_failures(acme, path.stem) == []


def test_cases_in_the_same_situation_share_the_failures_and_leave_none_out(acme):
    success, document = case_of(acme, "create_call_log__success")
    for name in "abcdefgh":
        write_case(acme, f"create_call_log__{name}", **document)
    cases = [success, *(case_of(acme, f"create_call_log__{name}")[0] for name in "abcdefgh")]
    turns = turns_of(cases)

    met = [[failure.name for failure, _ in runs_with_failures(case, document, turns)] for case in cases]

    every = [failure.name for failure, _ in runs_with_failures(success, document)]
    assert met[0] == every
    table = [failure.name for failure, _ in runs_with_failures(cases[1], document)]
    assert sorted(name for names in met[1:] for name in names) == sorted(table)
    assert all(len(names) <= len(table) // 8 + 1 for names in met[1:])


def test_another_situation_meets_every_failure_anew(acme):
    success, document = case_of(acme, "update_message_log__appended")
    other = {**document, "exchanges": [{**document["exchanges"][0], "response": {"status": 404, "json": {}}}]}
    write_case(acme, "update_message_log__gone", **other)
    write_case(acme, "get_call_log__other", **{**other, "exchanges": document["exchanges"][1:]})
    cases = [success, *(case_of(acme, name)[0] for name in ("update_message_log__gone", "get_call_log__other"))]

    assert turns_of(cases) == {
        ("update_message_log__appended", 0): 0,
        ("update_message_log__appended", 1): 0,
        ("update_message_log__gone", 0): 1,  # the same first request of the same operation
        ("get_call_log__other", 0): 0,  # another operation
    }


def test_an_error_that_is_none_of_the_contract_is_noticed(acme, broken):
    broken(create_contact=lambda self, draft: Contact(id=self.http.post("contacts", json={})["id"], name="", type=""))

    faults = _faults_with_failures(acme, "create_contact__success")

    assert "shape: object: KeyError escaped: 'id'" in faults
    assert any(fault.startswith("empty: TypeError escaped") for fault in faults)


def test_the_wrong_class_of_error_is_noticed(acme, broken):
    sound = broken(find_contacts=lambda self, phone: _translated(lambda: sound.find_contacts(self, phone)))

    faults = _faults_with_failures(acme, "find_contacts__success")

    assert "401: RequestRejected () was raised, not CredentialsRejected" in faults
    assert "503: RequestRejected () was raised, not CrmUnavailable" in faults
    assert "timeout: RequestRejected () was raised, not CrmUnavailable" in faults


def _translated(call):
    try:
        return call()
    except ConnectorError:
        raise RequestRejected from None


def test_what_the_adapter_explains_itself_is_the_right_class(acme, broken):
    def explain(self, reply):
        is_theirs = reply.status == 403 and "retry-after" not in reply.headers
        return CrmUnavailable(status=403) if is_theirs else None

    broken(explain=explain)

    assert _faults_with_failures(acme, "find_contacts__success") == []


def test_a_retry_after_that_gets_lost_is_noticed(acme, broken):
    broken(explain=lambda self, reply: RateLimited(retry_after=60) if reply.status == 429 else None)

    assert _faults_with_failures(acme, "find_contacts__success") == [
        "429 with Retry-After: the vendor asked for 7 seconds, the error says 60"
    ]


def test_a_write_in_doubt_that_is_denied_is_noticed(acme, broken):
    def create_call_log(self, entry):
        try:
            return sound.create_call_log(self, entry)
        except CrmUnavailable:
            raise CrmUnavailable from None

    sound = broken(create_call_log=create_call_log)

    faults = _faults_with_failures(acme, "create_call_log__success")

    assert [fault.partition(":")[0] for fault in faults] == ["timeout", "drop", "500", "503", "408", "409"]
    assert all("denies maybe_applied" in fault for fault in faults)


def test_doubt_about_a_write_that_was_never_sent_is_noticed(acme, broken):
    def update_message_log(self, ref, change):
        try:
            return sound.update_message_log(self, ref, change)
        except CrmUnavailable as error:
            error.maybe_applied = True
            raise

    sound = broken(update_message_log=update_message_log)

    assert any(
        "html: CrmUnavailable" in fault and "nothing can have been written" in fault
        for fault in _faults_with_failures(acme, "update_message_log__appended")
    )


def test_an_outage_that_looks_like_nobody_found_is_noticed(acme, broken):
    def find_contacts(self, phone):
        try:
            return sound.find_contacts(self, phone)
        except CrmUnavailable:
            return ContactMatches()

    sound = broken(find_contacts=find_contacts)

    faults = _faults_with_failures(acme, "find_contacts__success")

    assert "503: 1 contact(s) are missing and nobody is told" in faults
    assert not any(fault.startswith("404") for fault in faults)


def test_a_write_that_failed_in_silence_is_noticed(acme, broken):
    def update_call_log(self, ref, change):
        try:
            return sound.update_call_log(self, ref, change)
        except ConnectorError:
            return LogResult(log_id=ref.log_id)

    sound = broken(update_call_log=update_call_log)

    assert "400: a write failed and nobody is told" in _faults_with_failures(acme, "update_call_log__success")


def test_a_log_that_is_called_missing_during_an_outage_is_noticed(acme, broken):
    def find_call_log(self, marker):
        try:
            return int(self.http.get("calls")["id"])
        except (ConnectorError, TypeError, KeyError):
            return None

    broken(find_call_log=find_call_log)
    write_case(
        acme,
        "find_call_log__success",
        call={"marker": {"marker": "s-1", "contact": {"id": "501"}}},
        exchanges=[exchange("GET", "calls", {"id": 7})],
        expect=7,
    )

    assert "timeout: the log is said not to be there, though the CRM did not say so" in _faults_with_failures(
        acme, "find_call_log__success"
    )


def test_a_session_that_is_called_invalid_during_an_outage_is_noticed(acme, broken):
    def validate_session(self):
        try:
            self.http.get("me")
        except ConnectorError:
            return False
        return True

    broken(validate_session=validate_session)
    write_case(acme, "validate_session__success", exchanges=[exchange("GET", "me", {})], expect=True)

    faults = _faults_with_failures(acme, "validate_session__success")

    assert "503: the session is called invalid, though the CRM did not refuse it" in faults
    assert not any(fault.startswith("401") for fault in faults)


def test_a_write_that_is_sent_again_is_noticed(acme, broken):
    def create_call_log(self, entry):
        try:
            return sound.create_call_log(self, entry)
        except CrmUnavailable:
            return sound.create_call_log(self, entry)

    sound = broken(create_call_log=create_call_log)

    faults = _faults_with_failures(acme, "create_call_log__success")

    assert faults == [
        f"{name}: POST https://api.acme.example/v1/calls was sent 2 times"
        for name in ("timeout", "drop", "500", "503", "408", "409")
    ]


def test_an_edit_on_top_of_a_body_that_could_not_be_read_is_noticed(acme, broken):
    def update_message_log(self, ref, change):
        body = dig(self.http.get(f"conversations/{ref.log_id}"), "body", str, "")
        self.http.patch(f"conversations/{ref.log_id}", json={"body": change.append(body, change.messages)})
        return LogResult(log_id=ref.log_id)

    def get_call_log(self, ref):
        return LoggedCall(body=dig(self.http.get(f"calls/{ref.log_id}"), "body", str, ""))

    broken(update_message_log=update_message_log, get_call_log=get_call_log)

    blind = [fault for fault in _faults_with_failures(acme, "update_message_log__appended") if "was written" in fault]
    assert "shape: leaves: something was written although the log could not be read" in blind
    empty = [fault for fault in _faults_with_failures(acme, "get_call_log__success") if "empty one" in fault]
    assert "shape: object: a body that could not be read was taken for an empty one" in empty
