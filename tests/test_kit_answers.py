"""The rules about answers can fail: the same mistake is planted in every adapter, and the kit names it."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from adapters import registry
from adapters.contract import (
    AccessDenied,
    ConnectorError,
    Contact,
    ContactMatches,
    CrmUnavailable,
    RateLimited,
    RequestRejected,
)
from tests.answer_rules import (
    appending_faults,
    contact_id_faults,
    early_id_faults,
    explain_faults,
    missing_member_faults,
    other_number_faults,
    page_faults,
    reading_faults,
    says_more,
)
from tests.breaking import case_of
from tests.conformance import failure_faults, golden_faults, runs_with_failures, type_faults
from tests.exchanges import Prepared, cases_of, run
from tests.played import Failure

PLATFORMS = list(registry.manifests())
#: Answers requests that no fixture knows by an empty object.
ANYTHING = Failure("none", lambda recorded: recorded, index=-1)


@pytest.fixture
def planted(monkeypatch):
    """Puts methods in place of an adapter's own; ``sound`` is the class it was."""

    def plant(platform, **methods):
        sound = registry.adapter_class(platform)
        made = {name: make(getattr(sound, name)) for name, make in methods.items()}
        monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), made))

    return plant


def _success(platform, operation):
    case = next(case for case in cases_of(platform) if case.path.stem.startswith(f"{operation}__success"))
    return case, case.load()


def _appending(platform):
    """A case of the adapter in which messages are appended, where it has one."""
    for case in cases_of(platform):
        document = case.load()
        if case.operation == "update_message_log" and document["call"]["change"].get("body") is None:
            return case, document
    return pytest.skip("this CRM's logs of messages are always written anew")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_read_that_writes_is_noticed(platform, planted):
    case, document = _success(platform, "find_contacts")
    assert list(reading_faults(case, run(case, document))) == []

    def marking(sound):
        def find_contacts(self, phone):
            found = sound(self, phone)
            self.http.send("PATCH", f"{document['exchanges'][0]['request']['url']}/1", json={"seen": True})
            self.http.send("DELETE", f"{document['exchanges'][0]['request']['url']}/1", read=True)
            return found

        return find_contacts

    planted(platform, find_contacts=marking)

    written, called_a_read = reading_faults(case, Prepared(case, document).run(ANYTHING))
    assert written.startswith("find_contacts only reads, but PATCH http")
    assert called_a_read.endswith("is called a read, which this method is nowhere")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_messages_appended_to_what_was_not_read_are_noticed(platform, planted):
    case, document = _appending(platform)

    def blindly(sound):
        def update_message_log(self, ref, change):
            self.http.send("PUT", document["exchanges"][0]["request"]["url"], json={"text": "new"})
            return sound(self, ref, change)

        return update_message_log

    planted(platform, update_message_log=blindly)

    assert list(appending_faults(case, Prepared(case, document).run(ANYTHING), document)) == [
        "messages are appended with PUT before the log was read"
    ]


@pytest.mark.parametrize("operation", ["create_call_log", "create_message_log"])
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("mistake", ["another id", "another type", "not reported"])
def test_another_id_than_the_one_reported_early_is_noticed(platform, operation, mistake, planted):
    case, document = _success(platform, operation)
    assert list(early_id_faults(case, run(case, document))) == []

    def wrongly(sound):
        def create(self, entry):
            if mistake == "not reported":
                return sound(self, dataclasses.replace(entry, created=lambda log_id: None))
            result = sound(self, entry)
            other = 1 if mistake == "another id" else f" {result.log_id}"[1:].encode()
            return dataclasses.replace(result, log_id=other)

        return create

    planted(platform, **{operation: wrongly})

    (found,) = early_id_faults(case, run(case, document))
    assert found.startswith("the id returned is ")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("operation", ["find_contacts", "create_contact"])
def test_the_id_of_a_contact_that_changed_its_type_is_noticed(platform, operation, planted):
    case, document = _success(platform, operation)
    assert list(contact_id_faults(run(case, document), document)) == []

    def changed(contact):
        is_text = isinstance(contact.id, str)
        return dataclasses.replace(
            contact, id=int(contact.id) if is_text and contact.id.isdigit() else f"x{contact.id}"
        )

    def wrongly(sound):
        def look(self, **asked):
            result = sound(self, **asked)
            if isinstance(result, Contact):
                return changed(result)
            return dataclasses.replace(result, contacts=tuple(map(changed, result.contacts)))

        return look

    planted(platform, **{operation: wrongly})

    found = list(contact_id_faults(run(case, document), document))
    assert found
    assert all("stands in no answer as it is" in fault for fault in found)


def test_an_id_of_digits_as_a_text_is_another(acme, broken):
    def find_contacts(self, phone):
        found = sound.find_contacts(self, phone)
        return ContactMatches(contacts=tuple(dataclasses.replace(item, id=str(item.id)) for item in found.contacts))

    sound = broken(find_contacts=find_contacts)
    case, document = case_of(acme, "find_contacts__success")

    assert list(contact_id_faults(run(case, document), document)) == [
        "the contact's id '501' stands in no answer as it is"
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_contact_that_is_found_by_whatever_number_is_noticed(platform, planted):
    case, document = _success(platform, "find_contacts")
    recorded = run(case, document)
    assert list(other_number_faults(case, document, recorded)) == []

    planted(platform, find_contacts=lambda sound: lambda self, phone: recorded.result)

    assert list(other_number_faults(case, document, run(case, document))) == [
        f"{len(recorded.result.contacts)} contact(s) are found though all numbers in the answers are others"
    ]


def test_a_success_in_which_no_number_stands_is_noticed(acme):
    case, document = case_of(acme, "find_contacts__success")
    document["exchanges"][0]["response"]["json"]["contacts"] = [{"id": 501, "name": "Dana Fox"}]
    found = run(case, document)
    found.result = ContactMatches(contacts=(Contact(id=501, name="Dana Fox", type="Contact"),))

    assert list(other_number_faults(case, document, found)) == [
        "no answer holds the number that was dialled, so nothing shows that it is compared"
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_error_of_another_kind_where_a_member_is_missing_is_noticed(platform, planted):
    case, _ = _success(platform, "create_call_log")

    def careless(sound):
        def create_call_log(self, entry):
            try:
                return sound(self, entry)
            except ConnectorError:
                raise KeyError("id") from None

        return create_call_log

    planted(platform, create_call_log=careless)

    faults = [fault for _, fault in missing_member_faults([case])]
    assert any("KeyError escaped" in fault for fault in faults), faults


def test_a_result_of_the_wrong_type_where_a_member_is_missing_is_noticed(acme, broken):
    def find_contacts(self, phone):
        rows = self.http.get("contacts", params={"phone": phone.e164}).get("contacts", [])
        return ContactMatches(contacts=tuple(Contact(id=row["id"], name=row.get("name"), type="") for row in rows))

    broken(find_contacts=find_contacts)
    case, _ = case_of(acme, "find_contacts__success")

    assert [fault.partition("without ")[2] for _, fault in missing_member_faults([case])] == [
        "contacts.0.id: KeyError escaped: 'id'",
        "contacts.0.name: the result.contacts.0.name is no str: NoneType",
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("said", [{"has_more": True}, {"paging": {"next": "abc"}}, {"meta": {"total_pages": 99}}])
def test_a_page_that_is_not_read_is_noticed(platform, said, monkeypatch):
    case, document = _success(platform, "find_contacts")
    recorded = run(case, document)
    recorded.result = dataclasses.replace(recorded.result, notice=None)
    assert list(page_faults(case, recorded)) == []

    recorded.sent = [dataclasses.replace(sent, answer={"status": 200, "json": said}) for sent in recorded.sent]

    found = list(page_faults(case, recorded))
    assert found
    assert all("says that there is more, which is never read" in fault for fault in found)


def test_the_last_page_says_that_there_is_no_more():
    assert says_more({"json": {"meta": {"total_pages": 2}}}, after=1)
    assert says_more({"headers": {"Link": '<https://a.example/2>; rel="next"'}}, after=1)
    assert not says_more({"json": {"meta": {"total_pages": 2}}}, after=2)
    assert not says_more({"json": {"next": None, "has_more": False, "next_cursor": ""}}, after=1)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, RequestRejected), (403, RequestRejected), (429, CrmUnavailable), (500, RequestRejected), (503, RateLimited)],
)
def test_an_explanation_that_weakens_a_status_is_noticed(platform, status, error, planted):
    def weaker(sound):
        return lambda self, reply: error(status=status) if reply.status == status else sound(self, reply)

    planted(platform, explain=weaker)
    case, document = _success(platform, "find_contacts")

    found = list(explain_faults(run(case, document).adapter))
    if status == 429:  # the HTTP client believes nothing else of that one
        assert found == []
    else:
        assert found
        assert all(fault.startswith(f"{status} with ") and f"is {error.__name__} for" in fault for fault in found)


def test_the_vendors_own_words_may_say_more_than_the_status(acme, broken):
    def explain(self, reply):
        return AccessDenied(status=401) if dig_code(reply) == "SCOPE" else None

    broken(explain=explain)
    case, document = case_of(acme, "find_contacts__success")

    assert list(explain_faults(run(case, document).adapter)) == []


def dig_code(reply):
    return reply.body.get("code") if isinstance(reply.body, dict) else None


def test_a_recorded_answer_without_content_works(acme):
    case, document = case_of(acme, "update_call_log__success")
    document = copy.deepcopy(document)
    document["exchanges"][0]["response"] = {"status": 204}
    recorded = run(case, document)

    assert list(golden_faults(document, recorded)) == []
    assert list(type_faults(case, recorded)) == []
    assert [
        fault
        for failure, outcome in runs_with_failures(case, document)
        for fault in failure_faults(case, failure, outcome, recorded)
    ] == []


def test_an_adapter_that_reads_what_a_204_does_not_hold_is_noticed(acme, broken):
    def update_call_log(self, ref, change):
        self.http.patch(f"calls/{ref.log_id}", json={"body": change.body})["id"]

    broken(update_call_log=update_call_log)
    case, document = case_of(acme, "update_call_log__success")
    document["exchanges"][0]["response"] = {"status": 204}

    (fault, *_) = golden_faults(document, run(case, document))
    assert fault == "TypeError was raised: 'NoneType' object is not subscriptable"


def test_a_refusal_of_our_own_guard_tells_its_reason_and_not_that_the_crm_refused(acme, broken):
    broken(revoke=lambda self: self.http.delete("https://elsewhere.example/session"))
    case, document = case_of(acme, "revoke__success")

    (fault,) = golden_faults(document, run(case, document))

    assert fault == "RequestRejected was raised: the host is not one of this CRM"


def test_a_refusal_of_the_crm_tells_its_reason_too(acme):
    case, document = case_of(acme, "create_contact__success")
    document["exchanges"][0]["response"] = {"status": 422, "json": {"message": "Name is taken"}}

    (fault,) = golden_faults(document, run(case, document))

    assert "Name is taken" in fault
    (fault,) = golden_faults({**document, "expect": {"raises": "RateLimited"}}, run(case, document))
    assert "Name is taken" in fault
