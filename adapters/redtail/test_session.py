"""The extension's session at Redtail: real server processes, and a stateful fake of the vendor under its own name."""

from __future__ import annotations

import pytest

from tests.extension import call, conversation
from tests.fakes.redtail import API_KEY, PASSWORD, USER_ID, USER_KEY
from tests.vendor import rounds

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

CATEGORIES = [{"const": 1, "title": "Client Service"}, {"const": 2, "title": "General"}]


def test_a_session_of_the_extension_from_login_to_logout(redtail):
    wrong = redtail.me.send(
        "POST",
        "/apiKeyLogin?state=platform=redtail",
        {"platform": "redtail", "additionalInfo": {"username": redtail.username, "password": "wrong-pass-word"}},
    )
    assert wrong.status_code == 400
    assert wrong.json()["returnMessage"]["message"] == (
        "Could not load user information. Redtail did not accept the login."
    )
    welcome = redtail.login()
    assert welcome["name"] == "Jane Doe-Smith"
    assert (welcome["returnMessage"]["message"], welcome["returnMessage"]["ttl"]) == ("Connected to Redtail.", 3000)
    settings = redtail.me.json("GET", "/user/settings")
    assert settings["defaultCategory"]["options"] == [{"id": 1, "name": "Client Service"}, {"id": 2, "name": "General"}]

    person = redtail.pia()
    pia = person["id"]
    stored = {"+16505550112": pia}
    for number, typed in (("+16505550113", "(650) 555-0113"), ("+16505550114", "650-555-0114")):
        stored[number] = redtail.vendor.call("add_contact", "Sam", "Vu", typed)
    stored["+442079460106"] = redtail.vendor.call(
        "add_contact", "", "", "2079460106", 44, "Business", full_name="Thames Trust"
    )
    redtail.vendor.call("add_contact", "Other", "Country", "6505550112", 44)
    for number, contact in stored.items():
        found, offer = redtail.me.look_up(number)["contact"]
        assert (found["id"], found["phone"], found["type"]) == (contact, number, "contact")
        assert found["additionalInfo"] == offer["additionalInfo"] == {"category": CATEGORIES}
    assert redtail.me.look_up("+442079460106")["contact"][0]["name"] == "Thames Trust"
    unknown = redtail.me.look_up("+12125550199")
    assert unknown["successful"] is True
    assert [row["id"] for row in unknown["contact"]] == ["createNewContact"]
    assert [row["id"] for row in redtail.me.search("pia ostrow")["contact"]] == [pia]
    assert redtail.me.search("Pia")["contact"][0]["phone"] == "+16505550112"
    assert redtail.me.search("Zzyzx Nobody")["contact"] == []

    for number, name, first, last in (
        ("+12125550171", "Cher", None, "Cher"),
        ("+12125550172", "Ada Byron", "Ada", "Byron"),
        ("+12125550173", "Mary Jane Watson", "Mary Jane", "Watson"),
        ("+12125550174", "Ana  María Ruiz-Soto", "Ana María", "Ruiz-Soto"),
    ):
        created = redtail.me.create_contact(number, name, category=1)["contact"]
        record = redtail.vendor.state()["contacts"][str(created["id"])]
        assert created["name"] == " ".join(name.split())
        assert (record["first_name"], record["last_name"], record["category_id"]) == (first, last, 1)
        assert record["phones"] == [{"phone_type": 6, "number": number[2:], "country_code": 1}]
        assert redtail.me.look_up(number)["contact"][0]["id"] == created["id"]

    logged = redtail.me.log_call(call("404430540004", person, additionalSubmission={"category": 1}))
    assert logged["successful"] is True
    assert logged["returnMessage"]["message"] == "Call logged"
    again = redtail.me.log_call(call("404430540004", person, note="again"))
    assert again["returnMessage"]["message"] == "Existing log for session 404430540004"
    (record,) = redtail.activities()
    body = record.pop("description")
    assert record == {
        "id": logged["logId"],
        "subject": "Inbound Call from Pia Ostrow",
        "start_date": "2026-05-04T16:31:07.000Z",
        "end_date": "2026-05-04T16:34:14.000Z",
        "activity_code_id": 3,
        "category_id": 1,
        "repeats": "never",
        "linked_contacts": [{"contact_id": pia}],
        "completed": True,
        "added_by": USER_ID,
        "all_day": False,
        "deleted": False,
    }
    note = "Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café"
    assert body.startswith(f"<b>Agent notes</b><br>{note}<br><br><b>Call details</b><br><li><b>Summary</b>: Inbound")
    assert "<li><b>Duration</b>: 3 minutes, 7 seconds</li>" in body
    assert "2026-05-04 04:31:07 PM" in body
    assert redtail.notes() == [(logged["logId"], note)]

    (detail,) = redtail.me.logged("404430540004", details=True)
    assert detail["logId"] == logged["logId"]
    assert detail["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert detail["logData"]["subject"] == "Inbound Call from Pia Ostrow"
    assert detail["logData"]["contactName"] == "Pia Ostrow"
    assert detail["logData"]["dispositions"] == {"category": 1}

    redtail.vendor.call("edit_description", logged["logId"], body + "<p>typed in Redtail</p>")
    before = redtail.activity(logged["logId"])
    assert redtail.me.edit_call("404430540004", note="Second note")["successful"]
    after = redtail.activity(logged["logId"])
    assert after["description"] == before["description"].replace(note, "Second note")
    assert {**after, "description": ""} == {**before, "description": ""}
    assert len(redtail.notes()) == 1

    edited = redtail.me.edit_call(
        "404430540004",
        recordingLink="https://media.ringcentral.com/rec/10",
        startTime="2026-05-04T16:31:07.000Z",
        duration=190,
        result="Call connected",
        direction="Inbound",
    )
    assert edited["successful"]
    after = redtail.activity(logged["logId"])
    assert 'href="https://media.ringcentral.com/rec/10"' in after["description"]
    assert "<p>typed in Redtail</p>" in after["description"]
    assert (after["start_date"], after["end_date"]) == ("2026-05-04T16:31:07.000Z", "2026-05-04T16:34:17.000Z")
    assert redtail.me.dispose("404430540004", category=2)["successful"]
    assert redtail.activity(logged["logId"]) == {**after, "category_id": 2}
    assert redtail.me.dispose("404430540004") == {"successful": False, "returnMessage": None}  # nothing was chosen
    assert redtail.activity(logged["logId"]) == {**after, "category_id": 2}

    assert len(redtail.me.log_messages(conversation("conv1", person, 3))["logIds"]) == 3
    assert len(redtail.me.log_messages(conversation("conv1", person, 5))["logIds"]) == 2
    assert redtail.me.log_messages(conversation("conv1", person, 5)) == {
        "successful": True,
        "logIds": [],
        "returnMessage": None,
    }
    (day,) = [row for row in redtail.activities() if row["subject"].startswith("SMS")]
    assert day["subject"] == "SMS conversation with Pia Ostrow - 26/05/04"
    assert (day["start_date"], day["end_date"]) == ("2026-05-04T17:00:00.000Z", "2026-05-04T17:04:00.000Z")
    assert (day["linked_contacts"], day["category_id"], day["completed"]) == ([{"contact_id": pia}], 2, True)
    assert "Conversation(5 messages)" in day["description"]
    assert "<li><b>Jane Doe-Smith</b><br></li>" in day["description"]
    texts = [day["description"].index(f"<b>text number {n} &lt;i&gt;&amp;&lt;/i&gt; ñ</b>") for n in range(5)]
    assert texts == sorted(texts)
    assert "<li>Pia Ostrow (+16505550112) 05:01 PM<br>" in day["description"]

    assert redtail.me.logout()["returnMessage"]["message"] == "Logged out of Redtail"
    refused = redtail.me.send("GET", "/contact?phoneNumber=+16505550112")
    assert (refused.status_code, refused.text) == (400, "Please go to Settings and authorize CRM platform")
    mine = f"CrmUser.objects.filter(wire_id='{redtail.username}-redtail')"
    assert redtail.server.rows(f"list({mine}.values_list('access_token', 'secret_extra'))") == [["", ""]]
    kept = redtail.switchboard.everything_stored()
    for secret in (PASSWORD, PASSWORD.split(":")[0], "wrong-pass-word", USER_KEY, API_KEY, "rc-secret-token"):
        assert secret.encode() not in kept, secret


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
