"""What may go wrong at Bullhorn: sessions and tokens, the API user, refusals, lost answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.extension import Extension, call
from tests.vendor import short

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

API = "/rest-services/e999"
TOKEN_HOSTS = {"host": r"(auth|rest)-west\..*"}


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
def test_many_requests_with_a_dead_session_open_one_new_session(me, vendor, ended, renewal, bullhorn):
    for what in ended:
        vendor.call("end", what, me.username)
    vendor.fail({**TOKEN_HOSTS, "delay": 0.3})  # so that all of them meet
    answers = _at_once(me)
    assert [answer["successful"] for answer in answers] == [True] * len(answers)
    assert me.sign_ins() == ["code", "login", *renewal]
    assert vendor.call("live_sessions", me.username) == 1


def test_a_call_that_meets_a_dead_session_is_logged_after_one_refresh(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550171")
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
    assert len(bullhorn.notes(contact)) == 1


def test_a_dead_refresh_token_ends_the_session_for_the_client(me, vendor, bullhorn):
    for what in ("sessions", "access_tokens", "refresh_tokens"):
        vendor.call("end", what, me.username)
    revoked = me.send("GET", "/contact?phoneNumber=+16505550112&isExtension=false")
    assert (revoked.status_code, revoked.json()["errorCode"]) == (401, "CRM_SESSION_REVOKED")
    assert revoked.json()["returnMessage"]["message"] == "User session expired. Please connect again."
    assert me.json("GET", "/authValidation")["successful"] is False


@pytest.mark.parametrize("path", ["/oauth/token", "/rest-services/login"])
@pytest.mark.parametrize("status", [503, 429])
def test_trouble_while_signing_in_logs_nobody_out(me, vendor, path, status, bullhorn):
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


def test_an_outage_does_not_fail_the_heartbeat(me, vendor, bullhorn):
    vendor.fail({"path": ".*/ping", "status": 503, "body": {}})
    assert me.json("GET", "/authValidation") == {"successful": True}


def test_a_wrong_client_secret_is_told_and_logs_nobody_out(me, vendor, bullhorn):
    vendor.call("end", "sessions", me.username)
    vendor.call("end", "access_tokens", me.username)
    vendor.fail({"path": "/oauth/token", "status": 401, "body": {"error": "invalid_client"}})
    failed = me.json("GET", "/contact?phoneNumber=+16505550112&isExtension=false")
    told = "This server's credentials for Bullhorn are wrong; tell your administrator."
    assert failed["returnMessage"]["message"] == told
    vendor.fail()
    assert me.look_up("+16505550112")["successful"]


# --- the API user for logging on the server ----------------------------------------------------------


def _authors(bullhorn, contact):
    names = {str(user["id"]): user["username"] for user in bullhorn.vendor.state()["users"].values()}
    return [names[str(note["commentingPerson"]["id"])] for note in bullhorn.notes(contact)]


def _store_api_user(me, username, password):
    fields = {"apiUsername": username, "apiPassword": password}
    return me.json("POST", "/admin/serverLoggingSettings", {"additionalFieldValues": fields})


def test_the_api_user_logs_until_it_is_cleared_and_then_the_users_own_login_is_back(me, server, vendor, bullhorn):
    service = bullhorn.agent()
    password = vendor.call("password_of", service.username)
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550191")
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
    assert _authors(bullhorn, contact) == [me.username, service.username, service.username, me.username]
    assert me.json("GET", "/admin/serverLoggingSettings") == {"apiUsername": "", "apiPassword": ""}


def test_a_new_login_leaves_no_session_of_the_old_one_behind(me, vendor, bullhorn):
    me.code = vendor.call("new_code", me.username)
    me.login()
    assert me.sign_ins() == ["code", "login", "code", "login", "logout"]
    assert vendor.call("live_sessions", me.username) == 1
    assert me.look_up("+16505550112")["successful"]


def test_a_new_login_of_the_user_keeps_the_api_user(me, server, vendor, bullhorn):
    service = bullhorn.agent()
    _store_api_user(me, service.username, vendor.call("password_of", service.username))
    me.code = vendor.call("new_code", me.username)
    me.login()
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550193")
    me.log_call(call("9605", contact))
    assert _authors(bullhorn, contact) == [service.username]
    assert (vendor.call("live_sessions", me.username), vendor.call("live_sessions", service.username)) == (0, 1)


def test_the_service_replaces_its_own_note_and_leaves_a_persons_alone(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550194")
    service = Extension(me.url, "bullhorn")
    service.token = me.token
    service.http.headers["User-Agent"] = "SSCL"
    pending = "Rings<br>From auto logging (Pending)<br>"
    service.log_call(call("9606", contact, note=pending, info={"result": "Ringing", "duration": 0}))
    service.edit_call("9606", note="Talked", subject="Inbound Call", result="Accepted", duration=65)
    (note,) = bullhorn.notes(contact)
    assert "<br>Talked<br>" in note["comments"]
    assert "Pending" not in note["comments"]
    assert "<li><b>Summary</b>: Inbound Call</li>" in note["comments"]

    me.edit_call("9606", note="My own words")
    (mine,) = bullhorn.notes(contact)
    service.edit_call("9606", note="Theirs", subject="Theirs", result="Voicemail", duration=125, aiNote="Short")
    (note,) = bullhorn.notes(contact)
    changed = mine["comments"].replace("Accepted", "Voicemail").replace("1 minute, 5", "2 minutes, 5")
    assert note == {**mine, "comments": changed + "<div><b>AI Note</b><br>Short</div><br>", "minutesSpent": 2}


# --- refusals and lost answers -----------------------------------------------------------------------


def test_a_rate_limit_is_told_with_the_time_to_wait(me, vendor, bullhorn):
    vendor.fail({"path": ".*/search/.*", "status": 429, "headers": {"Retry-After": "7"}, "body": {}})
    told = me.look_up("+16505550112")
    assert (told["successful"], told["contact"]) == (False, [])
    assert told["returnMessage"]["message"] == "Rate limit exceeded"
    assert "in 7 seconds" in told["returnMessage"]["details"][0]["items"][0]["text"]


def test_a_number_of_no_country_is_looked_for_by_its_digits_and_a_withheld_one_not_at_all(me, vendor, bullhorn):
    told = me.json("GET", "/contact?phoneNumber=+999&isExtension=false")
    assert (told["successful"], [row["id"] for row in told["contact"]]) == (True, ["createNewContact"])
    assert sum("/search/" in row["path"] for row in vendor.requests()) == 3
    told = me.json("GET", "/contact?phoneNumber=anonymous&isExtension=false")
    assert (told["successful"], [row["id"] for row in told["contact"]]) == (True, ["createNewContact"])
    assert not any("/search/" in row["path"] for row in vendor.requests())


def test_one_refused_kind_hides_no_other(me, vendor, bullhorn):
    contact = bullhorn.person("Candidate", "Sam Roe", phone="+16505550192")
    vendor.fail({"path": ".*/search/Lead", "status": 403, "body": {"errorMessageKey": "errors.authorization.x"}})
    told = me.look_up("+16505550192")
    assert [row["id"] for row in told["contact"]] == [contact["id"]]
    assert told["returnMessage"]["messageType"] == "warning"
    assert "Lead: Your Bullhorn account" in str(told["returnMessage"]["details"])


def test_a_user_who_may_not_edit_notes_is_told_what_to_do(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550173")
    me.log_call(call("9401", contact))
    me.log_messages(bullhorn.messages("31", contact, 1))
    vendor.fail({"method": "POST", "path": ".*/entity/Note/.*", "status": 403, "body": {"errorMessage": "No."}})
    answers = (
        me.dispose("9401", noteActions="Voicemail"),
        me.edit_call("9401", note="Other"),
        me.log_messages(bullhorn.messages("31", contact, 2)),
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
    assert len(me.log_messages(bullhorn.messages("31", contact, 2))["logIds"]) == 1  # nothing was lost


def test_a_log_deleted_in_bullhorn_is_said_to_be_gone(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550174")
    for session in ("9402", "9403"):
        me.log_call(call(session, contact))
    gone, kept = (note["id"] for note in bullhorn.notes(contact))
    vendor.call("delete_note", gone)
    lost, found = me.logged("9402", "9403", details=True)
    assert (lost["matched"], found["logId"], found["logData"]["contactName"]) == (False, kept, "Pat Lee")
    vendor.call("delete_note", kept)
    told = me.edit_call("9403", note="Too late")
    assert told["successful"] is False
    assert "no longer exists in Bullhorn" in str(told["returnMessage"]["details"])
    again = me.log_call(call("9402", contact))
    assert again["logId"] not in (gone, kept)


def test_a_call_whose_answer_was_lost_is_found_by_its_session_and_not_written_again(me, vendor, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550175")
    copied = call("9404", contact, additionalSubmission={"copyToContactComments": True})
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "drop": "after", "times": 1})
    me.log_call(copied)
    vendor.requests()
    settled = me.log_call(copied)
    (note,) = bullhorn.notes(contact)
    assert (settled["successful"], settled["logId"]) == (True, note["id"])
    assert [short(row) for row in vendor.requests()] == [
        f"GET {API}/entity/Lead/{{id}}/notes",
        f"GET {API}/entity/Lead/{{id}}",
        f"POST {API}/entity/Lead/{{id}}",  # the copy in the comments, which had not been made
    ]


def test_messages_whose_answer_was_lost_are_found_by_their_day_and_not_written_again(me, vendor, server, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550176")
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "drop": "after", "times": 1})
    me.log_messages(bullhorn.messages("32", contact, 2))
    _deliver(bullhorn)
    assert me.log_messages(bullhorn.messages("32", contact, 2))["logIds"] == []
    assert len(me.log_messages(bullhorn.messages("32", contact, 3))["logIds"]) == 1
    (note,) = bullhorn.notes(contact)
    assert note["comments"] == bullhorn.day(contact, bullhorn.texts(contact, 3), 3)


def test_a_call_that_bullhorn_has_no_room_for_is_kept_and_logged_once(me, vendor, server, bullhorn):
    contact = bullhorn.person("Lead", "Pat Lee", phone="+16505550177")
    vendor.fail({"method": "PUT", "path": ".*/entity/Note", "status": 429, "body": {}, "times": 1})
    told = me.log_call(call("9405", contact))["returnMessage"]
    assert told["message"] == "Call log saved. It will be sent when Bullhorn is back."
    _deliver(bullhorn)
    (note,) = bullhorn.notes(contact)
    assert me.logged("9405")[0]["logId"] == note["id"]


def _deliver(bullhorn):
    """Lets the worker send what is kept."""
    bullhorn.switchboard.pass_the_lag()
    bullhorn.switchboard.deliver()
    assert bullhorn.server.rows("Delivery.objects.count()") == 0
