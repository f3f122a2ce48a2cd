"""Sessions of the extension at Bullhorn: Switchboard's own processes against a stateful fake of the vendor."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.bullhorn import CLIENT
from tests.live_server import live_server
from tests.vendor import rounds, running_vendor, short

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

CALLBACK = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
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
TOKEN_HOSTS = {"host": r"(auth|rest)-west\..*"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory):
    with running_vendor("tests.fakes.bullhorn:FakeBullhorn", tmp_path_factory.mktemp("vendor")) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def server(tmp_path_factory, vendor):
    """Two processes, so that what must happen once has to happen once over all of them."""
    variables = {"BULLHORN_CLIENT_ID": CLIENT[0], "BULLHORN_CLIENT_SECRET": CLIENT[1], **vendor.environment}
    variables |= {"THROTTLE_LOGIN": "600/min", "DELIVERY_RETRY_SECONDS": "0.1"}  # every test signs in a user of its own
    with live_server(tmp_path_factory.mktemp("server"), workers=2, threads=8, **variables) as server:
        yield server


class Agent(Extension):
    """A user of the extension with a Bullhorn user of their own."""

    def __init__(self, server, vendor):
        super().__init__(server.url, "bullhorn")
        self.vendor = vendor
        self.username = f"agent.{next(_numbers)}"
        self.code = vendor.call("add_user", self.username, "Agent Kim")

    def login(self, **urls):
        query = {"hostname": "app.bullhornstaffing.com", "username": self.username, **(urls or CENTRE)}
        return self.login_with_code(f"{CALLBACK}?code={self.code}&state=platform=bullhorn", **query)

    def sign_ins(self):
        return [what for who, what in self.vendor.state()["sign_ins"] if who == self.username]


@pytest.fixture
def agent(server, vendor):
    vendor.fail()
    agent = Agent(server, vendor)
    yield agent
    vendor.fail()


@pytest.fixture
def me(agent):
    agent.login()
    agent.vendor.requests()
    return agent


def _person(vendor, entity, name, **fields):
    kind = "Contact" if entity == "ClientContact" else entity
    number = vendor.call("add_person", entity, name, **fields)
    phone = next((value for value in fields.values() if value.startswith("+")), "+16505550112")
    return {"id": number, "name": name, "type": kind, "phone": phone}


def _notes(vendor, contact):
    """The notes of a person, oldest first."""
    return [note for note in vendor.state()["notes"].values() if note["personReference"]["id"] == contact["id"]]


def _messages(name, contact, count, **changes):
    """A conversation whose message ids no other conversation has."""
    body = conversation(name, contact, count, **changes)
    for message in body["logInfo"]["messages"]:
        message["id"] += 1000 * int(name)
    return body


def _item(sender, minute, text):
    return f"<li>{sender} 09:{minute:02d} AM<br><b>{text}</b></li>"


def _texts(contact, count):
    """Messages as they stand in the note: the even ones are the agent's, eight hours behind UTC."""
    theirs = f"{contact['name']} ({contact['phone']})"
    return "".join(
        _item(theirs if index % 2 else "Agent Kim", index, f"text number {index} &lt;i&gt;&amp;&lt;/i&gt; ñ")
        for index in range(count)
    )


def _sms_body(contact, items, count, *others):
    people = "".join(f"<li><b>{name}</b></li>" for name in (contact["name"], *others))
    return (
        f"<br><b>SMS conversation with {contact['name']} - 26/05/04</b><br><b>Conversation summary</b><br>"
        "Monday, May 04, 2026<br>Participants<br><ul><li><b>Agent Kim</b><br></li>"
        f"{people}</ul><br>Conversation({count} messages)<br>BEGIN<br>------------<br><ul>{items}</ul>------------<br>"
        "END<br><br>--- Created via RingCentral App Connect"
    )


def test_a_session_of_the_extension_from_login_to_logout(agent, vendor, server):
    welcome = agent.login()
    assert (welcome["name"], welcome["returnMessage"]["message"]) == ("Agent Kim", "Connected to Bullhorn.")

    grace = _person(vendor, "ClientContact", "Grace Hill", phone="(650) 555-0112")
    sam = _person(vendor, "Candidate", "Sam Roe", workPhone="+16505550113")
    pat = _person(vendor, "Lead", "Pat Lee", mobile="650.555.0114")
    for number, person in (("+16505550112", grace), ("+16505550113", sam), ("+16505550114", pat)):
        (row,) = agent.look_up(number)["contact"]
        assert (row["id"], row["name"], row["type"]) == (person["id"], person["name"], person["type"])
        assert row["additionalInfo"]["noteActions"][0] == {"const": "Inbound Call", "title": "Inbound Call"}
    unknown = agent.look_up("+12125550199")
    assert unknown["returnMessage"]["message"] == "Contact not found"
    (offer,) = unknown["contact"]
    assert (offer["id"], offer["defaultContactType"]) == ("createNewContact", "Lead")
    assert offer["additionalInfo"]["Candidate"]["status"][1] == {"const": "Active", "title": "Active"}
    assert [row["id"] for row in agent.search("Grace")["contact"]] == [grace["id"]]
    assert agent.search("Zzyzx Nobody")["contact"] == []

    created = agent.create_contact("+12125550177", "Mary Ann van der Berg", "Candidate", status="Active")["contact"]
    candidate = vendor.state()["people"]["Candidate"][str(created["id"])]
    assert {key: candidate[key] for key in ("name", "firstName", "lastName", "phone", "status")} == {
        "name": "Mary Ann van der Berg",
        "firstName": "Mary",
        "lastName": "Ann van der Berg",
        "phone": "+12125550177",
        "status": "Active",
    }
    assert agent.look_up("+12125550177")["contact"][0]["id"] == created["id"]

    logged = agent.log_call(call("9001", grace))
    assert logged["successful"]
    again = agent.log_call(call("9001", grace, note="again"))
    assert (again["successful"], again["returnMessage"]["message"]) == (False, "Existing log for session 9001")
    (note,) = _notes(vendor, grace)
    me = next(user for user in vendor.state()["users"].values() if user["username"] == agent.username)
    details = (
        "<li><b>Summary</b>: Inbound Call from Grace Hill</li>"
        "<li><b>Date/time</b>: 2026-05-04 08:31:07 AM</li><li><b>Duration</b>: 3 minutes, 7 seconds</li>"
        "<li><b>Result</b>: Accepted</li>"
    )
    recording = '<li><b>Call recording link</b>: <a target="_blank" href="{0}">open</a></li>'
    body = "<b>Agent notes</b><br>{0}<br><br><b>Call details</b><br>" + details + "{1}"
    assert note == {
        "id": logged["logId"],
        "isDeleted": False,
        "comments": note["comments"],
        "action": "pending note",
        "personReference": {"id": grace["id"], "personSubtype": "ClientContact"},
        "commentingPerson": {"id": me["id"], "personSubtype": "CorporateUser"},
        "dateAdded": STARTED,
        "externalID": "9001",
        "minutesSpent": 3,
    }
    first = recording.format("https://media.ringcentral.com/rec/9")
    assert note["comments"] == body.format("Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café", first)

    matched, unmatched = agent.logged("9001", "9999")
    assert (matched["matched"], matched["logId"]) == (True, logged["logId"])
    assert unmatched == {"sessionId": "9999", "matched": False}
    (log,) = agent.logged("9001", details=True)
    assert log["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert log["logData"]["subject"] == "Inbound Call from Grace Hill"
    assert log["logData"]["contactName"] == "Grace Hill"

    vendor.call("edit_note", logged["logId"], note["comments"].replace("Accepted", "Accepted at once"))
    assert agent.edit_call("9001", note="Bought it\nfor $& now")["successful"]
    (edited,) = _notes(vendor, grace)
    text = body.replace("Accepted", "Accepted at once")
    assert edited == {**note, "comments": text.format("Bought it<br>for $&amp; now", first)}
    assert agent.edit_call("9001", recordingLink="https://media.ringcentral.com/rec/10")["successful"]
    (edited,) = _notes(vendor, grace)
    second = recording.format("https://media.ringcentral.com/rec/10")
    assert edited == {**note, "comments": text.format("Bought it<br>for $&amp; now", second)}

    assert agent.dispose("9001", noteActions="Inbound Call")["successful"]
    (disposed,) = _notes(vendor, grace)
    assert disposed == {**edited, "action": "Inbound Call"}
    (log,) = agent.logged("9001", details=True)
    assert log["logData"]["dispositions"] == {"noteActions": "Inbound Call"}

    pat["phone"] = "+16505550114"
    assert len(agent.log_messages(_messages("1", pat, 3, additionalSubmission={"noteActions": "SMS"}))["logIds"]) == 3
    (day,) = _notes(vendor, pat)
    assert day == {
        "id": day["id"],
        "isDeleted": False,
        "comments": _sms_body(pat, _texts(pat, 3), 3),
        "action": "SMS",
        "personReference": {"id": pat["id"], "personSubtype": "Lead"},
        "commentingPerson": {"id": me["id"], "personSubtype": "CorporateUser"},
        "dateAdded": 1777914000000,
        "externalID": "1/2026-05-04",
    }
    assert len(agent.log_messages(_messages("1", pat, 5))["logIds"]) == 2
    (day,) = _notes(vendor, pat)
    assert (day["comments"], day["dateAdded"]) == (_sms_body(pat, _texts(pat, 5), 5), 1777914000000)
    assert agent.log_messages(_messages("1", pat, 5)) == {"successful": True, "logIds": [], "returnMessage": None}
    assert _notes(vendor, pat) == [day]

    alive = agent.json("GET", "/authValidation")
    assert alive == {"successful": True}
    assert agent.logout()["returnMessage"]["message"] == "Logged out of Bullhorn"
    assert vendor.call("live_sessions", agent.username) == 0
    refused = agent.send("GET", "/contact?phoneNumber=+16505550112")
    assert (refused.status_code, refused.text) == (400, "Please go to Settings and authorize CRM platform")
    assert agent.sign_ins() == ["code", "login", "logout"]


@pytest.mark.parametrize(
    ("urls", "asked"),
    [
        (CENTRE, ["auth-west", "rest-west"]),
        (WRONG_CENTRE, ["auth-east", "auth-west", "rest-east", "rest-west"]),
        (HOSTILE, ["rest", "auth-west", "rest-west"]),
    ],
    ids=["own data centre", "other data centre", "hosts of somebody else"],
)
def test_the_login_ends_in_the_users_own_data_centre(agent, vendor, server, urls, asked):
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


def test_somebody_who_names_a_colleague_signs_in_as_themselves(server, vendor):
    colleague, impostor = Agent(server, vendor), Agent(server, vendor)
    query = {"hostname": "app.bullhornstaffing.com", "username": colleague.username, **CENTRE}
    impostor.login_with_code(f"{CALLBACK}?code={impostor.code}&state=platform=bullhorn", **query)
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550111")
    impostor.log_call(call("9100", contact))
    (note,) = _notes(vendor, contact)
    author = vendor.state()["users"][str(note["commentingPerson"]["id"])]
    assert author["username"] == impostor.username


def test_a_spent_code_signs_nobody_in(me):
    refused = me.login()
    assert "jwtToken" not in refused
    assert "Bullhorn did not accept the login" in refused["returnMessage"]["message"]


def test_a_user_whom_bullhorn_does_not_describe_is_told_to_check_permissions(agent, vendor):
    vendor.fail({"path": ".*/query/CorporateUser", "status": 200, "body": {"start": 0, "count": 0, "data": []}})
    refused = agent.login()
    assert "jwtToken" not in refused
    told = refused["returnMessage"]
    assert (told["message"], told["messageType"], told["ttl"]) == ("Could not load user information.", "warning", 5000)
    assert "Please check your permissions in Bullhorn." in str(told["details"])


def test_numbers_are_found_in_every_notation_and_no_other_number_is(me, vendor):
    stored = ("(212) 555-0101", "+1 212 555 0101", "212.555.0101", "1-212-555-0101")
    wanted = [_person(vendor, "Lead", f"Lead {text}", phone=text)["id"] for text in stored]
    _person(vendor, "Lead", "Kit Moss", phone="+44 212 555 0101")
    _person(vendor, "Lead", "Converted Lead", phone="2125550101", status="Converted")
    assert [row["id"] for row in me.look_up("+12125550101")["contact"]] == wanted
    london = _person(vendor, "Candidate", "Ann Dale", mobile="020 7946 0106")
    assert [row["id"] for row in me.look_up("+442079460106")["contact"]] == [london["id"]]


@pytest.mark.parametrize("text", ['O"Neil', "Smith-Jones", "(Acme) / Sons", "NOT", "-Lee", "Van && der"])
def test_a_name_is_never_taken_for_a_query(me, vendor, text):
    person = _person(vendor, "Lead", text, phone="+16505550155")
    assert person["id"] in [row["id"] for row in me.search(text)["contact"]]


def test_client_contacts_share_one_company_though_the_index_lags(me, vendor):
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


def test_client_contacts_made_at_the_same_moment_make_one_company(me, vendor, server):
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


def test_a_contact_whose_answer_was_lost_is_not_created_again_while_the_index_lags(me, vendor):
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


def test_a_refused_field_is_named(me):
    refused = me.create_contact("+16505550177", "Ada Park", "Lead", status="x" * 101)
    assert refused["successful"] is False
    lines = [item["text"] for item in refused["returnMessage"]["details"][0]["items"]]
    assert "Bullhorn refused the field: status." in lines


def _sent(name, contact, **message):
    """One message of a conversation, other than a plain text."""
    body = _messages(name, contact, 1)
    body["logInfo"]["messages"][0].update({"direction": "Inbound", "from": {"phoneNumber": contact["phone"]}})
    body["logInfo"]["messages"][0].update(message)
    return body


def test_voicemails_faxes_and_pictures_are_logged_with_their_links(me, vendor):
    footer = "--- Created via RingCentral App Connect"
    contact = _person(vendor, "Lead", "Pat <b>Lee", phone="+16505550161")
    recording = {
        "type": "AudioRecording",
        "contentType": "audio/mpeg",
        "link": "https://media.ringcentral.com/v?a=1&b=2",
    }
    me.log_messages(_sent("21", contact, subject="", type="VoiceMail", attachments=[recording]))
    document = {"type": "RenderedDocument", "contentType": "application/pdf", "link": "https://media.ringcentral.com/f"}
    me.log_messages(_sent("22", contact, subject="", type="Fax", attachments=[document]))
    picture = {
        "type": "MmsAttachment",
        "contentType": "image/png",
        "uri": "https://media.ringcentral.com/restapi/v1.0/account/~/extension/~/message-store/1/content/2",
    }
    me.log_messages(_sent("23", contact, subject="Look", attachments=[picture]))
    me.log_messages(_sent("27", contact, subject="", type="Fax", direction="Outbound", attachments=[document]))
    voicemail, fax, mms, outgoing = (note["comments"] for note in _notes(vendor, contact))
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


def test_a_group_conversation_is_logged_for_each_contact(me, vendor):
    pat = _person(vendor, "Lead", "Pat Lee", phone="+16505550162")
    kit = _person(vendor, "Lead", "Kit Moss", phone="+16505550163")
    people = [{"phoneNumber": person["phone"], "name": person["name"]} for person in (pat, kit)]
    for person, others in ((pat, people), (kit, people[::-1])):
        me.log_messages(_messages("24", person, 2, info={"correspondents": others}))
    for person, other in ((pat, kit), (kit, pat)):
        (note,) = _notes(vendor, person)
        assert note["externalID"] == f"24/2026-05-04-{person['id']}"
        assert note["comments"] == _sms_body(person, _texts(person, 2), 2, other["name"])


def test_a_shared_conversation_is_replaced_whole_and_keeps_its_date(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550163")
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
        assert me.log_messages(_messages("25", contact, 0, info=info))["successful"]
    (note,) = _notes(vendor, contact)
    assert note["dateAdded"] == 1777914000000
    assert note["comments"].count("<b>Pat Lee</b> said on 2026-05-04") == 2
    assert "Is &lt;b&gt;8&lt;/b&gt; good?" in note["comments"]
    assert "Receiving call queue: <b>Billing</b>" in note["comments"]


def test_a_note_whose_markers_were_edited_away_keeps_its_text_and_gets_the_new_messages(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550164")
    me.log_messages(_messages("26", contact, 1))
    (note,) = _notes(vendor, contact)
    vendor.call("edit_note", note["id"], "Summed up by hand")
    me.log_messages(_messages("26", contact, 3))
    (note,) = _notes(vendor, contact)
    assert note["comments"].startswith("Summed up by hand")
    for index in (1, 2):
        assert note["comments"].count(f"text number {index} ") == 1


def test_the_agents_note_is_put_before_the_contacts_comments_once(me, vendor):
    contact = _person(vendor, "Candidate", "Sam Roe", phone="+16505550165", comments="Prefers mornings")
    body = call("9200", contact, additionalSubmission={"copyToContactComments": True, "noteActions": "Outbound Call"})
    assert me.log_call(body)["returnMessage"]["message"] == "Call logged"
    me.edit_call("9200", note=body["note"], additionalSubmission={"copyToContactComments": True})
    comments = vendor.state()["people"]["Candidate"][str(contact["id"])]["comments"]
    assert comments == "2026-05-04: Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café<br>Prefers mornings"
    (note,) = _notes(vendor, contact)
    assert note["action"] == "Outbound Call"


def test_a_copy_that_fails_leaves_the_call_logged(me, vendor):
    contact = _person(vendor, "Candidate", "Sam Roe", phone="+16505550166")
    vendor.fail({"method": "GET", "path": ".*/entity/Candidate/.*", "status": 403, "body": {}})
    told = me.log_call(call("9201", contact, additionalSubmission={"copyToContactComments": True}))
    assert (told["successful"], told["returnMessage"]["messageType"]) == (True, "warning")
    assert len(_notes(vendor, contact)) == 1


def test_a_call_is_logged_for_the_assigned_colleague(me, server, vendor):
    colleague = Agent(server, vendor)
    colleague.login()
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550167")
    assigned = {"isAssignedToUser": True, "adminAssignedUserToken": colleague.token}
    me.log_call(call("9202", contact, additionalSubmission=assigned))
    me.log_call(call("9203", contact, additionalSubmission={**assigned, "adminAssignedUserToken": "no token"}))
    names = {str(user["id"]): user["username"] for user in vendor.state()["users"].values()}
    authors = [names[str(note["commentingPerson"]["id"])] for note in _notes(vendor, contact)]
    assert authors == [colleague.username, me.username]


# --- sessions and tokens -----------------------------------------------------------------------------


def _at_once(me, count=8):
    """Look-ups of as many numbers at the same moment, each of which needs the session."""

    def look_up(index):
        one = Extension(me.url, "bullhorn")
        one.token = me.token
        return one.json("GET", f"/contact?phoneNumber=+1415555010{index}&isExtension=false")

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(look_up, range(count)))


@pytest.mark.parametrize(
    ("ended", "renewal"),
    [(["sessions"], ["login"]), (["sessions", "access_tokens"], ["refresh", "login"])],
    ids=["the access token lives", "the access token is too old"],
)
def test_many_requests_with_a_dead_session_open_one_new_session(me, vendor, ended, renewal):
    for what in ended:
        vendor.call("end", what, me.username)
    vendor.fail({**TOKEN_HOSTS, "delay": 0.3})  # so that all of them meet
    answers = _at_once(me)
    assert [answer["successful"] for answer in answers] == [True] * len(answers)
    assert me.sign_ins() == ["code", "login", *renewal]
    assert vendor.call("live_sessions", me.username) == 1


def test_a_call_that_meets_a_dead_session_is_logged_after_one_refresh(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550171")
    vendor.call("end", "sessions", me.username)
    vendor.call("end", "access_tokens", me.username)
    vendor.requests()
    assert me.log_call(call("9301", contact))["successful"]
    assert [short(row) for row in vendor.requests()] == [
        f"PUT {API}/entity/Note",
        "POST /rest-services/login",  # with the old access token, which has just died
        "POST /oauth/token",
        "POST /rest-services/login",
        f"PUT {API}/entity/Note",
    ]
    assert len(_notes(vendor, contact)) == 1


def test_a_dead_refresh_token_ends_the_session_for_the_client(me, vendor):
    for what in ("sessions", "access_tokens", "refresh_tokens"):
        vendor.call("end", what, me.username)
    revoked = me.send("GET", "/contact?phoneNumber=+16505550112&isExtension=false")
    assert (revoked.status_code, revoked.json()["errorCode"]) == (401, "CRM_SESSION_REVOKED")
    assert revoked.json()["returnMessage"]["message"] == "User session expired. Please connect again."
    assert me.json("GET", "/authValidation")["successful"] is False


@pytest.mark.parametrize("path", ["/oauth/token", "/rest-services/login"])
@pytest.mark.parametrize("status", [503, 429])
def test_trouble_while_signing_in_logs_nobody_out(me, vendor, path, status):
    vendor.call("end", "sessions", me.username)
    vendor.call("end", "access_tokens", me.username)
    # The first login is the one with the old access token.
    vendor.fail({"path": path, "status": status, "skip": int(path.endswith("login")), "times": 1})
    failed = me.json("GET", "/contact?phoneNumber=+16505550112&isExtension=false")
    assert failed["successful"] is False
    vendor.fail()
    assert me.json("GET", "/authValidation") == {"successful": True}
    # A pair that was handed out before the trouble is used, not renewed once more.
    assert me.sign_ins() == ["code", "login", "refresh", "login"]


def test_an_outage_does_not_fail_the_heartbeat(me, vendor):
    vendor.fail({"path": ".*/ping", "status": 503, "body": {}})
    assert me.json("GET", "/authValidation") == {"successful": True}


def test_a_wrong_client_secret_is_told_and_logs_nobody_out(me, vendor):
    vendor.call("end", "sessions", me.username)
    vendor.call("end", "access_tokens", me.username)
    vendor.fail({"path": "/oauth/token", "status": 401, "body": {"error": "invalid_client"}})
    failed = me.json("GET", "/contact?phoneNumber=+16505550112&isExtension=false")
    told = "This server's credentials for Bullhorn are wrong; tell your administrator."
    assert failed["returnMessage"]["message"] == told
    vendor.fail()
    assert me.look_up("+16505550112")["successful"]


# --- the API user for logging on the server ----------------------------------------------------------


def _authors(vendor, contact):
    names = {str(user["id"]): user["username"] for user in vendor.state()["users"].values()}
    return [names[str(note["commentingPerson"]["id"])] for note in _notes(vendor, contact)]


def _store_api_user(me, username, password):
    fields = {"apiUsername": username, "apiPassword": password}
    return me.json("POST", "/admin/serverLoggingSettings", {"additionalFieldValues": fields})


def test_the_api_user_logs_until_it_is_cleared_and_then_the_users_own_login_is_back(me, server, vendor):
    service = Agent(server, vendor)
    password = vendor.call("password_of", service.username)
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550191")
    assert me.json("GET", "/admin/serverLoggingSettings") == {"apiUsername": "", "apiPassword": ""}
    refused = _store_api_user(me, service.username, "wrong")
    assert refused["successful"] is False
    assert refused["returnMessage"] == {
        "message": "Server logging settings update failed. Please check your username and password.",
        "messageType": "warning",
        "ttl": 10000,
    }
    me.log_call(call("9601", contact))
    assert _store_api_user(me, service.username, password)["returnMessage"]["message"] == (
        "Server logging settings updated"
    )
    assert me.json("GET", "/admin/serverLoggingSettings") == {
        "apiUsername": service.username,
        "apiPassword": "********",
    }
    assert _store_api_user(me, service.username, "********")["successful"]
    assert (vendor.call("live_sessions", me.username), vendor.call("live_sessions", service.username)) == (0, 1)
    me.log_call(call("9602", contact))
    for what in ("sessions", "access_tokens", "refresh_tokens"):  # the password outlives them all
        vendor.call("end", what, service.username)
    me.log_call(call("9603", contact))
    assert _store_api_user(me, "", "")["returnMessage"]["message"] == "Server logging settings cleared"
    assert vendor.call("live_sessions", service.username) == 0
    me.log_call(call("9604", contact))
    assert _authors(vendor, contact) == [me.username, service.username, service.username, me.username]
    assert me.json("GET", "/admin/serverLoggingSettings") == {"apiUsername": "", "apiPassword": ""}


def test_a_new_login_leaves_no_session_of_the_old_one_behind(me, vendor):
    me.code = vendor.call("new_code", me.username)
    me.login()
    assert me.sign_ins() == ["code", "login", "code", "login", "logout"]
    assert vendor.call("live_sessions", me.username) == 1
    assert me.look_up("+16505550112")["successful"]


def test_a_new_login_of_the_user_keeps_the_api_user(me, server, vendor):
    service = Agent(server, vendor)
    _store_api_user(me, service.username, vendor.call("password_of", service.username))
    me.code = vendor.call("new_code", me.username)
    me.login()
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550193")
    me.log_call(call("9605", contact))
    assert _authors(vendor, contact) == [service.username]
    assert (vendor.call("live_sessions", me.username), vendor.call("live_sessions", service.username)) == (0, 1)


def test_the_service_replaces_its_own_note_and_leaves_a_persons_alone(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550194")
    service = Extension(me.url, "bullhorn")
    service.token = me.token
    service.http.headers["User-Agent"] = "SSCL"
    pending = "Rings<br>From auto logging (Pending)<br>"
    service.log_call(call("9606", contact, note=pending, info={"result": "Ringing", "duration": 0}))
    service.edit_call("9606", note="Talked", subject="Inbound Call", result="Accepted", duration=65)
    (note,) = _notes(vendor, contact)
    assert "<br>Talked<br>" in note["comments"]
    assert "Pending" not in note["comments"]
    assert "<li><b>Summary</b>: Inbound Call</li>" in note["comments"]

    me.edit_call("9606", note="My own words")
    (mine,) = _notes(vendor, contact)
    service.edit_call("9606", note="Theirs", subject="Theirs", result="Voicemail", duration=125, aiNote="Short")
    (note,) = _notes(vendor, contact)
    changed = mine["comments"].replace("Accepted", "Voicemail").replace("1 minute, 5", "2 minutes, 5")
    assert note == {**mine, "comments": changed + "<div><b>AI Note</b><br>Short</div><br>", "minutesSpent": 2}


# --- refusals and lost answers -----------------------------------------------------------------------


def test_a_rate_limit_is_told_with_the_time_to_wait(me, vendor):
    vendor.fail({"path": ".*/search/.*", "status": 429, "headers": {"Retry-After": "7"}, "body": {}})
    told = me.look_up("+16505550112")
    assert (told["successful"], told["contact"]) == (False, [])
    assert told["returnMessage"]["message"] == "Rate limit exceeded"
    assert "in 7 seconds" in told["returnMessage"]["details"][0]["items"][0]["text"]


def test_a_number_of_no_country_is_looked_for_by_its_digits_and_a_withheld_one_not_at_all(me, vendor):
    told = me.json("GET", "/contact?phoneNumber=+999&isExtension=false")
    assert (told["successful"], [row["id"] for row in told["contact"]]) == (True, ["createNewContact"])
    assert sum("/search/" in row["path"] for row in vendor.requests()) == 3
    told = me.json("GET", "/contact?phoneNumber=anonymous&isExtension=false")
    assert (told["successful"], [row["id"] for row in told["contact"]]) == (True, ["createNewContact"])
    assert not any("/search/" in row["path"] for row in vendor.requests())


def test_one_refused_kind_hides_no_other(me, vendor):
    contact = _person(vendor, "Candidate", "Sam Roe", phone="+16505550192")
    vendor.fail({"path": ".*/search/Lead", "status": 403, "body": {"errorMessageKey": "errors.authorization.x"}})
    told = me.look_up("+16505550192")
    assert [row["id"] for row in told["contact"]] == [contact["id"]]
    assert told["returnMessage"]["messageType"] == "warning"
    assert "Lead: Your Bullhorn account" in str(told["returnMessage"]["details"])


def test_a_user_who_may_not_edit_notes_is_told_what_to_do(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550173")
    me.log_call(call("9401", contact))
    me.log_messages(_messages("31", contact, 1))
    vendor.fail({"method": "POST", "path": ".*/entity/Note/.*", "status": 403, "body": {"errorMessage": "No."}})
    answers = (
        me.dispose("9401", noteActions="Voicemail"),
        me.edit_call("9401", note="Other"),
        me.log_messages(_messages("31", contact, 2)),
    )
    for answer in answers:
        assert answer["successful"] is False
        told = answer["returnMessage"]
        assert told["message"] == (
            "It seems like your Bullhorn account does not have permission to update Note. "
            "Refer to details for more information."
        )
        assert (told["messageType"], told["ttl"]) == ("warning", 3000)
        assert "one-time call logging" in told["details"][0]["items"][0]["text"]
    vendor.fail()
    assert len(me.log_messages(_messages("31", contact, 2))["logIds"]) == 1  # nothing was lost


def test_a_log_deleted_in_bullhorn_is_said_to_be_gone(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550174")
    for session in ("9402", "9403"):
        me.log_call(call(session, contact))
    gone, kept = (note["id"] for note in _notes(vendor, contact))
    vendor.call("delete_note", gone)
    lost, found = me.logged("9402", "9403", details=True)
    assert (lost["matched"], found["logId"], found["logData"]["contactName"]) == (False, kept, "Pat Lee")
    vendor.call("delete_note", kept)
    told = me.edit_call("9403", note="Too late")
    assert told["successful"] is False
    assert "no longer exists in Bullhorn" in str(told["returnMessage"]["details"])
    again = me.log_call(call("9402", contact))
    assert again["logId"] not in (gone, kept)


def test_a_call_whose_answer_was_lost_is_found_by_its_session_and_not_written_again(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550175")
    copied = call("9404", contact, additionalSubmission={"copyToContactComments": True})
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "drop": "after", "times": 1})
    me.log_call(copied)
    vendor.requests()
    settled = me.log_call(copied)
    (note,) = _notes(vendor, contact)
    assert (settled["successful"], settled["logId"]) == (True, note["id"])
    assert [short(row) for row in vendor.requests()] == [
        f"GET {API}/entity/Lead/{{id}}/notes",
        f"GET {API}/entity/Lead/{{id}}",
        f"POST {API}/entity/Lead/{{id}}",  # the copy in the comments, which had not been made
    ]


def test_messages_whose_answer_was_lost_are_found_by_their_day_and_not_written_again(me, vendor, server):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550176")
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "drop": "after", "times": 1})
    me.log_messages(_messages("32", contact, 2))
    _deliver(server)
    assert me.log_messages(_messages("32", contact, 2))["logIds"] == []
    assert len(me.log_messages(_messages("32", contact, 3))["logIds"]) == 1
    (note,) = _notes(vendor, contact)
    assert note["comments"] == _sms_body(contact, _texts(contact, 3), 3)


def test_a_call_that_bullhorn_has_no_room_for_is_kept_and_logged_once(me, vendor, server):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550177")
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "status": 429, "body": {}, "times": 1})
    told = me.log_call(call("9405", contact))["returnMessage"]
    assert told["message"] == "Call log saved. It will be sent when Bullhorn is back."
    _deliver(server)
    (note,) = _notes(vendor, contact)
    assert me.logged("9405")[0]["logId"] == note["id"]


def _deliver(server):
    """Lets the worker send what is kept."""
    give_up = time.monotonic() + 30
    while server.rows("Delivery.objects.count()") and time.monotonic() < give_up:
        server.manage("deliver")


# --- vendor requests and rounds ----------------------------------------------------------------------


def _spent(vendor, operation, delay=0.3):
    """Requests and rounds of an operation, each request taking a while."""
    vendor.fail({"delay": delay})
    vendor.requests()
    operation()
    vendor.fail()
    rows = vendor.requests()
    return len(rows), rounds(rows)


def test_no_operation_takes_more_requests_or_rounds_than_it_needs(me, vendor):
    contact = _person(vendor, "Lead", "Pat Lee", phone="+16505550181")
    me.create_contact("+16505550182", "Ada Park", "Contact", status="Prospect")  # the placeholder company is known now
    force = "/contact?phoneNumber=+16505550181&isExtension=false&isForceRefreshAccountData=true"
    copied = {"copyToContactComments": True}
    sessions = [str(9500 + n) for n in range(5)]
    for session in sessions[1:]:
        me.log_call(call(session, contact))
    other = Agent(me, vendor)
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
        ("three messages", lambda: me.log_messages(_messages("41", contact, 3)), (1, 1)),
        ("two more", lambda: me.log_messages(_messages("41", contact, 5)), (2, 2)),
        ("none new", lambda: me.log_messages(_messages("41", contact, 5)), (0, 0)),
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
