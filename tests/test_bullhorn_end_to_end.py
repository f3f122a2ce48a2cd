"""A session of the extension at Bullhorn, through Switchboard's HTTP API, against a stateful fake of the vendor."""

from __future__ import annotations

import pytest

from adapters import registry
from connectors.models import CrmUser
from tests.extension import Extension, call, conversation
from tests.fakes.bullhorn import CLIENT, FakeBullhorn

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

CALLBACK = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html?code=code-1"
CENTRE = {
    "tokenUrl": "https://auth-west.bullhornstaffing.com/oauth/token",
    "apiUrl": "https://rest-west.bullhornstaffing.com/rest-services",
}
WRONG_CENTRE = {
    "tokenUrl": "https://auth-east.bullhornstaffing.com/oauth/token",
    "apiUrl": "https://rest-east.bullhornstaffing.com/rest-services",
}
HOSTILE = {"tokenUrl": "https://evil.example/oauth/token", "apiUrl": "https://evil.example/rest-services"}
API = "/rest-services/e999"
SIGN_IN = [
    "POST /oauth/token",
    "POST /rest-services/login",
    f"GET {API}/settings/userId",
    f"GET {API}/query/CorporateUser",
]


@pytest.fixture
def vendor(settings):
    settings.ADAPTER_VARIABLES = {"BULLHORN_CLIENT_ID": CLIENT[0], "BULLHORN_CLIENT_SECRET": CLIENT[1]}
    registry.manifests.cache_clear()
    fake = FakeBullhorn()
    with fake.mounted():
        yield fake


@pytest.fixture
def me(vendor, live_server):
    return Extension(live_server.url, "bullhorn")


def _login(me: Extension, **urls: str) -> dict:
    query = {"hostname": "app.bullhornstaffing.com", "username": "agent.kim", **(urls or CENTRE)}
    return me.login_with_code(f"{CALLBACK}&state=platform=bullhorn", **query)


def _spent(vendor: FakeBullhorn) -> list[str]:
    spent, vendor.requests = vendor.requests, []
    return spent


@pytest.mark.parametrize(
    ("urls", "requests"),
    [
        (CENTRE, SIGN_IN),
        (WRONG_CENTRE, ["POST /oauth/token", "POST /oauth/token", "POST /rest-services/login", *SIGN_IN[1:]]),
        (HOSTILE, ["GET /rest-services/loginInfo", *SIGN_IN]),
    ],
    ids=["own data centre", "other data centre", "hosts of somebody else"],
)
def test_the_login_ends_in_the_users_own_data_centre(me, vendor, urls, requests):
    welcome = _login(me, **urls)
    assert welcome["name"] == "Agent Kim"
    assert welcome["returnMessage"]["message"] == "Connected to Bullhorn."
    user = CrmUser.objects.get(wire_id="9001-bullhorn")
    assert (user.timezone, user.crm_account_id) == ("UTC-08:00", "e999")
    assert _spent(vendor) == requests


def test_numbers_are_found_in_every_notation_and_kind(me, vendor):
    grace = vendor.add_person("ClientContact", "Grace Hill", phone="(650) 555-0112")
    sam = vendor.add_person("Candidate", "Sam Roe", workPhone="+16505550112")
    pat = vendor.add_person("Lead", "Pat Lee", mobile="650.555.0112")
    vendor.add_person("Lead", "Kit Moss", phone="+44 650 555 0112")
    _login(me)
    _spent(vendor)
    found = me.look_up("+16505550112")["contact"]
    assert [(row["id"], row["type"]) for row in found] == [(grace, "Contact"), (sam, "Candidate"), (pat, "Lead")]
    assert found[0]["additionalInfo"]["noteActions"][0] == {"const": "Inbound Call", "title": "Inbound Call"}
    assert len(_spent(vendor)) == 7
    (offer,) = me.look_up("+16505550199")["contact"]
    assert (offer["id"], offer["defaultContactType"]) == ("createNewContact", "Lead")
    assert offer["additionalInfo"]["Lead"]["status"] == [{"const": "New Lead", "title": "New Lead"}]
    assert len(_spent(vendor)) == 3
    assert [row["id"] for row in me.search("Grace")["contact"]] == [grace]
    assert len(_spent(vendor)) == 3


def test_a_client_contact_is_created_in_one_company_for_all(me, vendor):
    _login(me)
    first = me.create_contact("+16505550177", "Mary Ann van der Berg", "Contact", status="New Lead")["contact"]
    second = me.create_contact("+16505550178", "Ada Park", "Contact", status="New Lead")["contact"]
    stored = vendor.people["ClientContact"]
    (company,) = vendor.companies
    assert stored[first["id"]]["lastName"] == "Ann van der Berg"
    assert {stored[row["id"]]["clientCorporation"]["id"] for row in (first, second)} == {company}


def test_a_lost_session_is_opened_anew_without_spending_the_refresh_token(me, vendor):
    vendor.add_person("Lead", "Pat Lee", phone="650 555 0112")
    _login(me)
    (refresh_token,) = vendor.refresh
    vendor.sessions.clear()
    assert [row["name"] for row in me.look_up("+16505550112")["contact"]] == ["Pat Lee"]
    assert vendor.refresh == {refresh_token}


def test_a_lost_session_and_an_old_access_token_take_one_refresh(me, vendor):
    vendor.add_person("Lead", "Pat Lee", phone="650 555 0112")
    _login(me)
    _spent(vendor)
    vendor.sessions.clear()
    vendor.access.clear()
    assert [row["name"] for row in me.look_up("+16505550112")["contact"]] == ["Pat Lee"]
    assert _spent(vendor).count("POST /oauth/token") == 1


def test_after_logout_session_and_old_token_are_refused(me, vendor):
    _login(me)
    _spent(vendor)
    assert me.logout()["returnMessage"]["message"] == "Logged out of Bullhorn"
    assert (_spent(vendor), vendor.sessions) == ([f"GET {API}/logout"], set())
    assert me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400


def test_a_call_is_logged_once_and_changed_in_place(me, vendor):
    grace = vendor.add_person("ClientContact", "Grace Hill", phone="(650) 555-0112")
    contact = {"id": grace, "name": "Grace Hill", "type": "Contact", "phone": "+16505550112"}
    _login(me)
    _spent(vendor)
    first = me.log_call(call("501", contact))
    assert first["successful"]
    assert _spent(vendor) == [f"PUT {API}/entity/Note"]
    me.log_call(call("501", contact))
    assert _spent(vendor) == []
    (note,) = vendor.notes.values()
    assert note["personReference"] == {"id": grace, "personSubtype": "ClientContact"}
    assert (note["dateAdded"], note["minutesSpent"]) == (1777912267000, 3)
    assert (note["externalID"], note["action"]) == ("501", "pending note")
    assert "Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café" in note["comments"]
    assert "rc-secret-token" not in note["comments"]

    (log,) = me.logged("501", details=True)
    assert log["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert log["logData"]["subject"] == "Inbound Call from Grace Hill"
    assert log["logData"]["contactName"] == "Grace Hill"
    _spent(vendor)

    me.edit_call("501", note="Bought it")
    assert _spent(vendor) == [f"GET {API}/entity/Note/{{id}}", f"POST {API}/entity/Note/{{id}}"]
    assert "Bought it" in note["comments"]
    assert (note["dateAdded"], note["minutesSpent"]) == (1777912267000, 3)

    me.edit_call("501", recordingLink="https://media.ringcentral.com/rec/10")
    assert "https://media.ringcentral.com/rec/10" in note["comments"]
    assert "Bought it" in note["comments"]
    _spent(vendor)

    me.dispose("501", noteActions="Inbound Call")
    assert _spent(vendor) == [f"POST {API}/entity/Note/{{id}}"]
    assert note["action"] == "Inbound Call"


def test_all_new_messages_of_a_day_take_one_read_and_one_write(me, vendor):
    pat = vendor.add_person("Lead", "Pat Lee", phone="+16505550112")
    contact = {"id": pat, "name": "Pat Lee", "type": "Lead", "phone": "+16505550112"}
    _login(me)
    _spent(vendor)
    me.log_messages(conversation("77", contact, 3))
    assert _spent(vendor) == [f"PUT {API}/entity/Note"]
    (note,) = vendor.notes.values()
    assert note["personReference"] == {"id": pat, "personSubtype": "Lead"}
    assert note["dateAdded"] == 1777914000000
    assert "Conversation(3 messages)" in note["comments"]
    me.log_messages(conversation("77", contact, 5))
    assert _spent(vendor) == [f"GET {API}/entity/Note/{{id}}", f"POST {API}/entity/Note/{{id}}"]
    assert "Conversation(5 messages)" in note["comments"]
    assert "text number 4 &lt;i&gt;&amp;&lt;/i&gt; ñ" in note["comments"]
    assert note["dateAdded"] == 1777914000000
    me.log_messages(conversation("77", contact, 5))
    assert _spent(vendor) == []
    assert len(vendor.notes) == 1
