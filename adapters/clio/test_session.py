"""Sessions of the extension at Clio, through Switchboard as it runs in production, against a stateful fake."""

from __future__ import annotations

import json

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.clio import ACTIVITIES, ACTIVITY, AU, CA, COMMUNICATION, COMMUNICATIONS, EU
from tests.session_script import SESSION, CrmSession
from tests.vendor import rounds, short

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

BILLABLE = [{"const": "billable", "title": "Billable"}, {"const": "non-billable", "title": "Non-billable"}]
FACTS = """- Summary: Inbound Call from Pia Ostrow
- Date/Time: 2026-05-04 09:31:07 AM
- Duration: 3 minutes, 7 seconds
- Result: Accepted
- Call recording link: https://media.ringcentral.com/rec/9
"""
MEDIA_PATH = "/restapi/v1.0/account/1/message/7/content/8"
MEDIA = f"https://media.ringcentral.com{MEDIA_PATH}"


class TestSession(CrmSession):
    display, agent, caller = "Clio", "Dana Whitlock", "Pia Ostrow"
    text_field = "body"
    names = ("Ostrow",)
    no_name = "Zzyzx & Sons #+"
    new_contacts = (("+12125550177", "Ostrow Company", "Company", {}), ("+12125550177", "Ostrow Person", "Person", {}))

    @pytest.fixture(autouse=True)
    def _in_canada(self, clio):
        """Where no other test has contacts."""
        self.clio, self.server = clio, clio.server
        clio.vendor.call("empty", CA)
        self.me, self.user = Extension(clio.server.url, "clio"), 0

    def login(self):
        self.me, self.user = self.clio.connect(CA)
        return self.clio.welcome

    def add_caller(self):
        pia = self.clio.pia("(650) 555-0112", CA)
        self.matter = self.clio.vendor.call("add_matter", pia["id"], "00801-Ostrow")
        return pia

    def add_others(self):
        add = self.clio.vendor.call
        [pia] = [int(number) for number, row in self.clio.vendor.state()["contacts"].items() if row["host"] == CA]
        stored = ("650-555-0113", "+16505550114")
        others = {number: add("add_contact", f"Sam {number}", number, host=CA) for number in stored}
        add("add_matter", pia, "00802-Ostrow", "Closed")
        self.related = add("add_matter", others["650-555-0113"], "00803-Roe", "Pending", "Sale")
        for shown in (self.related, self.matter, None):
            add("relate", pia, shown)
        return [(f"+1650555011{n}", {"id": others[number]}) for n, number in ((3, stored[0]), (4, stored[1]))]

    def call_of(self, contact):
        (log,) = self.clio.logs_of(contact)
        return log

    day_of = call_of

    def chosen(self):
        return {"billableStatus": "non-billable"}

    def see_logout(self):
        assert "POST /oauth/deauthorize" in self.clio.vendor.spent()
        assert self.me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400
        assert self.clio.vendor.spent() == []
        assert "rc-secret-token" not in json.dumps(self.clio.vendor.state())

    def see_caller(self, contact, rows):
        found, offer = rows
        assert found == {
            "id": contact["id"],
            "name": "Pia Ostrow",
            "phone": "+16505550112",
            "type": "Person",
            "createdDate": "2026-01-02T03:04:05+00:00",
            "mostRecentActivityDate": "2026-01-03T03:04:05+00:00",
            "additionalInfo": {
                "logTimeEntry": True,
                "matters": [
                    {"const": self.matter, "title": "00801-Ostrow", "status": "Open", "description": "Open - Lease"},
                    {
                        "const": self.related,
                        "title": "00803-Roe",
                        "status": "Pending",
                        "description": "Pending - Sale",
                    },
                ],
                "billableStatus": BILLABLE,
            },
        }
        assert offer["isNewContact"]
        assert offer["additionalInfo"]["billableStatus"] == BILLABLE

    def see_other(self, contact, row):
        assert row["phone"] == ("+16505550113" if row["name"] == "Sam 650-555-0113" else "+16505550114")
        assert ("matters" in row["additionalInfo"]) is (row["name"] == "Sam 650-555-0113")

    def see_named(self, contact, row):
        assert (row["type"], row["phone"]) == ("Person", "(650) 555-0112")
        assert [matter["description"] for matter in row["additionalInfo"]["matters"]] == ["Lease", "Sale"]

    def see_new_contact(self, created, number, name, kind):
        numbers = [{"name": "Work", "number": number, "default_number": True}]
        stored = self.clio.vendor.state()["contacts"][str(created["id"])]
        assert stored == {**stored, "name": name, "type": kind, "phone_numbers": numbers}
        assert len(self.me.look_up(number)["contact"]) == (2 if kind == "Company" else 3)

    def see_call(self, contact, record):
        assert record == {
            "id": record["id"],
            "type": "PhoneCommunication",
            "subject": "Inbound Call from Pia Ostrow",
            "body": "- Note: Wants a <b>quote</b> & café\n" + FACTS,
            "received_at": "2026-05-04T16:31:07.000Z",
            "senders": [{"id": contact["id"], "type": "Contact"}],
            "receivers": [{"id": self.user, "type": "User"}],
            "notification_event_subscribers": [{"user_id": str(self.user)}],
            "external_properties": [{"name": "ringcentralSessionId", "value": SESSION}],
        }
        (self.entry,) = self.clio.entries_of(record)
        assert self.entry == {
            "id": self.entry["id"],
            "type": "TimeEntry",
            "communication": {"id": record["id"]},
            "quantity": 187,
            "date": "2026-05-04",
            "note": record["body"],
            "non_billable": True,
        }

    def type_into(self, record):
        self.clio.vendor.requests()

    def see_edited_note(self, record):
        assert self.clio.vendor.spent() == [f"GET {COMMUNICATION}", f"PATCH {COMMUNICATION}"]
        self.noted = record
        assert self.clio.entries_of(record) == [self.entry]

    def see_later(self, record):
        assert self.clio.vendor.spent() == [
            f"GET {ACTIVITIES}", f"GET {COMMUNICATION}", f"PATCH {ACTIVITY}", f"PATCH {COMMUNICATION}"
        ]  # fmt: skip
        facts = FACTS.replace("rec/9", "rec/10").replace("Accepted", "Call connected")
        body = "- Note: Second note\n" + facts.replace("7 seconds", "10 seconds")
        assert record == {**self.noted, "body": body}
        assert self.clio.entries_of(record) == [{**self.entry, "quantity": 190, "note": body}]

    def file(self, contact, record):
        filed = {"matter": {"id": self.matter}}
        assert self.me.dispose(SESSION, matters=self.matter)["successful"]
        assert self.clio.logs_of(contact) == [{**record, **filed}]
        assert self.clio.entries_of(record) == [{**self.entry, "quantity": 190, "note": record["body"], **filed}]
        (detail,) = self.me.logged(SESSION, details=True)
        assert detail["logData"]["dispositions"] == {"matters": self.matter}


def test_an_outbound_call_to_a_company_goes_from_the_user_on_the_users_own_day(clio):
    me, user = clio.connect(zone="Sydney")
    firm = clio.vendor.call("add_contact", "Ostrow Tiles", "+16505550112", "Company")
    contact = {"id": firm, "type": "Company", "name": "Ostrow Tiles", "phone": "+16505550112"}
    info = {
        "direction": "Outbound",
        "from": {"phoneNumber": "+16505550100"},
        "to": {"phoneNumber": "+16505550112"},
        "customSubject": "",
    }
    me.log_call(call("s1", contact, info=info))
    (log,) = clio.logs_of(contact)
    assert log["subject"] == "[Call] Outbound Call to Ostrow Tiles [+16505550112]"
    assert log["senders"] == [{"id": user, "type": "User"}]
    assert log["receivers"] == [{"id": firm, "type": "Contact"}]
    assert log["received_at"] == "2026-05-04T16:31:07.000Z"
    (entry,) = clio.entries_of(log)
    assert (entry["date"], entry["non_billable"]) == ("2026-05-05", False)
    assert me.logged("s1", details=True)[0]["logData"]["contactName"] == "Ostrow Tiles"


def test_new_messages_of_a_day_join_its_log_with_one_read_and_one_write(clio):
    me, user = clio.connect()
    pia = clio.pia()
    clio.vendor.fail({"delay": 0.2})
    assert len(me.log_messages(conversation("c1", pia, 3))["logIds"]) == 3
    assert clio.vendor.spent() == [f"POST {COMMUNICATIONS}"]
    (log,) = clio.logs_of(pia)
    assert log == {
        **log,
        "subject": "SMS conversation with Pia Ostrow - 05/04/2026",
        "received_at": "2026-05-04T17:00:00.000Z",
        "senders": [{"id": user, "type": "User"}],
        "receivers": [{"id": pia["id"], "type": "Contact"}],
        "external_properties": [{"name": "ringcentralConversationLogId", "value": "c1/2026-05-04"}],
    }
    assert len(me.log_messages(conversation("c1", pia, 5))["logIds"]) == 2
    rows = clio.vendor.requests()
    assert [short(row) for row in rows] == [f"GET {COMMUNICATION}", f"PATCH {COMMUNICATION}"]
    assert rounds(rows) == 2
    assert me.log_messages(conversation("c1", pia, 5)) == {"successful": True, "logIds": [], "returnMessage": None}
    assert clio.vendor.spent() == []
    (grown,) = clio.logs_of(pia)
    assert {**grown, "body": ""} == {**log, "body": ""}
    lines = "".join(
        f"{'Pia Ostrow (+16505550112)' if n % 2 else 'Dana Whitlock'} 10:0{n} AM\ntext number {n} <i>&</i> ñ\n\n"
        for n in range(5)
    )
    assert grown["body"] == (
        "\nConversation summary\nMonday, May 04, 2026\nParticipants\n    Dana Whitlock\n    Pia Ostrow\n\n"
        f"Conversation(5 messages)\nBEGIN\n------------\n{lines}------------\nEND\n\n"
        "--- Created via RingCentral App Connect"
    )
    assert clio.entries_of(log) == []


def _message(name, contact, number, **changes):
    body = conversation(name, contact, 1, info={"rcAccessToken": "rc-secret-token"})
    body["logInfo"]["messages"][0] |= {"id": number, "direction": "Inbound", **changes}
    return body


def test_media_become_documents_and_no_token_reaches_clio(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    matter = clio.vendor.call("add_matter", pia["id"], "00801-Ostrow")
    sender = {"phoneNumber": "+16505550112", "location": "Fresno, CA"}
    fax = {
        "type": "RenderedDocument",
        "link": "https://f.example.com/1",
        "uri": MEDIA,
        "contentType": "application/pdf",
    }
    voice = {"type": "AudioRecording", "link": "https://v.example.com/1", "contentType": "audio/mpeg"}
    image = {"type": "MmsAttachment", "uri": MEDIA, "contentType": "image/png"}
    film = {"type": "MmsAttachment", "uri": MEDIA, "contentType": "video/mp4"}
    faxed = _message("fax", pia, 701, type="Fax", attachments=[fax], messageStatus="Received", faxPageCount=3)
    faxed["logInfo"]["messages"][0]["from"] = sender
    assert me.log_messages(faxed)["successful"]
    assert me.log_messages(_message("voice", pia, 702, subject="", type="VoiceMail", attachments=[voice]))["successful"]
    pictured = _message("mms", pia, 703, subject="", attachments=[image, film])
    assert me.log_messages({**pictured, "additionalSubmission": {"matters": str(matter)}})["successful"]

    state = clio.vendor.state()
    papers = [row for row in state["documents"].values() if row["parent"]["id"] in (pia["id"], matter)]
    papers.sort(key=lambda row: str(row["name"]))  # the files of one message go up together
    assert [(row["name"], row["parent"]) for row in papers] == [
        ("Inbound Fax - Pia Ostrow - 05/04/2026.pdf", {"id": pia["id"], "type": "Contact"}),
        ("Inbound Image Message - Pia Ostrow - 05/04/2026.png", {"id": matter, "type": "Matter"}),
        ("Inbound Video Message 2 - Pia Ostrow - 05/04/2026.mp4", {"id": matter, "type": "Matter"}),
    ]
    versions = [row["latest_document_version"] for row in papers]
    assert [version["fully_uploaded"] for version in versions] == [True] * 3
    assert {state["files"][version["uuid"]] for version in versions} == {f"file at {MEDIA_PATH}"}
    logs = {row["subject"]: row for row in clio.logs_of(pia)}
    footer = "\n\n--- Created via RingCentral App Connect"
    page = "https://app.clio.com/nc/#/documents/{}/details"
    assert logs["Fax document sent from Pia Ostrow - 26/05/04"]["body"] == (
        "Fax uploaded to Clio successfully.\nFax Status: Received\nPage count: 3\n"
        f"Fax document link: {page.format(papers[0]['id'])}\nLocation: Fresno, CA {footer}"
    )
    assert logs["Voicemail left by Pia Ostrow - 05/04/2026"]["body"] == (
        f"Voicemail recording link: https://v.example.com/1 {footer}"
    )
    picture = logs["SMS conversation with Pia Ostrow - 05/04/2026"]
    assert picture["matter"] == {"id": matter}
    links = "".join(f"\n[Link]: {page.format(paper['id'])}" for paper in papers[1:])
    assert f"\n[Message]: N/A{links}" in picture["body"]
    assert "rc-secret-token" not in json.dumps(state)
    assert "rc-secret-token" not in clio.switchboard.log()


def test_several_pictures_go_up_side_by_side(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    body = conversation("mms", pia, 3, info={"rcAccessToken": "rc-secret-token"})
    for message in body["logInfo"]["messages"]:
        message["attachments"] = [{"type": "MmsAttachment", "uri": MEDIA, "contentType": "image/png"}]
    clio.vendor.fail({"delay": 0.2})
    assert len(me.log_messages(body)["logIds"]) == 3
    rows = clio.vendor.requests()
    assert len(rows) == 3 * 4 + 1
    assert rounds(rows) <= 5
    (log,) = clio.logs_of(pia)
    assert log["body"].count("\n[Link]: https://app.clio.com/nc/#/documents/") == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "PUT", "status": 403},
        {"method": "PATCH", "path": "/api/v4/documents/.*", "status": 200, "body": {"data": {"id": 1}}},
        {"host": "media.ringcentral.com", "status": 503},
    ],
)
def test_an_upload_that_fails_leaves_the_log_with_a_link_that_opens_nothing_by_itself(clio, fault):
    me, _ = clio.connect()
    pia = clio.pia()
    image = {"type": "MmsAttachment", "uri": MEDIA, "contentType": "image/png"}
    clio.vendor.fail(fault)
    assert me.log_messages(_message("mms", pia, 703, subject="See this", attachments=[image]))["successful"]
    (log,) = clio.logs_of(pia)
    reader = "https://ringcentral.github.io/ringcentral-media-reader/?media=https%3A%2F%2Fmedia.ringcentral.com%2F"
    assert f"[Message]: See this\n[Link - failed to upload]: {reader}" in log["body"]
    assert "token" not in log["body"]


def test_a_group_message_has_a_log_for_each_contact_and_a_shared_one_is_rewritten_whole(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    group = conversation("group", pia, 2)
    group["logInfo"]["correspondents"].append({"phoneNumber": "+16505550188", "name": "Sam Roe"})
    assert me.log_messages(group)["logIds"] == [f"5400040{n}-{pia['id']}" for n in range(2)]
    shared = conversation("shared", pia, 1)
    note = {"recordType": "AliveNote", "creationTime": "2026-05-04T15:05:00Z", "text": "Receipt"}
    shared["logInfo"] |= {
        "creationTime": "2026-05-04T15:00:00Z",
        "owner": {"name": "Billing Queue", "extensionType": "Department"},
        "entities": [note],
    }
    assert me.log_messages(shared)["successful"]
    shared["logInfo"]["entities"] = [note, {**note, "text": "Second receipt"}]
    clio.vendor.requests()
    assert me.log_messages(shared)["successful"]
    assert clio.vendor.spent() == [f"PATCH {COMMUNICATION}"]
    logs = {row["external_properties"][0]["value"]: row for row in clio.logs_of(pia)}
    assert set(logs) == {f"group/2026-05-04-{pia['id']}", "shared/2026-05-04"}
    assert "    Pia Ostrow\n    Sam Roe\nConversation(2 messages)" in logs[f"group/2026-05-04-{pia['id']}"]["body"]
    whole = logs["shared/2026-05-04"]
    assert whole["received_at"] == "2026-05-04T15:00:00.000Z"
    assert "Receiving call queue: Billing Queue" in whole["body"]
    assert whole["body"].count("Second receipt") == 1


def test_what_people_wrote_into_a_days_log_stays(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    me.log_messages(conversation("c1", pia, 1))
    (log,) = clio.logs_of(pia)
    clio.vendor.call("edit", "communications", log["id"], body="Only my own words, for $1")
    assert len(me.log_messages(conversation("c1", pia, 2))["logIds"]) == 1
    (log,) = clio.logs_of(pia)
    assert log["body"].startswith("Only my own words, for $1\n\nConversation(1 messages)\nBEGIN\n")
    assert "text number 1 <i>&</i> ñ" in log["body"]
    clio.vendor.call("delete", "communications", log["id"])
    assert len(me.log_messages(conversation("c1", pia, 3))["logIds"]) == 1
    (anew,) = clio.logs_of(pia)
    assert anew["id"] != log["id"]
    assert "text number 2" in anew["body"]


@pytest.mark.parametrize(
    ("formats", "last", "notations", "contacts"),
    [("", 1, 1, 1), ("(###) ###-####,###-###-####,1##########,##########", 2, 5, 3)],
)
def test_a_look_up_takes_two_rounds_however_many_notations_and_contacts_there_are(
    clio, formats, last, notations, contacts
):
    me, _ = clio.connect()
    for number in ("+1650555016{}", "(650) 555-016{}", "650-555-016{}"):
        clio.vendor.call(
            "add_matter", clio.vendor.call("add_contact", "Pia Ostrow", number.format(last)), "00801-Ostrow"
        )
    clio.vendor.fail({"delay": 0.2})
    found = me.look_up(f"+1650555016{last}", formats)["contact"]
    assert len(found) == contacts + 1
    rows = clio.vendor.requests()
    assert [short(row) for row in rows].count("GET /api/v4/contacts.json") == notations
    assert len(rows) == notations + 2 * contacts
    assert rounds(rows) == 2


def test_each_operation_costs_no_more_than_its_writes_and_one_round_of_reads(clio):
    me, _ = clio.connect()
    pia = {**clio.pia("+16505550171"), "phone": "+16505550171"}
    matter = clio.vendor.call("add_matter", pia["id"], "00801-Ostrow")
    clio.vendor.fail({"delay": 0.2})
    costs = {}

    def cost(operation, reply):
        assert reply, operation
        rows = clio.vendor.requests()
        costs[operation] = (len(rows), rounds(rows))

    cost("look-up, nobody", me.look_up("+16505550172"))
    cost("look-up, one contact", me.look_up("+16505550171")["contact"][0]["id"] == pia["id"])
    cost("name search, one contact", me.search("+16505550171")["contact"])
    cost("create contact", me.create_contact("+16505550173", "Eli Roe", "Person")["successful"])
    cost("log a call", me.log_call(call("s1", pia))["successful"])
    cost("log it again", me.log_call(call("s1", pia))["successful"] is False)
    me.log_call(call("s2", pia))
    clio.vendor.requests()
    cost("details of two calls", len(me.logged("s1", "s2", details=True)) == 2)
    cost("edit a note", me.edit_call("s1", note="Later")["successful"])
    cost("edit a duration", me.edit_call("s1", duration=190)["successful"])
    cost("disposition", me.dispose("s1", matters=matter)["successful"])
    cost("three messages, new day", me.log_messages(conversation("c1", pia, 3))["logIds"])
    cost("two more messages", me.log_messages(conversation("c1", pia, 5))["logIds"])
    cost("no new message", me.log_messages(conversation("c1", pia, 5))["successful"])
    cost("logout", me.logout()["messageType"] == "success")
    assert costs == {
        "look-up, nobody": (3, 1),
        "look-up, one contact": (5, 2),
        "name search, one contact": (3, 2),
        "create contact": (1, 1),
        "log a call": (2, 2),
        "log it again": (0, 0),
        "details of two calls": (2, 1),
        "edit a note": (2, 2),
        "edit a duration": (4, 4),
        "disposition": (3, 3),
        "three messages, new day": (1, 1),
        "two more messages": (2, 2),
        "no new message": (0, 0),
        "logout": (1, 1),
    }


def test_a_contact_with_the_number_elsewhere_is_not_taken_for_its_owner(clio):
    me, _ = clio.connect()
    clio.vendor.call("add_contact", "Call back +16505550119", "+16505550120")
    assert [row["id"] for row in me.look_up("+16505550119")["contact"]] == ["createNewContact"]
    assert clio.vendor.spent() == ["GET /api/v4/contacts.json"] * 3


@pytest.mark.parametrize("host", [EU, AU])
def test_every_region_has_its_own_application_users_and_records(clio, host):
    me, user = clio.connect(host, zone="Europe/Berlin")
    pia = clio.pia(host=host)
    elsewhere = clio.vendor.call("add_contact", "Pia Elsewhere", "+16505550112")
    found = me.look_up("+16505550112")["contact"]
    assert elsewhere not in [row["id"] for row in found]
    assert pia["id"] in [row["id"] for row in found]
    assert me.log_call(call("s1", pia))["successful"]
    (log,) = clio.logs_of(pia)
    assert log["receivers"] == [{"id": user, "type": "User"}]
    assert "- Date/Time: 2026-05-04 06:31:07 PM\n" in log["body"]
    assert {row["host"] for row in clio.vendor.requests()} == {host}
    assert me.send("GET", "/hostname").text == host
    clio.vendor.call("edit", "users", user, time_zone="Sydney")
    assert me.json("POST", "/user/refreshInfo")["returnMessage"]["message"] == "User info refreshed"
    me.log_call(call("s2", pia))
    assert "- Date/Time: 2026-05-05 02:31:07 AM\n" in clio.logs_of(pia)[1]["body"]


def test_an_assigned_colleague_of_the_firm_gets_the_log_and_its_time_entry(clio):
    admin, _ = clio.connect(account=31)
    colleague, other = clio.connect(account=31)
    pia = clio.pia()
    chosen = {"isAssignedToUser": True, "adminAssignedUserToken": colleague.token}
    assert admin.log_call(call("s1", pia, additionalSubmission=chosen))["successful"]
    (log,) = clio.logs_of(pia)
    assert log["receivers"] == [{"id": other, "type": "User"}]
    assert [entry["user"] for entry in clio.entries_of(log)] == [{"id": other}]


def test_a_mapped_colleague_who_is_connected_is_billed_on_their_own_day(clio):
    admin, _ = clio.connect(account=32)
    colleague, other = clio.connect(account=32, zone="Sydney")
    pia = clio.pia()
    clio.server.rows("CrmUser.objects.filter(crm_account_id='32').update(rc_account_id='400132')")
    hashed = "__import__('connectors.services.identity', fromlist=['hashed']).hashed('400132')"
    mappings = [{"rcExtensionId": "901", "crmUserId": other}]
    clio.server.rows(f"str(AccountSettings.objects.create(hashed_account_id={hashed}, user_mappings={mappings}))")
    chosen = {"isAssignedToUser": True, "adminAssignedUserToken": colleague.token, "adminAssignedUserRcId": "901"}
    assert admin.log_call(call("s1", pia, additionalSubmission=chosen))["successful"]
    (log,) = clio.logs_of(pia)
    assert [(entry["user"], entry["date"]) for entry in clio.entries_of(log)] == [({"id": other}, "2026-05-05")]


def test_a_list_of_several_pages_is_read_to_its_end(clio):
    me, _ = clio.connect()
    pia = clio.pia("+16505550151")
    matters = [clio.vendor.call("add_matter", pia["id"], f"0080{n}") for n in range(3)]
    clio.vendor.call("configure", page_size=2)
    row = me.look_up("+16505550151", "")["contact"][0]
    assert [choice["const"] for choice in row["additionalInfo"]["matters"]] == matters
