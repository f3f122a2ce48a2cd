"""A session of the extension, byte for byte as it sends one, against real processes; and what it reads in trouble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.client_reads import assert_readable
from tests.extension import Extension, call, conversation
from tests.live_server import live_server
from tests.sandbox import start_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
SESSION = Path(__file__).parent / "recorded" / "extension_session.jsonl"
RECORDED = [json.loads(line) for line in SESSION.read_text().splitlines()]
ORIGIN = "chrome-extension://kkhkjhaf"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    sandbox = start_sandbox(tmp_path_factory.mktemp("crm"))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, sandbox):
    folder = tmp_path_factory.mktemp("server")
    with live_server(folder, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
        yield server


@pytest.fixture(autouse=True)
def _untroubled(server, sandbox):
    """The CRM behaves well, and is thought well of whatever other tests made of it."""
    sandbox.reset()
    server.rows("Circuit.objects.all().delete()[0]")


def _filled(value, known):
    if isinstance(value, dict):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    return known.get(value, value) if isinstance(value, str) else value


def _send(server, recorded, known):
    """The request line and the headers as recorded, after the preflight that the browser sends before it."""
    url = server.url + recorded["target"].replace("<jwt>", known["<jwt>"])
    headers = {**recorded["headers"], "Origin": ORIGIN}
    preflight = requests.options(
        url,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": recorded["method"],
            "Access-Control-Request-Headers": ",".join(sorted(recorded["headers"])),
        },
        timeout=60,
        allow_redirects=False,
    )
    assert preflight.status_code in (200, 204)
    allowed = preflight.headers["Access-Control-Allow-Headers"]
    assert all(name in allowed for name in recorded["headers"])
    data = json.dumps(_filled(recorded["json"], known)).encode() if "json" in recorded else None
    return requests.request(recorded["method"], url, data=data, headers=headers, timeout=60, allow_redirects=False)


def test_a_recorded_session_runs_from_login_to_logout(server, sandbox):
    known = {"<jwt>": ""}
    for recorded in RECORDED:
        step = f"{recorded['method']} {recorded['target'].split('&')[0]}"
        expect = recorded["expect"]
        reply = _send(server, recorded, known)
        assert reply.status_code == expect.get("status", 200), (step, reply.text[:300])
        body = assert_readable(recorded["method"], recorded["target"], reply)
        if "jwtToken" in str(body)[:20]:
            known["<jwt>"] = body["jwtToken"]
        if "contact" in expect:
            contact = body["contact"][0]
            assert contact["name"] == expect["contact"]
            known.update({"<contact>": contact["id"], "<deal>": contact["additionalInfo"]["deals"][0]["const"]})
        if "successful" in expect:
            assert body["successful"] is expect["successful"], (step, body)
        if "message" in expect:
            shown = body["returnMessage"] or body
            assert shown["message"] == expect["message"]
        if "matched" in expect:
            assert [row["matched"] for row in body["logs"]] == expect["matched"]
            assert all(row["contact"]["id"] == known["<contact>"] for row in body["logs"] if row["matched"])
        if "note" in expect:
            assert body["logs"][0]["logData"]["note"] == expect["note"]
            assert body["logs"][0]["logData"]["dispositions"]["deals"] == _filled(expect["deal"], known)
        if "logged" in expect:
            assert len(body["logIds"]) == expect["logged"]
    (record,) = [row for row in sandbox.activities() if row["external_id"] == "505500100200"]
    assert record["started_at"].startswith("2026-06-09T14:05:33")
    assert record["duration_seconds"] == 245
    assert record["body"].startswith("- Note: Terms sent\n- Summary: Inbound Call from Luke Skywalker\n")
    assert record["body"].count("- Call recording link: https://media.ringcentral.com/rec/32\n") == 1
    (day,) = [row for row in sandbox.activities() if row["external_id"] == "conv5055/2026-06-09"]
    assert [day["body"].count(f"line {number} <b>&</b> é") for number in range(5)] == [1] * 5
    assert "rc-secret-token" not in str(sandbox.activities())


LUKE = {"id": 1, "name": "Luke Skywalker", "type": "Contact", "phone": "+16505551212"}
ENDPOINTS = [
    ("GET", "/crmManifest", None),
    ("GET", "/serverVersionInfo", None),
    ("GET", "/userInfoHash?extensionId=1&accountId=2", None),
    ("GET", "/user/settings?rcAccountId=x", None),
    ("POST", "/user/settings", {"userSettings": {"autoLogCall": {"value": True}}, "settingKeysToRemove": []}),
    ("GET", "/user/preloadSettings?rcAccountId=x", None),
    ("GET", "/licenseStatus", None),
    ("GET", "/authValidation", None),
    (
        "GET",
        "/contact?phoneNumber=+16505551212&overridingFormat=&isExtension=false&isForceRefreshAccountData=true",
        None,
    ),
    ("GET", "/contact?phoneNumber=+12125550198", None),
    ("GET", "/contact?phoneNumber=204&isExtension=true", None),
    ("POST", "/contact", {"phoneNumber": "+1212555{n}", "newContactName": "New {n}", "newContactType": ""}),
    ("GET", "/custom/contact/search?name=Luke", None),
    ("GET", "/custom/contact/search?name=Nobody", None),
    ("GET", "/custom/contact/search", None),
    ("GET", "/callLog?sessionIds=known,0,unknown&requireDetails=false", None),
    ("GET", "/callLog?sessionIds=known,0&requireDetails=true", None),
    ("GET", "/callLog", None),
    ("POST", "/callLog", call("{n}", LUKE)),
    ("POST", "/callLog", call("known", LUKE)),
    ("POST", "/callLog", {**call("{n}", LUKE), "contactId": ""}),
    ("POST", "/callLog", {"note": "no call"}),
    ("PATCH", "/callLog", {"sessionId": "known", "note": "n {n}"}),
    ("PATCH", "/callLog", {"sessionId": "unknown", "note": "n"}),
    ("PUT", "/callDisposition", {"sessionId": "known", "dispositions": {"deals": "none"}}),
    ("PUT", "/callDisposition", {"sessionId": "known", "dispositions": {}}),
    ("PUT", "/callDisposition", {"sessionId": "unknown", "dispositions": {}}),
    ("POST", "/messageLog", conversation("c{n}", LUKE, 2)),
    ("POST", "/messageLog", conversation("c{n}", LUKE, 0)),
    ("POST", "/messageLog", {**conversation("c{n}", LUKE, 1), "contactId": None}),
    ("POST", "/callLog/cacheNote", {"sessionId": "1", "note": "n"}),
    ("GET", "/calldown?status=All", None),
    ("POST", "/calldown", {"phoneNumber": "+16505551212", "scheduledAt": "2100-01-01T09:00:00Z"}),
    ("POST", "/calldown", {}),
    ("PATCH", "/calldown/unknown", {"lastCallAt": "2026-01-01T09:00:00Z"}),
    ("DELETE", "/calldown/unknown", None),
    ("GET", "/ringcentral/oauth/callback?code=x", None),
    ("GET", "/ringcentral/admin/report?timeFrom=x", None),
    ("GET", "/ringcentral/admin/userReport?timeFrom=x", None),
    ("POST", "/admin/userMapping", {"rcExtensionList": []}),
    ("POST", "/admin/reinitializeUserMapping", {"rcExtensionList": []}),
]
TROUBLE = {
    "none": {},
    "crm refuses the login": {"status": 401},
    "crm forbids": {"status": 403},
    "crm knows no such thing": {"status": 404},
    "crm has a conflict": {"status": 409},
    "crm finds it invalid": {"status": 422},
    "crm limits": {"status": 429},
    "crm breaks": {"status": 500},
    "crm hangs up": {"drop": "before"},
    "no token": None,
}
_numbers = iter(range(1000, 10_000))


@pytest.fixture
def me(server, trouble):
    """A user for each kind of trouble: what waits for one, and what follows upon it, is not in the others' way."""
    me = Extension(server.url, "testCRM")
    me.login_with_key(f"reads-{trouble.replace(' ', '-')}")
    LUKE["id"] = me.look_up("+16505551212")["contact"][0]["id"]
    me.log_call(call("known", LUKE))
    return me


@pytest.mark.parametrize("trouble", TROUBLE)
def test_everything_the_client_reads_is_there_whatever_goes_wrong(me, sandbox, trouble):
    me = _as_nobody(me) if TROUBLE[trouble] is None else me
    if fault := TROUBLE[trouble]:
        sandbox.fail(*({"method": method, "path_prefix": "/api/", "times": None, **fault} for method in
                       ("GET", "POST", "PATCH")))  # fmt: skip
    for method, target, body in ENDPOINTS:
        text = json.dumps(body).replace("{n}", str(next(_numbers)))
        given = json.loads(text)
        if given and given.get("contactId") == 1:
            given["contactId"] = LUKE["id"]
        reply = me.send(method, target, given)
        assert reply.status_code < 500, (method, target, reply.text[:300])
        try:
            assert_readable(method, target, reply)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f"{method} {target} -> {reply.status_code} {reply.text[:500]}") from error


def _as_nobody(me):
    nobody = Extension(me.url, me.platform)
    nobody.token = "no-token-of-ours"
    return nobody


def test_a_login_that_is_refused_is_no_2xx_and_says_why(server):
    body = {"platform": "testCRM", "apiKey": "bad-key", "hostname": "", "additionalInfo": {}}
    reply = requests.post(f"{server.url}/apiKeyLogin", json=body, headers={"Origin": ORIGIN}, timeout=60)
    assert reply.status_code == 400
    assert assert_readable("POST", "/apiKeyLogin", reply)["returnMessage"]["messageType"] == "warning"


def test_a_session_that_the_crm_ended_is_told_with_the_code_that_logs_the_client_out(server, sandbox):
    me = Extension(server.url, "testCRM")
    me.login_with_key("ended-key")
    me.logout()
    reply = me.send("GET", "/contact?phoneNumber=+16505551212")
    assert reply.status_code == 400
    assert assert_readable("GET", "/contact", reply) == "Please go to Settings and authorize CRM platform"
