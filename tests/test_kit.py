"""The conformance kit can fail: an adapter that breaks a rule is caught; for failures see ``test_kit_failures``."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from datetime import datetime

import pytest
import requests

from adapters import registry
from adapters.contract import (
    Contact,
    ContactMatches,
    Credentials,
    CredentialsRejected,
    HttpClient,
    LogResult,
    Notice,
    RequestRejected,
    UserProfile,
)
from adapters.contract.errors import ConnectorError
from tests.breaking import case_of, exchange, write_case
from tests.comparison import mismatch
from tests.conformance import (
    coverage_faults,
    golden_faults,
    leak_faults,
    log_records,
    not_exempt,
    request_faults,
    runs_with_failures,
    type_faults,
)
from tests.contract_types import type_fault
from tests.exchanges import Case, all_cases, run
from tests.further_adapters import only_adapters_in
from tests.login_rules import revoke_faults, state_faults, token_faults
from tests.private_values import private_values

CASES = [
    case
    for case in all_cases()
    if case.path.stem.endswith("__success") and case.operation == "create_call_log" and case.load()["exchanges"]
]


# --- 3 coverage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["find_contacts__none", "find_contacts__several", "revoke__success", "login__success", "get_call_log__success"],
)
def test_a_case_that_is_not_there_is_missed(acme, name):
    (acme / "fixtures" / f"{name}.json").unlink()

    assert coverage_faults("acme") == [f"there is no case {name}"]


def test_a_success_that_expects_an_error_is_none(acme):
    case, document = case_of(acme, "create_contact__success")
    case.path.write_text(json.dumps({**document, "expect": {"raises": "RateLimited"}}))

    assert coverage_faults("acme") == ["create_contact__success.json expects an error"]


def test_a_case_of_an_operation_that_does_not_exist_is_noticed(acme):
    (acme / "fixtures" / "find_contact__success.json").write_text('{"source": "a test"}')

    assert coverage_faults("acme") == ["find_contact__success.json names no operation"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"credentals": {}}, "get_call_log__success.json has the unknown key credentals"),
        ({"exchanges": [{"requets": {}}]}, "get_call_log__success.json has the unknown key exchanges.0.requets"),
        (
            {"exchanges": [{"request": {"jsn": {}}, "response": {"stats": 200}}]},
            "get_call_log__success.json has the unknown key exchanges.0.request.jsn",
        ),
        ({"source": ""}, "get_call_log__success.json does not say where it comes from"),
    ],
)
def test_a_misspelt_key_and_a_missing_source_are_noticed(acme, change, fault):
    case, document = case_of(acme, "get_call_log__success")
    case.path.write_text(json.dumps({**document, **change}))

    assert coverage_faults("acme")[0] == fault


# --- 4 golden --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_the_fixture_does_not_know_is_noticed(case):
    document = copy.deepcopy(case.load())
    document["exchanges"][0]["request"]["url"] += "/elsewhere"

    outcome = run(case, document)

    assert outcome.unmatched
    assert outcome.unused
    assert list(golden_faults(document, outcome))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_body_that_differs_is_noticed(case):
    document = copy.deepcopy(case.load())
    for recorded in document["exchanges"]:
        recorded["request"]["json"] = {"unexpected": True}

    assert run(case, document).unmatched


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_body_that_the_fixture_does_not_mention_is_noticed(case):
    document = copy.deepcopy(case.load())
    for recorded in document["exchanges"]:
        recorded["request"].pop("json", None)
        recorded["request"].pop("form", None)

    assert run(case, document).unmatched


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_result_that_differs_is_noticed(case):
    document = {**case.load(), "expect": {"log_id": "another id"}}

    assert list(golden_faults(document, run(case, document)))


@pytest.mark.parametrize(
    ("expected", "actual"),
    [("1", 1), (1, "1"), (True, 1), (None, ""), ([1], [1, 2]), ({"a": 1}, {}), ("x", None), ({"raises": "X"}, {})],
)
def test_ids_of_another_type_and_missing_members_are_differences(expected, actual):
    assert mismatch(expected, actual)


def test_a_list_of_other_length_is_explained_in_words():
    assert mismatch([1], (1, 2)) == "result: expected 1 items, got 2: (1, 2)"


# --- 5 types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ({"id": 41}, "the result is no UserProfile: dict"),
        (UserProfile(id="", name="Robin Vale"), "the result.id is no id: ''"),
        (UserProfile(id=True, name="Robin Vale"), "the result.id is no id: True"),
        (UserProfile(id=1, name=None), "the result.name is no str: NoneType"),
        (UserProfile(id=1, name="Robin Vale", extra={"since": {1, 2}}), "the result.extra.since cannot be written as"),
        (UserProfile(id=1, name="Robin Vale", extra={1: "x"}), "the result.extra has a key that is no text: 1"),
    ],
)
def test_a_profile_that_is_not_what_the_contract_says_is_noticed(acme, broken, result, fault):
    broken(user_profile=lambda self: result)
    case, document = case_of(acme, "user_profile__success")

    (found,) = type_faults(case, run(case, document))

    assert found.startswith(fault)


def test_a_time_without_zone_deep_in_a_result_is_noticed():
    matches = ContactMatches(contacts=(Contact(id=1, name="A", type="", created_at=datetime(2026, 1, 1)),))

    assert "result.contacts.0.created_at is no time with a zone" in type_fault(ContactMatches, matches, "result")


def test_a_list_where_a_tuple_belongs_is_noticed():
    assert type_fault(ContactMatches, ContactMatches(contacts=[]), "result") == "result.contacts is no tuple: list"


@pytest.mark.parametrize(
    "value", [(None,), (None, "done"), ({}, Notice(message="done")), [None, Notice(message="done")]]
)
def test_a_pair_of_unlike_values_is_looked_at_value_by_value(value):
    pair = tuple[Credentials | None, Notice]

    assert type_fault(pair, (Credentials(), Notice(message="done")), "result") == ""
    assert type_fault(pair, value, "result")


def test_an_id_reported_early_and_credentials_kept_are_looked_at_too(acme, broken):
    def create_call_log(self, entry):
        entry.created(1.5)
        return LogResult(log_id=1)

    broken(create_call_log=create_call_log)
    case, document = case_of(acme, "create_call_log__success")

    assert list(type_faults(case, run(case, document))) == ["the id reported is no id: 1.5"]


# --- 8 login ---------------------------------------------------------------------------------------


@pytest.fixture
def sandbox_login():
    """The one adapter here that logs in by OAuth and is not under test: its case and a way to break it."""

    def load(operation):
        sandboxes = [name for name, manifest in registry.manifests().items() if manifest.server.sandbox]
        by_oauth = {case.platform for case in all_cases() if case.operation == "exchange_code"}
        platform = next(name for name in sandboxes if name in by_oauth)
        case = next(case for case in all_cases() if case.operation == operation and case.platform == platform)
        case = Case(case.platform, case.path.with_name(f"{operation}__success.json"))
        return case, case.load()

    return load


@pytest.mark.parametrize("operation", ["exchange_code", "refresh"])
def test_a_sound_login_has_no_fault(sandbox_login, operation):
    assert list(token_faults(*sandbox_login(operation))) == []


@pytest.mark.parametrize("operation", ["exchange_code", "refresh"])
def test_a_login_that_goes_on_without_a_token_is_noticed(sandbox_login, operation, monkeypatch):
    case, document = sandbox_login(operation)
    sound = registry.adapter_class(case.platform)

    def login(self, *arguments, **named):
        try:
            return getattr(sound, operation)(self, *arguments, **named)
        except ConnectorError:
            return Credentials()

    monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), {operation: login}))

    assert list(token_faults(case, document)) == [
        "invalid_grant is answered by NoneType, not CredentialsRejected",
        "no token is answered by NoneType, not CredentialsRejected",
    ]


def test_a_refused_refresh_token_that_is_not_final_is_noticed(sandbox_login, monkeypatch):
    case, document = sandbox_login("refresh")
    sound = registry.adapter_class(case.platform)

    def refresh(self, credentials, *, keep):
        try:
            return sound.refresh(self, credentials, keep=keep)
        except CredentialsRejected:
            raise CredentialsRejected from None

    monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), {"refresh": refresh}))

    assert list(token_faults(case, document)) == [
        "a refresh token that was refused is not final, so it is tried for ever"
    ]


def test_a_logout_that_revokes_no_token_is_noticed(sandbox_login, monkeypatch):
    case, document = sandbox_login("revoke")
    sound = registry.adapter_class(case.platform)
    assert list(revoke_faults(document, run(case, document))) == []

    monkeypatch.setattr(
        registry, "adapter_class", lambda platform: type("Adapter", (sound,), {"revoke": lambda self: 0})
    )

    assert list(revoke_faults(document, run(case, document))) == ["no request carries a token to be revoked"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"authUrl": "https://acme.example/authorize?state=fixed"}, "client.auth.oauth.authUrl sets a parameter"),
        ({"scope": "scope=a&state=fixed"}, "client.auth.oauth.scope sets a parameter"),
        ({"redirectUri": "https://acme.example/elsewhere"}, "redirectUri and server.auth.redirect_uri differ"),
        ({"customState": "platform=other"}, "the state 'platform=other' does not lead back to"),
    ],
)
def test_a_state_that_gets_lost_is_noticed(change, fault):
    manifest = next(item for item in registry.manifests().values() if item.server.auth.type == "oauth")
    client = copy.deepcopy(dict(manifest.client))
    client["auth"]["oauth"].update(change)

    (found,) = state_faults(dataclasses.replace(manifest, client=client))

    assert fault in found


# --- 9 hygiene -------------------------------------------------------------------------------------


def _request_faults(folder, name):
    case, document = case_of(folder, name)
    return list(request_faults(registry.manifests()["acme"], run(case, document)))


def test_a_client_of_the_adapters_own_that_goes_elsewhere_is_noticed(acme, broken):
    def revoke(self):
        HttpClient(base_url="", hosts=["elsewhere.example"]).get("https://elsewhere.example/bye")

    broken(revoke=revoke)
    write_case(
        acme,
        "revoke__success",
        exchanges=[
            {
                "request": {"method": "GET", "url": "https://elsewhere.example/bye"},
                "response": {"status": 200, "json": {}},
            }
        ],
    )

    assert _request_faults(acme, "revoke__success") == [
        "a request left the hosts of the manifest: https://elsewhere.example/bye",
        "a request went past the HTTP client: https://elsewhere.example/bye",
    ]


def test_a_request_without_timeout_past_the_client_is_noticed(acme, broken):
    def revoke(self):
        requests.delete("https://api.acme.example/v1/session")

    broken(revoke=revoke)
    write_case(acme, "revoke__success", exchanges=[exchange("DELETE", "session", {})])

    assert _request_faults(acme, "revoke__success") == [
        "a request has no timeout: https://api.acme.example/v1/session",
        "a request went past the HTTP client: https://api.acme.example/v1/session",
    ]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("key-for-fixtures", "a secret"),
        ("+16505550112", "a number"),
        ("(650) 555-0112", "a number"),
        ("Dana Fox", "a text"),
        ("asked for a quote", "a text"),
    ],
)
@pytest.mark.parametrize("place", ["log", "message", "reason"])
def test_a_private_value_in_a_log_line_or_an_error_is_noticed(acme, broken, said, what, place):
    def create_call_log(self, entry):
        if place == "log":
            logging.getLogger("acme").debug("logging %s", said)
        raise RequestRejected(said if place == "message" else "", reason=said if place == "reason" else "")

    broken(create_call_log=create_call_log)
    case, document = case_of(acme, "create_call_log__success")

    with log_records() as records:
        outcome = run(case, document)
    faults = list(leak_faults(private_values(document), outcome, records))

    assert [fault.partition(": ")[0] for fault in faults] == [
        f"{'a log line' if place == 'log' else 'an error'} holds {what}"
    ]


def test_a_vendors_text_that_repeats_a_number_and_a_token_is_noticed(acme, broken):
    broken(explain=lambda self, reply: RequestRejected(reason=str(reply.body)) if reply.status == 400 else None)
    case, document = case_of(acme, "find_contacts__success")

    with log_records() as records:
        faults = [
            fault
            for failure, outcome in runs_with_failures(case, document)
            for fault in leak_faults(private_values(document), outcome, records)
            if failure.name == "400"
        ]

    assert [fault.partition(":")[0] for fault in faults] == ["an error holds a secret", "an error holds a number"]


# --- 10 exemptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["failures", "failures.create_call_log", "failures.create_call_log__success"])
def test_an_exemption_covers_a_rule_an_operation_or_a_case_and_no_other(acme, name):
    manifest = registry.manifests()["acme"]
    exempt = dataclasses.replace(manifest, server=dataclasses.replace(manifest.server, exempt={name: "the reason"}))
    case, other = case_of(acme, "create_call_log__success")[0], case_of(acme, "get_call_log__success")[0]

    assert not_exempt(exempt, "failures", case, ["a fault"]) == []
    assert not_exempt(manifest, "failures", case, ["a fault"]) == ["a fault"]
    assert not_exempt(exempt, "writes", case, ["a fault"]) == ["a fault"]
    assert not_exempt(exempt, "failures", other, ["a fault"]) == ([] if name == "failures" else ["a fault"])


def test_an_exempt_case_may_be_missing_and_a_needless_exemption_is_noticed(acme):
    path = acme / "manifest.json"
    manifest = json.loads(path.read_text())
    reasons = {"coverage.find_contacts__several": "numbers are unique", "coverage.find_contacts__none": "for no reason"}
    manifest["server"]["exempt"] = reasons
    path.write_text(json.dumps(manifest))
    (acme / "fixtures" / "find_contacts__several.json").unlink()

    with only_adapters_in(acme.parent):
        assert coverage_faults("acme") == ["the exemption coverage.find_contacts__none is not needed"]
