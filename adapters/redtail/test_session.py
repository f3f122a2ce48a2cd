"""The extension's session at Redtail: real server processes, and a stateful fake of the vendor under its own name."""

from __future__ import annotations

from html import escape

import pytest

from tests.extension import call, conversation
from tests.fakes.redtail import API_KEY, PASSWORD, USER_ID, USER_KEY
from tests.session_script import NOTE, RECORDING, SESSION, CrmSession
from tests.vendor import rounds

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

CATEGORIES = [{"const": 1, "title": "Client Service"}, {"const": 2, "title": "General"}]


class TestSession(CrmSession):
    display, agent, caller = "Redtail", "Jane Doe-Smith", "Pia Ostrow"
    text_field = "description"
    names = ("pia ostrow", "Pia")
    new_contacts = (
        ("+12125550171", "Cher", "", {"category": 1}),
        ("+12125550172", "Ada Byron", "", {"category": 1}),
        ("+12125550173", "Mary Jane Watson", "", {"category": 1}),
        ("+12125550174", "Ana  María Ruiz-Soto", "", {"category": 1}),
    )
    parts = {
        "Cher": (None, "Cher"),
        "Ada Byron": ("Ada", "Byron"),
        "Mary Jane Watson": ("Mary Jane", "Watson"),
        "Ana  María Ruiz-Soto": ("Ana María", "Ruiz-Soto"),
    }

    @pytest.fixture(autouse=True)
    def _in_a_new_database(self, redtail):
        self.redtail, self.me, self.server = redtail, redtail.me, redtail.server

    def login(self):
        wrong = {"username": self.redtail.username, "password": "wrong-pass-word"}
        refused = self.me.send(
            "POST", "/apiKeyLogin?state=platform=redtail", {"platform": "redtail", "additionalInfo": wrong}
        )
        assert refused.status_code == 400
        assert refused.json()["returnMessage"]["message"] == (
            "Could not load user information. Redtail did not accept the login."
        )
        return self.redtail.login()

    def add_caller(self):
        return self.redtail.pia()

    def add_others(self):
        add = self.redtail.vendor.call
        add("add_contact", "Other", "Country", "6505550112", 44)
        return [
            ("+16505550113", {"id": add("add_contact", "Sam", "Vu", "(650) 555-0113"), "phone": "+16505550113"}),
            ("+16505550114", {"id": add("add_contact", "Sam", "Vu", "650-555-0114"), "phone": "+16505550114"}),
            (
                "+442079460106",
                {
                    "id": add("add_contact", "", "", "2079460106", 44, "Business", full_name="Thames Trust"),
                    "phone": "+442079460106",
                    "name": "Thames Trust",
                },
            ),
        ]

    def call_of(self, contact):
        (record,) = [row for row in self.redtail.activities() if not row["subject"].startswith("SMS")]
        return record

    def day_of(self, contact):
        (day,) = [row for row in self.redtail.activities() if row["subject"].startswith("SMS")]
        return day

    def written(self, text):
        return escape(text)

    def chosen(self):
        return {"category": 1}

    def type_into(self, record):
        self.redtail.vendor.call("edit_description", record["id"], record["description"] + "<p>typed in Redtail</p>")

    def see_login(self, welcome):
        assert welcome["returnMessage"]["ttl"] == 3000
        settings = self.me.json("GET", "/user/settings")
        assert settings["defaultCategory"]["options"] == [
            {"id": 1, "name": "Client Service"},
            {"id": 2, "name": "General"},
        ]

    def see_logout(self):
        mine = f"CrmUser.objects.filter(wire_id='{self.redtail.username}-redtail')"
        assert self.server.rows(f"list({mine}.values_list('access_token', 'secret_extra'))") == [["", ""]]
        kept = self.redtail.switchboard.everything_stored()
        for secret in (PASSWORD, PASSWORD.split(":")[0], "wrong-pass-word", USER_KEY, API_KEY, "rc-secret-token"):
            assert secret.encode() not in kept, secret

    def see_caller(self, contact, rows):
        found, offer = rows
        self.see_other(contact, found)
        assert found["additionalInfo"] == offer["additionalInfo"]

    def see_other(self, contact, row):
        assert (row["phone"], row["type"]) == (contact["phone"], "contact")
        assert row["additionalInfo"] == {"category": CATEGORIES}
        assert row["name"] == contact.get("name", row["name"])

    def see_named(self, contact, row):
        assert row["phone"] == "+16505550112"

    def see_new_contact(self, created, number, name, kind):
        record = self.redtail.vendor.state()["contacts"][str(created["id"])]
        assert created["name"] == " ".join(name.split())
        assert (record["first_name"], record["last_name"], record["category_id"]) == (*self.parts[name], 1)
        assert record["phones"] == [{"phone_type": 6, "number": number[2:], "country_code": 1}]

    def see_call(self, contact, record):
        body = record["description"]
        assert record == {
            "id": record["id"],
            "description": body,
            "subject": "Inbound Call from Pia Ostrow",
            "start_date": "2026-05-04T16:31:07.000Z",
            "end_date": "2026-05-04T16:34:14.000Z",
            "activity_code_id": 3,
            "category_id": 1,
            "repeats": "never",
            "linked_contacts": [{"contact_id": contact["id"]}],
            "completed": True,
            "added_by": USER_ID,
            "all_day": False,
            "deleted": False,
        }
        note = escape(NOTE)
        assert body.startswith(
            f"<b>Agent notes</b><br>{note}<br><br><b>Call details</b><br><li><b>Summary</b>: Inbound"
        )
        assert "<li><b>Duration</b>: 3 minutes, 7 seconds</li>" in body
        assert "2026-05-04 04:31:07 PM" in body
        assert self.redtail.notes() == [(record["id"], note)]

    def see_details(self, data):
        assert data["dispositions"] == {"category": 1}

    def see_edited_note(self, record):
        assert len(self.redtail.notes()) == 1

    def see_later(self, record):
        assert f'href="{RECORDING}"' in record["description"]
        assert "<p>typed in Redtail</p>" in record["description"]
        assert (record["start_date"], record["end_date"]) == ("2026-05-04T16:31:07.000Z", "2026-05-04T16:34:17.000Z")

    def file(self, contact, record):
        assert self.me.dispose(SESSION, category=2)["successful"]
        assert self.redtail.activity(record["id"]) == {**record, "category_id": 2}
        assert self.me.dispose(SESSION) == {"successful": False, "returnMessage": None}  # nothing was chosen
        assert self.redtail.activity(record["id"]) == {**record, "category_id": 2}

    def see_day(self, contact, day, count):
        assert day["subject"] == "SMS conversation with Pia Ostrow - 26/05/04"
        assert (day["start_date"], day["end_date"]) == (
            "2026-05-04T17:00:00.000Z",
            f"2026-05-04T17:0{count - 1}:00.000Z",
        )
        linked = [{"contact_id": contact["id"]}]
        assert (day["linked_contacts"], day["category_id"], day["completed"]) == (linked, 2, True)
        assert "<li><b>Jane Doe-Smith</b><br></li>" in day["description"]
        for index in range(count):
            assert f"<b>text number {index} &lt;i&gt;&amp;&lt;/i&gt; ñ</b>" in day["description"]
        assert "<li>Pia Ostrow (+16505550112) 05:01 PM<br>" in day["description"]


def _message(number, kind, **members):
    return {
        "id": 880000 + number,
        "type": kind,
        "direction": "Inbound",
        "subject": "",
        "creationTime": f"2026-05-04T18:{number:02d}:00.000Z",
        "from": {"phoneNumber": "+16505550112"},
        "to": [{"phoneNumber": "+16505550100"}],
        "attachments": [],
        **members,
    }


def _voicemail(number):
    link = f"https://media.ringcentral.com/vm/{number}"
    return _message(number, "VoiceMail", attachments=[{"type": "AudioRecording", "link": link}])


def _fax(number):
    link = f"https://media.ringcentral.com/fax/{number}"
    return _message(number, "Fax", attachments=[{"type": "RenderedDocument", "link": link}])


def _mms(number):
    uri = f"https://media.ringcentral.com/restapi/v1.0/account/1/content/{number}"
    return _message(
        number, "SMS", attachments=[{"type": "MmsAttachment", "contentType": "image/png", "uri": uri}], subject="look"
    )


def _day(name, contact, messages, **info):
    body = conversation(name, contact, 0)
    body["logInfo"] |= {"messages": messages, **info}
    return body


def test_links_of_voicemails_faxes_and_pictures_stay_when_more_is_added(redtail):
    pia = redtail.pia()
    redtail.login()
    assert len(redtail.me.log_messages(_day("vm", pia, [_voicemail(1)]))["logIds"]) == 1
    (record,) = redtail.activities()
    assert record["subject"] == "Voicemail left by Pia Ostrow - 26/05/04"
    assert "Voicemail recording link: https://media.ringcentral.com/vm/1 " in record["description"]
    later = [_voicemail(1), _fax(2), _mms(3), _voicemail(4)]
    assert len(redtail.me.log_messages(_day("vm", pia, later))["logIds"]) == 3
    (record,) = redtail.activities()
    for link in ("vm/1", "fax/2", "content%2F3", "vm/4"):
        assert record["description"].count(link) == 1, link
    assert (record["start_date"], record["end_date"]) == ("2026-05-04T18:01:00.000Z", "2026-05-04T18:04:00.000Z")

    assert len(redtail.me.log_messages(_day("fax", pia, [_fax(9)]))["logIds"]) == 1
    fax = redtail.activities()[-1]
    assert fax["subject"] == "Fax document sent from Pia Ostrow - 26/05/04"
    assert "Fax document link: https://media.ringcentral.com/fax/9 " in fax["description"]


def test_a_message_that_arrives_late_does_not_shorten_the_day(redtail):
    pia = redtail.pia()
    redtail.login()
    redtail.me.log_messages(_day("c", pia, [_message(5, "SMS", subject="five")]))
    redtail.me.log_messages(_day("c", pia, [_message(2, "SMS", subject="two"), _message(5, "SMS", subject="five")]))
    (record,) = redtail.activities()
    assert record["end_date"] == "2026-05-04T18:05:00.000Z"
    assert "<b>two</b>" in record["description"]


def test_group_messages_are_logged_for_each_contact_and_shared_ones_are_replaced(redtail):
    pia, sam = redtail.pia(), redtail.vendor.call("add_contact", "Sam", "Roe", "6505550118")
    redtail.login()
    people = [{"phoneNumber": pia["phone"], "name": "Pia Ostrow"}, {"phoneNumber": "+16505550118", "name": "Sam Roe"}]
    group = [_message(1, "SMS", subject="to all")]
    assert redtail.me.log_messages(_day("g", pia, group, correspondents=people))["logIds"] == [f"880001-{pia['id']}"]
    other = {"id": sam, "type": "contact", "name": "Sam Roe"}
    assert redtail.me.log_messages(_day("g", other, group, correspondents=people))["logIds"] == [f"880001-{sam}"]
    first, second = redtail.activities()
    assert (first["linked_contacts"], second["linked_contacts"]) == ([{"contact_id": pia["id"]}], [{"contact_id": sam}])
    assert "<li><b>Sam Roe</b></li>" in first["description"]

    def shared(count):
        entities = [
            {
                "recordType": "AliveMessage",
                "id": str(n),
                "direction": "Inbound",
                "subject": f"shared text {n}",
                "creationTime": f"2026-05-04T19:0{n}:00.000Z",
                "lastModifiedTime": f"2026-05-04T19:0{n}:30.000Z",
            }
            for n in range(count)
        ]
        owner = {"name": "Billing Queue", "extensionType": "Department"}
        return _day("s", pia, [], entities=entities, owner=owner, creationTime="2026-05-04T19:00:00.000Z")

    for count in (1, 3):
        assert redtail.me.log_messages(shared(count))["successful"]
        record = redtail.activities()[-1]
        assert len(redtail.vendor.state()["activities"]) == 3
        assert record["start_date"] == "2026-05-04T19:00:00.000Z"
        assert record["end_date"] == f"2026-05-04T19:0{count - 1}:30.000Z"
        assert f"<b>Conversation ({count} message{'s' * (count > 1)})</b>" in record["description"]
        assert "Receiving call queue: <b>Billing Queue</b>" in record["description"]


def test_what_each_operation_costs(redtail):
    spent = {}

    def measured(name, action):
        redtail.vendor.fail({"delay": 0.3})
        redtail.vendor.requests()
        result = action()
        rows = redtail.vendor.requests()
        spent[name] = (len(rows), rounds(rows))
        redtail.vendor.fail()
        return result

    measured("login", lambda: redtail.login())
    measured("settings", lambda: redtail.me.json("GET", "/user/settings"))
    measured("settings again", lambda: redtail.me.json("GET", "/user/settings"))
    pia = redtail.pia()
    number = "phoneNumber=+16505550112&isForceRefreshAccountData=true"
    measured("look-up, nothing cached", lambda: redtail.me.json("GET", f"/contact?{number}"))
    measured("look-up", lambda: redtail.me.json("GET", "/contact?phoneNumber=+16505550114"))
    measured("look-up, forced", lambda: redtail.me.json("GET", f"/contact?{number}"))
    measured("look-up, two formats", lambda: redtail.me.look_up("+16505550113"))
    measured("name", lambda: redtail.me.search("Pia"))
    measured("new contact", lambda: redtail.me.create_contact("+12125550199", "Ada Byron"))
    measured("call with note", lambda: redtail.me.log_call(call("1", pia)))
    measured("call without note", lambda: redtail.me.log_call(call("2", pia, note="")))
    measured("duplicate", lambda: redtail.me.log_call(call("2", pia)))
    measured("details of two", lambda: redtail.me.logged("1", "2", details=True))
    measured("edit", lambda: redtail.me.edit_call("1", note="changed"))
    measured("first note", lambda: redtail.me.edit_call("2", note="first"))
    measured("disposition", lambda: redtail.me.dispose("1", category=1))
    measured("3 messages", lambda: redtail.me.log_messages(conversation("c", pia, 3)))
    measured("2 more", lambda: redtail.me.log_messages(conversation("c", pia, 5)))
    measured("none new", lambda: redtail.me.log_messages(conversation("c", pia, 5)))
    measured("logout", redtail.me.logout)
    assert spent == {
        "login": (1, 1),
        "settings": (1, 1),
        "settings again": (0, 0),
        "look-up, nothing cached": (2, 1),
        "look-up": (1, 1),
        "look-up, forced": (2, 1),
        "look-up, two formats": (3, 1),
        "name": (1, 1),
        "new contact": (1, 1),
        "call with note": (3, 2),
        "call without note": (2, 2),
        "duplicate": (0, 0),
        "details of two": (2, 1),
        "edit": (2, 2),
        "first note": (3, 3),
        "disposition": (1, 1),
        "3 messages": (2, 2),
        "2 more": (2, 2),
        "none new": (0, 0),
        "logout": (0, 0),
    }
