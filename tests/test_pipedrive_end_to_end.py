"""A session of the extension at Pipedrive, through Switchboard's HTTP API, against a stateful fake of the vendor."""

from __future__ import annotations

import base64

import pytest
import requests

from connectors.models import CrmUser
from tests.extension import Extension
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
