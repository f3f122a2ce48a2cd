"""The sandbox CRM, as somebody sees it who talks to the real process."""

from __future__ import annotations

import base64
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox import Sandbox, start_sandbox

KEY = "demo-key"
CLIENT = ("switchboard", "sandbox-secret")
REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
CALL = {
    "kind": "call",
    "subject": "Inbound Call from Luke Skywalker",
    "body": "- Note: wants a quote",
    "contact_id": 1,
    "deal_id": "deal-7",
    "started_at": "2026-05-04T16:31:07Z",
    "duration_seconds": 187,
    "direction": "inbound",
    "external_id": "session-1",
    "disposition": "Accepted",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _no_orders_left(sandbox: Sandbox) -> None:
    sandbox.reset()


def add(sandbox: Sandbox, key: str = KEY, **changes: Any) -> requests.Response:
    """Logs a call with the first contact of this person's."""
    return sandbox.request("POST", "/api/activities", key=key, json={**CALL, "contact_id": "contact-1", **changes})


def names(sandbox: Sandbox, **query: str) -> list[str]:
    found = sandbox.request("GET", "/api/contacts", key=KEY, params=query).json()["contacts"]
    return [contact["name"] for contact in found]


# --- storage -------------------------------------------------------------------------------------


def test_what_was_logged_survives_a_restart(tmp_path: Path) -> None:
    first = start_sandbox(tmp_path)
    try:
        created = add(first).json()["activity"]
        contacts = first.request("GET", "/api/contacts", key=KEY).json()
    finally:
        assert first.stop(signal.SIGINT) == 0
    second = start_sandbox(tmp_path)
    try:
        assert [row["id"] for row in second.activities()] == [created["id"]]
        assert [row["name"] for row in contacts["contacts"]] == names(second)
        assert add(second).json()["activity"]["id"] != created["id"]
    finally:
        assert second.stop() == 0


def test_a_killed_process_has_kept_what_it_confirmed(tmp_path: Path) -> None:
    first = start_sandbox(tmp_path)
    created = add(first).json()["activity"]
    first.stop(signal.SIGKILL)
    second = start_sandbox(tmp_path)
    try:
        assert second.activities()[0]["id"] == created["id"]
    finally:
        second.stop()


def test_stopping_lets_a_running_request_finish(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path)
    running.fail({"path_prefix": "/api/activities", "delay_ms": 600})
    replies: list[requests.Response] = []
    asker = threading.Thread(target=lambda: replies.append(add(running)))
    asker.start()
    probe = requests.Session()
    while not probe.get(f"{running.url}/__requests__", timeout=5).json()["count"]:
        pass
    probe.close()
    assert running.stop() == 0
    asker.join()
    assert replies[0].status_code == 201


def test_twenty_identical_posts_at_once_make_twenty_records(sandbox: Sandbox) -> None:
    def post(_: int) -> tuple[int, str]:
        reply = requests.post(
            f"{sandbox.url}/api/activities",
            json={**CALL, "contact_id": "contact-1", "external_id": "same"},
            auth=("crowd-key", ""),
            timeout=15,
        )
        return reply.status_code, reply.json()["activity"]["id"]

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(post, range(20)))
    assert {status for status, _ in outcomes} == {201}
    assert len({activity_id for _, activity_id in outcomes}) == 20
    assert len(sandbox.activities("crowd-key", external_id="same")) == 20


# --- logins --------------------------------------------------------------------------------------


def test_the_reserved_key_and_an_empty_key_are_refused(sandbox: Sandbox) -> None:
    assert sandbox.request("GET", "/api/me", key="bad-key").status_code == 401
    empty = {"Authorization": "Basic " + base64.b64encode(b":").decode()}
    assert sandbox.request("GET", "/api/me", headers=empty).status_code == 401
    nobody = sandbox.request("GET", "/api/me")
    assert nobody.status_code == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")


def test_each_key_is_a_person_with_contacts_of_their_own(sandbox: Sandbox) -> None:
    people = [sandbox.request("GET", "/api/me", key=key).json() for key in ("one-key", "other-key", "one-key")]
    assert people[0]["id"] == people[2]["id"] != people[1]["id"]
    assert "one-key" not in str(people)
    rows = [sandbox.request("GET", "/api/contacts", key=key).json()["contacts"] for key in ("one-key", "other-key")]
    assert [row["name"] for row in rows[0]] == [row["name"] for row in rows[1]]
    assert not {row["id"] for row in rows[0]} & {row["id"] for row in rows[1]}
    foreign = rows[1][0]["id"]
    assert sandbox.request("GET", f"/api/contacts/{foreign}", key="one-key").status_code == 404
    assert add(sandbox, "one-key", contact_id=foreign).status_code == 422


def test_nobody_reads_or_changes_the_activity_of_another_company(sandbox: Sandbox) -> None:
    path = f"/api/activities/{add(sandbox, 'one-key').json()['activity']['id']}"
    assert sandbox.request("GET", path, key="other-key").status_code == 404
    assert sandbox.request("PATCH", path, key="other-key", json={"body": "mine"}).status_code == 404
    assert sandbox.request("DELETE", path, key="other-key").status_code == 404
    assert sandbox.request("GET", path, key="one-key").json()["activity"]["body"] == CALL["body"]


def test_colleagues_share_their_company_and_its_records(sandbox: Sandbox) -> None:
    robin, kim = (sandbox.request("GET", "/api/me", key=key).json() for key in ("acme-robin", "acme-kim"))
    assert robin["company"] == kim["company"] == "acme"
    assert sandbox.request("GET", "/api/me", key=KEY).json()["company"] is None
    path = f"/api/activities/{add(sandbox, 'acme-robin').json()['activity']['id']}"
    assert sandbox.request("GET", path, key="acme-kim").json()["activity"]["owner_id"] == robin["id"]
    colleagues = sandbox.request("GET", "/api/users", key="acme-kim").json()["users"]
    assert {robin["id"], kim["id"]} <= {user["id"] for user in colleagues}


def test_a_read_only_person_may_look_but_not_write(sandbox: Sandbox) -> None:
    assert sandbox.request("GET", "/api/contacts", key="readonly-kim").status_code == 200
    assert add(sandbox, "readonly-kim").status_code == 403


def consent(sandbox: Sandbox, **changes: str) -> requests.Response:
    """What a browser sends after the page, the values of whose hidden fields it takes."""
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": REDIRECT, "state": "platform=testCRM"}
    page = sandbox.request("GET", "/oauth/authorize", params=asked)
    assert page.status_code == 200
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    assert form == asked
    return sandbox.request(
        "POST", "/oauth/authorize", data={**form, "user": "Robin Vale", "decision": "allow", **changes}
    )


def token(sandbox: Sandbox, **form: str) -> requests.Response:
    return sandbox.request("POST", "/oauth/token", data=form, auth=CLIENT)


def log_in(sandbox: Sandbox) -> dict[str, Any]:
    code = parse_qs(urlsplit(consent(sandbox).headers["Location"]).query)["code"][0]
    reply = token(sandbox, grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
    assert reply.status_code == 200
    return dict(reply.json())


def test_allowing_access_leads_back_with_a_code_that_works_once(sandbox: Sandbox) -> None:
    location = consent(sandbox).headers["Location"]
    assert location.startswith(REDIRECT + "?")
    query = parse_qs(urlsplit(location).query)
    assert query["state"] == ["platform=testCRM"]
    trade = {"grant_type": "authorization_code", "code": query["code"][0]}
    assert token(sandbox, **trade, redirect_uri="http://localhost/elsewhere").json()["error"] == "invalid_grant"
    granted = token(sandbox, **trade, redirect_uri=REDIRECT).json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 3600
    assert sandbox.request("GET", "/api/me", token=granted["access_token"]).json()["name"] == "Robin Vale"
    again = token(sandbox, **trade, redirect_uri=REDIRECT)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_denying_access_leads_back_with_an_error(sandbox: Sandbox) -> None:
    query = parse_qs(urlsplit(consent(sandbox, decision="deny").headers["Location"]).query)
    assert query == {"error": ["access_denied"], "state": ["platform=testCRM"]}


def test_nobody_is_sent_to_an_address_that_is_not_registered(sandbox: Sandbox) -> None:
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": "https://thief.example/"}
    assert sandbox.request("GET", "/oauth/authorize", params=asked).status_code == 400
    answer = sandbox.request("POST", "/oauth/authorize", data={**asked, "user": "Robin Vale", "decision": "allow"})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_refresh_token_works_once_and_hands_on_the_login(sandbox: Sandbox) -> None:
    first = log_in(sandbox)
    second = token(sandbox, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    me = [sandbox.request("GET", "/api/me", token=pair["access_token"]).json()["id"] for pair in (first, second)]
    assert me[0] == me[1]
    reused = token(sandbox, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert token(sandbox, grant_type="refresh_token", refresh_token=second["refresh_token"]).status_code == 200


def test_of_many_simultaneous_refreshes_one_succeeds(sandbox: Sandbox) -> None:
    spent = log_in(sandbox)["refresh_token"]

    def refresh(_: int) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": spent}
        return requests.post(f"{sandbox.url}/oauth/token", data=form, auth=CLIENT, timeout=15).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(refresh, range(8))) == [200] + [400] * 7


def test_revoking_ends_both_tokens_of_a_login_and_no_other(sandbox: Sandbox) -> None:
    ended, other = log_in(sandbox), log_in(sandbox)
    assert sandbox.request("POST", "/oauth/revoke", data={"token": ended["refresh_token"]}).status_code == 401
    revoke = sandbox.request("POST", "/oauth/revoke", data={"token": ended["refresh_token"]}, auth=CLIENT)
    assert revoke.status_code == 200
    assert sandbox.request("GET", "/api/me", token=ended["access_token"]).status_code == 401
    assert token(sandbox, grant_type="refresh_token", refresh_token=ended["refresh_token"]).status_code == 400
    assert sandbox.request("GET", "/api/me", token=other["access_token"]).status_code == 200


def test_access_tokens_lapse_and_logins_outlive_a_restart(tmp_path: Path) -> None:
    first = start_sandbox(tmp_path, arguments=("--token-seconds", "0"))
    login = log_in(first)
    assert first.request("GET", "/api/me", token=login["access_token"]).status_code == 401
    first.stop()
    second = start_sandbox(tmp_path)
    try:
        fresh = token(second, grant_type="refresh_token", refresh_token=login["refresh_token"]).json()
        assert second.request("GET", "/api/me", token=fresh["access_token"]).status_code == 200
    finally:
        second.stop()


def test_an_unknown_application_gets_no_tokens(sandbox: Sandbox) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": CLIENT[0], "client_secret": "wrong"}
    reply = sandbox.request("POST", "/oauth/token", data=form)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


# --- contacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("+16505551212", ["Luke Skywalker"]),
        ("6505551212", ["Luke Skywalker"]),
        ("+16505550112", ["Mara Quill"]),
        ("+16505550123", ["Tobin Ashgrove"]),
        ("+442079460106", ["Ines Marlowe"]),
        ("020 7946 0106", ["Ines Marlowe"]),
        ("+16505550140", ["Marlowe & Finch"]),
        ("+12125550187", ["Orla Finch", "Pell Finch"]),
        ("+14155550134", ["Harrow Lane Bakery"]),
        ("+12125550199", []),
    ],
)
def test_a_number_is_found_in_whatever_notation_it_is_stored(sandbox: Sandbox, asked: str, expected: list[str]) -> None:
    assert names(sandbox, phone=asked) == expected


def test_the_search_also_finds_a_number_that_lacks_its_area_code(sandbox: Sandbox) -> None:
    assert names(sandbox, phone="+14155550133") == ["Harrow Lane Bakery", "Corner Kiosk"]


def test_contacts_are_found_by_part_of_their_name(sandbox: Sandbox) -> None:
    assert names(sandbox, name="luke") == ["Luke Skywalker"]
    assert names(sandbox, name="Zzyzx Nobody") == []


def test_a_new_contact_is_found_by_its_number(sandbox: Sandbox) -> None:
    draft = {"name": "Ada Byron", "type": "Contact", "phones": ["+1 212 555 0177"]}
    created = sandbox.request("POST", "/api/contacts", key="maker-key", json=draft)
    assert created.status_code == 201
    assert isinstance(created.json()["contact"]["id"], int)
    found = sandbox.request("GET", "/api/contacts", key="maker-key", params={"phone": "+12125550177"}).json()[
        "contacts"
    ]
    assert [(row["name"], row["phones"], row["deals"]) for row in found] == [("Ada Byron", ["+1 212 555 0177"], [])]


# --- activities ----------------------------------------------------------------------------------


def test_an_edit_changes_what_it_names_and_nothing_else(sandbox: Sandbox) -> None:
    created = add(sandbox, external_id="edited").json()["activity"]
    changes = {"body": "new", "deal_id": None}
    changed = sandbox.request("PATCH", f"/api/activities/{created['id']}", key=KEY, json=changes).json()["activity"]
    assert changed == {**created, **changes, "updated_at": changed["updated_at"]}
    assert sandbox.activities(external_id="edited", kind="call") == [changed]
    assert sandbox.activities(external_id="edited", kind="conversation") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contact_id": 99999}, "unknown_contact"),
        ({"deal_id": "deal-99"}, "unknown_deal"),
        ({"owner_id": "somebody"}, "unknown_owner"),
        ({"kind": "visit"}, "invalid"),
        ({"started_at": "2026-05-04T16:31:07"}, "invalid"),
        ({"duration_seconds": "187"}, "invalid"),
        ({"colour": "red"}, "invalid"),
    ],
)
def test_wrong_values_are_refused_with_a_reason(sandbox: Sandbox, change: dict[str, Any], code: str) -> None:
    reply = add(sandbox, "strict-key", **change)
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert reply.json()["message"]
    assert sandbox.activities("strict-key") == []


def test_what_does_not_exist_is_answered_in_json(sandbox: Sandbox) -> None:
    assert sandbox.request("GET", "/api/activities/call-99999", key=KEY).json()["code"] == "not_found"
    assert sandbox.request("GET", "/api/nothing", key=KEY).status_code == 404
    assert sandbox.request("DELETE", "/api/me", key=KEY).headers["Allow"] == "GET"
    broken = sandbox.request("POST", "/api/activities", key=KEY, data="{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed")


# --- pages ---------------------------------------------------------------------------------------


def test_the_page_shows_what_was_logged_newest_first(sandbox: Sandbox) -> None:
    older = add(sandbox, "page-key", subject="Older call").json()["activity"]
    newer = add(sandbox, "page-key", subject="Newer call", body="line one\nline two").json()["activity"]
    me = sandbox.request("GET", "/api/me", key="page-key").json()
    page = sandbox.request("GET", "/", params={"user": me["id"]}).text
    assert page.index("Newer call") < page.index("Older call")
    assert "<pre>line one\nline two</pre>" in page
    assert "3 min 7 s" in page
    assert f"logged by {me['name']}" in page
    assert f'href="/contacts/{newer["contact_id"]}"' in page
    assert older["subject"] in sandbox.request("GET", f"/contacts/{older['contact_id']}").text
    assert "session-1" in sandbox.request("GET", f"/activities/{older['id']}").text
    assert sandbox.request("GET", "/activities/call-99999").status_code == 404
    assert sandbox.request("GET", "/contacts/99999").status_code == 404


def test_nothing_that_was_stored_becomes_markup(sandbox: Sandbox) -> None:
    evil = '<script>alert("1")</script>'
    draft = {"name": evil, "type": "Contact", "title": evil, "company": evil, "email": evil, "phones": [evil]}
    contact = sandbox.request("POST", "/api/contacts", key="evil-key", json=draft).json()["contact"]
    texts = dict.fromkeys(("subject", "body", "external_id", "disposition", "address", "department"), evil)
    activity = add(sandbox, "evil-key", **texts, contact_id=contact["id"]).json()["activity"]
    for path in ("/", f"/contacts/{contact['id']}", f"/activities/{activity['id']}"):
        page = sandbox.request("GET", path)
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(&quot;1&quot;)" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    asked = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": REDIRECT, "state": f'"{evil}'}
    assert "<script" not in sandbox.request("GET", "/oauth/authorize", params=asked).text


# --- ordered failures ----------------------------------------------------------------------------


def test_an_ordered_failure_happens_as_often_as_ordered(sandbox: Sandbox) -> None:
    sandbox.fail({"method": "POST", "path_prefix": "/api/activities", "status": 429, "retry_after": 7, "times": 2})
    assert sandbox.request("GET", "/api/activities", key="fault-key").status_code == 200
    refused = add(sandbox, "fault-key")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert add(sandbox, "fault-key").status_code == 429
    assert add(sandbox, "fault-key").status_code == 201
    assert sandbox.requests_seen() == ["GET /api/activities", *["POST /api/activities"] * 3]


def test_a_dropped_answer_may_or_may_not_mean_a_written_record(sandbox: Sandbox) -> None:
    rule = {"method": "POST", "path_prefix": "/api/activities"}
    sandbox.fail({**rule, "drop": "before"}, {**rule, "drop": "after_commit"})
    for written in (0, 1):
        with pytest.raises(requests.ConnectionError):
            add(sandbox, "drop-key")
        assert len(sandbox.activities("drop-key")) == written


def test_nobody_can_order_failures_unless_the_server_was_started_for_it(tmp_path: Path) -> None:
    running = start_sandbox(tmp_path, faults=False)
    try:
        assert running.request("GET", "/__requests__").status_code == 404
        assert running.request("POST", "/__faults__", json={"rules": [{"status": 500}]}).status_code >= 400
        assert running.request("GET", "/api/me", key=KEY).status_code == 200
    finally:
        running.stop()


def test_the_log_names_no_number_and_no_person(sandbox: Sandbox) -> None:
    names(sandbox, phone="+16505551212", name="Luke")
    assert not [line for line in sandbox.log if "5551212" in line or "Luke" in line]
