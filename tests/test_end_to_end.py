"""The whole path over loopback: the extension's session against real server processes and the sandbox CRM."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.extension import Extension, call, conversation
from tests.live_server import live_server, postgres_database
from tests.sandbox import start_sandbox
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there
from tests.session_script import RECORDING, SESSION, CrmSession

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
needs_postgres = pytest.mark.skipif(not postgres_is_there(), reason="no PostgreSQL")
REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """The sandbox CRM, a server on SQLite, and what that said as it started; each test has a login of its own."""
    folder = tmp_path_factory.mktemp("processes")
    sandbox = start_sandbox(folder)
    try:
        with live_server(folder, threads=32, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
            yield sandbox, server, server.log()
    finally:
        sandbox.stop()


@pytest.fixture
def sandbox(processes):
    processes[0].reset()
    return processes[0]


@pytest.fixture
def server(processes):
    return processes[1]


@pytest.fixture(scope="module")
def four_processes(processes, tmp_path_factory):
    """The same server as four processes on PostgreSQL."""
    folder, crm = tmp_path_factory.mktemp("four"), {"SANDBOX": "on", "TEST_CRM_URL": processes[0].url}
    with (
        postgres_database(POSTGRES, prepared=True) as url,
        live_server(folder, workers=4, threads=8, database_url=url, **crm) as server,
    ):
        yield server


def _calls(sandbox, session_id, key):
    return [row for row in sandbox.activities(key) if row["external_id"] == session_id]


class SandboxSession(CrmSession):
    """At the sandbox CRM, where every login finds contacts, and records of its own only."""

    platform: str
    caller, number = "Luke Skywalker", "+16505551212"
    text_field = "body"
    volatile = ("updated_at",)
    names = ("Luke",)
    new_contacts = (("+12125550177", "Ada Byron", "", {}),)

    @pytest.fixture(autouse=True)
    def _with_a_login_of_its_own(self, server, sandbox):
        self.server, self.sandbox = server, sandbox
        self.key = f"session-{next(_numbers)}"
        self.agent = sandbox.request("GET", "/api/me", key=self.key).json()["name"]
        self.me = Extension(server.url, self.platform)

    def login(self):
        welcome = self.me.login_with_key(self.key)
        assert welcome["returnMessage"]["messageType"] == "success"
        return welcome

    def add_caller(self):
        self.login()
        luke = self.me.look_up("+16505551212")["contact"][0]
        self.deal = luke["additionalInfo"]["deals"][0]["const"]
        return luke

    def add_others(self):
        """Stored in other notations."""
        for number in ("+16505550112", "+16505550123", "+442079460106"):
            found = self.me.look_up(number)
            assert not found["contact"][0].get("isNewContact"), (number, found)
        return []

    def call_of(self, contact):
        (record,) = _calls(self.sandbox, SESSION, self.key)
        return record

    def day_of(self, contact):
        (day,) = _calls(self.sandbox, "conv1/2026-05-04", self.key)
        return day

    def _actions(self):
        """What the audit trail has of this CRM."""
        events = f"AuditEvent.objects.filter(platform='{self.platform}')"
        return set(self.server.rows(f"sorted(set({events}.values_list('action', flat=True)))"))

    def see_logout(self):
        mine = f"CallLog.objects.filter(platform='{self.platform}', session_id='{SESSION}-1')"
        (record,) = _calls(self.sandbox, f"{SESSION}-1", self.key)
        assert self.server.rows(f"list({mine}.values_list('state', 'crm_log_id'))") == [["logged", record["id"]]]
        assert self.server.rows(f"{mine}.get().user.is_connected") is False
        assert {"session.connect", "call_log.create"} <= self._actions()

    def see_call(self, contact, record):
        assert record["contact_id"] == contact["id"]
        assert record["duration_seconds"] == 187
        assert record["started_at"].startswith("2026-05-04T16:31:07")
        assert record["body"].startswith("- Note: Wants a <b>quote</b> & café\n")

    def see_edited_note(self, record):
        assert record["body"].startswith("- Note: Second note\n")

    def see_later(self, record):
        assert f"- Call recording link: {RECORDING}\n" in record["body"]
        assert record["duration_seconds"] == 190
        assert "call_log.update" in self._actions()

    def file(self, contact, record):
        assert self.me.dispose(SESSION, deals=self.deal)["successful"]
        (detail,) = self.me.logged(SESSION, details=True)
        assert detail["logData"]["dispositions"]["deals"] == self.deal

    def see_day(self, contact, day, count):
        texts = f"MessageLog.objects.filter(platform='{self.platform}', conversation__crm_log_id='{day['id']}')"
        assert self.server.rows(f"{texts}.count()") == count
        assert "message_log.write" in self._actions()


class TestSandboxSession(SandboxSession):
    platform, display = "testCRM", "Test CRM"


class TestSessionOfADefinition(SandboxSession):
    """The same CRM with a definition and no code."""

    platform, display = "exampleCRM", "Example CRM (no code)"


def test_the_server_starts_without_a_warning_however_many_threads_it_has(processes):
    assert "[WARNING]" not in processes[2]


def test_what_was_logged_survives_a_restart(server, sandbox):
    me = Extension(server.url, "testCRM")
    me.login_with_key("restart-key")
    luke = me.look_up("+16505551212")["contact"][0]
    logged = me.log_call(call("1001", luke))
    server.stop()
    server.process = server.again().process
    assert me.logged("1001")[0]["logId"] == logged["logId"]


@pytest.mark.parametrize("platform", ["testCRM", "exampleCRM"])
def test_a_write_whose_answer_was_lost_is_not_repeated(server, sandbox, platform):
    key = f"lost-{platform}"
    me = Extension(server.url, platform)
    me.login_with_key(key)
    luke = me.look_up("+16505551212")["contact"][0]
    rule = {"method": "POST", "path_prefix": "/api/activities", "drop": "after_commit", "times": 1}
    requests.post(f"{sandbox.url}/__faults__", json={"rules": [rule]}, timeout=60).raise_for_status()
    kept = me.log_call(call("1002", luke))
    assert kept["successful"] is True
    assert kept["returnMessage"]["message"].startswith("Call log saved. It will be sent when ")
    assert me.logged("1002")[0]["matched"] is False
    assert me.log_call(call("1002", luke))["logId"]  # found in the CRM by its session id
    assert me.logged("1002")[0]["matched"] is True
    assert len(_calls(sandbox, "1002", key)) == 1


def _fifty_at_once(server, sandbox, key):
    me = Extension(server.url, "testCRM")
    me.login_with_key(key)
    luke = me.look_up("+16505551212")["contact"][0]
    body = call("2001", luke)

    def post(_):
        one = Extension(server.url, "testCRM")
        one.token = me.token
        return one.log_call(body)

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(post, range(50)))
    messages = [reply["returnMessage"]["message"] for reply in replies]
    assert messages.count("Call logged") == 1
    assert messages.count("Existing log for session 2001") == 49
    assert len(_calls(sandbox, "2001", key)) == 1
    assert server.rows("CallLog.objects.filter(session_id='2001').count()") == 1


def test_fifty_identical_calls_at_once_are_logged_once_by_threads_on_sqlite(server, sandbox):
    _fifty_at_once(server, sandbox, "threads-key")


@pytest.mark.services
@needs_postgres
def test_fifty_identical_calls_at_once_are_logged_once_by_four_processes_on_postgresql(four_processes, sandbox):
    _fifty_at_once(four_processes, sandbox, "processes-key")


# --- OAuth ----------------------------------------------------------------------------------------------


def _authorised(sandbox):
    """The address the browser is sent back to after somebody pressed Allow."""
    form = {
        "response_type": "code",
        "client_id": "switchboard",
        "redirect_uri": REDIRECT,
        "state": "platform=testCRM",
        "user": "Agent Kim",
        "decision": "allow",
    }
    return sandbox.request("POST", "/oauth/authorize", data=form)


def _signed_in(server, sandbox):
    reply = _authorised(sandbox)
    assert reply.status_code in (302, 303), reply.text[:300]
    code = parse_qs(urlsplit(reply.headers["Location"]).query)["code"][0]
    me = Extension(server.url, "testCRM")
    welcome = me.login_with_code(f"{REDIRECT}?state=platform=testCRM&code={code}")
    assert welcome["returnMessage"]["messageType"] == "success"
    assert me.token
    return me


def _names_found(server, me, count, ask):
    """What so many windows of the user find at once."""

    def find(_):
        window = Extension(server.url, "testCRM")
        window.token = me.token
        return ask(window)["contact"][0]["name"]

    with ThreadPoolExecutor(count) as pool:
        return set(pool.map(find, range(count)))


def test_an_oauth_login_refreshes_once_for_many_requests_and_ends_with_the_logout(tmp_path):
    sandbox = start_sandbox(tmp_path, arguments=("--token-seconds", "3"))
    try:
        with live_server(tmp_path, workers=2, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
            me = _signed_in(server, sandbox)
            sandbox.reset()
            assert _names_found(server, me, 8, lambda window: window.look_up("+16505551212")) == {"Luke Skywalker"}
            assert me.logout()["messageType"] == "success"
            assert me.send("GET", "/contact?phoneNumber=+16505551212").status_code == 400
    finally:
        sandbox.stop()


def _refreshes_of_many_at_once(server, sandbox):
    me = _signed_in(server, sandbox)
    ended = "CrmUser.objects.exclude(token_expires_at=None).update(token_expires_at='2026-01-01T00:00:00Z')"
    assert server.rows(ended) == 1
    sandbox.reset()
    sandbox.fail({"path_prefix": "/oauth/token", "delay_ms": 300, "times": None})
    assert _names_found(server, me, 32, lambda window: window.search("Luke")) == {"Luke Skywalker"}
    return sandbox.requests_seen().count("POST /oauth/token")


def test_a_token_is_refreshed_once_for_many_requests_by_threads_on_sqlite(server, sandbox):
    assert _refreshes_of_many_at_once(server, sandbox) == 1


@pytest.mark.services
@needs_postgres
def test_a_token_is_refreshed_once_for_many_requests_by_four_processes_on_postgresql(four_processes, sandbox):
    assert _refreshes_of_many_at_once(four_processes, sandbox) == 1


# --- texts ----------------------------------------------------------------------------------------------


def test_voicemail_fax_mms_group_and_shared_messages_reach_the_crm_without_a_token(server, sandbox):
    me = Extension(server.url, "testCRM")
    me.login_with_key("media-key")
    luke = me.look_up("+16505551212")["contact"][0]
    media = "https://media.ringcentral.com/restapi/v1.0/account/1/message/7/content/8"
    kinds = {
        "voice": {"type": "AudioRecording", "link": "https://v.example.com/1", "contentType": "audio/mpeg"},
        "fax": {"type": "RenderedDocument", "link": "https://f.example.com/1", "uri": media,
                "contentType": "application/pdf"},
        "mms": {"type": "MmsAttachment", "uri": media, "contentType": "image/png"},
    }  # fmt: skip
    for number, (name, attachment) in enumerate(kinds.items()):
        body = conversation(name, luke, 1, info={"rcAccessToken": "rc-secret-token"})
        body["logInfo"]["messages"][0] |= {"id": 700 + number, "attachments": [attachment]}
        assert len(me.log_messages(body)["logIds"]) == 1
    group = conversation("group", luke, 2)
    group["logInfo"]["correspondents"].append({"phoneNumber": "+16505550188", "name": "Sam Roe"})
    assert len(me.log_messages(group)["logIds"]) == 2
    shared = conversation("shared", luke, 1)
    shared["logInfo"] |= {
        "creationTime": "2026-05-04T15:00:00Z",
        "owner": {"name": "Billing Queue", "extensionType": "Department"},
        "entities": [{"recordType": "AliveNote", "creationTime": "2026-05-04T15:05:00Z",
                      "author": {"name": "Robin Vu"}, "text": "Sent receipt"}],
    }  # fmt: skip
    assert me.log_messages(shared)["successful"]
    assert me.log_messages(shared)["successful"]
    rows = {row["external_id"]: row["body"] for row in sandbox.activities("media-key")}
    assert len(rows) == len(sandbox.activities("media-key")) == 5
    assert "Voicemail recording link: https://v.example.com/1" in rows["voice/2026-05-04"]
    assert "Fax document link: https://f.example.com/1" in rows["fax/2026-05-04"]
    assert "[Link]: https://ringcentral.github.io/ringcentral-media-reader/?media=" in rows["mms/2026-05-04"]
    assert "Sam Roe" in rows[f"group/2026-05-04-{luke['id']}"]
    assert "Receiving call queue: Billing Queue" in rows["shared/2026-05-04"]
    assert "rc-secret-token" not in str(rows)
    assert "rc-secret-token" not in (Path(server.environment["VAR_DIR"]) / "server.log").read_text()


def test_a_message_that_is_logged_under_another_conversation_is_not_logged_again(server, sandbox):
    me = Extension(server.url, "testCRM")
    me.login_with_key("twice-key")
    luke = me.look_up("+16505551212")["contact"][0]
    assert len(me.log_messages(conversation("one", luke, 1))["logIds"]) == 1
    assert me.log_messages(conversation("two", luke, 1))["logIds"] == []
    assert len(sandbox.activities("twice-key")) == 1
