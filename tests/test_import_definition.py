"""Connector documents of a reference server, taken over as they are, and worked with."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from adapters import registry
from adapters.contract import (
    AdapterContext,
    CallLogChange,
    Credentials,
    HttpClient,
    LoginForm,
    MessageLogChange,
    Options,
    OutboundPolicy,
    UserProfile,
)
from adapters.proxy.importing.connector import imported
from adapters.proxy.loading import for_definition
from tests.declarative import ENTRY, PHONE, PIA, REF, START, Crm
from tests.exchanges import MemoryCache
from tests.further_adapters import only_adapters_in

DOCUMENTS = Path(__file__).parent / "connectors"


def _read(name):
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def _import(tmp_path, name, *arguments, into=None):
    output = io.StringIO()
    call_command("import_definition", str(DOCUMENTS / f"{name}.json"), *arguments, into=into or tmp_path, stdout=output)
    return output.getvalue()


@pytest.fixture
def crm():
    with Crm().answering() as crm:
        yield crm


def _adapter(folder, *, hostname="", credentials=None, user=None):
    """The adapter of an imported folder, as the server opens it."""
    with only_adapters_in(folder.parent):
        manifest = registry.manifests()[folder.name]
    kind = for_definition(folder)
    context = AdapterContext(
        manifest=manifest,
        user=user or UserProfile(id="41", name="Kim Alder", hostname=hostname, extra={"team": 3}),
        credentials=credentials or Credentials(access_token="key-1", hostname=hostname),
        options=Options(),
        secrets={name: f"value-of-{name}" for name in manifest.variables},
        cache=MemoryCache({}),
        now=lambda: datetime(2026, 5, 4, tzinfo=UTC),
    )
    http = HttpClient(
        base_url=kind.base_url(context),
        hosts=manifest.server.hosts,
        headers=kind.auth_headers(context),
        policy=OutboundPolicy(allow_private_addresses=True),
    )
    return kind(http=http, context=context)


def test_a_document_is_taken_over_unmodified_and_works(tmp_path, crm):
    told = _import(tmp_path, "ledger", "--manifest", str(DOCUMENTS / "ledger_manifest.json"))

    assert "It is in order." in told
    with only_adapters_in(tmp_path):
        call_command("check_adapters")
        assert registry.find_platform("ledger") == "ledger"
    crm.will_answer({"employee": {"number": 9, "label": "Kim", "team": {"id": 3}}})
    crm.will_answer({"results": [{"ref": 7, "title": "Pia Ostrow", "phones": [{"value": "+16505550112"}]}]})
    crm.will_answer({"touch": {"ref": "t-1"}}, {"touch": {"headline": "A call", "text": "- Note: x"}}, {})
    one = _adapter(tmp_path / "ledger", hostname="acme.ledger.example")

    assert one.refresh_user().extra == {"team": 3}
    assert [contact.id for contact in one.find_contacts(PHONE).contacts] == [7]
    assert one.create_call_log(ENTRY).log_id == "t-1"
    read = one.get_call_log(REF)
    one.update_call_log(REF, CallLogChange(body="- Note: y", current=read))

    who, look_up, create, _, update = crm.requests
    assert who.url == "https://acme.ledger.example/api/whoami"
    assert who.headers["X-Ledger-Key"] == "key-1"
    assert look_up.url == ("https://acme.ledger.example/api/parties?active=true&phone=%28650%29+555-0112&limit=100")
    assert json.loads(create.body)["team"] == 3
    assert "offset" not in json.loads(create.body)
    assert (update.method, json.loads(update.body)) == ("PATCH", {"text": "- Note: y"})


def test_texts_of_a_day_are_added_to_what_stands_there(tmp_path, crm):
    _import(tmp_path, "ledger", "--manifest", str(DOCUMENTS / "ledger_manifest.json"))
    crm.will_answer({"touch": {"text": "a sentence of a person"}}, {})
    one = _adapter(tmp_path / "ledger", hostname="acme.ledger.example")

    one.update_message_log(
        REF, MessageLogChange(contact=PIA, append=lambda body, _: f"{body}, and a text", ended_at=START)
    )

    read, write = crm.requests
    assert (read.method, write.method) == ("GET", "PATCH")
    assert json.loads(write.body) == {"text": "a sentence of a person, and a text"}


def test_a_record_with_oauth_is_taken_over_and_its_secret_is_nowhere(tmp_path):
    told = _import(tmp_path, "grove")

    folder = tmp_path / "grove"
    texts = "".join(path.read_text() for path in folder.iterdir()) + told
    assert "sEcReT" not in texts
    assert "AAAA" not in texts
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["server"]["auth"] == {
        "type": "oauth",
        "token_url": "https://id.grove.example/token",
        "redirect_uri": "https://ringcentral.github.io/ringcentral-embeddable/redirect.html",
        "client_id": "GROVE_CLIENT_ID",
        "client_secret": "GROVE_CLIENT_SECRET",
    }
    assert manifest["server"]["secrets"] == ["GROVE_CLIENT_ID", "GROVE_CLIENT_SECRET", "GROVE_SECRET_KEY"]
    assert manifest["server"]["hosts"] == ["api.grove.example", "id.grove.example"]
    assert manifest["client"]["auth"]["oauth"]["clientId"] == "${GROVE_CLIENT_ID}"
    assert "GROVE_CLIENT_SECRET=" in told
    assert "operations.updateCallLog: left out: without operations.getCallLog" in told


def test_an_oauth_connector_looks_up_and_logs_out(tmp_path, crm):
    _import(tmp_path, "grove")
    crm.will_answer({"items": [{"id": 7, "name": "Pia", "phone": "+16505550112"}]}, {})
    one = _adapter(tmp_path / "grove", credentials=Credentials(access_token="a-1", refresh_token="r-1"))

    one.find_contacts(PHONE)
    one.revoke()

    look_up, bye = crm.requests
    assert look_up.headers["Authorization"] == "Bearer a-1"
    assert look_up.headers["X-Partner"] == "value-of-GROVE_SECRET_KEY"
    assert (bye.url, json.loads(bye.body)) == ("https://id.grove.example/revoke", {"token": "r-1"})


def test_a_login_by_name_and_password_gets_its_form(tmp_path, crm):
    _import(tmp_path, "sessions", "--key", "sessions")
    manifest = json.loads((tmp_path / "sessions" / "manifest.json").read_text())
    assert [field["const"] for field in manifest["client"]["auth"]["apiKey"]["page"]["content"]] == [
        "username",
        "password",
    ]
    assert manifest["server"]["auth"] == {"type": "password"}
    crm.will_answer({"user": {"id": 5}, "token": "t-1"})

    credentials = _adapter(tmp_path / "sessions", credentials=Credentials()).login(
        LoginForm(fields={"username": "pia", "password": "word-1"})
    )

    assert credentials.access_token == "t-1"
    assert crm.last.headers["Authorization"] == "Basic cGlhOndvcmQtMQ=="


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["Ledger", "l", "9ledger", "ledger-2", "../x", "a" * 33, "ledger books", "lédger"])
def test_a_key_that_cannot_be_one_makes_no_folder(tmp_path, key):
    with pytest.raises(CommandError, match="small letters and digits"):
        _import(tmp_path, "ledger", "--key", key)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["clio", "testcrm", "examplecrm", "contract", "proxy", "management", "readiness"])
def test_a_key_that_is_taken_makes_no_folder(tmp_path, key):
    with pytest.raises(CommandError, match=f"There is {key} already"):
        _import(tmp_path, "ledger", "--key", key)

    assert list(tmp_path.iterdir()) == []


def test_a_key_that_was_imported_before_is_not_written_over(tmp_path):
    _import(tmp_path, "sessions", "--key", "sessions")
    before = (tmp_path / "sessions" / "definition.json").read_text()

    with pytest.raises(CommandError, match="There is sessions already"):
        _import(tmp_path, "grove", "--key", "sessions")

    assert (tmp_path / "sessions" / "definition.json").read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"operations": []}', '{"proxyConfig": {"meta": {}}}', "null"])
def test_what_is_no_document_is_told_and_makes_no_folder(tmp_path, monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    with pytest.raises(CommandError, match=r"no connector document|does not hold JSON"):
        call_command("import_definition", "-", into=tmp_path / "folder")

    assert not (tmp_path / "folder").exists()


def test_what_is_left_to_mend_is_listed_and_the_files_are_there(tmp_path, capsys):
    with pytest.raises(CommandError, match="to mend"):
        call_command("import_definition", str(DOCUMENTS / "ledger.json"), into=tmp_path)

    told = capsys.readouterr().out
    assert "any host could be meant" in told
    assert "To be mended:" in told
    assert (tmp_path / "ledger" / "manifest.json").is_file()


def test_a_host_can_be_named_where_the_document_does_not_tell(tmp_path):
    told = _import(tmp_path, "ledger", "--host", "*.ledger.example")

    assert "It is in order." in told


# --- what is changed, and that nothing is run -----------------------------------------------------


def _imported(**changes):
    record = copy.deepcopy(_read("ledger"))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = record
        for name in way:
            place = place[name]
        place[last] = value
    return imported(record, "ledger", manifest=_read("ledger_manifest"))


def test_what_was_left_out_is_told_with_its_place():
    notes = _imported().notes

    for line in (
        "operations.getAppointments: left out: there is no such operation here",
        "requestDefaults.defaultHeaders.Host: left out: it belongs to the connection, or to a body that is no JSON",
        "operations.createCallLog.body.offset: left out {{user.timezoneOffset}}, which there is not here",
        "operations.updateCallLog.body.download: left out {{recordingDownloadLink}}, which there is not here",
        "operations.findContact.query.kind: left out {{parsedPhoneNumber.type}}, which there is not here",
        "operations.updateMessageLog: added after the example of updateCallLog: see whether it is right",
        "client.page.callLog: added the field 'project', which the definition reads",
    ):
        assert line in notes
    assert any(
        line.startswith("operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.key") for line in notes
    )


@pytest.mark.parametrize("address", ["https://[", "https://[::1", "https://a b", "http://", "//x", "\u0000"])
def test_an_address_that_is_none_stops_no_import(address):
    record = _read("grove")
    record["proxyConfig"]["requestDefaults"]["baseUrl"] = address
    record["manifest"]["environment"] = {"type": "selectable", "selections": [{"const": address, "name": "x"}]}

    assert imported(record, "grove").manifest["server"]["auth"]["token_url"] == "https://id.grove.example/token"


def test_limits_of_the_reference_become_ours():
    found = _imported()

    assert found.mistakes == []
    assert found.manifest["server"]["read_timeout"] == 60
    assert found.manifest["server"]["host_in_identity"] is True
    assert found.manifest["server"]["hosts"] == ["*.ledger.example"]
    assert found.manifest["server"]["capabilities"] == ["find_contacts_by_name", "license_status", "refresh_user"]


def test_a_key_written_into_the_document_moves_to_the_environment():
    found = _imported(auth__credentialTemplate="key-in-the-open")

    assert "key-in-the-open" not in json.dumps([found.definition, found.manifest, found.notes])
    assert found.definition["auth"]["credentialTemplate"] == "{{secretKey}}"
    assert found.manifest["server"]["secrets"] == ["LEDGER_SECRET_KEY"]


def test_sign_in_fields_that_are_used_later_are_kept_and_secrets_are_not():
    body = {"tenant": "{{user.platformAdditionalInfo.tenant}}", "pin": "{{user.platformAdditionalInfo.pin}}"}

    found = _imported(operations__createCallLog__body=body)

    kept = found.definition["operations"]["getUserInfo"]["responseMapping"]["platformAdditionalInfoPaths"]
    assert kept == {"team": "body.employee.team.id", "tenant": "additionalInfo.tenant"}
    assert found.definition["operations"]["createCallLog"]["body"] == {
        "tenant": "{{user.platformAdditionalInfo.tenant}}"
    }


def test_messages_that_would_replace_a_log_become_the_whole_day():
    update = {
        "method": "PUT",
        "url": "https://{{user.hostname}}/t/{{thirdPartyLogId}}",
        "body": {"b": "{{message.subject}}"},
    }

    found = _imported(operations__updateMessageLog=update)

    operations = found.definition["operations"]
    assert found.mistakes == []
    assert operations["updateMessageLog"]["body"] == {"b": "{{composedLogDetails}}"}
    assert operations["getMessageLog"] == {
        "url": "https://{{user.hostname}}/t/{{thirdPartyLogId}}",
        "responseMapping": {"fullBodyPath": "body.touch.b"},
    }


@pytest.mark.parametrize(
    "text", ["{{callLog.__class__}}", "{{ 7*7 }}", "{% import os %}", "${7*7}", "{{constructor.constructor('x')()}}"]
)
def test_what_looks_like_code_is_a_plain_text_or_left_out(text, tmp_path, crm):
    crm.will_answer({"touch": {"ref": "t-1"}})
    record = _read("ledger")
    record["operations"]["createCallLog"]["body"] = {"x": text, "y": 1}
    (tmp_path / "in.json").write_text(json.dumps(record))
    call_command(
        "import_definition", str(tmp_path / "in.json"), into=tmp_path, manifest=str(DOCUMENTS / "ledger_manifest.json")
    )

    _adapter(tmp_path / "ledger", hostname="acme.ledger.example").create_call_log(replace(ENTRY, subject="49"))

    assert crm.sent in ({"y": 1}, {"x": text, "y": 1})


@pytest.mark.parametrize("host", ["evil.example", "acme.ledger.example.evil.example", "127.0.0.1"])
def test_an_imported_connector_leaves_its_hosts_for_nothing(tmp_path, crm, host):
    _import(tmp_path, "ledger", "--manifest", str(DOCUMENTS / "ledger_manifest.json"))

    with pytest.raises(Exception, match="The CRM") as error:
        _adapter(tmp_path / "ledger", hostname=host).refresh_user()

    assert error.value.reason == "the host is not one of this CRM"
    assert crm.requests == []
