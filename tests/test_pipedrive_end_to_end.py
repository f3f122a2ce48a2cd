"""A session of the extension at Pipedrive, through Switchboard's HTTP API, against a stateful fake of the vendor."""

from __future__ import annotations

import base64

import pytest
import requests

from connectors.models import CrmUser
from tests.extension import Extension, call, conversation
from tests.fakes.pipedrive import CLIENT, HOST, FakePipedrive

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

REDIRECT = "https://switchboard.example/pipedrive-redirect"


@pytest.fixture
def vendor(settings):
    settings.ADAPTER_VARIABLES = {"PIPEDRIVE_CLIENT_ID": CLIENT[0], "PIPEDRIVE_CLIENT_SECRET": CLIENT[1]}
    fake = FakePipedrive()
    with fake.mounted():
        yield fake


@pytest.fixture
def me(vendor, live_server):
    return Extension(live_server.url, "pipedrive")


def _login(me: Extension) -> dict:
    return me.login_with_code(f"{REDIRECT}?code=code-1", state="platform=pipedrive", hostname="temp")


def _spent(vendor: FakePipedrive) -> list[str]:
    spent, vendor.requests = vendor.requests, []
    return spent


@pytest.mark.parametrize(
    ("uri", "query"),
    [
        (f"{REDIRECT}?code=code-1", {"state": "platform=pipedrive", "hostname": "temp"}),
        (f"{REDIRECT}?code=code-1", {"state": "platform=pipedrive", "hostname": "evil.example"}),
        (f"{REDIRECT}?platform=pipedrive&code=code-1", {"hostname": "temp"}),
    ],
)
def test_every_form_of_the_callback_connects_to_the_companys_own_host(me, vendor, uri, query):
    welcome = me.login_with_code(uri, **query)
    assert welcome["name"] == "Robin Vale"
    assert welcome["returnMessage"]["message"] == "Connected to Pipedrive."
    user = CrmUser.objects.get(wire_id="7001-pipedrive")
    assert (user.host, user.timezone, user.crm_account_id) == (HOST, "America/New_York", "880")
    assert _spent(vendor) == ["POST /oauth/token", "GET /v1/users/me"]


def test_look_ups_and_a_new_contact(me, vendor):
    dana = vendor.add_person("Dana Fox", "(650) 555-0112")
    vendor.add_person("Eli Roe", "+49 16505550112")
    vendor.deals.append({"id": 9001, "title": "Two sloops", "status": "open", "person": {"id": dana}})
    vendor.leads.append({"id": "lead-1", "title": "Winter storage", "person": {"id": dana}})
    _login(me)
    _spent(vendor)
    contact, offer = me.look_up("+16505550112")["contact"]
    assert (contact["id"], contact["name"], contact["type"]) == (dana, "Dana Fox", "contact")
    assert contact["additionalInfo"]["deals"] == [{"const": 9001, "title": "Two sloops"}]
    assert contact["additionalInfo"]["leads"] == [{"const": "lead-1", "title": "Winter storage"}]
    assert offer["id"] == "createNewContact"
    assert _spent(vendor) == ["GET /api/v2/itemSearch", "GET /api/v2/persons"]
    assert [row["id"] for row in me.look_up("+12125550199")["contact"]] == ["createNewContact"]
    assert _spent(vendor) == ["GET /api/v2/itemSearch"]
    assert [row["id"] for row in me.search("Dana")["contact"]] == [dana]
    _spent(vendor)
    created = me.create_contact("+12125550177", "Ada Park")["contact"]
    assert vendor.persons[created["id"]]["phones"][0]["value"] == "+12125550177"
    assert _spent(vendor) == ["POST /api/v2/persons"]


def test_a_call_log_from_creation_to_disposition(me, vendor):
    dana = vendor.add_person("Dana Fox", "+16505550112", org_id=31)
    _login(me)
    contact = {"id": dana, "name": "Dana Fox", "type": "contact", "phone": "+16505550112"}
    _spent(vendor)
    logged = me.log_call(call("404430540004", contact, additionalSubmission={"deals": 9001, "leads": "lead-1"}))
    assert logged["successful"] is True
    assert sorted(_spent(vendor)) == ["GET /api/v2/persons/{id}", "GET /v1/activityTypes", "POST /api/v2/activities"]
    again = me.log_call(call("404430540004", contact))
    assert (again["successful"], _spent(vendor)) == (False, [])
    [record] = vendor.activities.values()
    expected = {
        "id": logged["logId"],
        "person_id": dana,
        "org_id": 31,
        "deal_id": 9001,
        "lead_id": None,
        "owner_id": 7001,
        "subject": "Inbound Call from Dana Fox",
        "type": "call",
        "done": True,
        "due_date": "2026-05-04",
        "due_time": "16:31",
        "duration": "00:04",
    }
    assert {key: record[key] for key in expected} == expected
    assert record["note"].startswith("<b>Agent notes</b><br>Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café<br>")
    assert "rc-secret-token" not in record["note"]

    [detail] = me.logged("404430540004", details=True)
    assert detail["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert detail["logData"]["contactName"] == "Dana Fox"
    assert sorted(_spent(vendor)) == ["GET /api/v2/activities/{id}", "GET /api/v2/persons"]

    before = dict(record)
    assert me.edit_call("404430540004", note="Second note")["successful"]
    assert _spent(vendor)[-1] == "PATCH /api/v2/activities/{id}"
    assert "Second note" in record["note"]
    assert {key: value for key, value in record.items() if key != "note"} == {
        key: value for key, value in before.items() if key != "note"
    }
    assert me.edit_call("404430540004", recordingLink="https://media.ringcentral.com/rec/10")["successful"]
    assert "https://media.ringcentral.com/rec/10" in record["note"]
    assert "Second note" in record["note"]
    _spent(vendor)
    me.dispose("404430540004", leads="lead-1")
    assert (record["deal_id"], record["lead_id"]) == (None, "lead-1")
    assert _spent(vendor) == ["PATCH /api/v2/activities/{id}"]


def test_messages_of_a_day_become_one_activity(me, vendor):
    dana = vendor.add_person("Dana Fox", "+16505550112")
    _login(me)
    contact = {"id": dana, "name": "Dana Fox", "type": "contact", "phone": "+16505550112"}
    _spent(vendor)
    me.log_messages(conversation("c-1", contact, 3))
    assert sorted(_spent(vendor)) == ["GET /api/v2/persons/{id}", "GET /v1/activityTypes", "POST /api/v2/activities"]
    [record] = vendor.activities.values()
    assert record["subject"] == "SMS conversation with Dana Fox - 26/05/04"
    assert (record["type"], record["due_date"], record["due_time"]) == ("sms", "2026-05-04", "17:00")
    assert "duration" not in record
    assert "Conversation(3 messages)" in record["note"]
    me.log_messages(conversation("c-1", contact, 5))
    assert _spent(vendor) == ["GET /api/v2/activities/{id}", "PATCH /api/v2/activities/{id}"]
    assert "Conversation(5 messages)" in record["note"]
    assert [record["note"].count(f"text number {index}") for index in range(5)] == [1] * 5
    me.log_messages(conversation("c-1", contact, 5))
    assert _spent(vendor) == []
    assert len(vendor.activities) == 1


def test_after_logout_the_old_token_is_refused(me, vendor):
    _login(me)
    _spent(vendor)
    assert me.logout()["returnMessage"]["message"] == "Logged out of Pipedrive"
    assert (_spent(vendor), vendor.refresh) == (["POST /oauth/revoke"], set())
    assert me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400


def test_the_uninstall_hook_forgets_the_user_of_that_company_only(me, vendor):
    _login(me)
    pair = base64.b64encode(":".join(CLIENT).encode()).decode()

    def uninstall(company: int, secret: str = pair) -> requests.Response:
        return requests.delete(
            f"{me.url}/pipedrive-redirect",
            json={"client_id": CLIENT[0], "company_id": company, "user_id": 7001},
            headers={"Authorization": f"Basic {secret}"},
            timeout=10,
        )

    assert uninstall(880, "bm86bm8=").status_code == 401
    assert uninstall(881).text == "User deleted"
    assert CrmUser.objects.filter(wire_id="7001-pipedrive").exists()
    assert uninstall(880).text == "User deleted"
    assert not CrmUser.objects.filter(wire_id="7001-pipedrive").exists()
