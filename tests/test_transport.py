"""Replies when the database is gone, when something breaks, and when the client asks for details."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.db import OperationalError

from connectors.api import platforms
from connectors.api.authentication import issue_token
from tests.extension import Extension, call
from tests.factories import CrmUserFactory
from tests.live_server import live_server, postgres_database
from tests.sandbox import start_sandbox
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there

#: The cookie is looked up by the admin alone, whatever its name is.
STAFF = {"Cookie": "sessionid=abcdefgh; session=abcdefgh; __Host-session=abcdefgh"}
ORIGIN = {"Origin": "chrome-extension://abc"}
PATHS = [
    ("GET", "/contact?phoneNumber=+16505551212&jwtToken={token}", None),
    ("GET", "/callLog?sessionIds=1&jwtToken={token}", None),
    ("POST", "/callLog?jwtToken={token}", {"logInfo": {}}),
    ("POST", "/messageLog?jwtToken={token}", {}),
    ("PUT", "/callDisposition?jwtToken={token}", {}),
    ("GET", "/user/settings?jwtToken={token}", None),
    ("GET", "/user/preloadSettings?rcAccountId=x", None),
    ("GET", "/hostname?jwtToken={token}", None),
    ("GET", "/licenseStatus?jwtToken={token}", None),
    ("POST", "/unAuthorize?jwtToken={token}", None),
    ("GET", "/admin/", None),
]
#: What a request needs no database for may be answered, or not; then as all others.
EITHER = ["/crmManifest", "/serverVersionInfo", "/releaseNotes", "/userInfoHash?extensionId=1", "/nowhere"]


def _assert_unavailable(reply, *secrets):
    assert (reply.status_code, reply.headers.get("Retry-After")) == (503, "5"), reply.text[:300]
    assert set(reply.json()) == {"error", "detail"}
    assert reply.json()["error"] == "Service unavailable"
    for secret in ("127.0.0.1", "postgres", "sqlite", "Traceback", *secrets):
        assert secret not in reply.text


def _check_all_paths(url, token, *secrets):

    def send(method, target, body):
        headers = STAFF if target.startswith("/admin/") else ORIGIN
        return requests.request(
            method, url + target.format(token=token), json=body, headers=headers, timeout=60, allow_redirects=False
        )

    asked = [*PATHS, *(("GET", target, None) for target in EITHER)]
    with ThreadPoolExecutor(len(asked)) as pool:
        replies = list(pool.map(lambda request: send(*request), asked))
    for (_, target, _), reply in zip(asked, replies, strict=True):
        if target not in EITHER or reply.status_code not in (200, 404):
            _assert_unavailable(reply, *secrets)
        if not target.startswith("/admin/"):
            assert reply.headers["Access-Control-Allow-Origin"] == "*", target
    alive = requests.get(f"{url}/isAlive", headers=ORIGIN, timeout=60)
    assert (alive.status_code, alive.text) == (200, "OK")
    preflight = requests.options(
        f"{url}/callLog", headers={**ORIGIN, "Access-Control-Request-Method": "POST"}, timeout=60
    )
    assert preflight.status_code in (200, 204)


@pytest.fixture
def sandbox(tmp_path):
    sandbox = start_sandbox(tmp_path)
    yield sandbox
    sandbox.stop()


@pytest.mark.slow
@pytest.mark.enable_socket
def test_without_its_sqlite_file_the_server_says_so_and_comes_back_with_it(tmp_path, sandbox):
    folder, away = tmp_path / "data", tmp_path / "away"
    folder.mkdir()
    database_url = f"sqlite:///{folder / 'a-secret-place.sqlite3'}"
    with live_server(tmp_path, database_url=database_url, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
        me = Extension(server.url, "testCRM")
        me.login_with_key("demo-key")
        folder.rename(away)
        _check_all_paths(server.url, me.token, "a-secret-place")
        folder_again = tmp_path / "data"
        away.rename(folder_again)
        assert me.look_up("+16505551212")["successful"]
    assert me.token not in (tmp_path / "server.log").read_text()


class Passage:
    """A TCP forwarder to PostgreSQL that can be closed, with all connections through it, and opened again."""

    def __init__(self, port: int) -> None:
        self._target, self._ends, self._listener = port, [], None
        self.port = 0

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one, other) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        finally:
            for end in (one, other):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.enable_socket
@pytest.mark.skipif(not postgres_is_there(), reason="no PostgreSQL")
def test_without_postgresql_the_server_says_so_and_comes_back_with_it(tmp_path, sandbox):
    with postgres_database(POSTGRES, prepared=True) as url:
        host = url.split("@")[1].split("/")[0]
        passage = Passage(int(host.split(":")[1]))
        passage.open()
        through = url.replace(host, f"127.0.0.1:{passage.port}")
        with live_server(tmp_path, database_url=through, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
            me = Extension(server.url, "testCRM")
            me.login_with_key("demo-key")
            luke = me.look_up("+16505551212")["contact"][0]
            passage.close()
            _check_all_paths(server.url, me.token, str(passage.port))
            passage.open()
            give_up = time.monotonic() + 120
            while requests.get(f"{server.url}/hostname?jwtToken={me.token}", timeout=60).status_code == 503:
                assert time.monotonic() < give_up
            assert me.log_call(call("1", luke))["successful"]
        passage.close()


@pytest.mark.django_db
def test_a_lost_database_in_a_plain_view_or_middleware_is_told_the_same_way(client, monkeypatch):
    client.raise_request_exception = False

    def lost(*_):
        raise OperationalError("connection to server at 10.0.0.1 failed")

    monkeypatch.setattr("connectors.api.paths.WirePathMiddleware.__call__", lost)
    _assert_in_process(client.get("/crmManifest", headers=ORIGIN))


def _assert_in_process(reply):
    assert (reply.status_code, reply["Retry-After"], reply["Access-Control-Allow-Origin"]) == (503, "5", "*")
    assert b"10.0.0.1" not in reply.content


@pytest.mark.django_db
@pytest.mark.parametrize("debug", ["true", ""])
def test_an_unforeseen_error_tells_its_reference_and_no_internals(client, monkeypatch, debug, settings, caplog):
    settings.DEBUG_REPLIES = True
    client.raise_request_exception = False
    monkeypatch.setattr(platforms, "hashed", lambda value: 1 / 0)
    caplog.set_level(logging.CRITICAL)
    reply = client.get("/userInfoHash?extensionId=1", headers={**ORIGIN, "is-debug": debug})
    assert (reply.status_code, reply["Content-Type"]) == (500, "text/plain; charset=utf-8")
    sentence = "Something went wrong at the server. Please tell your administrator this reference: "
    assert reply.content.decode() == sentence + reply["X-Request-Id"]
    assert reply["Access-Control-Allow-Origin"] == "*"


# --- is-debug ------------------------------------------------------------------------------------


def _settings(client, token, **headers):
    return client.get(f"/user/settings?jwtToken={token}", headers={**ORIGIN, **headers})


@pytest.mark.django_db
def test_a_reply_tells_its_times_to_a_connected_user_where_the_operator_allows_it(client, settings):
    settings.DEBUG_REPLIES = True
    user = CrmUserFactory(settings={"autoLogCall": {"value": True}})
    token = issue_token(user)
    plain = _settings(client, token).json()
    reply = _settings(client, token, **{"is-debug": "true"})
    debug = reply.json().pop("_debug")
    assert {key: value for key, value in reply.json().items() if key != "_debug"} == plain
    assert debug["requestId"] == reply["X-Request-Id"]
    assert debug["traceCount"] == len(debug["traces"]) == 1
    assert set(debug["sum"][0]) == {"index", "timestamp", "level", "method", "elapsedMs"}
    assert debug["totalDuration"].endswith("ms")
    assert debug["traces"][0]["stackTrace"] == ""
    assert debug["traces"][0]["data"] == {"status": 200, "crmCalls": 0}
    assert token not in reply.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("allowed", "asked"), [(False, "true"), (True, "false"), (True, "")])
def test_a_reply_is_untouched_unless_it_is_asked_for_and_allowed(client, settings, allowed, asked):
    settings.DEBUG_REPLIES = allowed
    token = issue_token(CrmUserFactory())
    assert _settings(client, token, **{"is-debug": asked}).content == _settings(client, token).content


@pytest.mark.django_db
def test_texts_and_strangers_replies_are_never_wrapped(client, settings):
    settings.DEBUG_REPLIES = True
    token = issue_token(CrmUserFactory(host="crm.example"))
    debug = {**ORIGIN, "is-debug": "true"}
    assert client.get(f"/hostname?jwtToken={token}", headers=debug).content == b"crm.example"
    for path in ("/serverVersionInfo", "/userInfoHash?extensionId=1", "/licenseStatus", "/contact?phoneNumber=1"):
        assert b"_debug" not in client.get(path, headers=debug).content


@pytest.mark.django_db
def test_failures_are_described_too_and_keep_their_fields(client, settings):
    settings.DEBUG_REPLIES = True
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": "http://127.0.0.1:9"}
    token = issue_token(CrmUserFactory())
    reply = client.get(
        f"/contact?phoneNumber=+16505551212&jwtToken={token}", headers={**ORIGIN, "is-debug": "true"}
    ).json()
    assert reply["successful"] is False
    assert reply["contact"] == []
    assert reply["_debug"]["traces"][0]["data"]["crmCalls"] >= 1
