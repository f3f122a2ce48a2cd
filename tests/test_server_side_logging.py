"""Calls that the server-side logging service logs, and settings of accounts that only the extension names."""

from __future__ import annotations

from datetime import UTC, timedelta

import jwt
import pytest
import requests
import time_machine
from django.utils import timezone

from adapters import registry
from adapters.contract import LogFormat, Options
from audit.models import CallLog
from connectors.deliveries import calls
from connectors.deliveries.models import Delivery
from connectors.log_body import CallDetails, compose_call, holds, read_note, update_call
from connectors.models import AccountSettings, CrmUser
from connectors.services import call_logs
from connectors.services.identity import hashed
from connectors.services.settings import effective_options, merged
from tests.extension import Extension, call, conversation

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
START_MS = 1_777_912_267_000  # 2026-05-04T16:31:07Z
ACCOUNT, EXTENSION = "400131", "102"


@pytest.fixture
def connect(sandbox, live_server):
    def connect(key):
        me = Extension(live_server.url, "testCRM")
        me.http.headers["rc-extension-id"] = hashed(EXTENSION)
        me.login_with_key(key)
        return me

    return connect


class Service(Extension):
    """The server-side logging service: the user's token as bearer, no headers of the extension, raw ids."""

    def __init__(self, user: Extension) -> None:
        super().__init__(user.url, user.platform)
        self.http.headers.clear()
        self.http.headers.update({"User-Agent": "SSCL", "Authorization": f"Bearer {user.token}"})

    def json(self, method, target, body=None):
        reply = self.http.request(method, self.url + target, json=body, timeout=40)
        assert reply.status_code == 200, reply.text
        return reply.json()


_sessions = iter(range(910_000, 920_000))


@pytest.fixture
def session():
    return str(next(_sessions))


def server_call(session, contact, **changes):
    """What the service sends when a call begins: epoch milliseconds, no end yet, no note."""
    info = {"startTime": START_MS, "duration": "pending", "accountId": ACCOUNT, **changes.pop("info", {})}
    body = call(session, contact, info=info, note="", rcExtensionId=EXTENSION, **changes)
    del body["logInfo"]["customSubject"]
    return body


def record(sandbox, session, key="acme-one"):
    (found,) = [row for row in sandbox.activities(key) if row["external_id"] == session]
    return found


def test_a_call_is_logged_while_it_goes_on_and_completed_when_it_is_over(connect, sandbox, session):
    me = connect("acme-one")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    logged = service.log_call(server_call(session, luke))
    assert logged["successful"]
    begun = record(sandbox, session)
    assert begun["duration_seconds"] is None
    assert begun["started_at"].startswith("2026-05-04T16:31:07")
    assert "- Duration: pending\n" in begun["body"]
    assert "- Date/Time: 2026-05-04 09:31:07 AM\n" in begun["body"]
    ended = {
        "sessionId": session,
        "startTime": str(START_MS),
        "duration": 187,
        "result": "Call connected",
        "rcExtensionId": EXTENSION,
        "accountId": ACCOUNT,
        "recordingLink": "https://media.ringcentral.com/rec/1",
        "aiNote": "They agreed.",
        "ringSenseAIScore": {"value": 8},
    }
    assert service.json("PATCH", "/callLog", ended)["successful"]
    done = record(sandbox, session)
    assert done["duration_seconds"] == 187
    assert "- Duration: 3 minutes, 7 seconds\n" in done["body"]
    assert "- AI Note:\nThey agreed.\n--- END\n" in done["body"]
    assert done["started_at"] == begun["started_at"]


def test_the_raw_extension_id_is_the_same_identity_as_its_hash(connect, sandbox, session):
    me = connect("acme-one")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    service.log_call(server_call(session, luke))
    assert CallLog.objects.get(session_id=session).extension == hashed(EXTENSION)
    again = me.log_call(call(session, luke))
    assert again["returnMessage"]["message"] == f"Existing log for session {session}"
    other = service.log_call({**server_call(session, luke), "rcExtensionId": "103"})
    assert other["successful"], "a colleague on the same queue call has a log of their own"


def test_a_note_written_during_the_call_is_used_where_the_service_sends_none(connect, sandbox, session):
    me = connect("acme-one")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    for note in ("first try", "Wants the blue one"):
        assert me.json("POST", "/callLog/cacheNote", {"sessionId": session, "note": note})["successful"]
    service.log_call(server_call(session, luke))
    assert record(sandbox, session)["body"].startswith("- Note: Wants the blue one\n")


def test_a_note_of_a_request_wins_over_a_cached_one_and_an_extension_takes_none(connect, sandbox, session):
    me = connect("acme-one")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    for suffix in ("a", "b"):
        me.json("POST", "/callLog/cacheNote", {"sessionId": session + suffix, "note": "cached"})
    service.log_call({**server_call(session + "a", luke), "note": "sent"})
    me.log_call(call(session + "b", luke, note=""))
    assert record(sandbox, session + "a")["body"].startswith("- Note: sent\n")
    assert "cached" not in record(sandbox, session + "b")["body"]


def test_a_cached_note_is_nobody_elses_and_ends_after_an_hour(connect, sandbox, session):
    me, stranger = connect("acme-one"), connect("demo-key")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    stranger.json("POST", "/callLog/cacheNote", {"sessionId": session, "note": "of another tenant"})
    me.json("POST", "/callLog/cacheNote", {"sessionId": session, "note": "too old"})
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        service.log_call(server_call(session, luke))
    assert "Note" not in record(sandbox, session)["body"]


def test_a_call_is_logged_in_the_name_of_the_colleague_whose_token_came_along(connect, sandbox, session):
    me, colleague = connect("acme-one"), connect("acme-two")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    colleague.json("POST", "/callLog/cacheNote", {"sessionId": session, "note": "the colleague's note"})
    assigned = {"isAssignedToUser": True, "adminAssignedUserToken": colleague.token}
    service.log_call(server_call(session, luke, additionalSubmission=assigned))
    owner = CrmUser.objects.get(name__contains="Test User", wire_id=_wire_id(colleague))
    assert record(sandbox, session)["owner_id"] == owner.crm_user_id
    assert record(sandbox, session)["body"].startswith("- Note: the colleague's note\n")
    assert not any(colleague.token in payload for payload in Delivery.objects.values_list("payload", flat=True))


def _wire_id(extension):
    return jwt.decode(extension.token, options={"verify_signature": False})["id"]


@pytest.mark.parametrize("token", ["", "rubbish", "of a stranger", 7, None])
def test_a_token_that_proves_nothing_assigns_the_call_to_nobody(connect, sandbox, session, token):
    me, stranger = connect("acme-one"), connect("demo-key")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    given = stranger.token if token == "of a stranger" else token
    assigned = {"isAssignedToUser": True, "adminAssignedUserToken": given}
    assert service.log_call(server_call(session, luke, additionalSubmission=assigned))["successful"]
    mine = CrmUser.objects.get(wire_id=_wire_id(me))
    assert record(sandbox, session)["owner_id"] == mine.crm_user_id


@pytest.mark.parametrize("stored", ["901", 901, ["900", "901"]])
def test_an_administrators_mapping_of_the_raw_account_says_whose_call_it_is(connect, sandbox, session, stored):
    me, colleague = connect("acme-one"), connect("acme-two")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    CrmUser.objects.update(rc_account_id="", claimed_rc_account_hash="")
    target = CrmUser.objects.get(wire_id=_wire_id(colleague)).crm_user_id
    mappings = [{"crmUserId": target, "rcExtensionId": stored}, {"crmUserId": "x", "rcExtensionId": "none"}]
    AccountSettings.objects.create(pk=hashed(ACCOUNT), user_mappings=mappings)
    assigned = {"isAssignedToUser": True, "adminAssignedUserRcId": 901}
    service.log_call(server_call(session, luke, additionalSubmission=assigned))
    assert record(sandbox, session)["owner_id"] == target


@pytest.mark.parametrize("mapping_first", [False, True])
def test_where_token_and_mapping_differ_the_crms_adapter_knows_who_comes_first(connect, monkeypatch, mapping_first):
    me, colleague = connect("acme-one"), connect("acme-two")
    user, theirs = (CrmUser.objects.get(wire_id=_wire_id(one)) for one in (me, colleague))
    user.claimed_rc_account_hash = hashed(ACCOUNT)
    mappings = [{"crmUserId": "mapped", "rcExtensionId": "901"}]
    AccountSettings.objects.create(pk=hashed(ACCOUNT), user_mappings=mappings)
    monkeypatch.setattr(registry.adapter_class("testCRM"), "mapping_before_token", mapping_first)
    chosen = {"isAssignedToUser": True, "adminAssignedUserRcId": "901"}
    found = [call_logs.assignee_of(user=user, submission=chosen, assigned_user=assigned) for assigned in (theirs, None)]
    assert [one.user_id for one in found] == ["mapped" if mapping_first else theirs.crm_user_id, "mapped"]


def test_times_are_taken_as_milliseconds_wherever_a_time_stands(connect, sandbox, session):
    me = connect("acme-one")
    luke, service = me.look_up("+16505551212")["contact"][0], Service(me)
    day = conversation(session, luke, 2)
    for index, message in enumerate(day["logInfo"]["messages"]):
        message["creationTime"] = START_MS - index * 60_000
        message["id"] = f"{session}-{index}"
    assert len(service.log_messages(day)["logIds"]) == 2
    written = record(sandbox, f"{session}/2026-05-04")
    assert written["started_at"].startswith("2026-05-04T16:30:07")
    shared = conversation(f"shared{session}", luke, 0)
    shared["logInfo"].update(
        owner={"name": "Billing Queue"},
        creationTime=START_MS,
        messages=[],
        entities=[{"recordType": "AliveNote", "creationTime": START_MS + 60_000, "text": "hello"}],
    )
    assert service.log_messages(shared)["successful"]
    written = record(sandbox, f"shared{session}/2026-05-04")
    assert written["started_at"].startswith("2026-05-04T16:31:07"), "by its own creation, not by the present"
    assert "Started: Monday, May 04, 2026 at 09:31 AM" in written["body"]


def test_an_update_that_cannot_read_the_body_writes_none(connect, sandbox, session):
    me = connect("acme-one")
    luke = me.look_up("+16505551212")["contact"][0]
    me.log_call(call(session, luke))
    before = record(sandbox, session)["body"]
    sandbox.fail({"method": "GET", "path_prefix": "/api/activities/", "status": 500, "times": 1})
    me.edit_call(session, note="new")
    assert record(sandbox, session)["body"] == before


@pytest.mark.parametrize("line_break", ["<br>", "<br />", "<BR/>", '<br class="x">', "<br/>\n"])
def test_the_services_own_note_is_known_however_an_editor_writes_its_breaks(line_break):
    marker = "<br>From auto logging (Pending)<br>"
    body = f"<strong>Agent notes</strong>{line_break}Rings{line_break}From auto logging (Pending){line_break}soon"
    assert holds(body, marker)
    assert not holds(body.replace("(Pending)", ""), marker)


def test_a_note_of_the_service_itself_is_replaced_and_a_persons_is_not():
    """HTML records: what the service wrote it knows by the breaks in its own note."""

    class Html:
        log_format = LogFormat.HTML

    pending = calls._own_lines("Rings<br>From auto logging (Pending)<br>soon", Html())
    body = compose_call(CallDetails(note=pending, result="x"), log_format=LogFormat.HTML, options=Options(), zone=UTC)
    assert "<br>From auto logging (Pending)<br>" in body
    assert read_note(body, LogFormat.HTML) == "Rings\nFrom auto logging (Pending)\nsoon"
    kept = update_call(
        body, CallDetails(note="n", subject="s", result="y"), log_format=LogFormat.HTML, options=Options(), zone=UTC,
        facts_only=True,
    )  # fmt: skip
    assert kept == body.replace("x</li>", "y</li>")


# --- Settings of the account ---------------------------------------------------------------------


def _rule(account_hash, **values):
    rules = {key: {"value": value, "customizable": False} for key, value in values.items()}
    return AccountSettings.objects.create(pk=account_hash, settings=rules)


def test_a_login_with_a_key_gets_the_settings_of_the_account_the_extension_names(connect, sandbox, session):
    me = connect("acme-one")
    _rule("hash-of-account", addCallLogDuration=False, testCrmShowClosedDeals=True)
    CrmUser.objects.update(claimed_rc_account_hash="")
    del me.http.headers["rc-account-id"]
    shown = me.json("GET", "/user/settings?rcAccountId=hash-of-account")
    assert shown["addCallLogDuration"] == {"value": False, "customizable": False}
    luke = me.look_up("+16505551212")["contact"][0]
    me.log_call(call(session, luke))
    body = record(sandbox, session)["body"]
    assert "- Result:" in body
    assert "Duration" not in body
    assert effective_options(CrmUser.objects.get(wire_id=_wire_id(me))).flag("testCrmShowClosedDeals")


def test_the_header_names_the_account_of_logs_and_messages_too(connect, sandbox, session):
    _rule("hash-acc", addCallLogResult=False)
    me = connect("acme-one")
    luke = me.look_up("+16505551212")["contact"][0]
    me.log_call(call(session, luke))
    assert "Result" not in record(sandbox, session)["body"]


def test_an_account_known_from_a_login_wins_over_one_that_is_named(connect):
    me = connect("acme-one")
    _rule(hashed("1001"), autoLogCall=True)
    _rule("somebody-elses", autoLogCall=False)
    CrmUser.objects.update(rc_account_id="1001", rc_account_verified=True)
    assert me.json("GET", "/user/settings?rcAccountId=somebody-elses")["autoLogCall"]["value"] is True


@pytest.mark.parametrize("claim", ["", "x" * 65, "nobody"])
def test_a_claim_that_names_no_account_changes_nothing(connect, claim):
    me = connect("acme-one")
    assert me.json("GET", f"/user/settings?rcAccountId={claim}") == me.json("GET", "/user/settings")


def test_a_claimed_account_opens_settings_and_nothing_an_administrator_reads(connect):
    me = connect("acme-one")
    AccountSettings.objects.create(pk="hash-acc", settings={"autoLogCall": {"value": True}}, user_mappings=[{"a": 1}])
    assert me.json("GET", "/user/settings") == {"autoLogCall": {"value": True}}
    refused = requests.get(f"{me.url}/admin/settings?jwtToken={me.token}", headers=dict(me.http.headers), timeout=10)
    assert (refused.status_code, refused.text) == (403, "Admin validation failed")


@pytest.mark.parametrize(
    ("ruled", "chosen", "expected"),
    [
        ({"a": {"value": 1, "customizable": False}}, {"a": {"value": 2}}, {"a": {"value": 1, "customizable": False}}),
        ({"a": {"value": 1, "customizable": True}}, {"a": {"value": 2}}, {"a": {"value": 2, "customizable": True}}),
        ({"a": {"value": 1}}, {"a": {"value": ""}}, {"a": {"value": 1}}),
        ({"a": {"value": 1}}, {}, {"a": {"value": 1}}),
        ({}, {"a": {"value": 2}}, {"a": {"value": 2, "customizable": True}}),
        ({}, {}, None),
        (None, None, None),
    ],
)
def test_the_configuration_of_a_plugin_is_merged_key_by_key(ruled, chosen, expected):
    account = {"plugin_x": {"customizable": True, "value": {"config": ruled}}}
    own = {"plugin_x": {"value": {"config": chosen, "on": True}}}
    found = merged(account, own)
    if expected is None:
        assert "plugin_x" not in found
    else:
        assert found["plugin_x"]["value"] == {"on": True, "config": expected}


def test_entries_that_are_no_settings_do_no_harm():
    odd = {"plugin_x": {"value": {"config": 4}}, "plugin_y": {"value": "text"}, "plugin_z": None, "a": 1, "b": []}
    assert merged({"c": {"value": 1}, "a": None, "plugin_x": 3}, odd) == {"c": {"value": 1}}
    assert merged({}, {"plugin_y": {"value": {"config": 5}}}) == {}
