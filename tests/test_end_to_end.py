"""The whole path over loopback: the extension's session against real server processes and the sandbox CRM."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.extension import Extension, call, conversation
from tests.live_server import live_server, postgres_database
from tests.sandbox import start_sandbox
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """The sandbox CRM, and a server for all tests on SQLite: each has a login of its own."""
    folder = tmp_path_factory.mktemp("processes")
    sandbox = start_sandbox(folder)
    try:
        with live_server(folder, threads=32, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
            yield sandbox, server
    finally:
        sandbox.stop()


@pytest.fixture
def sandbox(processes):
    processes[0].reset()
    return processes[0]


@pytest.fixture
def server(processes):
    return processes[1]


def _calls(sandbox, session_id, key):
    return [row for row in sandbox.activities(key) if row["external_id"] == session_id]


@pytest.mark.parametrize("platform", ["testCRM", "exampleCRM"])  # the second has a definition and no code
def test_a_session_of_the_extension_from_login_to_logout(server, sandbox, platform):
    key = f"session-{platform}"
    me = Extension(server.url, platform)
    welcome = me.login_with_key(key)
    assert welcome["returnMessage"]["messageType"] == "success"

    luke = me.look_up("+16505551212")["contact"][0]
    assert luke["name"] == "Luke Skywalker"
    for number in ("+16505550112", "+16505550123", "+442079460106"):  # stored in other notations
        found = me.look_up(number)
        assert not found["contact"][0].get("isNewContact"), (number, found)
    unknown = me.look_up("+12125550199")
    assert unknown["successful"] is True
    assert [row["id"] for row in unknown["contact"]] == ["createNewContact"]
    assert unknown["returnMessage"]["message"] == "Contact not found"
    assert me.search("Luke")["contact"][0]["id"] == luke["id"]
    nobody = me.search("Zzyzx Nobody")
    assert nobody["contact"] == []
    assert nobody["returnMessage"]["message"] == "No contact found with name Zzyzx Nobody "

    created = me.create_contact("+12125550177", "Ada Byron")["contact"]
    assert me.look_up("+12125550177")["contact"][0]["id"] == created["id"]

    logged = me.log_call(call("404430540004", luke))
    assert logged["successful"] is True
    again = me.log_call(call("404430540004", luke, note="again"))
    assert again["successful"] is False
    assert again["returnMessage"]["message"] == "Existing log for session 404430540004"
    (record,) = _calls(sandbox, "404430540004", key)
    assert record["id"] == logged["logId"]
    assert record["contact_id"] == luke["id"]
    assert record["duration_seconds"] == 187
    assert record["started_at"].startswith("2026-05-04T16:31:07")
    assert "rc-secret-token" not in str(record)
    assert record["body"].startswith("- Note: Wants a <b>quote</b> & café\n")

    matched, unmatched = me.logged("404430540004", "99999999")
    assert (matched["matched"], matched["logId"]) == (True, logged["logId"])
    assert unmatched == {"sessionId": "99999999", "matched": False}
    (detail,) = me.logged("404430540004", details=True)
    assert detail["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert detail["logData"]["subject"] == "Inbound Call from Luke Skywalker"

    assert me.edit_call("404430540004", note="Second note")["successful"]
    (record,) = _calls(sandbox, "404430540004", key)
    assert record["body"].startswith("- Note: Second note\n")
    assert record["started_at"].startswith("2026-05-04T16:31:07")
    assert record["duration_seconds"] == 187

    edited = me.edit_call(
        "404430540004",
        recordingLink="https://media.ringcentral.com/rec/10",
        startTime="2026-05-04T16:31:07.000Z",
        duration=190,
        result="Call connected",
        direction="Inbound",
    )
    assert edited["successful"]
    (record,) = _calls(sandbox, "404430540004", key)
    assert "- Call recording link: https://media.ringcentral.com/rec/10\n" in record["body"]
    assert record["duration_seconds"] == 190

    deal = luke["additionalInfo"]["deals"][0]["const"]
    assert me.dispose("404430540004", deals=deal)["successful"]
    (detail,) = me.logged("404430540004", details=True)
    assert detail["logData"]["dispositions"]["deals"] == deal

    first = me.log_messages(conversation("conv1", luke, 3))
    assert len(first["logIds"]) == 3
    second = me.log_messages(conversation("conv1", luke, 5))
    assert len(second["logIds"]) == 2
    third = me.log_messages(conversation("conv1", luke, 5))
    assert third == {"successful": True, "logIds": [], "returnMessage": None}
    (day,) = [row for row in sandbox.activities(key) if row["external_id"] == "conv1/2026-05-04"]
    assert "Conversation(5 messages)" in day["body"]
    for index in range(5):
        assert day["body"].count(f"text number {index} <i>&</i> ñ") == 1

    assert me.logout()["returnMessage"]["message"].startswith("Logged out of")
    refused = me.send("GET", "/contact?phoneNumber=+16505551212")
    assert (refused.status_code, refused.text) == (400, "Please go to Settings and authorize CRM platform")

    mine = f"CallLog.objects.filter(platform='{platform}', session_id='404430540004')"
    assert server.rows(f"list({mine}.values_list('state', 'crm_log_id'))") == [["logged", logged["logId"]]]
    texts = f"MessageLog.objects.filter(platform='{platform}', conversation__conversation_id='conv1')"
    assert server.rows(f"{texts}.count()") == 5
    assert server.rows(f"{mine}.get().user.is_connected") is False
    actions = server.rows(
        f"sorted(set(AuditEvent.objects.filter(platform='{platform}').values_list('action', flat=True)))"
    )
    assert {"session.connect", "call_log.create", "call_log.update", "message_log.write"} <= set(actions)
    assert "rc-secret-token" not in (Path(server.environment["VAR_DIR"]) / "server.log").read_text()


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
    requests.post(f"{sandbox.url}/__faults__", json={"rules": [rule]}, timeout=5).raise_for_status()
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
@pytest.mark.skipif(not postgres_is_there(), reason="no PostgreSQL")
def test_fifty_identical_calls_at_once_are_logged_once_by_four_processes_on_postgresql(tmp_path, sandbox):
    with (
        postgres_database(POSTGRES) as database_url,
        live_server(
            tmp_path, workers=4, threads=8, database_url=database_url, SANDBOX="on", TEST_CRM_URL=sandbox.url
        ) as server,
    ):
        _fifty_at_once(server, sandbox, "processes-key")
