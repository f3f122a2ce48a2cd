"""Sessions of the extension at Pipedrive: real server processes against a fake vendor under its own host names."""

from __future__ import annotations

from html import escape

import pytest

from tests.extension import Extension, call, conversation
from tests.session_script import NOTE, RECORDING, SESSION, CrmSession
from tests.vendor import rounds, short

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

MEDIA = "https://media.ringcentral.com/restapi/v1.0/account/1/message/7/content/8"


class TestSession(CrmSession):
    display, agent, caller = "Pipedrive", "Robin Vale", "Dana Fox"
    text_field = "note"
    volatile = ("update_time",)
    names = ("dana",)
    no_name = "Zzyzx"
    new_contacts = (("+12125550177", "Ada Park & Co <x>", "", {}),)
    later = {
        "recordingLink": RECORDING,
        "duration": 190,
        "result": "Call connected",
        "startTime": "2026-05-04T16:33:07.000Z",
    }

    @pytest.fixture(autouse=True)
    def _in_a_new_company(self, company):
        self.company, self.vendor, self.server = company, company.vendor, company.server
        self.me = Extension(company.server.url, "pipedrive")

    def login(self):
        self.company.log_in(self.me)
        return self.company.welcome

    def add_caller(self):
        dana = self.company.person("Dana Fox", "(650) 555-0112", org=31, org_name="Sloop & Sons")
        self.sloops = self.vendor.call("add_deal", self.company.domain, "Two sloops", dana["id"])
        self.storage = self.vendor.call("add_lead", self.company.domain, "Winter storage", dana["id"])
        return dana

    def add_others(self):
        [dana] = [row["id"] for row in self.company.records("persons")]
        self.company.person("Eli Roe", "+49 16505550112")  # a longer number that holds the same digits
        self.vendor.call("add_deal", self.company.domain, "Sold", dana, status="won")
        self.vendor.call("add_deal", self.company.domain, "Shelved", dana, is_archived=True)
        self.vendor.call("add_lead", self.company.domain, "Stale", dana, is_archived=True)
        return [
            ("+16505550123", self.company.person("Fay Ott", "650.555.0123")),
            (" 442079460106", self.company.person("Gil Day", "+44 (0)20 7946 0106")),
        ]

    def call_of(self, contact):
        [record] = [row for row in self.company.records("activities") if row["type"] == "call"]
        return record

    def day_of(self, contact):
        [day] = [row for row in self.company.records("activities") if row["type"] == "sms"]
        return day

    def written(self, text):
        return escape(text)

    def chosen(self):
        return {"deals": self.sloops, "leads": self.storage}

    def chosen_for_texts(self):
        return {"deals": "", "leads": self.storage}

    def begin_new_contacts(self):
        self.vendor.call("set", search_lag=60)  # a new person is not searchable at once

    def type_into(self, record):
        note = record["note"] + "<p>Typed in Pipedrive</p>"
        self.vendor.call("change", self.company.domain, "activities", record["id"], note=note)

    def see_logout(self):
        assert self.company.user in self.vendor.state()["uninstalled"]

    def see_caller(self, contact, rows):
        found, offer = rows
        assert found == {
            "id": contact["id"],
            "name": "Dana Fox",
            "phone": "+16505550112",
            "type": "contact",
            "organization": "Sloop & Sons",
            "company": "Sloop & Sons",
            "createdDate": "2025-11-02T08:30:00+00:00",
            "mostRecentActivityDate": "2026-01-09T10:00:00+00:00",
            "additionalInfo": {
                "deals": [{"const": self.sloops, "title": "Two sloops"}],
                "leads": [{"const": self.storage, "title": "Winter storage"}],
            },
        }
        assert (offer["id"], offer["isNewContact"]) == ("createNewContact", True)

    def see_new_contact(self, created, number, name, kind):
        [ada] = [row for row in self.company.records("persons") if row["id"] == created["id"]]
        assert (ada["name"], ada["phones"]) == (name, [{"value": number, "primary": True, "label": "work"}])

    def see_call(self, contact, record):
        expected = {
            "person_id": contact["id"],
            "participants": [{"person_id": contact["id"], "primary": True}],
            "org_id": 31,
            "deal_id": self.sloops,
            "lead_id": None,
            "owner_id": self.company.user,
            "subject": "Inbound Call from Dana Fox",
            "type": "call",
            "done": True,
            "due_date": "2026-05-04",
            "due_time": "16:31:00",
            "duration": "00:04:00",
        }
        assert {key: record[key] for key in expected} == expected
        assert record["note"].startswith(f"<b>Agent notes</b><br>{escape(NOTE)}<br>")
        for line in (
            "<b>Date/time</b>: 2026-05-04 12:31:07 PM",  # in the user's zone
            "<b>Duration</b>: 3 minutes, 7 seconds",
            '<a target="_blank" href="https://media.ringcentral.com/rec/9">open</a>',
        ):
            assert line in record["note"]

    def see_details(self, data):
        assert data["dispositions"] == {"deals": self.sloops, "leads": None}
        assert data["fullLogResponse"]["id"] == self.company.activity()["id"]

    def see_edited_note(self, record):
        assert record["note"].startswith("<b>Agent notes</b><br>Second note<br>")
        assert record["note"].endswith("<p>Typed in Pipedrive</p>")

    def see_later(self, record):
        assert f'href="{RECORDING}"' in record["note"]
        assert (record["due_date"], record["due_time"], record["duration"]) == ("2026-05-04", "16:33:00", "00:04:00")
        assert self.me.edit_call(SESSION, subject="Callback", duration=0)["successful"]
        record = self.company.activity()
        assert (record["subject"], record["duration"]) == ("Callback", "00:04:00")

    def file(self, contact, record):
        def filed():
            return self.company.activity()["deal_id"], self.company.activity()["lead_id"]

        assert self.me.dispose(SESSION, leads=self.storage)["successful"]
        assert filed() == (None, self.storage)
        assert self.me.dispose(SESSION, deals=self.sloops, leads=self.storage)["successful"]
        assert filed() == (self.sloops, None)
        assert self.me.dispose(SESSION, deals="none", leads=None)["successful"]
        assert filed() == (None, None)
        assert self.me.dispose(SESSION)["successful"] is False

    def see_day(self, contact, day, count):
        expected = {
            "person_id": contact["id"],
            "org_id": 31,
            "deal_id": None,
            "lead_id": self.storage,
            "owner_id": self.company.user,
            "subject": "SMS conversation with Dana Fox - 26/05/04",
            "type": "sms",
            "done": True,
            "due_date": "2026-05-04",
            "due_time": "17:00:00",
            "duration": None,
        }
        assert {key: day[key] for key in expected} == expected
        assert "<li><b>Robin Vale</b><br></li><li><b>Dana Fox</b></li>" in day["note"]
        for index in range(count):
            assert f"<b>text number {index} &lt;i&gt;&amp;&lt;/i&gt; ñ</b></li>" in day["note"]
        assert "<li>Dana Fox ((650) 555-0112) 01:01 PM<br>" in day["note"]


def test_voicemail_fax_pictures_group_and_shared_messages_reach_the_day_they_belong_to(company):
    dana = company.person("Dana Fox", "+16505550112")
    me = company.login()
    kinds = {
        "voice": {"type": "AudioRecording", "link": "https://v.example.com/1", "contentType": "audio/mpeg"},
        "fax": {"type": "RenderedDocument", "link": "https://f.example.com/1", "uri": MEDIA,
                "contentType": "application/pdf"},
        "mms": {"type": "MmsAttachment", "uri": f"{MEDIA}?access_token=rc-secret-token", "contentType": "image/png"},
    }  # fmt: skip
    for number, (name, attachment) in enumerate(kinds.items()):
        body = conversation(name, dana, 1, info={"rcAccessToken": "rc-secret-token"})
        body["logInfo"]["messages"][0] |= {"id": 700 + number, "attachments": [attachment]}
        assert len(me.log_messages(body)["logIds"]) == 1
    texts = conversation("voice", dana, 2)  # the day that began with a voicemail goes on
    assert len(me.log_messages(texts)["logIds"]) == 2
    group = conversation("group", dana, 2, info={"conversationId": "group"})
    group["logInfo"]["messages"] = [{**item, "id": item["id"] + 50} for item in group["logInfo"]["messages"]]
    group["logInfo"]["correspondents"].append({"phoneNumber": "+16505550188", "name": "Sam Roe"})
    assert me.log_messages(group)["logIds"] == [f"5400045{index}-{dana['id']}" for index in range(2)]

    voice, fax, mms, together = company.records("activities")
    assert voice["subject"] == "Voicemail left by Dana Fox - 26/05/04"
    assert "Voicemail recording link: https://v.example.com/1" in voice["note"]
    assert "Conversation(2 messages)" in voice["note"]
    assert fax["subject"] == "Fax document sent to Dana Fox - 26/05/04"
    assert "Fax document link: https://f.example.com/1" in fax["note"]
    assert "[Link]: https://ringcentral.github.io/ringcentral-media-reader/?media=" in mms["note"]
    assert "<li><b>Dana Fox</b></li><li><b>Sam Roe</b></li>" in together["note"]
    assert {row["type"] for row in (voice, fax, mms, together)} == {"sms"}
    assert "rc-secret-token" not in str(company.records("activities"))


def test_a_shared_conversation_is_rewritten_whole_without_a_read(company):
    dana = company.person("Dana Fox", "+16505550112")
    me = company.login()
    shared = conversation("shared", dana, 0)
    shared["logInfo"] |= {
        "creationTime": "2026-05-04T15:00:00Z",
        "owner": {"name": "Billing Queue", "extensionType": "Department"},
        "entities": [{"recordType": "AliveNote", "creationTime": "2026-05-04T15:05:00Z",
                      "author": {"name": "Robin Vu"}, "text": "Sent <receipt>"}],
    }  # fmt: skip
    assert me.log_messages(shared)["successful"]
    row = company.activity()
    assert (row["due_date"], row["due_time"], row["type"]) == ("2026-05-04", "15:00:00", "sms")
    assert "Billing Queue" in row["note"]
    assert "Sent &lt;receipt&gt;" in row["note"]
    shared["logInfo"]["entities"].append(
        {
            "recordType": "AliveNote",
            "creationTime": "2026-05-04T15:06:00Z",
            "author": {"name": "Robin Vu"},
            "text": "Ok",
        }
    )
    company.vendor.requests()
    assert me.log_messages(shared)["successful"]
    assert company.vendor.spent() == ["PATCH /api/v2/activities/{id}"]
    assert company.activity()["note"].count("left a note on") == 2


def test_what_each_operation_costs_at_the_vendor(company):
    """Requests and rounds, counted while the vendor takes its time for each."""
    vendor = company.vendor
    dana = company.person("Dana Fox", "+16505550112", org=31)
    vendor.call("add_deal", company.domain, "Two sloops", dana["id"])
    code = vendor.call("grant", company.domain, company.user)
    me = company.login()
    vendor.fail({"delay": 0.3})
    search, persons, person = "GET /api/v2/itemSearch", "GET /api/v2/persons", "GET /api/v2/persons/{id}"
    types, new = "GET /v1/activityTypes", "POST /api/v2/activities"
    read, write = "GET /api/v2/activities/{id}", "PATCH /api/v2/activities/{id}"
    many = "GET /api/v2/activities"

    def spent(action):
        vendor.requests()
        action()
        rows = vendor.requests()
        return sorted(short(row) for row in rows), rounds(rows)

    first, second = call("1", dana), call("2", dana)
    uri = f"{me.url}/pipedrive-redirect?code={code}"
    table = [
        (lambda: me.login_with_code(uri, state="platform=pipedrive"), ["GET /v1/users/me", "POST /oauth/token"], 2),
        (lambda: me.look_up("+16505550112"), [search, persons], 2),
        (lambda: me.look_up("+16505550112"), [], 0),
        (lambda: me.look_up("+16505550199"), [search], 1),
        (lambda: me.search("Dana"), [search, persons], 2),
        (lambda: me.create_contact("+16505550155", "Ada Park"), ["POST /api/v2/persons"], 1),
        (lambda: me.log_call(first), [person, types, new], 2),
        (lambda: me.log_call(second), [person, new], 2),
        (lambda: me.logged("1"), [], 0),
        (lambda: me.logged("1", details=True), [read, persons], 1),
        (lambda: me.logged("1", "2", details=True), [many, persons], 1),
        (lambda: me.edit_call("1", note="Another"), [read, persons, write], 2),
        (lambda: me.dispose("1", deals=None), [write], 1),
        (lambda: me.log_messages(conversation("c", dana, 3)), [person, new], 2),
        (lambda: me.log_messages(conversation("c", dana, 6)), [read, write], 2),
        (lambda: me.log_messages(conversation("c", dana, 6)), [], 0),
        (lambda: me.logout(), ["POST /oauth/revoke"], 1),
    ]
    for number, (action, requests, count) in enumerate(table):
        assert spent(action) == (sorted(requests), count), number


def test_without_the_search_scope_a_look_up_is_two_rounds_still(company):
    vendor = company.vendor
    people = [company.person(f"Dana {index}", "+16505550112") for index in range(3)]
    deal = vendor.call("add_deal", company.domain, "Two sloops", people[1]["id"])
    me = company.login(scope="base,contacts:full,deals:read,activities:full")
    vendor.fail({"delay": 0.3})
    found = me.look_up("+16505550112")
    assert [row["id"] for row in found["contact"]] == [*(row["id"] for row in people), "createNewContact"]
    assert found["contact"][1]["additionalInfo"] == {"deals": [{"const": deal, "title": "Two sloops"}]}
    rows = vendor.requests()
    assert (len(rows), rounds(rows)) == (1 + 1 + 2 * 3, 2)  # the leads, refused for want of their scope, among them
