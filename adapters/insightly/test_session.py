"""A session of the extension at Insightly: real server processes, and a fake of the vendor in a process of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.insightly import API_URL, PAGES
from tests.live_server import live_server
from tests.session_script import RECORDING, SESSION, CrmSession
from tests.vendor import rounds

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

FOOTER = "--- Created via RingCentral App Connect"
USED_UP = {"status": 429, "headers": {"Retry-After": "3600", "X-RateLimit-Remaining": "0"}}
START, END = "2026-05-04 16:31:07", "2026-05-04 16:34:14"


def _linked(event):
    return [(link["LINK_OBJECT_NAME"], link["LINK_OBJECT_ID"]) for link in event["LINKS"]]


class TestSession(CrmSession):
    display, agent, caller = "Insightly", "Robin Vale", "Dana Fox"
    id_field, text_field = "EVENT_ID", "DETAILS"
    names = ("Dana",)
    new_contacts = (("+12125550177", "Ada Byron King", "contact", {}), ("+12125550178", "Plato", "lead", {}))

    @pytest.fixture(autouse=True)
    def _in_an_empty_instance(self, insightly):
        self.insightly, self.vendor, self.server = insightly, insightly.vendor, insightly.server
        self.me = insightly.me

    def login(self):
        return self.insightly.login()

    def add_caller(self):
        add = self.vendor.call
        self.harbour = add("add", "Organisations", ORGANISATION_NAME="Harbour Works")
        self.slipway = add("add", "Projects", PROJECT_NAME="New slipway")
        self.sloops = add("add", "Opportunities", OPPORTUNITY_NAME="Two sloops")
        dana = add(
            "add",
            "Contacts",
            [("Organisation", self.harbour), ("Project", self.slipway), ("Opportunity", self.sloops)],
            FIRST_NAME="Dana",
            LAST_NAME="Fox",
            PHONE="(650) 555-0112",
            ORGANISATION_ID=self.harbour,
        )
        return {"id": dana, "name": "Dana Fox", "type": "Contact", "phone": "(650) 555-0112"}

    def add_others(self):
        national = self.insightly.person("Nat", phone="6505550113")
        international = self.insightly.person("Ingrid", phone="+16505550114", kind="Lead")
        return [("+16505550113", national), ("+16505550114", international)]

    def call_of(self, contact):
        [event] = self.insightly.titled("Inbound Call from Dana Fox")
        return event

    def day_of(self, contact):
        [day] = self.insightly.titled("SMS conversation with Dana Fox - 26/05/04")
        return day

    def chosen(self):
        return {"organisation": self.harbour, "opportunity": "none", "project": self.slipway}

    def chosen_for_texts(self):
        return {"project": self.slipway}

    def begin_new_contacts(self):
        self.vendor.call("configure", "search_lag", 60.0)  # what was just created is found all the same

    def see_login(self, welcome):
        assert self.me.send("GET", "/hostname").text == PAGES
        mine = f"CrmUser.objects.filter(wire_id='{self.insightly.user}-insightly')"
        users = self.server.rows(f"list({mine}.values_list('identity_host', 'timezone', 'crm_account_id', 'extra'))")
        api = {"apiUrl": "https://api.na1.insightly.com"}
        assert users == [["api.na1.insightly.com", "America/Los_Angeles", "660", api]]

    def see_logout(self):
        user = f"CrmUser.objects.get(wire_id='{self.insightly.user}-insightly')"
        assert self.server.rows(f"{user}.is_connected") is False
        assert self.insightly.key not in str(self.server.rows("list(CrmUser.objects.values())"))

    def see_caller(self, contact, rows):
        found, offer = rows
        assert (found["id"], found["name"], found["type"]) == (contact["id"], "Dana Fox", "Contact")
        assert found["phone"] == "(650) 555-0112"
        assert found["additionalInfo"] == {
            "organisation": [{"const": self.harbour, "title": "Harbour Works"}],
            "opportunity": [{"const": self.sloops, "title": "Two sloops"}],
            "project": [{"const": self.slipway, "title": "New slipway"}],
        }
        assert offer["id"] == "createNewContact"

    def see_other(self, contact, row):
        assert row["type"] == contact["type"]
        if contact["type"] == "Lead":
            assert [row["id"] for row in self.me.search("ingrid fox")["contact"]] == [contact["id"]]

    def see_new_contact(self, created, number, name, kind):
        table, last = ("Contacts", "Byron King") if kind == "contact" else ("Leads", "Plato")
        assert self.vendor.state()["records"][table][str(created["id"])]["LAST_NAME"] == last
        if kind == "contact":
            found = self.me.look_up(number, formats="")["contact"][0]
            assert (found["id"], found["name"], found["type"]) == (created["id"], "Ada Byron King", "Contact")

    def see_call(self, contact, record):
        assert (record["START_DATE_UTC"], record["END_DATE_UTC"]) == (START, END)
        assert record["OWNER_USER_ID"] == self.insightly.user
        linked = [("Contact", contact["id"]), ("Organisation", self.harbour), ("Project", self.slipway)]
        assert _linked(record) == linked
        assert record["DETAILS"] == (
            "- Note: Wants a <b>quote</b> & café\n"
            "- Summary: Inbound Call from Dana Fox\n"
            "- Date/Time: 2026-05-04 09:31:07 AM\n"
            "- Duration: 3 minutes, 7 seconds\n"
            "- Result: Accepted\n"
            "- Call recording link: https://media.ringcentral.com/rec/9\n"
        )

    def see_details(self, data):
        assert data["dispositions"] == {"organisation": self.harbour, "project": self.slipway}

    def see_later(self, record):
        assert (record["START_DATE_UTC"], record["END_DATE_UTC"]) == (START, "2026-05-04 16:34:17")
        assert "- Note: Second note\n" in record["DETAILS"]
        assert f"- Call recording link: {RECORDING}\n" in record["DETAILS"]

    def file(self, contact, record):
        choices = {"organisation": self.harbour, "opportunity": self.sloops, "project": None}
        assert self.me.dispose(SESSION, **choices)["successful"]
        linked = [("Contact", contact["id"]), ("Organisation", self.harbour), ("Opportunity", self.sloops)]
        assert _linked(self.call_of(contact)) == linked

    def see_day(self, contact, day, count):
        ends = f"2026-05-04 17:0{count - 1}:00"
        assert (day["START_DATE_UTC"], day["END_DATE_UTC"]) == ("2026-05-04 17:00:00", ends)
        assert _linked(day) == [("Contact", contact["id"]), ("Project", self.slipway)]
        speakers = ("Robin Vale", "Dana Fox ((650) 555-0112)")
        lines = "".join(
            f"{speakers[index % 2]} 10:0{index} AM\ntext number {index} <i>&</i> ñ\n\n" for index in range(count)
        )
        assert day["DETAILS"] == (
            "\nConversation summary\nMonday, May 04, 2026\nParticipants\n    Robin Vale\n    Dana Fox\n\n"
            f"Conversation({count} messages)\nBEGIN\n------------\n{lines}------------\nEND\n\n{FOOTER}"
        )


def _special(name, contact, kind, **attachment):
    """A conversation of one message with an attachment."""
    body = conversation(name, contact, 2)
    [message] = [item for item in body["logInfo"]["messages"] if item["direction"] == "Inbound"]
    message |= {"id": f"{name}-1", "type": kind, "attachments": [attachment]}
    if kind != "SMS":
        message["subject"] = ""  # else it is the transcription
    body["logInfo"]["messages"] = [message]
    return body


def test_voicemail_fax_pictures_group_and_shared_messages(me, vendor, insightly):
    dana = insightly.person("Vera", phone="+16505550131")
    voicemail = {"type": "AudioRecording", "contentType": "audio/mpeg", "link": "https://media.example/vm/1"}
    assert me.log_messages(_special("vm", dana, "VoiceMail", **voicemail))["successful"]
    [event] = insightly.titled("Voicemail left by Vera Fox - 26/05/04")
    assert event["DETAILS"] == f"Voicemail recording link: https://media.example/vm/1 \n\n{FOOTER}"
    assert _linked(event) == [("Contact", dana["id"])]

    fax = {"type": "RenderedDocument", "contentType": "application/pdf", "link": "https://media.example/fax/1"}
    assert me.log_messages(_special("fax", dana, "Fax", **fax))["successful"]
    [event] = insightly.titled("Fax document sent from Vera Fox - 26/05/04")
    assert event["DETAILS"] == f"Fax document link: https://media.example/fax/1 \n\n{FOOTER}"

    picture = {"type": "MmsAttachment", "contentType": "image/png", "uri": "https://media.ringcentral.com/m/7"}
    mms = _special("mms", dana, "SMS", **picture)
    mms["logInfo"]["messages"][0] |= {"subject": ""}
    assert me.log_messages(mms)["successful"]
    [event] = insightly.titled("SMS conversation with Vera Fox - 26/05/04")
    link = "https://ringcentral.github.io/ringcentral-media-reader/?media=https%3A%2F%2Fmedia.ringcentral.com%2Fm%2F7"
    assert f"Vera Fox (+16505550131) 10:01 AM\n[Link]: {link}\n\n------------\nEND" in event["DETAILS"]
    # a voicemail later that day joins the conversation
    later = _special("mms", dana, "VoiceMail", **voicemail)
    later["logInfo"]["messages"][0] |= {"id": "mms-2", "creationTime": "2026-05-04T18:00:00.000Z"}
    assert me.log_messages(later)["successful"]
    [event] = insightly.titled("SMS conversation with Vera Fox - 26/05/04")
    assert "Conversation(2 messages)" in event["DETAILS"]
    assert "11:00 AM\nVoicemail recording link: https://media.example/vm/1\n" in event["DETAILS"]
    assert event["END_DATE_UTC"] == "2026-05-04 18:00:00"

    gus = insightly.person("Gus", phone="+16505550132", kind="Lead")
    group = conversation("group", gus, 2)
    group["logInfo"]["correspondents"] += [{"phoneNumber": "+16505550133", "name": "Sam Roe"}, {"phoneNumber": "+1"}]
    for message in group["logInfo"]["messages"]:
        message["id"] += 5000
    assert me.log_messages(group)["logIds"] == [f"54005400-{gus['id']}", f"54005401-{gus['id']}"]
    [event] = insightly.titled("SMS conversation with Gus Fox - 26/05/04")
    assert "Participants\n    Robin Vale\n    Gus Fox\n    Sam Roe\n    Unknown\n" in event["DETAILS"]
    assert _linked(event) == [("Lead", gus["id"])]

    shared = conversation("shared", dana, 0)
    shared["logInfo"] |= {
        "owner": {"name": "Billing Queue", "extensionType": "Department"},
        "creationTime": "2026-05-01T15:00:00.000Z",
        "entities": [
            {
                "recordType": "AliveMessage",
                "direction": "Inbound",
                "subject": "Is my invoice <paid>?",
                "creationTime": "2026-05-01T15:00:30.000Z",
            }
        ],
    }
    assert me.log_messages(shared)["successful"]
    [event] = insightly.titled("SMS conversation with Vera Fox")
    assert (event["START_DATE_UTC"], event["END_DATE_UTC"]) == ("2026-05-01 15:00:00", "2026-05-01 15:00:30")
    note = {"recordType": "AliveNote", "text": "Sent receipt", "creationTime": "2026-05-01T16:00:00.000Z"}
    shared["logInfo"]["entities"].append({**note, "author": {"name": "Robin Vu"}})
    vendor.requests()
    assert me.log_messages(shared)["successful"]
    assert vendor.spent() == ["PUT /v3.1/Events"]
    [event] = insightly.titled("SMS conversation with Vera Fox")
    assert (event["START_DATE_UTC"], event["END_DATE_UTC"]) == ("2026-05-01 15:00:00", "2026-05-01 16:00:00")
    assert event["DETAILS"].count("Sent receipt") == event["DETAILS"].count("Is my invoice <paid>?") == 1


def test_a_call_whose_links_failed_is_there_once_and_the_user_is_told(me, vendor, insightly):
    dana = insightly.person("Lin", phone="+16505550141")
    project = vendor.call("add", "Projects", PROJECT_NAME="Pier")
    vendor.call("configure", "takes_links", False)  # then each link is a request of its own
    vendor.fail({"method": "POST", "path": ".*/Links", "status": 503})
    logged = me.log_call(call("5001", dana, additionalSubmission={"project": project}))
    vendor.call("configure", "takes_links", True)
    assert logged["successful"] is True
    assert logged["returnMessage"]["message"] == "Call logged, but not linked to everything."
    vendor.fail()
    again = me.log_call(call("5001", dana, additionalSubmission={"project": project}))
    assert again["returnMessage"]["message"] == "Existing log for session 5001"
    [event] = insightly.titled("Inbound Call from Lin Fox")
    assert (event["EVENT_ID"], event["LINKS"]) == (logged["logId"], [])
    assert me.dispose("5001", project=project)["successful"]
    assert _linked(insightly.event(logged["logId"])) == [("Project", project)]


def test_messages_whose_links_failed_are_linked_with_the_next_ones(me, vendor, insightly):
    mia = insightly.person("Mia", phone="+16505550142", kind="Lead")
    vendor.call("configure", "takes_links", False)
    vendor.fail({"method": "POST", "path": ".*/Links", "status": 500})
    body = conversation("links", mia, 2)
    for number, message in enumerate(body["logInfo"]["messages"]):
        message["id"] = 6000 + number
    late = body["logInfo"]["messages"].pop(0)
    reply = me.log_messages(body)
    assert (len(reply["logIds"]), reply["returnMessage"]["messageType"]) == (1, "warning")
    vendor.fail()
    vendor.call("configure", "takes_links", True)
    body["logInfo"]["messages"].insert(0, late)
    assert me.log_messages(body)["returnMessage"]["message"] == "Message logged"
    [event] = insightly.titled("SMS conversation with Mia Fox - 26/05/04")
    assert _linked(event) == [("Lead", mia["id"])]


def test_a_call_for_a_project_that_is_gone_is_logged_without_it(me, vendor, insightly):
    eve = insightly.person("Eve", phone="+16505550143")
    project = vendor.call("add", "Projects", PROJECT_NAME="Gone")
    vendor.call("delete", "Projects", project)
    logged = me.log_call(call("5002", eve, additionalSubmission={"project": project}))
    assert logged["returnMessage"]["messageType"] == "warning"
    assert "The project no longer exists in Insightly and was left out." in logged["returnMessage"]["message"]
    assert _linked(insightly.event(logged["logId"])) == [("Contact", eve["id"])]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_write_whose_answer_was_lost_is_found_again_or_repeated_once(me, vendor, drop, insightly):
    una = insightly.person("Una", phone="+16505550144")
    vendor.fail({"method": "POST", "path": ".*/Events", "drop": drop, "times": 1})
    body = call(f"lost-{drop}", una, info={"customSubject": f"Lost {drop}"})
    kept = me.log_call(body)
    assert kept["returnMessage"]["message"] == "Call log saved. It will be sent when Insightly is back."
    assert ("logId" in me.log_call(body)) == (drop == "after")  # "not found" means nothing yet
    assert len(insightly.titled(f"Lost {drop}")) == (drop == "after")
    insightly.switchboard.pass_the_lag()
    insightly.switchboard.deliver()
    [event] = insightly.titled(f"Lost {drop}")
    assert me.logged(f"lost-{drop}")[0]["logId"] == event["EVENT_ID"]


def test_a_contact_whose_answer_was_lost_is_not_created_again(me, vendor, insightly):
    vendor.fail({"method": "POST", "path": ".*/Leads", "drop": "after", "times": 1})
    assert me.create_contact("+16505550147", "Otto Quay", "lead")["successful"] is False
    insightly.switchboard.pass_the_lag()
    created = me.create_contact("+16505550147", "Otto Quay", "lead")["contact"]
    leads = [lead for lead in vendor.state()["records"]["Leads"].values() if lead["LAST_NAME"] == "Quay"]
    assert [lead["LEAD_ID"] for lead in leads] == [created["id"]]


def test_a_burst_refusal_is_waited_out(me, vendor, insightly):
    ben = insightly.person("Ben", phone="+16505550145")
    refusal = {"method": "POST", "status": 429, "body": {"Message": "Too many."}, "headers": {"Retry-After": "1"}}
    vendor.fail({**refusal, "times": 1})
    assert me.log_call(call("6001", ben, info={"customSubject": "Burst"}))["successful"] is True
    assert len(insightly.titled("Burst")) == 1
    assert vendor.spent() == ["POST /v3.1/Events"] * 2


def test_a_used_up_day_is_told(me, vendor, insightly):
    vendor.fail(USED_UP)
    found = me.look_up("+16505550145")
    assert (found["successful"], found["returnMessage"]["message"]) == (False, "Rate limit exceeded")
    assert "daily Insightly API quota is used up" in str(found["returnMessage"]["details"])


def test_a_call_of_a_used_up_day_is_kept_and_logged_afterwards(me, vendor, insightly):
    ben = insightly.person("Ben", phone="+16505550145")
    vendor.fail(USED_UP)
    kept = me.log_call(call("6002", ben, info={"customSubject": "Quota"}))
    assert kept["returnMessage"]["message"] == "Call log saved. It will be sent when Insightly is back."
    assert "accepts no more requests" in str(kept["returnMessage"]["details"])
    assert vendor.spent() == ["POST /v3.1/Events"]
    found = me.look_up("+16505550145")
    assert (found["successful"], found["returnMessage"]["message"]) == (False, "Rate limit exceeded")
    assert vendor.spent() == []  # nothing is sent until the vendor accepts requests again
    vendor.fail()
    insightly.switchboard.end_the_pauses()
    insightly.switchboard.pass_the_lag()
    insightly.switchboard.deliver()
    assert me.logged("6002")[0]["logId"]
    assert len(insightly.titled("Quota")) == 1


def test_lookups_at_once_stay_within_the_vendors_limits(insightly, tmp_path):
    """Of two processes, which the three clients meet in turns."""
    people = [insightly.person(f"P{index}", phone=f"+1650555015{index}") for index in range(3)]
    with live_server(tmp_path, workers=2, **insightly.vendor.environment) as server:
        me = Extension(server.url, "insightly")
        me.login_with_key(insightly.key, hostname=PAGES, apiUrl=API_URL)
        insightly.vendor.fail({"delay": 0.05})
        with ThreadPoolExecutor(3) as pool:
            # without formats: eight searches each, for a turn is waited for no longer than eight seconds
            found = list(pool.map(lambda person: me.look_up(person["phone"], formats=""), people))
    assert [reply["contact"][0]["id"] for reply in found] == [person["id"] for person in people]
    assert insightly.vendor.state()["crowded_out"] == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "permission"), (400, "TITLE is required."), (401, "Connect again")],
)
def test_a_refusal_names_what_the_user_can_do(me, vendor, status, words, insightly):
    ida = insightly.person("Ida", phone="+16505550146")
    body = {"Message": "TITLE is required."}
    vendor.fail({"method": "POST", "path": ".*/Events", "status": status, "body": body})
    reply = me.log_call(call(f"refused-{status}", ida))
    assert reply["successful"] is False
    assert words in str(reply["returnMessage"])
    vendor.fail()
    assert me.log_call(call(f"refused-{status}", ida))["successful"] is True
    assert len(insightly.titled("Inbound Call from Ida Fox")) >= 1


def test_a_call_is_kept_while_the_limit_of_the_plan_is_reached(me, vendor, insightly):
    ida = insightly.person("Ida", phone="+16505550147")
    vendor.fail({"method": "POST", "path": ".*/Events", "status": 402, "body": {"Message": "Limit reached."}})
    kept = me.log_call(call("limit-1", ida))
    assert kept["returnMessage"]["message"].startswith("Call log saved.")
    assert "record limit" in str(kept["returnMessage"]["details"])
    vendor.fail()
    assert me.log_call(call("limit-1", ida))["successful"] is True


@pytest.mark.parametrize(
    ("key", "url", "words"),
    [
        ("wrong", API_URL, "did not accept the login"),
        ("wrong", API_URL, "Please check what you entered"),
        (None, "https://insightly.com.evil.example/v3.1/", "https address shown in your Insightly user settings"),
        ("", API_URL, "Enter the API key"),
    ],
)
def test_a_login_that_cannot_work_says_why_and_stores_nothing(vendor, key, url, words, insightly):
    key = insightly.key if key is None else key
    before = insightly.server.rows("CrmUser.objects.count()")
    me = Extension(insightly.server.url, "insightly")
    body = {"platform": "insightly", "apiKey": key, "hostname": PAGES, "additionalInfo": {"apiKey": key, "apiUrl": url}}
    reply = me.send("POST", "/apiKeyLogin", body)
    assert reply.status_code == 400
    assert words in reply.text
    assert insightly.server.rows("CrmUser.objects.count()") == before


def test_the_same_number_on_another_pod_is_another_user_whatever_page_host_is_claimed(me, insightly):
    other = Extension(insightly.server.url, "insightly")
    other.login_with_key(insightly.key, hostname=PAGES, apiUrl="https://api.eu1.insightly.com/v3.1/")
    rows = insightly.server.rows(
        f"sorted(CrmUser.objects.filter(wire_id='{insightly.user}-insightly').values_list('wire_id', 'identity_host'))"
    )
    assert rows == [[f"{insightly.user}-insightly", f"api.{pod}.insightly.com"] for pod in ("eu1", "na1")]
    other.logout()
    assert me.send("GET", "/hostname").text == PAGES
    mine = f"CrmUser.objects.get(wire_id='{insightly.user}-insightly', identity_host='api.na1.insightly.com')"
    assert insightly.server.rows(f"{mine}.is_connected") is True


def test_requests_and_rounds_of_each_operation(me, vendor, insightly):
    works = vendor.call("add", "Organisations", ORGANISATION_NAME="Works")
    zoe = insightly.person("Zoe", phone="+16505550161", ORGANISATION_ID=works)
    me.look_up("+16505550164", formats="")  # ends the caution that refusals in other tests have led to
    vendor.fail({"delay": 0.4})  # so long that no operation waits for the pace of those before
    vendor.requests()
    costs = {}

    def measure(name, operation):
        result = operation()
        seen = vendor.requests()
        costs[name] = (len(seen), rounds(seen))
        return result

    measure("find_contacts_by_name", lambda: me.search("Zoe Fox"))
    measure("find_contacts, one notation", lambda: me.look_up("+16505550161", formats=""))
    measure("create_contact", lambda: me.create_contact("+16505550162", "Una New", "lead"))
    measure("create_call_log", lambda: me.log_call(call("7001", zoe, additionalSubmission={"organisation": works})))
    measure("get_call_log", lambda: me.logged("7001", details=True))
    measure("update_call_log", lambda: me.edit_call("7001", note="Short"))
    measure("set_disposition, removed", lambda: me.dispose("7001", organisation=None))
    body = conversation("cost", zoe, 4)
    for message in body["logInfo"]["messages"]:
        message["id"] += 9000
    later, body["logInfo"]["messages"] = body["logInfo"]["messages"], body["logInfo"]["messages"][2:]
    measure("create_message_log, 2 messages", lambda: me.log_messages(body))
    body["logInfo"]["messages"] = later
    measure("update_message_log, 2 messages", lambda: me.log_messages(body))
    measure("update_message_log, none new", lambda: me.log_messages(body))
    # E.164 and national digits; at most four at a time, and as the pace allows: how many rounds that is, is chance
    assert costs.pop("find_contacts, one notation") in [(8, 1), (8, 2), (8, 3)]
    assert costs == {
        "find_contacts_by_name": (5, 2),  # four searches at once, then the organisation
        "create_contact": (1, 1),
        "create_call_log": (1, 1),
        "get_call_log": (2, 1),
        "update_call_log": (3, 2),
        "set_disposition, removed": (2, 2),
        "create_message_log, 2 messages": (1, 1),
        "update_message_log, 2 messages": (2, 2),
        "update_message_log, none new": (0, 0),
    }
