"""A session of the extension at Clio's EU region, through Switchboard's HTTP API, against a stateful fake."""

from __future__ import annotations

import pytest

from connectors.models import CrmUser
from tests.extension import Extension, call, conversation
from tests.fakes.clio import CLIENT, HOST, REDIRECT, USER, FakeClio

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


@pytest.fixture
def vendor(settings):
    settings.ADAPTER_VARIABLES = {
        "CLIO_CLIENT_ID": "us-client",
        "CLIO_CLIENT_SECRET": "us-secret",
        "CLIO_EU_CLIENT_ID": CLIENT[0],
        "CLIO_EU_CLIENT_SECRET": CLIENT[1],
    }
    fake = FakeClio()
    with fake.mounted():
        yield fake


@pytest.fixture
def me(vendor, live_server):
    return Extension(live_server.url, "clio")


def _login(me: Extension) -> dict:
    return me.login_with_code(f"{REDIRECT}?code=code-1", state="platform=clio", hostname=HOST)


def _spent(vendor: FakeClio) -> list[str]:
    spent, vendor.requests = vendor.requests, []
    return sorted(spent)


@pytest.mark.parametrize(
    ("uri", "query"),
    [
        (f"{REDIRECT}?code=code-1", {"state": "platform=clio", "hostname": HOST}),
        (f"{REDIRECT}?state=platform%3Dclio&code=code-1", {"hostname": HOST}),
    ],
)
def test_every_form_of_the_callback_connects_to_the_users_own_region(me, vendor, uri, query):
    welcome = me.login_with_code(uri, **query)
    assert welcome["name"] == "Dana Whitlock"
    user = CrmUser.objects.get(wire_id=f"{USER}-clio")
    assert (user.host, user.timezone) == (HOST, "America/Los_Angeles")
    assert _spent(vendor) == ["GET /api/v4/users/who_am_i.json", "POST /oauth/token"]


def test_numbers_are_found_in_the_notation_they_are_stored_in(me, vendor):
    contacts = [vendor.add_contact(f"Pia {n}", n) for n in ("(650) 555-0112", "650-555-0113", "+16505550114")]
    matter = vendor.add_matter(contacts[0], "00801-Pia")
    vendor.add_matter(contacts[0], "00802-Pia", "Closed")
    _login(me)
    for contact, number in zip(contacts, ("+16505550112", "+16505550113", "+16505550114"), strict=True):
        _spent(vendor)
        found, offer = me.look_up(number)["contact"]
        assert found["id"] == contact
        assert len(found["additionalInfo"]["billableStatus"]) == len(offer["additionalInfo"]["billableStatus"]) == 2
        assert _spent(vendor) == [
            *["GET /api/v4/contacts.json"] * 3,
            "GET /api/v4/matters.json",
            "GET /api/v4/relationships.json",
        ]
    (choice,) = me.look_up("+16505550112")["contact"][0]["additionalInfo"]["matters"]
    assert (choice["const"], choice["title"], choice["description"]) == (matter, "00801-Pia", "Open - Lease")
    assert [row["id"] for row in me.look_up("+12125550199")["contact"]] == ["createNewContact"]
    assert [row["id"] for row in me.search("Pia 650")["contact"]] == [contacts[1]]


def test_a_new_company_is_created_with_its_number(me, vendor):
    _login(me)
    created = me.create_contact("+12125550177", "Ostrow Tiles", "Company")["contact"]
    assert vendor.contacts[created["id"]]["type"] == "Company"
    assert vendor.contacts[created["id"]]["primary_phone_number"] == "+12125550177"


def test_a_call_is_logged_once_with_its_time_entry_and_moves_to_a_matter(me, vendor):
    contact = vendor.add_contact("Pia Ostrow", "+16505550112")
    matter = vendor.add_matter(contact, "00801-Pia")
    _login(me)
    _spent(vendor)
    body = call("s1", {"id": contact, "type": "Person", "name": "Pia Ostrow", "phone": "+16505550112"})
    log_id = me.log_call(body)["logId"]
    assert _spent(vendor) == ["POST /api/v4/activities.json", "POST /api/v4/communications.json"]
    log = vendor.communications[int(log_id)]
    assert log["senders"] == [{"id": contact, "type": "Contact"}]
    assert log["receivers"] == [{"id": USER, "type": "User"}]
    assert log["received_at"] == "2026-05-04T16:31:07.000Z"
    (entry,) = vendor.activities.values()
    assert (entry["quantity"], entry["date"], entry["non_billable"]) == (187, "2026-05-04", False)
    assert me.log_call(body)["successful"] is False
    assert _spent(vendor) == []
    assert me.dispose("s1", matters=matter)["successful"]
    assert log["matter"] == entry["matter"] == {"id": matter}
    assert log["received_at"] == "2026-05-04T16:31:07.000Z"


def test_after_logout_the_old_token_is_refused(me, vendor):
    _login(me)
    _spent(vendor)
    assert me.logout()["returnMessage"]["message"] == "Logged out of Clio"
    assert (_spent(vendor), vendor.access) == (["POST /oauth/deauthorize"], set())
    assert me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400


def test_a_later_note_and_recording_leave_the_time_of_the_call_alone(me, vendor):
    contact = vendor.add_contact("Pia Ostrow", "+16505550112")
    _login(me)
    body = call("s1", {"id": contact, "type": "Person", "name": "Pia Ostrow", "phone": "+16505550112"})
    log = vendor.communications[int(me.log_call(body)["logId"])]
    _spent(vendor)
    (found,) = me.logged("s1", details=True)
    assert found["logData"]["note"] == body["note"]
    assert _spent(vendor) == ["GET /api/v4/communications/{id}.json"]
    assert me.edit_call("s1", note="Second thoughts")["successful"]
    assert _spent(vendor) == ["GET /api/v4/communications/{id}.json", "PATCH /api/v4/communications/{id}.json"]
    assert me.edit_call("s1", recordingLink="https://media.ringcentral.com/rec/10")["successful"]
    assert "Second thoughts" in log["body"]
    assert "https://media.ringcentral.com/rec/10" in log["body"]
    assert "rc-secret-token" not in log["body"]
    assert log["received_at"] == "2026-05-04T16:31:07.000Z"


def test_new_messages_of_a_day_join_its_log_in_one_write(me, vendor):
    contact = {"id": vendor.add_contact("Pia Ostrow", "+16505550112"), "type": "Person", "name": "Pia Ostrow"}
    _login(me)
    _spent(vendor)
    assert len(me.log_messages(conversation("c1", contact, 3))["logIds"]) == 3
    (log,) = vendor.communications.values()
    assert log["subject"] == "SMS conversation with Pia Ostrow - 05/04/2026"
    assert "POST /api/v4/communications.json" in _spent(vendor)
    assert len(me.log_messages(conversation("c1", contact, 5))["logIds"]) == 2
    assert _spent(vendor) == ["GET /api/v4/communications/{id}.json", "PATCH /api/v4/communications/{id}.json"]
    assert me.log_messages(conversation("c1", contact, 5))["logIds"] == []
    assert _spent(vendor) == []
    assert "Conversation(5 messages)" in log["body"]
    texts = [log["body"].index(f"text number {n} ") for n in range(5)]
    assert texts == sorted(texts)
