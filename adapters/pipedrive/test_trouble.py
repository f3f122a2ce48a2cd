"""What may go wrong at Pipedrive, and who may connect: real server processes against a fake vendor."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.extension import Extension, call, conversation
from tests.fakes.pipedrive import CLIENT, SCOPES

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

NUMBER = "+16505550112"
SAVED = "Call log saved. It will be sent when Pipedrive is back."


@pytest.fixture
def company(company):
    company.dana = company.person("Dana Fox", NUMBER)
    return company


def _at_once(me, action, count=8):
    """The same user from several windows."""

    def one(_):
        window = Extension(me.url, "pipedrive")
        window.token = me.token
        return action(window)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# --- who may connect ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hostname", ["temp", "evil.example", "northwind-0.pipedrive.com", ""])
def test_the_host_is_the_one_of_the_token_reply_whatever_the_client_says(company, hostname):
    me = company.login(hostname=hostname)
    assert me.send("GET", "/hostname").text == company.host
    assert me.look_up(NUMBER)["contact"][0]["id"] == company.dana["id"]
    assert {row["host"] for row in company.vendor.requests()} == {company.host}
    [row] = company.server.rows(
        f"list(CrmUser.objects.filter(wire_id='{company.wire_id()}').values('name', 'timezone', 'crm_account_id'))"
    )
    assert row == {"name": "Robin Vale", "timezone": "America/New_York", "crm_account_id": str(company.id)}


def test_a_callback_without_state_names_its_platform_itself(company):
    me = Extension(company.server.url, "pipedrive")
    code = company.vendor.call("grant", company.domain, company.user)
    welcome = me.login_with_code(f"{me.url}/pipedrive-redirect?platform=pipedrive&code={code}", hostname="temp")
    assert (welcome["name"], bool(me.token)) == ("Robin Vale", True)
    again = me.login_with_code(f"{me.url}/pipedrive-redirect?platform=pipedrive&code={code}", hostname="temp")
    assert "jwtToken" not in again  # a code works once
    assert again["returnMessage"]["messageType"] == "warning"
    declined = me.login_with_code(f"{me.url}/pipedrive-redirect?error=user_denied", state="platform=pipedrive")
    assert declined["returnMessage"]["message"] == "The connection to Pipedrive was declined."


def test_a_user_who_moves_to_another_company_sees_nothing_of_the_first(company):
    me = company.login()
    assert me.look_up(NUMBER)["contact"][0]["name"] == "Dana Fox"
    other = company.another()
    company.vendor.call("add_user", other.domain, "Robin Vale", user=company.user)
    me = other.login(user=company.user)
    assert me.send("GET", "/hostname").text == other.host
    assert [row["id"] for row in me.look_up(NUMBER)["contact"]] == ["createNewContact"]


# --- the install page and the uninstall hook -----------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/pipedrive-redirect", "/pipedrive-redirect/", "/Pipedrive-Redirect", "/PIPEDRIVE-REDIRECT/"]
)
def test_the_install_page_is_there_in_every_spelling(company, path):
    page = requests.get(f"{company.server.url}{path}?code=code-<1>", timeout=10, allow_redirects=False)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for text in ('id="rc-stepper"', "(1/3)", 'id="rc-content-div"', "handleRedirect", "Connect Pipedrive"):
        assert text in page.text
    assert "code-<1>" not in page.text
    plain = requests.get(f"{company.server.url}{path}", timeout=10, allow_redirects=False).text
    assert 'id="rc-stepper"' not in plain
    assert 'id="connect"' in plain


def _uninstalled(company, *, path="/pipedrive-redirect", secret=CLIENT[1], **body):
    pair = base64.b64encode(f"{CLIENT[0]}:{secret}".encode()).decode()
    return requests.delete(
        f"{company.server.url}{path}",
        json={"client_id": CLIENT[0], "timestamp": "2026-05-04T10:00:00Z", **body},
        headers={"Authorization": f"Basic {pair}"},
        timeout=10,
        allow_redirects=False,
    )


def _is_known(company):
    return company.server.rows(f"CrmUser.objects.get(wire_id='{company.wire_id()}').is_connected")


@pytest.mark.parametrize(
    ("path", "form"),
    [("/pipedrive-redirect", "{}"), ("/Pipedrive-Redirect/", "{}"), ("/pipedrive-redirect/", "{}-pipedrive")],
)
def test_the_uninstall_hook_forgets_the_user_of_that_company_only(company, path, form):
    me = company.login()
    me.log_call(call("1", company.dana))
    user = form.format(company.user)
    company.vendor.requests()
    for refused in (_uninstalled(company, path=path, secret="guess", user_id=user, company_id=company.id),):
        assert (refused.status_code, refused.text) == (401, "Unauthorized")
    missing = _uninstalled(company, path=path, company_id=company.id)
    assert (missing.status_code, missing.text) == (400, "Missing user_id")
    elsewhere = _uninstalled(company, path=path, user_id=user, company_id=company.id + 1)
    assert (elsewhere.status_code, elsewhere.text) == (200, "User deleted")
    assert _is_known(company)
    older = _uninstalled(company, path=path, user_id=user, company_id=company.id)  # the login still works
    assert (older.status_code, older.text) == (200, "User deleted")
    assert _is_known(company)
    company.vendor.fail(
        {"path": ".*/users/me", "status": 401},
        {"host": "oauth.pipedrive.com", "path": "/oauth/token", "status": 400, "body": {"error": "invalid_grant"}},
    )
    done = _uninstalled(company, path=path, user_id=user, company_id=company.id)
    company.vendor.fail()
    assert (done.status_code, done.text) == (200, "User deleted")
    assert not _is_known(company)
    assert me.send("GET", f"/contact?phoneNumber={NUMBER}").status_code == 400
    again = _uninstalled(company, path=path, user_id=user, company_id=company.id)
    assert (again.status_code, again.text) == (200, "User deleted")


# --- tokens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotates", [True, False])
def test_one_refresh_serves_all_requests_that_need_it(company, rotates):
    company.vendor.call("set", lifetime=60, rotates=rotates)  # seconds: less than the margin
    me = company.login()
    company.vendor.call("set", lifetime=3599)
    company.vendor.fail({"path": "/oauth/token", "delay": 0.3})
    found = _at_once(me, lambda window: window.look_up(NUMBER))
    assert {reply["contact"][0]["name"] for reply in found} == {"Dana Fox"}
    assert company.vendor.spent().count("POST /oauth/token") == 1
    assert me.search("Dana")["contact"]
    assert company.vendor.spent().count("POST /oauth/token") == 0


def test_a_401_in_mid_session_is_repaired_by_one_refresh_and_loses_nothing(company):
    me = company.login()
    company.vendor.call("end_access", company.user)
    assert me.log_call(call("2", company.dana))["successful"] is True
    spent = company.vendor.spent()
    assert (spent.count("POST /oauth/token"), spent.count("POST /api/v2/activities")) == (1, 1)
    company.vendor.fail({"method": "PATCH", "status": 401, "body": {"success": False, "error": "x"}, "times": 1})
    assert me.edit_call("2", note="Second note")["successful"] is True  # the write itself was refused
    assert "Second note" in company.activity()["note"]


def test_a_dead_refresh_token_ends_the_session_as_the_client_expects_it(company):
    me = company.login()
    company.vendor.call("end_access", company.user)
    company.vendor.call("end_refresh", company.user)
    reply = me.send("GET", f"/contact?phoneNumber={NUMBER}&overridingFormat=&isExtension=false")
    assert (reply.status_code, reply.json()["errorCode"]) == (401, "CRM_SESSION_REVOKED")
    assert reply.json()["returnMessage"]["message"] == "User session expired. Please connect again."
    company.vendor.requests()
    assert me.send("GET", f"/contact?phoneNumber={NUMBER}").status_code in (400, 401)
    assert company.vendor.requests() == []  # nothing more is tried with dead tokens
    assert company.login().look_up(NUMBER)["contact"][0]["id"] == company.dana["id"]


def test_an_outage_of_the_token_endpoint_logs_nobody_out(company):
    me = company.login()
    company.vendor.call("end_access", company.user)
    company.vendor.fail({"path": "/oauth/token", "status": 503, "times": 1})
    assert me.look_up(NUMBER)["successful"] is False
    assert me.look_up(NUMBER)["contact"][0]["id"] == company.dana["id"]


# --- limits and refusals ---------------------------------------------------------------------------------


def test_a_burst_of_look_ups_keeps_below_the_search_limit(company):
    callers = [f"+165055501{index}" for index in range(30, 46)]
    for number in callers:
        company.person("Caller", number)
    me = company.login()
    waiting = iter(callers)
    found = _at_once(me, lambda window: window.look_up(next(waiting)), len(callers))
    assert all(reply["successful"] and len(reply["contact"]) == 2 for reply in found)
    assert 429 not in {row["status"] for row in company.vendor.requests()}


def test_a_limit_is_kept_to_and_the_call_is_logged_afterwards(company):
    me = company.login()
    headers = {"Retry-After": "600", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    body = {"success": False, "error": "request over limit", "errorCode": 429}
    company.vendor.fail({"path": "/api/v2/activities", "status": 429, "body": body, "headers": headers, "times": 1})
    kept = me.log_call(call("3", company.dana))
    assert kept["returnMessage"]["message"] == SAVED
    assert "accepts no more requests" in str(kept["returnMessage"]["details"])
    company.vendor.requests()
    assert me.log_call(call("3", company.dana))["returnMessage"]["message"] == SAVED
    assert company.vendor.requests() == []  # the vendor is left alone until then
    company.switchboard.end_the_pauses()
    company.switchboard.pass_the_lag()
    company.switchboard.deliver()
    assert me.logged("3")[0]["logId"] == company.activity()["id"]


def test_the_gateways_page_for_those_who_go_on_counts_as_a_limit(company):
    me = company.login()
    company.vendor.call("set", searches_per_window=0, patience=0)
    refused = me.look_up(NUMBER)
    assert (refused["successful"], refused["returnMessage"]["message"]) == (False, "Rate limit exceeded")
    assert {row["status"] for row in company.vendor.requests()} == {403}


@pytest.mark.parametrize(
    ("status", "error", "detail"),
    [
        (403, "Scope and URL mismatch", "Log out and connect again"),
        (400, "Validation failed: subject", "Validation failed: subject"),
        (422, "limit of plan", "limit of plan"),
        (200, "not today", "not today"),
    ],
)
def test_a_refusal_says_what_the_user_can_do_and_leaves_the_call_to_be_logged(company, status, error, detail):
    me = company.login()
    body = {"success": False, "error": error, "code": "ERR_BAD_REQUEST"}
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "status": status, "body": body, "times": 1})
    refused = me.log_call(call("4", company.dana))
    assert (refused["successful"], refused["returnMessage"]["message"]) == (False, "Error creating call log")
    assert detail in str(refused["returnMessage"]["details"])
    assert company.records("activities") == []
    assert me.log_call(call("4", company.dana))["successful"] is True


def test_a_call_is_kept_while_the_companys_account_is_not_paid(company):
    me = company.login()
    body = {"success": False, "error": "Company is closed"}
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "status": 402, "body": body, "times": 1})
    kept = me.log_call(call("4", company.dana))
    assert kept["returnMessage"]["message"].startswith("Call log saved.")
    assert "subscription" in str(kept["returnMessage"]["details"])
    assert company.records("activities") == []
    assert me.log_call(call("4", company.dana))["successful"] is True
    assert len(company.records("activities")) == 1


def test_the_daily_budget_is_told_apart_from_a_burst(company):
    me = company.login()
    company.vendor.call("set", daily_budget=0)
    refused = me.look_up(NUMBER)
    assert refused["returnMessage"]["message"] == "Rate limit exceeded"
    assert "3600 seconds" in str(refused["returnMessage"]["details"])


def test_what_the_vendors_schema_refuses_is_told_in_its_words(company):
    me = company.login()
    refused = me.log_call(call("5", company.dana, additionalSubmission={"leads": "not-a-lead"}))
    assert refused["successful"] is False
    assert "lead_id" in str(refused["returnMessage"]["details"])
    gone = me.log_call(call("5", {**company.dana, "id": 999_999}))
    assert "no longer exists in Pipedrive" in str(gone["returnMessage"]["details"])
    assert me.log_call(call("5", company.dana, additionalSubmission={"leads": "none", "deals": ""}))["successful"]


def test_a_search_for_one_letter_is_told_to_enter_more_and_asks_nobody(company):
    me = company.login()
    found = me.search("F")
    assert (found["successful"], found["contact"]) == (True, [])
    assert found["returnMessage"]["message"] == "Enter at least two letters of the name."
    assert company.vendor.requests() == []


def test_without_an_activity_type_nothing_counts_as_logged(company):
    me = company.login()
    company.vendor.call("drop_type", company.domain, "sms")
    refused = me.log_messages(conversation("c", company.dana, 2))
    assert (refused["successful"], refused["logIds"]) == (False, [])
    message = refused["returnMessage"]
    assert message["message"] == 'Logging needs an active Pipedrive activity type with "sms" in its name.'
    assert "Admin > Account settings" in message["details"][0]["items"][0]["text"]
    assert company.records("activities") == []
    company.vendor.call("add_type", company.domain, "Text (SMS)", "text_sms")  # found though the list is cached
    assert len(me.log_messages(conversation("c", company.dana, 2))["logIds"]) == 2
    assert company.activity()["type"] == "text_sms"


# --- writes in doubt -------------------------------------------------------------------------------------


def test_writes_whose_answer_was_lost_are_looked_for_and_not_doubled(company):
    me = company.login()
    twin = call("8", company.dana, info={"duration": 30})
    assert me.log_call(twin)["logId"]  # the same person in the same minute as the calls below
    arrived, lost = call("6", company.dana), call("9", company.dana, info={"duration": 400})
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "drop": "after", "times": 2})
    assert me.log_call(arrived)["returnMessage"]["message"] == SAVED
    assert me.log_messages(conversation("c", company.dana, 2))["successful"] is True
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "drop": "before", "times": 1})
    assert me.log_call(lost)["returnMessage"]["message"] == SAVED
    company.vendor.call("set", search_lag=600)
    company.vendor.fail({"method": "POST", "path": "/api/v2/persons", "drop": "after", "times": 1})
    assert me.create_contact("+12125550177", "Ada Park")["successful"] is False
    assert me.create_contact("+12125550177", "Ada Park")["successful"] is False  # it may not be searchable yet
    assert me.logged("6")[0]["matched"] is False
    company.switchboard.pass_the_lag()
    company.vendor.call("end_the_lag")

    found = me.log_call(arrived)["logId"]
    written = me.log_call(lost)["logId"]
    me.log_messages(conversation("c", company.dana, 3))
    _, first, day, second = company.records("activities")
    assert (first["id"], first["duration"]) == (found, "00:04:00")
    assert (second["id"], second["duration"]) == (written, "00:07:00")
    assert [row["logId"] for row in me.logged("6", "9")] == [found, written]
    assert [day["note"].count(f"text number {index} ") for index in range(3)] == [1] * 3
    assert "Conversation(3 messages)" in day["note"]
    ada = me.create_contact("+12125550177", "Ada Park")["contact"]["id"]
    assert [row["id"] for row in company.records("persons") if row["name"] == "Ada Park"] == [ada]


def test_a_call_in_doubt_is_told_from_a_second_one_in_the_same_minute(company):
    me = company.login()
    first, redial = (call(number, company.dana, info={"duration": 0}) for number in ("11", "12"))
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "drop": "after", "times": 1})
    assert me.log_call(first)["returnMessage"]["message"] == SAVED
    logged = me.log_call(redial)["logId"]
    company.switchboard.pass_the_lag()
    found = me.log_call(first)["logId"]
    assert sorted(row["id"] for row in company.records("activities")) == sorted((found, logged))


def test_messages_added_without_an_answer_are_not_added_again(company):
    me = company.login()
    me.log_messages(conversation("c", company.dana, 2))
    company.vendor.fail({"method": "PATCH", "drop": "after", "times": 1})
    me.log_messages(conversation("c", company.dana, 4))
    company.switchboard.pass_the_lag()
    me.log_messages(conversation("c", company.dana, 5))
    note = company.activity()["note"]
    assert [note.count(f"text number {index} ") for index in range(5)] == [1] * 5
    assert "Conversation(5 messages)" in note


def test_an_edit_that_cannot_read_the_note_waits_and_leaves_it_alone(company):
    me = company.login()
    me.log_call(call("7", company.dana))
    before = company.activity()
    company.vendor.fail({"method": "GET", "path": "/api/v2/activities/.*", "status": 500})
    assert "saved" in me.edit_call("7", note="Second note")["returnMessage"]["message"]
    assert company.activity() == before
    company.vendor.fail()
    company.switchboard.pass_the_lag()
    assert me.edit_call("7", subject="Callback")["successful"] is True
    record = company.activity()
    assert (record["subject"], "Second note" in record["note"]) == ("Callback", True)
    company.vendor.call("change", company.domain, "activities", record["id"], is_deleted=True)
    gone = me.edit_call("7", note="Third note")
    assert "no longer exists in Pipedrive" in str(gone["returnMessage"])


def test_what_waits_for_one_company_is_never_sent_to_another(company):
    me = company.login()
    company.vendor.fail({"method": "POST", "path": "/api/v2/activities", "status": 503})
    assert me.log_call(call("20", company.dana))["returnMessage"]["message"] == SAVED
    company.vendor.fail()
    other = company.another()
    company.vendor.call("add_user", other.domain, "Robin Vale", user=company.user)
    company.vendor.call("add_person", other.domain, "Somebody Else", "+16505550199", number=company.dana["id"])
    other.login(user=company.user)
    company.switchboard.pass_the_lag()
    company.switchboard.deliver()
    assert other.records("activities") == []
    assert company.records("activities") == []
    company.login()
    company.switchboard.deliver()
    assert other.records("activities") == []
    assert company.activity()["person_id"] == company.dana["id"]


# --- logging for somebody else -----------------------------------------------------------------------------


def test_a_log_for_another_user_is_owned_by_them_if_they_are_of_the_same_company(company):
    colleague = company.vendor.call("add_user", company.domain, "Kim Sand")
    theirs = company.login(user=colleague)
    stranger = company.another().login()
    me = company.login(scope=SCOPES)
    for number, token in enumerate((theirs.token, stranger.token, "")):
        assigned = {"isAssignedToUser": True, "adminAssignedUserToken": token}
        assert me.log_call(call(f"1{number}", company.dana, additionalSubmission=assigned))["successful"] is True
    owners = [row["owner_id"] for row in company.records("activities")]
    assert owners == [colleague, company.user, company.user]
