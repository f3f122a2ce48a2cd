"""OAuth login, refresh and media of messages, against real processes over loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.extension import Extension, conversation
from tests.live_server import live_server, postgres_database
from tests.sandbox import start_sandbox
from tests.sandbox_server import processes, sandbox, server
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there

__all__ = ["processes", "sandbox", "server"]

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"


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


@pytest.mark.skipif(not postgres_is_there(), reason="no PostgreSQL")
def test_a_token_is_refreshed_once_for_many_requests_by_four_processes_on_postgresql(tmp_path, sandbox):
    with (
        postgres_database(POSTGRES) as database_url,
        live_server(
            tmp_path, workers=4, threads=8, database_url=database_url, SANDBOX="on", TEST_CRM_URL=sandbox.url
        ) as server,
    ):
        assert _refreshes_of_many_at_once(server, sandbox) == 1


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
