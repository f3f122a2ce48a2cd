"""Sessions of the extension at Bullhorn: Switchboard's own processes against a stateful fake of the vendor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html import escape

import pytest

from tests.extension import Extension, call
from tests.session_script import NOTE, RECORDING, SESSION, CrmSession
from tests.vendor import rounds, short

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

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
STARTED = 1777912267000  # 2026-05-04T16:31:07Z


class TestSession(CrmSession):
    display, agent, caller = "Bullhorn", "Agent Kim", "Grace Hill"
    text_field = "comments"
    names = ("Grace",)
    new_contacts = (("+12125550177", "Mary Ann van der Berg", "Candidate", {"status": "Active"}),)
    second_note = "Bought it\nfor $& now"
    later = {"recordingLink": RECORDING}
    details = (
        "<li><b>Summary</b>: Inbound Call from Grace Hill</li>"
        "<li><b>Date/time</b>: 2026-05-04 08:31:07 AM</li><li><b>Duration</b>: 3 minutes, 7 seconds</li>"
        "<li><b>Result</b>: Accepted</li>"
    )
    recording = '<li><b>Call recording link</b>: <a target="_blank" href="{}">open</a></li>'

    @pytest.fixture(autouse=True)
    def _in_an_empty_corporation(self, bullhorn, agent):
        bullhorn.vendor.call("empty")
        self.bullhorn, self.vendor, self.server, self.me = bullhorn, bullhorn.vendor, bullhorn.server, agent
        users = bullhorn.vendor.state()["users"].values()
        self.author = next(user["id"] for user in users if user["username"] == agent.username)

    def login(self):
        return self.me.login()

    def add_caller(self):
        return self.bullhorn.person("ClientContact", "Grace Hill", phone="(650) 555-0112")

    def add_others(self):
        sam = self.bullhorn.person("Candidate", "Sam Roe", workPhone="+16505550113")
        pat = self.bullhorn.person("Lead", "Pat Lee", mobile="650.555.0114")
        return [("+16505550113", sam), ("+16505550114", pat)]

    def call_of(self, contact):
        (note,) = self.bullhorn.notes(contact)
        return note

    day_of = call_of

    def written(self, text):
        return escape(text).replace("\n", "<br>")

    def chosen_for_texts(self):
        return {"noteActions": "SMS"}

    def conversation(self, contact, count, **changes):
        return self.bullhorn.messages("1", contact, count, **changes)

    def type_into(self, record):
        edited = record["comments"].replace("Accepted", "Accepted at once")
        self.vendor.call("edit_note", record["id"], edited)

    def see_login(self, welcome):
        assert self.me.json("GET", "/authValidation") == {"successful": True}

    def see_logout(self):
        assert self.vendor.call("live_sessions", self.me.username) == 0
        assert self.me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400
        assert self.me.sign_ins() == ["code", "login", "logout"]

    def see_caller(self, contact, rows):
        (row,) = rows
        self.see_other(contact, row)

    def see_other(self, contact, row):
        assert (row["name"], row["type"]) == (contact["name"], contact["type"])
        assert row["additionalInfo"]["noteActions"][0] == {"const": "Inbound Call", "title": "Inbound Call"}

    def see_nobody(self, reply):
        (offer,) = reply["contact"]
        assert (offer["id"], offer["defaultContactType"]) == ("createNewContact", "Lead")
        assert offer["additionalInfo"]["Candidate"]["status"][1] == {"const": "Active", "title": "Active"}

    def see_new_contact(self, created, number, name, kind):
        candidate = self.vendor.state()["people"]["Candidate"][str(created["id"])]
        assert {key: candidate[key] for key in ("name", "firstName", "lastName", "phone", "status")} == {
            "name": "Mary Ann van der Berg",
            "firstName": "Mary",
            "lastName": "Ann van der Berg",
            "phone": "+12125550177",
            "status": "Active",
        }

    def see_call(self, contact, record):
        assert record == {
            "id": record["id"],
            "isDeleted": False,
            "comments": self._comments(NOTE, "https://media.ringcentral.com/rec/9"),
            "action": "pending note",
            "personReference": {"id": contact["id"], "personSubtype": "ClientContact"},
            "commentingPerson": {"id": self.author, "personSubtype": "CorporateUser"},
            "dateAdded": STARTED,
            "externalID": SESSION,
            "minutesSpent": 3,
        }

    def _comments(self, note, link):
        return (
            f"<b>Agent notes</b><br>{self.written(note)}<br><br><b>Call details</b><br>"
            f"{self.details}{self.recording.format(link)}"
        )

    def see_edited_note(self, record):
        text = self._comments(self.second_note, "https://media.ringcentral.com/rec/9")
        assert record["comments"] == text.replace("Accepted", "Accepted at once")
        self.noted = record

    def see_later(self, record):
        text = self._comments(self.second_note, RECORDING)
        assert record == {**self.noted, "comments": text.replace("Accepted", "Accepted at once")}

    def file(self, contact, record):
        assert self.me.dispose(SESSION, noteActions="Inbound Call")["successful"]
        assert self.call_of(contact) == {**record, "action": "Inbound Call"}
        (log,) = self.me.logged(SESSION, details=True)
        assert log["logData"]["dispositions"] == {"noteActions": "Inbound Call"}

    def see_day(self, contact, day, count):
        assert day == {
            "id": day["id"],
            "isDeleted": False,
            "comments": self.bullhorn.day(contact, self.bullhorn.texts(contact, count), count),
            "action": "SMS",
            "personReference": {"id": contact["id"], "personSubtype": "ClientContact"},
            "commentingPerson": {"id": self.author, "personSubtype": "CorporateUser"},
            "dateAdded": 1777914000000,
            "externalID": "1/2026-05-04",
        }


@pytest.mark.parametrize(
    ("urls", "asked"),
    [
        (CENTRE, ["auth-west", "rest-west"]),
        (WRONG_CENTRE, ["auth-east", "auth-west", "rest-east", "rest-west"]),
        (HOSTILE, ["rest", "auth-west", "rest-west"]),
    ],
    ids=["own data centre", "other data centre", "hosts of somebody else"],
)
def test_the_login_ends_in_the_users_own_data_centre(agent, vendor, server, urls, asked, bullhorn):
    vendor.requests()
    assert agent.login(**urls)["name"] == "Agent Kim"
    rows = vendor.requests()
    assert [row["host"].split(".")[0] for row in rows[:-2]] == asked
    assert [short(row) for row in rows[-2:]] == [f"GET {API}/settings/userId", f"GET {API}/query/CorporateUser"]
    me = next(user for user in vendor.state()["users"].values() if user["username"] == agent.username)
    user = f"CrmUser.objects.get(wire_id='{me['masterUserID']}-bullhorn')"
    assert server.rows(f"[{user}.timezone, {user}.crm_account_id, {user}.extra]") == [
        "UTC-08:00",
        "e999",
        {"corporate_user_id": me["id"]},
    ]


def test_somebody_who_names_a_colleague_signs_in_as_themselves(server, vendor, bullhorn):
    colleague, impostor = bullhorn.agent(), bullhorn.agent()
    impostor.login(username=colleague.username)
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550111")
    impostor.log_call(call("9100", contact))
    (note,) = bullhorn.notes(contact)
    author = vendor.state()["users"][str(note["commentingPerson"]["id"])]
    assert author["username"] == impostor.username


def test_a_spent_code_signs_nobody_in(me, bullhorn):
    refused = me.login()
    assert "jwtToken" not in refused
    assert "Bullhorn did not accept the login" in refused["returnMessage"]["message"]


def test_a_user_whom_bullhorn_does_not_describe_is_told_to_check_permissions(agent, vendor, bullhorn):
    vendor.fail({"path": ".*/query/CorporateUser", "status": 200, "body": {"start": 0, "count": 0, "data": []}})
    refused = agent.login()
    assert "jwtToken" not in refused
    told = refused["returnMessage"]
    assert (told["message"], told["messageType"], told["ttl"]) == ("Could not load user information.", "warning", 5000)
    assert "Please check your permissions in Bullhorn." in str(told["details"])


def test_numbers_are_found_in_every_notation_and_no_other_number_is(me, vendor, bullhorn):
    stored = ("(212) 555-0101", "+1 212 555 0101", "212.555.0101", "1-212-555-0101")
    wanted = [bullhorn.person("Lead", f"Lead {text}", phone=text)["id"] for text in stored]
    bullhorn.person("Lead", "Kit Moss", phone="+44 212 555 0101")
    bullhorn.person("Lead", "Converted Lead", phone="2125550101", status="Converted")
    assert [row["id"] for row in me.look_up("+12125550101")["contact"]] == wanted
    london = bullhorn.person("Candidate", "Ann Dale", mobile="020 7946 0106")
    assert [row["id"] for row in me.look_up("+442079460106")["contact"]] == [london["id"]]


@pytest.mark.parametrize("text", ['O"Neil', "Smith-Jones", "(Acme) / Sons", "NOT", "-Lee", "Van && der"])
def test_a_name_is_never_taken_for_a_query(me, vendor, text, bullhorn):
    person = bullhorn.person("Lead", text, phone="+16505550155")
    assert person["id"] in [row["id"] for row in me.search(text)["contact"]]


def test_client_contacts_share_one_company_though_the_index_lags(me, vendor, bullhorn):
    vendor.call("let_the_index_lag", True)
    try:
        made = [
            me.create_contact(f"+1650555017{n}", f"Ada Park {n}", "Contact", status="Prospect")["contact"]
            for n in range(3)
        ]
    finally:
        vendor.call("let_the_index_lag", False)
    state = vendor.state()
    placeholders = [row["id"] for row in state["companies"].values() if row["name"].startswith("RingCentral_CRM")]
    assert len(placeholders) == 1
    for contact in made:
        assert state["people"]["ClientContact"][str(contact["id"])]["clientCorporation"] == {"id": placeholders[0]}


def test_client_contacts_made_at_the_same_moment_make_one_company(me, vendor, server, bullhorn):
    vendor.call("forget_companies")
    assert server.rows("__import__('django.core.cache').core.cache.cache.clear()") is None
    vendor.call("let_the_index_lag", True)
    vendor.fail({"path": ".*Corporation", "delay": 0.3})  # so that all of them meet

    def create(index):
        one = Extension(me.url, "bullhorn")
        one.token = me.token
        return one.create_contact(f"+1650555013{index}", f"Ada Park {index}", "Contact", status="Prospect")

    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(made["successful"] for made in pool.map(create, range(4)))
    finally:
        vendor.call("let_the_index_lag", False)
    assert [
        row["name"] for row in vendor.state()["companies"].values() if row["name"].startswith("RingCentral_CRM")
    ] == ["RingCentral_CRM_Extension_Placeholder_Company"]


def test_a_contact_whose_answer_was_lost_is_not_created_again_while_the_index_lags(me, vendor, bullhorn):
    vendor.call("let_the_index_lag", True)
    vendor.fail({"method": "PUT", "path": ".*/entity/Lead", "drop": "after", "times": 1})
    try:
        me.create_contact("+16505550178", "Lee Vale", "Lead")
        again = me.create_contact("+16505550178", "Lee Vale", "Lead")
    finally:
        vendor.call("let_the_index_lag", False)
    assert again["successful"] is False
    assert "may have been created" in str(again["returnMessage"])
    assert [lead["name"] for lead in vendor.state()["people"]["Lead"].values()].count("Lee Vale") == 1


def test_a_refused_field_is_named(me, bullhorn):
    refused = me.create_contact("+16505550177", "Ada Park", "Lead", status="x" * 101)
    assert refused["successful"] is False
    lines = [item["text"] for item in refused["returnMessage"]["details"][0]["items"]]
    assert "Bullhorn refused the field: status." in lines


def _sent(bullhorn, name, contact, **message):
    """One message of a conversation, other than a plain text."""
    body = bullhorn.messages(name, contact, 1)
    body["logInfo"]["messages"][0].update({"direction": "Inbound", "from": {"phoneNumber": contact["phone"]}})
    body["logInfo"]["messages"][0].update(message)
    return body


def test_voicemails_faxes_and_pictures_are_logged_with_their_links(me, vendor, bullhorn):
    footer = "--- Created via RingCentral App Connect"
    contact = bullhorn.person("Lead", "Pat <b>Lee", phone="+16505550161")
    recording = {
        "type": "AudioRecording",
        "contentType": "audio/mpeg",
        "link": "https://media.ringcentral.com/v?a=1&b=2",
    }
    me.log_messages(_sent(bullhorn, "21", contact, subject="", type="VoiceMail", attachments=[recording]))
    document = {"type": "RenderedDocument", "contentType": "application/pdf", "link": "https://media.ringcentral.com/f"}
    me.log_messages(_sent(bullhorn, "22", contact, subject="", type="Fax", attachments=[document]))
    picture = {
        "type": "MmsAttachment",
        "contentType": "image/png",
        "uri": "https://media.ringcentral.com/restapi/v1.0/account/~/extension/~/message-store/1/content/2",
    }
    me.log_messages(_sent(bullhorn, "23", contact, subject="Look", attachments=[picture]))
    me.log_messages(
        _sent(bullhorn, "27", contact, subject="", type="Fax", direction="Outbound", attachments=[document])
    )
    voicemail, fax, mms, outgoing = (note["comments"] for note in bullhorn.notes(contact))
    assert voicemail == (
        "<br><b>Voicemail left by Pat &lt;b&gt;Lee - 26/05/04</b><br>"
        f"Voicemail recording link: https://media.ringcentral.com/v?a=1&amp;b=2 <br><br>{footer}"
    )
    assert fax == (
        "<br><b>Fax document sent from Pat &lt;b&gt;Lee - 26/05/04</b><br>"
        f"Fax document link: https://media.ringcentral.com/f <br><br>{footer}"
    )
    assert outgoing == fax.replace("sent from", "sent to")
    assert "Look<br>[Link]: https://" in mms
    assert "message-store/1/content/2" in mms or "message-store%2F1%2Fcontent%2F2" in mms


def test_a_group_conversation_is_logged_for_each_contact(me, vendor, bullhorn):
    pat = bullhorn.person("Lead", "Pat Lee", phone="+16505550162")
    kit = bullhorn.person("Lead", "Kit Moss", phone="+16505550163")
    people = [{"phoneNumber": person["phone"], "name": person["name"]} for person in (pat, kit)]
    for person, others in ((pat, people), (kit, people[::-1])):
        me.log_messages(bullhorn.messages("24", person, 2, info={"correspondents": others}))
    for person, other in ((pat, kit), (kit, pat)):
        (note,) = bullhorn.notes(person)
        assert note["externalID"] == f"24/2026-05-04-{person['id']}"
        assert note["personReference"] == {"id": person["id"], "personSubtype": "Lead"}
        assert note["comments"] == bullhorn.day(person, bullhorn.texts(person, 2), 2, other["name"])


def test_a_shared_conversation_is_replaced_whole_and_keeps_its_date(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550163")
    entities = [
        {"recordType": "AliveMessage", "direction": "Inbound", "creationTime": f"2026-05-04T1{hour}:00:00Z",
         "from": {"name": "Pat Lee"}, "subject": f"Is <b>{hour}</b> good?"}
        for hour in (7, 8)
    ]  # fmt: skip
    for count in (1, 2):
        info = {
            "messages": [],
            "owner": {"name": "Billing", "extensionType": "Department"},
            "creationTime": "2026-05-04T17:00:00Z",
            "entities": entities[:count],
        }
        assert me.log_messages(bullhorn.messages("25", contact, 0, info=info))["successful"]
    (note,) = bullhorn.notes(contact)
    assert note["dateAdded"] == 1777914000000
    assert note["comments"].count("<b>Pat Lee</b> said on 2026-05-04") == 2
    assert "Is &lt;b&gt;8&lt;/b&gt; good?" in note["comments"]
    assert "Receiving call queue: <b>Billing</b>" in note["comments"]


def test_a_note_whose_markers_were_edited_away_keeps_its_text_and_gets_the_new_messages(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550164")
    me.log_messages(bullhorn.messages("26", contact, 1))
    (note,) = bullhorn.notes(contact)
    vendor.call("edit_note", note["id"], "Summed up by hand")
    me.log_messages(bullhorn.messages("26", contact, 3))
    (note,) = bullhorn.notes(contact)
    assert note["comments"].startswith("Summed up by hand")
    for index in (1, 2):
        assert note["comments"].count(f"text number {index} ") == 1


def test_the_agents_note_is_put_before_the_contacts_comments_once(me, vendor, bullhorn):
    contact = bullhorn.person("Candidate", "Sam Roe", phone="+16505550165", comments="Prefers mornings")
    body = call("9200", contact, additionalSubmission={"copyToContactComments": True, "noteActions": "Outbound Call"})
    assert me.log_call(body)["returnMessage"]["message"] == "Call logged"
    me.edit_call("9200", note=body["note"], additionalSubmission={"copyToContactComments": True})
    comments = vendor.state()["people"]["Candidate"][str(contact["id"])]["comments"]
    assert comments == "2026-05-04: Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café<br>Prefers mornings"
    (note,) = bullhorn.notes(contact)
    assert note["action"] == "Outbound Call"


def test_a_copy_that_fails_leaves_the_call_logged(me, vendor, bullhorn):
    contact = bullhorn.person("Candidate", "Sam Roe", phone="+16505550166")
    vendor.fail({"method": "GET", "path": ".*/entity/Candidate/.*", "status": 403, "body": {}})
    told = me.log_call(call("9201", contact, additionalSubmission={"copyToContactComments": True}))
    assert (told["successful"], told["returnMessage"]["messageType"]) == (True, "warning")
    assert len(bullhorn.notes(contact)) == 1


def test_a_call_is_logged_for_the_assigned_colleague(me, server, vendor, bullhorn):
    colleague = bullhorn.agent()
    colleague.login()
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550167")
    assigned = {"isAssignedToUser": True, "adminAssignedUserToken": colleague.token}
    me.log_call(call("9202", contact, additionalSubmission=assigned))
    me.log_call(call("9203", contact, additionalSubmission={**assigned, "adminAssignedUserToken": "no token"}))
    names = {str(user["id"]): user["username"] for user in vendor.state()["users"].values()}
    authors = [names[str(note["commentingPerson"]["id"])] for note in bullhorn.notes(contact)]
    assert authors == [colleague.username, me.username]


# --- vendor requests and rounds ----------------------------------------------------------------------


def _spent(vendor, operation, delay=0.3):
    """Requests and rounds of an operation, each request taking a while."""
    vendor.fail({"delay": delay})
    vendor.requests()
    operation()
    vendor.fail()
    rows = vendor.requests()
    return len(rows), rounds(rows)


def test_no_operation_takes_more_requests_or_rounds_than_it_needs(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550181")
    me.create_contact("+16505550182", "Ada Park", "Contact", status="Prospect")  # the placeholder company is known now
    force = "/contact?phoneNumber=+16505550181&isExtension=false&isForceRefreshAccountData=true"
    copied = {"copyToContactComments": True}
    sessions = [str(9500 + n) for n in range(5)]
    for session in sessions[1:]:
        me.log_call(call(session, contact))
    other = bullhorn.agent()
    operations = [
        ("login", other.login, (4, 4)),
        ("look-up, choices not cached", lambda: me.json("GET", force), (7, 1)),
        ("look-up", lambda: me.look_up("+16505550183"), (3, 1)),
        ("look-up, repeated", lambda: me.look_up("+16505550181"), (3, 1)),
        ("look-up, kept", lambda: me.look_up("+16505550181"), (0, 0)),
        ("name search", lambda: me.search("Pat"), (3, 1)),
        ("name search, nobody of that name", lambda: me.search("Zed Quux"), (6, 2)),
        ("create a lead", lambda: me.create_contact("+16505550184", "Ada", "Lead"), (1, 1)),
        ("create a client contact", lambda: me.create_contact("+16505550185", "Ada", "Contact"), (1, 1)),
        ("log a call", lambda: me.log_call(call(sessions[0], contact)), (1, 1)),
        ("log and copy", lambda: me.log_call(call("9510", contact, additionalSubmission=copied)), (3, 3)),
        ("log again", lambda: me.log_call(call(sessions[0], contact)), (0, 0)),
        ("read five calls", lambda: me.logged(*sessions, details=True), (1, 1)),
        ("edit a call", lambda: me.edit_call(sessions[0], note="Edited"), (2, 2)),
        ("disposition", lambda: me.dispose(sessions[0], noteActions="Voicemail"), (1, 1)),
        ("three messages", lambda: me.log_messages(bullhorn.messages("41", contact, 3)), (1, 1)),
        ("two more", lambda: me.log_messages(bullhorn.messages("41", contact, 5)), (2, 2)),
        ("none new", lambda: me.log_messages(bullhorn.messages("41", contact, 5)), (0, 0)),
        ("heartbeat", lambda: me.json("GET", "/authValidation"), (1, 1)),
        ("account data", lambda: me.json("GET", "/accountData?keys=bullhornData"), (0, 0)),
        (
            "account data, read anew",
            lambda: me.json("GET", "/accountData?keys=bullhornData&forceRefresh=true"),
            (4, 1),
        ),
        ("logout", other.logout, (1, 1)),
    ]
    measured = {name: _spent(vendor, operation) for name, operation, _ in operations}
    assert measured == {name: expected for name, _, expected in operations}
