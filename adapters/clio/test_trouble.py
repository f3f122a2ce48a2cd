"""What goes wrong between Switchboard and Clio: logins, tokens, limits, lost answers, refusals."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.clio import ACTIVITIES, AU, COMMUNICATIONS, EU, REDIRECT, US

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


@pytest.mark.parametrize(
    "query", [{"hostname": "clio.example.net"}, {"hostname": ""}, {"hostname": "app.clio.com.example.net"}]
)
def test_a_host_that_is_not_clios_gets_neither_code_nor_token(clio, query):
    _, code = clio.vendor.call("add_user", "Dana Whitlock")
    clio.vendor.requests()
    reply = Extension(clio.server.url, "clio").login_with_code(
        f"{REDIRECT}?code={code}", state="platform=clio", **query
    )
    assert "jwtToken" not in reply
    assert "not a Clio address" in reply["returnMessage"]["message"]
    assert clio.vendor.spent() == []


def test_a_login_that_was_declined_or_may_not_read_its_user_is_told_so(clio):
    me = Extension(clio.server.url, "clio")
    declined = me.login_with_code(f"{REDIRECT}?error=access_denied", state="platform=clio", hostname=US)
    assert declined["returnMessage"]["message"] == "The connection to Clio was declined."
    _, code = clio.vendor.call("add_user", "Dana Whitlock")
    clio.vendor.fail(
        {"path": "/api/v4/users/.*", "status": 403, "body": {"error": {"type": "Forbidden", "message": "no"}}}
    )
    refused = me.login_with_code(f"{REDIRECT}?code={code}", state="platform=clio", hostname=US)
    assert "jwtToken" not in refused
    assert "may not read users" in refused["returnMessage"]["message"]


@pytest.mark.parametrize("rotation", ["none", "same", "new"])
def test_many_requests_at_once_refresh_an_ending_token_once(clio, rotation):
    clio.vendor.call("configure", token_seconds=60, rotation=rotation)  # a token is renewed two minutes before its end
    me, user = clio.connect()
    clio.vendor.call("configure", token_seconds=300)
    numbers = [f"+1650555{n:04}" for n in range(200, 206)]
    clio.vendor.fail({"delay": 0.1})

    def look_up(number):
        one = Extension(me.url, "clio")
        one.token = me.token
        return one.look_up(number, "")

    with ThreadPoolExecutor(6) as pool:
        assert [reply for reply in pool.map(look_up, numbers) if not reply["successful"]] == []
    assert clio.vendor.spent() == [*["GET /api/v4/contacts.json"] * 6, "POST /oauth/token"]
    clio.vendor.call("expire_access", user)  # what is stored now must serve for the next refresh
    assert look_up("+16505550299")["successful"]
    assert clio.vendor.spent() == [*["GET /api/v4/contacts.json"] * 2, "POST /oauth/token"]


def test_a_token_refused_in_mid_session_is_renewed_and_the_request_repeated_once(clio):
    me, user = clio.connect()
    pia = clio.pia()
    clio.vendor.call("expire_access", user)
    assert me.log_call(call("s1", pia))["successful"]
    assert clio.vendor.spent() == [f"POST {ACTIVITIES}", *[f"POST {COMMUNICATIONS}"] * 2, "POST /oauth/token"]
    assert len(clio.logs_of(pia)) == 1
    clio.vendor.call("expire_access", user)
    assert len(me.log_messages(conversation("c1", pia, 2))["logIds"]) == 2
    assert clio.vendor.spent() == [*[f"POST {COMMUNICATIONS}"] * 2, "POST /oauth/token"]
    clio.vendor.call("expire_access", user)
    assert me.edit_call("s1", note="After the break")["successful"]
    assert len(clio.logs_of(pia)) == 2


def test_a_refresh_that_fails_for_a_while_logs_nobody_out(clio):
    me, user = clio.connect()
    clio.vendor.call("expire_access", user)
    clio.vendor.fail({"path": "/oauth/token", "status": 503})
    assert me.look_up("+16505550201")["successful"] is False
    clio.vendor.fail()
    assert me.look_up("+16505550201")["successful"] is True


def test_a_refresh_token_that_is_dead_ends_the_session(clio):
    me, user = clio.connect()
    clio.vendor.call("end_session", user)
    ended = me.send("GET", "/contact?phoneNumber=+16505550112")
    assert (ended.status_code, ended.json()["errorCode"]) == (401, "CRM_SESSION_REVOKED")
    assert ended.json()["returnMessage"]["message"] == "User session expired. Please connect again."
    clio.vendor.requests()
    assert me.send("GET", "/contact?phoneNumber=+16505550112").json()["errorCode"] == "CRM_SESSION_REVOKED"
    assert clio.vendor.spent() == []
    assert me.logout()["messageType"] == "success"


def test_a_logout_that_clio_does_not_hear_is_a_logout_here(clio):
    me, _ = clio.connect()
    clio.vendor.fail({"path": "/oauth/deauthorize", "status": 500})
    assert me.logout()["returnMessage"]["message"] == "Logged out of Clio"
    assert me.send("GET", "/contact?phoneNumber=+16505550112").status_code == 400


def test_a_rate_limit_is_told_at_once_with_the_time_to_wait(clio):
    me, _ = clio.connect()
    clio.pia()
    clio.vendor.call("configure", requests_a_minute=1)  # the login has used it up
    started = time.monotonic()
    limited = me.look_up("+16505550112")
    assert time.monotonic() - started < 30  # not the 37 seconds that Clio asks for
    assert (limited["successful"], limited["returnMessage"]["message"]) == (False, "Rate limit exceeded")
    assert "37 seconds" in str(limited["returnMessage"]["details"])


def test_few_requests_left_are_spent_on_one_notation_after_the_other(clio):
    me, _ = clio.connect()
    pia = clio.pia("+16505550131")
    clio.vendor.call("configure", requests_a_minute=12)
    assert me.look_up("+16505550130")["successful"]
    clio.vendor.requests()
    assert me.look_up("+16505550131")["contact"][0]["id"] == pia["id"]
    assert clio.vendor.spent() == [
        "GET /api/v4/contacts.json",
        "GET /api/v4/matters.json",
        "GET /api/v4/relationships.json",
    ]


def test_a_call_whose_answer_was_lost_is_found_again_and_gets_its_time_entry(clio):
    me, _ = clio.connect(EU)
    pia = clio.pia(host=EU)
    clio.vendor.fail({"method": "POST", "path": COMMUNICATIONS, "drop": "after", "times": 1})
    kept = me.log_call(call("s1", pia))
    assert kept["returnMessage"]["message"] == "Call log saved. It will be sent when Clio is back."
    assert me.logged("s1")[0]["matched"] is False
    (log,) = clio.logs_of(pia)
    assert clio.entries_of(log) == []
    clio.switchboard.pass_the_lag()
    clio.vendor.requests()
    settled = me.log_call(call("s1", pia))
    assert (settled["successful"], settled["logId"]) == (True, log["id"])
    assert settled["returnMessage"]["message"] == "Call logged"
    assert clio.vendor.spent() == [f"GET {ACTIVITIES}", f"GET {COMMUNICATIONS}", f"POST {ACTIVITIES}"]
    assert clio.logs_of(pia) == [log]
    assert [entry["quantity"] for entry in clio.entries_of(log)] == [187]
    assert me.logged("s1")[0]["matched"] is True


def test_messages_whose_answer_was_lost_are_found_again_by_the_worker_and_not_doubled(clio):
    me, _ = clio.connect(AU)
    pia = clio.pia(host=AU)
    for method, count in (("POST", 2), ("PATCH", 4)):
        clio.vendor.fail({"method": method, "path": "/api/v4/communications.*", "drop": "after", "times": 1})
        kept = me.log_messages(conversation("c1", pia, count))
        assert kept["returnMessage"]["message"] == "Messages saved. They will be sent when Clio is back."
        clio.switchboard.pass_the_lag()
        clio.switchboard.deliver()
        assert me.log_messages(conversation("c1", pia, count))["logIds"] == []
        (log,) = clio.logs_of(pia)
        assert f"Conversation({count} messages)" in log["body"]
        assert [log["body"].count(f"text number {n} ") for n in range(count)] == [1] * count


def test_a_fax_whose_answer_was_lost_stands_in_its_log_once(clio):
    me, _ = clio.connect(AU)
    pia = clio.pia(host=AU)
    body = conversation("fax", pia, 1, info={"rcAccessToken": "rc-secret-token"})
    fax = {
        "type": "RenderedDocument",
        "link": "https://f.example.com/1",
        "uri": "https://media.ringcentral.com/restapi/v1.0/account/1/message/7/content/8",
        "contentType": "application/pdf",
    }
    body["logInfo"]["messages"][0] |= {"type": "Fax", "direction": "Inbound", "attachments": [fax]}
    clio.vendor.fail({"method": "POST", "path": COMMUNICATIONS, "drop": "after", "times": 1})
    assert "Messages saved" in me.log_messages(body)["returnMessage"]["message"]
    (log,) = clio.logs_of(pia)
    assert log["body"].startswith("Fax uploaded to Clio successfully.")
    clio.switchboard.pass_the_lag()
    clio.switchboard.deliver()
    assert me.log_messages(body)["logIds"] == []
    assert clio.logs_of(pia) == [log]


def test_a_time_entry_that_clio_refuses_does_not_stand_in_the_way_of_the_log(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    forbidden = {"error": {"type": "Forbidden", "message": "User may not track time"}}
    clio.vendor.fail({"path": ACTIVITIES, "method": "POST", "status": 403, "body": forbidden})
    logged = me.log_call(call("s1", pia))
    assert logged["successful"] is True
    assert logged["returnMessage"]["message"] == "Call logged, but its time entry could not be created."
    assert "may not write time entries" in str(logged["returnMessage"]["details"])
    assert me.logged("s1")[0]["matched"]
    clio.vendor.fail()
    me.log_call(call("s2", pia))
    (_, log) = clio.logs_of(pia)
    clio.vendor.call("bill", log["id"])
    edited = me.edit_call("s2", duration=200)
    assert edited["returnMessage"]["message"] == "Call log updated, but its time entry could not be."
    assert "already billed" in str(edited["returnMessage"]["details"])
    (_, log) = clio.logs_of(pia)
    assert "- Duration: 3 minutes, 20 seconds\n" in log["body"]


def test_a_refusal_names_what_is_missing_and_what_to_do(clio):
    me, _ = clio.connect()
    pia = clio.pia()
    logged = me.log_call(call("s1", pia, additionalSubmission={"matters": 99999999}))
    assert "The matter no longer exists in Clio and was left out." in str(logged["returnMessage"])
    clio.vendor.fail({"method": "GET", "status": 403, "body": {"error": {"type": "Forbidden", "message": "no"}}})
    assert "may not read contacts" in str(me.look_up("+16505550141")["returnMessage"])
    clio.vendor.fail({"method": "GET", "status": 503, "times": 1})
    assert me.look_up("+16505550141")["successful"] is True
