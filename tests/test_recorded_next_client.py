"""What the extension's next version (1.7) sends beyond 1.6, as it sends it, against real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from connectors.release_notes import RELEASE_NOTES
from tests.client_reads import assert_readable
from tests.fakes.ringcentral import CLIENT, running_ringcentral
from tests.live_server import live_server
from tests.sandbox import start_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
SESSION = Path(__file__).parent / "recorded" / "extension_1_7_session.jsonl"
RECORDED = [json.loads(line) for line in SESSION.read_text().splitlines()]
ORIGIN = "chrome-extension://kkhkjhaf"


@pytest.fixture
def ringcentral():
    with running_ringcentral() as fake:
        fake.add_extension("101", "400131", is_admin=True)
        fake.add_extension("102", "400131", is_admin=False)
        fake.access["rc-admin"] = "101"
        values = {"inbound": 30, "outbound": 10}
        fake.aggregate = [{"info": {"name": "Acme"}, "counters": {"callsByDirection": {"values": values}}}]
        fake.calls["102"] = [{"direction": "Inbound", "result": "Accepted", "duration": 60}]
        yield fake


@pytest.fixture
def server(tmp_path, ringcentral):
    sandbox = start_sandbox(tmp_path)
    try:
        with live_server(
            tmp_path,
            SANDBOX="on",
            TEST_CRM_URL=sandbox.url,
            RINGCENTRAL_SERVER=ringcentral.url,
            RINGCENTRAL_CLIENT_ID=CLIENT[0],
            RINGCENTRAL_CLIENT_SECRET=CLIENT[1],
            OUTBOUND_ALLOW_PRIVATE_ADDRESSES="on",
        ) as running:
            yield running
    finally:
        sandbox.stop()


def _filled(value, known):
    text = json.dumps(value)
    for name, found in known.items():
        text = (
            text.replace(json.dumps(name), json.dumps(found))
            if not isinstance(found, str)
            else text.replace(name, found)
        )
    return json.loads(text)


def _mappings(found):
    """As the client makes them at once from the answer, to be sent with its next save."""
    return [
        {"crmUserId": row["crmUser"]["id"], "rcExtensionId": row.get("rcUser", {}).get("extensionId", "none")}
        for row in found
    ]


def test_a_recorded_session_of_the_next_client(server, ringcentral):
    known = {"<jwt>": "", "<code>": ringcentral.code_for("101")}
    mapped = []
    for recorded in RECORDED:
        line = _filled(recorded, known)
        step, expect = f"{line['method']} {recorded['target'].split('&')[0]}", recorded["expect"]
        reply = requests.request(
            line["method"],
            server.url + line["target"],
            data=json.dumps(line["json"]).encode() if "json" in line else None,
            headers={**line["headers"], "Origin": ORIGIN},
            timeout=60,
            allow_redirects=False,
        )
        assert reply.status_code == 200, (step, reply.text[:300])
        body = assert_readable(line["method"], line["target"], reply)
        if recorded["target"].startswith("/userInfoHash"):
            known.update({"<hash of 101>": body["extensionId"], "<hash of 400131>": body["accountId"]})
        if "jwtToken" in str(body)[:20]:
            known["<jwt>"] = body["jwtToken"]
        if "entry" in expect:
            known[f"<{expect['entry']}>"] = body["id"]
        if "items" in expect:
            assert [item["id"] for item in body["items"]] == [known[f"<{name}>"] for name in expect["items"]], step
        if "successful" in expect:
            assert body["successful"] is expect["successful"], step
        if "inbound" in expect:
            assert body["callLogStats"]["inboundCallCount"] == expect["inbound"], step
        if "mapped" in expect:
            mapped.append(_mappings(body))
            known["<mappings>"] = mapped[-1]
        if "message" in expect:
            assert body["message"] == expect["message"]
        if recorded["target"] == "/releaseNotes":
            assert body == RELEASE_NOTES
    assert mapped[0] == mapped[1]
    assert mapped[0]
    assert len(ringcentral.revoked) == 1, "the administrator's login ended with the session"


def test_every_route_of_the_next_client_is_sent():
    """A missing route looks like a button that does nothing."""
    sent = {f"{row['method']} {row['target'].split('?')[0].split('/<')[0]}" for row in RECORDED}
    routes = {
        "GET /ringcentral/oauth/callback", "GET /ringcentral/admin/report", "GET /ringcentral/admin/userReport",
        "GET /calldown", "POST /calldown", "PATCH /calldown", "DELETE /calldown", "POST /admin/userMapping",
    }  # fmt: skip
    assert routes <= sent
