"""The compatibility checklist, run against the sandbox CRM as its own process."""

from __future__ import annotations

import dataclasses
import getpass
import io
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command

from adapters import registry
from adapters.contract import ContactMatches, Manifest
from adapters.contract.manifest import Auth, ServerHalf
from adapters.readiness import checklist, login
from adapters.readiness.recording import Recording
from tests.answer_rules import contact_id_faults, early_id_faults, other_number_faults
from tests.conformance import failure_faults, golden_faults, runs_with_failures
from tests.exchanges import Case, run

pytestmark = [pytest.mark.enable_socket]
PLATFORM = "testCRM"


@pytest.fixture
def as_oauth(monkeypatch):
    """The sandbox's adapter takes tokens as well as keys; only its manifest offers the one."""
    manifest = registry.manifests()[PLATFORM]
    auth = dataclasses.replace(manifest.server.auth, type="oauth")
    changed = dataclasses.replace(manifest, server=dataclasses.replace(manifest.server, auth=auth))
    monkeypatch.setattr(registry, "manifests", lambda: {PLATFORM: changed})


def _table(capsys):
    """Step -> its outcome and the rest of the line."""
    return _table_of(capsys.readouterr().out)


def _table_of(text):
    lines = text.splitlines()
    cells = [re.split(r"  +", line.strip(), maxsplit=2) for line in lines if "  " in line]
    return {cell[0]: (cell[1], cell[2]) for cell in cells if len(cell) == 3}, lines


def _run(*arguments, **options):
    call_command("crm_readiness", PLATFORM, *arguments, yes=True, patience=1, **options)


def test_every_step_is_done_with_a_key_and_the_table_says_so(sandbox, capsys):
    _run("--field", "apiKey=readiness-key", phone="+16505550147", formats="(###) ###-####,###.###.####")

    table, lines = _table(capsys)
    assert [name for name, (outcome, _) in table.items() if outcome == "FAILED"] == []
    for name in ("Log in", "Current user", "Create a contact", "Log a call", "Read the call log", "Change its note"):
        assert table[name][0] == "ok", name
    for notation in ("+16505550147", "6505550147", "(650) 555-0147", "+1 650-555-0147", "650.555.0147"):
        assert table[f"Look up {notation}"][0] == "ok", notation
    assert table["Log an SMS"][0] == table["Add an SMS to it"][0] == "ok"
    assert table["Refresh the login"][0] == "not offered"
    assert table["Log out"][0] == "note"
    assert "still accepts the key" in table["Log out"][1]
    assert table["Find it stored as (650) 555-0147"] == ("ok", table["Find it stored as (650) 555-0147"][1])
    assert "lenient" in table["How strict the search is"][1]
    assert "by hand: contact " in table["Clean up"][1]
    assert lines[-1].startswith("Left in the CRM, to be deleted there: contact ")


def test_what_is_left_in_the_crm_is_one_call_with_the_changed_note_and_one_conversation(sandbox, capsys):
    _run("--field", "apiKey=another-key")

    conversation, call = sandbox.activities("another-key")
    assert checklist.NOTES[1] in call["body"]
    assert checklist.NOTES[0] not in call["body"]
    assert conversation["body"].endswith(checklist.NOTES[1])
    left = capsys.readouterr().out.splitlines()[-1]
    assert f"call log {call['id']}" in left
    assert f"conversation {conversation['id']}" in left


def test_a_key_is_asked_for_without_being_shown(sandbox, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or "typed-key")

    _run()

    assert asked == ["API key: "]
    assert len(sandbox.activities("typed-key")) == 2
    assert "typed-key" not in capsys.readouterr().out


def test_an_oauth_login_is_refreshed_and_its_logout_ends_it(sandbox, capsys, monkeypatch, as_oauth):
    monkeypatch.setattr("builtins.input", lambda prompt: _authorised(sandbox))

    _run()

    told = capsys.readouterr()
    table, _ = _table_of(told.out)
    address = f"{sandbox.url}/oauth/authorize?response_type=code&client_id=switchboard&state=platform%3D"
    assert told.err.splitlines()[1].startswith(address)
    assert table["Refresh the login"] == ("ok", table["Refresh the login"][1])
    assert "the new token is accepted" in table["Refresh the login"][1]
    assert table["Log out"][0] == "ok"
    assert "no longer accepts the login" in table["Log out"][1]


def _authorised(sandbox, state=f"platform={PLATFORM}"):
    form = {
        "response_type": "code",
        "client_id": "switchboard",
        "redirect_uri": registry.manifests()[PLATFORM].server.auth.redirect_uri,
        "state": state,
        "user": "Readiness Agent",
        "decision": "allow",
    }
    return sandbox.request("POST", "/oauth/authorize", data=form).headers["Location"]


@pytest.mark.parametrize(
    ("address", "fault"),
    [("https://x.example/?code=1&state=other", "state of this login"), ("https://x.example/", "state of this login"),
     (f"https://x.example/?state=platform%3D{PLATFORM}&error=denied", "did not agree")],
)  # fmt: skip
def test_an_address_of_another_login_is_refused(sandbox, monkeypatch, as_oauth, address, fault):
    monkeypatch.setattr("builtins.input", lambda prompt: address)

    with pytest.raises(CommandError, match=fault):
        _run()


def test_a_login_that_fails_ends_the_run_with_an_error(sandbox, capsys):
    sandbox.fail({"method": "GET", "path_prefix": "/api/me", "status": 503, "times": 3})

    with pytest.raises(CommandError, match="1 of 3 steps failed: Current user"):
        _run("--field", "apiKey=a-key")

    table, _ = _table(capsys)
    assert "CrmUnavailable" in table["Current user"][1]
    assert "Create a contact" not in table


def test_a_contact_the_search_does_not_find_is_a_failed_step(sandbox, capsys, monkeypatch):
    monkeypatch.setattr(checklist, "_PAUSE", 0.05)
    kind = registry.adapter_class(PLATFORM)
    blind = type("Adapter", (kind,), {"find_contacts": lambda self, phone: ContactMatches()})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: blind)

    with pytest.raises(CommandError, match=r"4 of \d+ steps failed: Look up"):
        call_command("crm_readiness", PLATFORM, "--field", "apiKey=b-key", yes=True, patience=0.1)

    table, _ = _table(capsys)
    assert "the contact is not found within 0.1 seconds" in table["Look up +16505550142"][1]
    assert table["Log a call"][0] == "ok"


@pytest.mark.parametrize(
    ("platform", "options", "fault"),
    [
        ("nocrm", {}, "no adapter for nocrm"),
        (PLATFORM, {"phone": "123"}, "123 is not a valid telephone number"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_done(platform, options, fault):
    with pytest.raises(CommandError, match=fault):
        call_command("crm_readiness", platform, yes=True, **options)


def test_a_platform_without_its_secrets_is_not_tried(settings):
    settings.ADAPTER_VARIABLES = {}
    platform = next(name for name, manifest in registry.manifests().items() if manifest.server.secrets)

    with pytest.raises(CommandError, match="is not configured"):
        call_command("crm_readiness", platform, yes=True)


def test_nothing_is_done_unless_the_person_agrees(sandbox, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "n")

    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("crm_readiness", PLATFORM, "--field", "apiKey=c-key")

    assert sandbox.requests_seen() == []


def _strict(monkeypatch):
    """An adapter whose CRM compares whole texts: only the notations searched for are found."""
    kind = registry.adapter_class(PLATFORM)
    stored = {}

    def create(self, draft):
        contact = kind.create_contact(self, draft)
        stored[contact.id] = (contact, draft.phone.e164 or draft.phone.raw)
        return contact

    def find(self, phone):
        return ContactMatches(contacts=tuple(item for item, text in stored.values() if text in phone.variants))

    strict = type("Adapter", (kind,), {"create_contact": create, "find_contacts": find})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: strict)


def test_a_strict_search_is_told_with_the_formats_that_help(sandbox, capsys, monkeypatch):
    _strict(monkeypatch)

    _run("--field", "apiKey=strict-key", phone="+16505550148")

    table, _ = _table(capsys)
    outcome, detail = table["Find it stored as (650) 555-0148"]
    assert outcome == "note"
    assert 'only with the overriding format "(###) ###-####"' in detail
    assert (
        'strict: people should set the overriding number formats "(###) ###-####", "###-###-####"'
        in (table["How strict the search is"][1])
    )


def test_without_a_terminal_it_asks_for_nothing_and_says_what_to_give(sandbox, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for arguments, told in (((), "give --yes"), (("--yes",), "give --field apiKey=... or --fields-from")):
        with pytest.raises(CommandError, match=told) as error:
            call_command("crm_readiness", PLATFORM, *arguments)
        assert error.value.returncode == 2
    monkeypatch.setattr("sys.stdin", io.StringIO('{"apiKey": "piped-key"}'))
    _run("--fields-from", "-")
    assert len(sandbox.activities("piped-key")) == 2


def test_json_and_markdown_say_the_same_as_the_table(sandbox, capsys):
    _run("--field", "apiKey=json-key", "--json", phone="+16505550149")
    document = json.loads(capsys.readouterr().out)
    assert document["failed"] == []
    assert {"name", "outcome", "detail", "requests", "milliseconds"} == set(document["steps"][0])
    assert any(item.startswith("call log ") for item in document["left"])
    _run("--field", "apiKey=markdown-key", "--markdown", phone="+16505550151")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| Step | Outcome | Requests | ms | Detail |"
    assert len(lines) >= len(document["steps"]) + 2


@pytest.mark.parametrize(("platform", "phone"), [(PLATFORM, "+16505550161"), ("exampleCRM", "+16505550162")])
def test_a_recorded_run_is_a_folder_of_fixtures_that_pass_the_kit(sandbox, tmp_path, platform, phone):
    folder = tmp_path / platform.lower() / "fixtures"
    call_command(
        "crm_readiness", platform, "--field", "apiKey=recorded-key", "--record", str(folder), yes=True, patience=1,
        phone=phone,
    )  # fmt: skip

    cases = [Case(platform, path) for path in sorted(folder.iterdir())]
    operations = {case.operation for case in cases}
    assert operations >= {"user_profile", "find_contacts", "create_contact", "create_call_log", "update_call_log"}
    assert operations >= {"find_contacts_by_name", "get_call_log", "create_message_log", "update_message_log"}
    names = [case.path.stem for case in cases]
    assert {"find_contacts__success", "find_contacts__several", "find_contacts__none"} <= set(names)
    assert [fault for case in cases for fault in _kit_faults(case)] == []


def _kit_faults(case):
    document = case.load()
    recorded = run(case, document)
    found = [*golden_faults(document, recorded), *early_id_faults(case, recorded)]
    found += [*contact_id_faults(recorded, document), *other_number_faults(case, document, recorded)]
    for failure, outcome in runs_with_failures(case, document):
        found += failure_faults(case, failure, outcome, recorded)
    return [f"{case.name}: {fault}" for fault in found]


def test_a_recorded_oauth_login_passes_the_kit_and_holds_no_token(sandbox, tmp_path, monkeypatch, as_oauth):
    address = _authorised(sandbox)
    monkeypatch.setattr("builtins.input", lambda prompt: address)
    given = []
    monkeypatch.setattr(Recording, "_noting", _seeing_credentials(Recording._noting, given))

    _run("--record", str(tmp_path / "kept"), phone="+16505550163")

    cases = {path.stem: Case(PLATFORM, path) for path in (tmp_path / "kept").iterdir()}
    wanted = {"exchange_code__success", "refresh__success", "revoke__success", "user_profile__credentials_rejected"}
    assert wanted <= set(cases)
    assert [fault for name in wanted for fault in _kit_faults(cases[name])] == []
    texts = "".join(case.path.read_text() for case in cases.values())
    secrets = {value for one in given for value in (one.access_token, one.refresh_token)} - {""}
    assert len(secrets) >= 3
    assert not [secret for secret in (*secrets, parse_qs(urlsplit(address).query)["code"][0]) if secret in texts]


def _seeing_credentials(sound, given):
    def noting(self, operation, method, user, credentials):
        given.append(credentials)
        return sound(self, operation, method, user, credentials)

    return noting


def test_what_was_recorded_holds_neither_secrets_nor_people(sandbox, capsys, tmp_path):
    _run("--field", "apiKey=recorded-key", "--record", str(tmp_path / "kept"), phone="+16505550152")

    texts = {file.stem: file.read_text() for file in sorted((tmp_path / "kept").iterdir())}
    profile = json.loads(texts["user_profile__success"])
    name = profile["exchanges"][0]["response"]["json"]["name"]
    assert name == profile["expect"]["name"]
    assert "Name" in name
    whole = "".join(texts.values())
    for secret in ("recorded-key", "sandbox-secret", "Authorization"):
        assert secret not in whole
    assert "@" not in whole.replace("@example.com", "")
    call = json.loads(texts["create_call_log__success"])
    assert call["exchanges"][-1]["request"]["json"]["external_id"] == call["call"]["entry"]["session_id"]


@pytest.mark.parametrize(
    ("type_", "auth", "token_url", "base_url", "asks"),
    [
        ("dynamic", "oauth", "https://{hostname}/token", "https://{hostname}", True),
        ("dynamic", "oauth", "https://login.example/token", "https://{hostname}", False),
        ("dynamic", "api_key", "", "https://{hostname}/api", True),
        ("dynamic", "api_key", "", "https://api.example", False),
        ("fixed", "api_key", "", "https://{hostname}/api", False),
    ],
)
def test_a_host_is_asked_for_only_where_the_login_goes_to_it(type_, auth, token_url, base_url, asks):
    server = ServerHalf(auth=Auth(type=auth, token_url=token_url), base_url=base_url)
    manifest = Manifest(name="x", client={"environment": {"type": type_}}, server=server)
    assert login.asks_for_host(manifest) is asks
