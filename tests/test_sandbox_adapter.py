"""The Test CRM's adapter against the running sandbox CRM: every operation, with nothing replaced in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.contract import (
    AdapterContext,
    Assignee,
    CallLogChange,
    CallLogEntry,
    ContactDraft,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Direction,
    Disposition,
    HttpClient,
    LoginForm,
    LogMarker,
    LogRef,
    Manifest,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    OAuthCallback,
    Options,
    OutboundPolicy,
    RateLimited,
    RecordNotFound,
    ReferenceGone,
    UserProfile,
    parse_phone,
)
from adapters.readiness.checklist import MemoryCache
from adapters.testcrm.adapter import Adapter
from tests.sandbox import Sandbox, start_sandbox

MANIFEST = Manifest.parse((Path(__file__).parents[1] / "adapters/testcrm/manifest.json").read_text())
REDIRECT = MANIFEST.server.auth.redirect_uri
STARTED = datetime(2026, 5, 4, 16, 31, 7, tzinfo=UTC)


def adapter_of(
    sandbox: Sandbox,
    credentials: Credentials,
    *,
    user: UserProfile | None = None,
    options: Mapping[str, Any] | None = None,
) -> Adapter:
    context = AdapterContext(
        manifest=MANIFEST,
        user=user or UserProfile(id="", name=""),
        credentials=credentials,
        options=Options(values=options or {}),
        secrets={**MANIFEST.server.settings, "TEST_CRM_URL": sandbox.url},
        cache=MemoryCache(),
    )
    http = HttpClient(
        base_url=Adapter.base_url(context),
        hosts=[urlsplit(sandbox.url).netloc],
        headers=Adapter.auth_headers(context),
        policy=OutboundPolicy(allow_private_addresses=True, allow_plain_http=True),
        adapter=MANIFEST.name,
    )
    return Adapter(http=http, context=context)


def connect(sandbox: Sandbox, key: str, **options: Any) -> Adapter:
    """The adapter of somebody who has logged in with an API key; each test takes a key, and so data, of its own."""
    credentials = adapter_of(sandbox, Credentials()).login(LoginForm(fields={"apiKey": key}))
    return adapter_of(sandbox, credentials, user=adapter_of(sandbox, credentials).user_profile(), options=options)


def log_in(sandbox: Sandbox) -> Credentials:
    asked = {"response_type": "code", "client_id": "switchboard", "redirect_uri": REDIRECT, "state": "platform=testCRM"}
    answer = sandbox.request("POST", "/oauth/authorize", data={**asked, "user": "Robin Vale", "decision": "allow"})
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    return adapter_of(sandbox, Credentials()).exchange_code(OAuthCallback(code=code, redirect_uri=REDIRECT))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    server = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield server
    server.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def call(contact_id: int | str, created: list[Any] | None = None, **changes: Any) -> CallLogEntry:
    entry = CallLogEntry(
        session_id="404430540004",
        direction=Direction.INBOUND,
        contact=ContactRef(id=contact_id, type="Contact", name="Luke Skywalker", phone="+16505551212"),
        started_at=STARTED,
        duration=187,
        result="Accepted",
        subject="Inbound Call from Luke Skywalker",
        body="- Note: wants a quote",
        created=([] if created is None else created).append,
    )
    return replace(entry, **changes)


def test_a_colleague_is_found_by_an_extension_and_nobody_by_a_part_of_one(sandbox):
    adapter = adapter_of(sandbox, Credentials(access_token="demo-key"))
    created = adapter.create_contact(ContactDraft(name="Robin Vale", phone=parse_phone("204"), type="Contact"))

    found = adapter.find_contacts(parse_phone("204", is_extension=True)).contacts

    assert [contact.id for contact in found] == [created.id]
    assert adapter.find_contacts(parse_phone("04", is_extension=True)).contacts == ()


def luke(adapter: Adapter) -> int | str:
    return adapter.find_contacts(parse_phone("+16505551212")).contacts[0].id


# --- logins --------------------------------------------------------------------------------------


def test_an_api_key_opens_the_account_of_the_person_it_belongs_to(sandbox: Sandbox) -> None:
    profile = connect(sandbox, "acme-login").user
    assert (profile.account_id, profile.timezone) == ("acme", "America/Los_Angeles")
    assert profile.hostname == urlsplit(sandbox.url).netloc
    assert connect(sandbox, "login").user.account_id == ""


@pytest.mark.parametrize("key", ["", "  ", "bad-key"])
def test_a_wrong_key_is_refused(sandbox: Sandbox, key: str) -> None:
    with pytest.raises(CredentialsRejected):
        connect(sandbox, key)
    if key.strip():
        assert not adapter_of(sandbox, Credentials(access_token=key)).validate_session()


def test_logging_out_with_an_api_key_leaves_the_key_to_its_owner(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "kept-key")
    adapter.revoke()
    assert adapter.validate_session()


def test_an_oauth_login_is_renewed_with_each_refresh_token_once(sandbox: Sandbox) -> None:
    first = log_in(sandbox)
    adapter = adapter_of(sandbox, first)
    assert adapter.user_profile().name == "Robin Vale"
    second = adapter.refresh(first, keep=lambda credentials: None)
    assert second.refresh_token != first.refresh_token
    assert adapter_of(sandbox, second).refresh_user().id == adapter.user_profile().id
    with pytest.raises(CredentialsRejected) as refused:
        adapter.refresh(first, keep=lambda credentials: None)
    assert refused.value.final


def test_logging_out_of_oauth_makes_both_tokens_useless(sandbox: Sandbox) -> None:
    credentials = log_in(sandbox)
    adapter = adapter_of(sandbox, credentials)
    assert adapter.validate_session()
    adapter.revoke()
    assert not adapter.validate_session()
    with pytest.raises(CredentialsRejected):
        adapter.refresh(credentials, keep=lambda kept: None)


# --- contacts ------------------------------------------------------------------------------------


def test_a_look_up_is_one_request_and_brings_the_open_deals(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "lookup-key")
    sandbox.reset()
    matches = adapter.find_contacts(parse_phone(" 16505551212", formats="(###) ###-####,###-###-####"))
    assert sandbox.requests_seen() == ["GET /api/contacts"]
    assert [(contact.name, contact.type, contact.phone) for contact in matches.contacts] == [
        ("Luke Skywalker", "Contact", "+16505551212")
    ]
    assert [choice.const for choice in matches.contacts[0].additional_info["deals"]] == ["deal-7", "deal-8"]
    assert matches.new_contact is not None


def test_closed_deals_are_offered_to_those_who_want_them(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "lookup-key", testCrmShowClosedDeals=True)
    contact = adapter.find_contacts(parse_phone("+16505551212")).contacts[0]
    assert [choice.const for choice in contact.additional_info["deals"]] == ["deal-7", "deal-8", "deal-9"]


def test_a_hit_with_another_number_is_not_shown_but_accounted_for(sandbox: Sandbox) -> None:
    matches = connect(sandbox, "lookup-key").find_contacts(parse_phone("+14155550133"))
    assert [contact.name for contact in matches.contacts] == ["Harrow Lane Bakery"]
    assert len(matches.dropped) == 1
    assert "Kiosk" not in matches.dropped[0].reason


def test_people_who_share_a_number_are_all_found(sandbox: Sandbox) -> None:
    matches = connect(sandbox, "lookup-key").find_contacts(parse_phone("+12125550187"))
    assert [contact.name for contact in matches.contacts] == ["Orla Finch", "Pell Finch"]


def test_a_new_contact_is_found_by_number_and_by_name(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "create-key")
    phone = parse_phone("+12125550177")
    created = adapter.create_contact(ContactDraft(name="Ada Byron", phone=phone))
    assert adapter.find_contacts(phone).contacts == (created,)
    assert adapter.find_contacts_by_name("ada").contacts == (created,)


# --- call logs -----------------------------------------------------------------------------------


def test_a_call_log_is_written_read_edited_and_linked(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "call-key", testCrmCategory="sales")
    created: list[Any] = []
    log_id = adapter.create_call_log(
        call(str(luke(adapter)), created, submission={"deals": "deal-7", "departmentName": "Support"})
    ).log_id
    ref = LogRef(log_id=str(log_id))
    assert created == [log_id]
    logged = adapter.get_call_log(ref)
    assert (logged.subject, logged.body) == ("Inbound Call from Luke Skywalker", "- Note: wants a quote")
    assert (logged.contact_name, logged.started_at, logged.duration) == ("Luke Skywalker", STARTED, 187)
    assert logged.dispositions["deals"] == "deal-7"

    adapter.update_call_log(ref, CallLogChange(body="- Note: second", duration=190, current=logged))
    assert adapter.set_disposition(ref, Disposition(fields={"note": "second"})) is None
    assert adapter.set_disposition(ref, Disposition(fields={"deals": None})) is not None
    changed = adapter.get_call_log(ref)
    assert (changed.subject, changed.body, changed.duration) == (logged.subject, "- Note: second", 190)
    assert changed.dispositions["deals"] is None
    stored = sandbox.activities("call-key")[0]
    assert (stored["category"], stored["department"], stored["direction"]) == ("sales", "Support", "inbound")


def test_a_call_log_of_an_unfinished_call_has_no_duration_yet(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "pending-key")
    log_id = adapter.create_call_log(call(luke(adapter), duration=None)).log_id
    assert adapter.get_call_log(LogRef(log_id=str(log_id))).duration is None


def test_an_uncertain_write_can_be_settled_by_its_session_id(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "lost-key")
    entry = call(luke(adapter))
    for written in (False, True):
        sandbox.fail(
            {"method": "POST", "path_prefix": "/api/activities", "drop": "after_commit" if written else "before"}
        )
        with pytest.raises(CrmUnavailable) as lost:
            adapter.create_call_log(entry)
        assert lost.value.maybe_applied
        assert (adapter.find_call_log(entry.as_marker()) is not None) is written
    assert adapter.find_call_log(entry.as_marker()) == sandbox.activities("lost-key")[0]["id"]
    assert adapter.find_message_log(entry.as_marker()) is None


def test_a_log_can_be_written_for_a_colleague_and_is_found_as_theirs(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "assign-key")
    colleague = next(user for user in adapter.list_users() if user.name == "Test User 2")
    entry = call(luke(adapter), assignee=Assignee(user_id=str(colleague.id)))
    log_id = adapter.create_call_log(entry).log_id
    assert adapter.find_call_log(entry.as_marker()) == log_id
    assert adapter.find_call_log(replace(entry, assignee=None).as_marker()) is None
    assert sandbox.activities("assign-key")[0]["owner_name"] == "Test User 2"


def test_logging_with_a_deleted_contact_says_that_it_is_gone(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "gone-key")
    contact_id = luke(adapter)
    sandbox.request("DELETE", f"/api/contacts/{contact_id}", key="gone-key")
    with pytest.raises(ReferenceGone, match="contact"):
        adapter.create_call_log(call(contact_id))
    assert sandbox.activities("gone-key") == []


def test_a_deleted_call_log_is_reported_as_gone(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "gone-log-key")
    log_id = str(adapter.create_call_log(call(luke(adapter))).log_id)
    sandbox.request("DELETE", f"/api/activities/{log_id}", key="gone-log-key")
    with pytest.raises(RecordNotFound):
        adapter.get_call_log(LogRef(log_id=log_id))


def test_a_rate_limit_says_when_to_come_back(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "busy-key")
    contact_id = luke(adapter)
    sandbox.fail({"method": "POST", "path_prefix": "/api/activities", "status": 429, "retry_after": 7})
    with pytest.raises(RateLimited) as limited:
        adapter.create_call_log(call(contact_id))
    assert (limited.value.retry_after, limited.value.maybe_applied) == (7, False)


# --- message logs --------------------------------------------------------------------------------


def message(number: int) -> Message:
    return Message(
        id=str(number),
        kind=MessageKind.SMS,
        direction=Direction.OUTBOUND,
        sent_at=STARTED + timedelta(minutes=number),
        text=f"text number {number}",
    )


def append(body: str, messages: Any) -> str:
    return "\n".join([body, *(item.text for item in messages)])


def test_new_messages_are_added_to_what_somebody_wrote_into_the_crm(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "sms-key")
    contact = ContactRef(id=luke(adapter))
    created: list[Any] = []
    entry = MessageLogEntry(
        conversation_log_id="conv/2026-05-04",
        contact=contact,
        messages=(message(1), message(2)),
        subject="SMS conversation with Luke Skywalker",
        body="text number 1\ntext number 2",
        started_at=STARTED,
        ended_at=STARTED,
        created=created.append,
    )
    log_id = adapter.create_message_log(entry).log_id
    ref = LogRef(log_id=str(log_id))
    assert created == [log_id]
    sandbox.request("PATCH", f"/api/activities/{log_id}", key="sms-key", json={"body": "text number 1 (important)"})
    sandbox.reset()
    change = MessageLogChange(contact=contact, messages=(message(3), message(4)), append=append, ended_at=STARTED)
    adapter.update_message_log(ref, change)
    assert sandbox.requests_seen() == [f"GET /api/activities/{log_id}", f"PATCH /api/activities/{log_id}"]
    [stored] = sandbox.activities("sms-key")
    assert stored["body"] == "text number 1 (important)\ntext number 3\ntext number 4"
    assert adapter.find_message_log(entry.as_marker()) == log_id
    assert adapter.find_message_log(LogMarker(marker="conv/2026-05-05", contact=contact)) is None


def test_a_shared_conversation_is_rewritten_whole(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "shared-key")
    contact = ContactRef(id=luke(adapter))
    entry = MessageLogEntry(
        conversation_log_id="shared", contact=contact, body="old", is_shared=True, started_at=STARTED, ended_at=STARTED
    )
    ref = LogRef(log_id=str(adapter.create_message_log(entry).log_id))
    adapter.update_message_log(ref, MessageLogChange(contact=contact, body="new", is_shared=True, ended_at=STARTED))
    assert sandbox.activities("shared-key")[0]["body"] == "new"


# --- the rest ------------------------------------------------------------------------------------


def test_the_licence_is_valid(sandbox: Sandbox) -> None:
    assert connect(sandbox, "licence-key").license_status().is_valid


def test_the_categories_are_read_once_and_accepted_by_the_crm(sandbox: Sandbox) -> None:
    adapter = connect(sandbox, "category-key")
    sandbox.reset()
    choices = adapter.account_data("categories")
    assert adapter.account_data("categories") == choices
    assert sandbox.requests_seen() == ["GET /api/categories"]
    for choice in choices:
        chosen = connect(sandbox, "category-key", testCrmCategory=choice["const"])
        chosen.create_call_log(call(luke(chosen), session_id=choice["const"]))
