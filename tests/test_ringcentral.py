"""Reports, and the RingCentral login of an administrator behind them, against a small RingCentral over real HTTP."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from adapters.contract import Credentials
from audit.models import AuditEvent
from connectors.api.authentication import issue_token
from connectors.models import CrmUser, RingCentralLogin
from connectors.services import ringcentral_login, sessions
from connectors.services.cleaning import clear_tokens
from connectors.services.identity import hashed
from tests.factories import CrmUserFactory
from tests.fakes.ringcentral import CLIENT, running_ringcentral

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
ACCOUNT, OTHER_ACCOUNT, ADMIN, AGENT, STRANGER = "400131", "999000", "101", "102", "901"
NOT_ADMIN = "Reports are for administrators of your RingCentral account."
PERIOD = "timezone=America/Los_Angeles&timeFrom=2026-05-01T00:00:00.000Z&timeTo=2026-05-08T00:00:00.000Z"


@pytest.fixture
def ringcentral(settings):
    with running_ringcentral() as fake:
        settings.RINGCENTRAL_SERVER = fake.url
        settings.RINGCENTRAL_CLIENT_ID, settings.RINGCENTRAL_CLIENT_SECRET = CLIENT
        settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
        fake.add_extension(ADMIN, ACCOUNT, is_admin=True)
        fake.add_extension(AGENT, ACCOUNT, is_admin=False)
        fake.add_extension(STRANGER, OTHER_ACCOUNT, is_admin=True)
        fake.access.update({"rc-admin": ADMIN, "rc-agent": AGENT, "rc-stranger": STRANGER})
        yield fake


class Person:
    """A connected user whose extension calls the server."""

    def __init__(self, client, user):
        self.client, self.user, self.token = client, user, issue_token(user)

    def get(self, path, query=""):
        return self.client.get(f"{path}?{query}&jwtToken={self.token}")

    def log_in(self, code):
        reply = self.get("/ringcentral/oauth/callback", f"code={code}")
        assert reply.status_code == 200
        return reply.json()["successful"]

    def company(self, more=""):
        return self.get("/ringcentral/admin/report", f"{PERIOD}{more}")

    def of_extension(self, extension_id, more=""):
        return self.get("/ringcentral/admin/userReport", f"{PERIOD}&rcExtensionId={extension_id}{more}")

    def login(self):
        return RingCentralLogin.objects.filter(user=self.user, ended_at=None).first()


@pytest.fixture
def admin(client):
    return Person(client, CrmUserFactory(rc_account_id=ACCOUNT, rc_account_verified=True))


@pytest.fixture
def logged_in(admin, ringcentral):
    assert admin.log_in(ringcentral.code_for(ADMIN))
    return admin


# --- Not set up ----------------------------------------------------------------------------------


def test_without_an_application_nothing_is_stored_asked_or_logged(admin, ringcentral, settings, caplog):
    settings.RINGCENTRAL_CLIENT_SECRET = ""
    caplog.set_level("INFO")
    events = AuditEvent.objects.count()
    assert admin.get("/ringcentral/oauth/callback", "code=x").json() == {"successful": False}
    assert admin.company().json() == {"callLogStats": {}}
    assert admin.of_extension(ADMIN).json() == {"callLogStats": {}, "smsLogStats": {}}
    logged = [record for record in caplog.records if record.name != "switchboard.requests"]
    assert (ringcentral.asked, AuditEvent.objects.count(), logged) == ([], events, [])
    assert not RingCentralLogin.objects.exists()


# --- The login -----------------------------------------------------------------------------------


def test_an_administrators_login_is_kept_encrypted(logged_in, ringcentral):
    login = logged_in.login()
    assert (login.account_id, login.access_token in ringcentral.access) == (ACCOUNT, True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token, refresh_token FROM connectors_ringcentrallogin")
        assert all(value.startswith("v1.test.") for value in cursor.fetchone())


@pytest.mark.parametrize(
    ("columns", "owner"),
    [
        ({"rc_account_id": ACCOUNT, "rc_account_verified": True}, AGENT),  # no administrator
        ({"rc_account_id": ACCOUNT, "rc_account_verified": True}, STRANGER),  # administrator of another account
        ({"rc_account_id": OTHER_ACCOUNT, "rc_account_verified": False}, STRANGER),  # the account is only claimed
        ({"rc_account_id": ACCOUNT, "rc_account_verified": False}, ADMIN),
        ({"rc_account_id": "", "claimed_rc_account_hash": hashed(ACCOUNT)}, ADMIN),
    ],
)
def test_anybody_elses_login_is_not_kept(client, ringcentral, columns, owner):
    person = Person(client, CrmUserFactory(**columns))
    assert not person.log_in(ringcentral.code_for(owner))
    assert not RingCentralLogin.objects.exists()
    assert set(ringcentral.access) == {"rc-admin", "rc-agent", "rc-stranger"}, "what came of the code is revoked"
    assert bool(ringcentral.asked) == person.user.rc_account_verified, "no code is spent that can prove nothing"
    reply = person.company("&rcAccountId=400131&accountId=400131")
    assert (reply.status_code, reply.content.decode().startswith(NOT_ADMIN)) == (403, True)


@pytest.mark.parametrize("trouble", [{}, {"/restapi/oauth/token": (503, "down")}, {"/restapi/v1.0": (500, "oops")}])
def test_a_code_that_leads_nowhere_is_no_error_for_the_client(admin, ringcentral, trouble):
    ringcentral.failing = trouble
    assert not admin.log_in(ringcentral.code_for(ADMIN) if trouble else "used-code")
    assert not RingCentralLogin.objects.exists()
    assert admin.get("/ringcentral/oauth/callback").status_code == 400


def test_each_start_of_the_extension_replaces_the_login_and_revokes_the_old_one(logged_in, ringcentral):
    old = logged_in.login()
    assert logged_in.log_in(ringcentral.code_for(ADMIN))
    assert RingCentralLogin.objects.count() == 1
    assert logged_in.login().pk != old.pk
    assert old.refresh_token in ringcentral.revoked


@pytest.mark.parametrize(("token", "status"), [("rc-admin", 200), ("rc-agent", 403)])
def test_an_account_is_verified_by_a_token_of_it_that_comes_with_the_users_own(client, ringcentral, token, status):
    person = Person(client, CrmUserFactory(rc_account_id=OTHER_ACCOUNT, hashed_rc_extension_id=""))
    assert person.get("/admin/settings", f"rcAccessToken={token}").status_code == status
    user = CrmUser.objects.get(pk=person.user.pk)
    assert (user.rc_account_id, user.rc_account_verified) == (ACCOUNT, True)
    assert user.hashed_rc_extension_id == hashed(ringcentral.access[token])
    assert person.get("/admin/settings", "rcAccessToken=rubbish").status_code == 400
    assert CrmUser.objects.get(pk=person.user.pk).rc_account_id == ACCOUNT
    assert Person(client, user).log_in(ringcentral.code_for(ADMIN))


def test_a_logout_revokes_the_login(client, logged_in, ringcentral):
    login = logged_in.login()
    client.post(f"/unAuthorize?jwtToken={logged_in.token}")
    assert login.refresh_token in ringcentral.revoked
    assert login.access_token not in ringcentral.access
    assert not RingCentralLogin.objects.exists()


def test_a_login_that_could_not_be_revoked_is_used_by_nobody_and_revoked_later(client, logged_in, ringcentral):
    ringcentral.failing = {"/restapi/oauth/revoke": (503, "down")}
    assert client.post(f"/unAuthorize?jwtToken={logged_in.token}").status_code == 200
    assert logged_in.login() is None
    assert RingCentralLogin.objects.count() == 1
    ringcentral.failing = {}
    clear_tokens(dry_run=False)
    assert not RingCentralLogin.objects.exists()
    assert len(ringcentral.revoked) == 1


def test_tokens_that_have_expired_by_themselves_are_forgotten(client, logged_in, ringcentral):
    ringcentral.failing = {"/restapi/oauth/revoke": (503, "down")}
    client.post(f"/unAuthorize?jwtToken={logged_in.token}")
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        clear_tokens(dry_run=False)
    assert not RingCentralLogin.objects.exists()


def test_who_takes_the_app_away_at_the_crm_leaves_no_login(logged_in, ringcentral, monkeypatch):
    monkeypatch.setattr(sessions, "_is_accepted", lambda user: False)
    assert sessions.forget(platform="testCRM", crm_user_id=logged_in.user.crm_user_id, account_id="")
    assert not RingCentralLogin.objects.exists()
    assert len(ringcentral.revoked) == 1


@pytest.mark.parametrize("connects_again", [False, True])
def test_a_login_that_comes_after_the_logout_is_not_kept(client, admin, ringcentral, monkeypatch, connects_again):
    identify = ringcentral_login.identify

    def logs_out_meanwhile(asked):
        client.post(f"/unAuthorize?jwtToken={admin.token}")
        if connects_again:
            user = CrmUser.objects.get(pk=admin.user.pk)
            user.set_credentials(Credentials(access_token="of the next login"))
            user.save()
        return identify(asked)

    monkeypatch.setattr(ringcentral_login, "identify", logs_out_meanwhile)
    assert not admin.log_in(ringcentral.code_for(ADMIN))
    assert not RingCentralLogin.objects.exists()
    assert len(ringcentral.revoked) == 1


# --- Refresh -------------------------------------------------------------------------------------


def test_an_expired_token_is_refreshed_once_by_all_requests_together(logged_in, ringcentral, monkeypatch):
    RingCentralLogin.objects.update(token_expires_at=timezone.now() - timedelta(minutes=1))
    ringcentral.slowness = 0.3
    found, barrier = [], threading.Barrier(6)

    def ask():
        barrier.wait()
        found.append(ringcentral_login.as_administrator(logged_in.user, lambda client: "report"))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, ringcentral.refreshes) == (["report"] * 6, 1)
    assert logged_in.login().access_token in ringcentral.access
    assert logged_in.login().refresh_lease is None


def test_a_token_that_was_revoked_early_is_refreshed_and_the_report_made(logged_in, ringcentral):
    ringcentral.access.pop(logged_in.login().access_token)
    assert logged_in.company().status_code == 200
    assert ringcentral.refreshes == 1


def test_a_login_that_ringcentral_has_ended_is_forgotten(logged_in, ringcentral):
    login = logged_in.login()
    ringcentral.access.pop(login.access_token)
    ringcentral.refresh.pop(login.refresh_token)
    assert logged_in.company().status_code == 403
    assert not RingCentralLogin.objects.exists()


def test_trouble_during_a_refresh_keeps_the_login(logged_in, ringcentral):
    RingCentralLogin.objects.update(token_expires_at=timezone.now())
    ringcentral.failing = {"/restapi/oauth/token": (503, "down")}
    reply = logged_in.company()
    assert (reply.status_code, reply.content) == (
        503,
        b"RingCentral could not make the report. Please try again later.",
    )
    ringcentral.failing = {}
    assert logged_in.company().status_code == 200


# --- Every report checks again -------------------------------------------------------------------


def test_who_is_no_administrator_any_more_gets_no_report(logged_in, ringcentral):
    ringcentral.extensions[ADMIN]["is_admin"] = False
    for reply in (logged_in.company(), logged_in.of_extension(AGENT)):
        assert (reply.status_code, reply.content.decode().startswith(NOT_ADMIN)) == (403, True)
    assert not RingCentralLogin.objects.exists()


@pytest.mark.parametrize("columns", [{"rc_account_id": OTHER_ACCOUNT}, {"rc_account_verified": False}])
def test_who_belongs_to_another_account_now_gets_no_report(logged_in, ringcentral, columns):
    CrmUser.objects.filter(pk=logged_in.user.pk).update(**columns)
    assert logged_in.company().status_code == 403
    assert not RingCentralLogin.objects.exists()


def test_a_login_whose_owner_has_moved_to_another_account_gets_no_report(logged_in, ringcentral):
    ringcentral.extensions[ADMIN]["account"] = OTHER_ACCOUNT
    assert logged_in.company().status_code == 403


def test_a_colleague_does_not_use_it(client, logged_in, ringcentral):
    colleague = Person(client, CrmUserFactory(rc_account_id=ACCOUNT, rc_account_verified=True, crm_account_id="acme"))
    assert colleague.company("&rcAccountId=400131").status_code == 403
    assert logged_in.company().status_code == 200


def test_an_extension_of_another_account_is_refused_by_ringcentral(logged_in, ringcentral):
    reply = logged_in.of_extension(STRANGER)
    assert (reply.status_code, reply.content) == (403, b"RingCentral does not allow this report for your account.")


# --- What they tell ------------------------------------------------------------------------------


def _aggregate(name, inbound, outbound, answered, seconds):
    return {
        "info": {"name": name},
        "counters": {
            "callsByDirection": {"valueType": "Instances", "values": {"inbound": inbound, "outbound": outbound}},
            "callsByResponse": {"valueType": "Instances", "values": {"answered": answered}},
        },
        "timers": {"allCalls": {"valueType": "Seconds", "values": seconds}},
    }


def test_the_company_is_one_object_for_the_extension(logged_in, ringcentral):
    ringcentral.aggregate = [_aggregate("Acme", 30, 10, 24, 6000)]
    assert logged_in.company().json() == {
        "callLogStats": {
            "inboundCallCount": 30,
            "outboundCallCount": 10,
            "answeredCallCount": 24,
            "answeredCallPercentage": "80.00%",
            "totalTalkTime": 100,
            "averageTalkTime": 2.5,
        }
    }


def test_a_company_without_a_call_is_all_zero(logged_in, ringcentral):
    ringcentral.aggregate = [{"info": {"name": "Acme"}, "counters": {}, "timers": {"allCalls": None}}]
    assert set(logged_in.company().json()["callLogStats"].values()) == {0, "0%"}


def test_groups_are_a_list_of_all_pages(logged_in, ringcentral):
    ringcentral.aggregate = [_aggregate(name, 1, 1, 1, 60) for name in ("Ada", "", "Bob")]
    ringcentral.per_page = 2
    found = logged_in.company("&groupBy=Users").json()
    assert (found["itemKeys"], found["groupedBy"], found["groupKeys"][0]) == (["Ada", "Bob"], "Users", "Company")
    assert [row["name"] for row in found["callLogStats"]] == ["Ada", "Bob"]
    assert logged_in.company("&groupBy=undefined").json()["groupedBy"] == "Company"
    assert logged_in.company("&groupBy=Planets").status_code == 400


def test_a_users_report_counts_calls_and_texts_of_all_pages(logged_in, ringcentral):
    ringcentral.per_page = 2
    ringcentral.calls[AGENT] = [
        {"direction": "Inbound", "result": "Accepted", "duration": 90},
        {"direction": "Inbound", "result": "Missed", "duration": 0},
        {"direction": "Inbound", "result": "Call connected", "duration": 30},
        {"direction": "Outbound", "result": "Call connected", "duration": 120},
        {"direction": "Outbound", "result": "No Answer"},
    ]
    ringcentral.messages[AGENT] = [
        *({"type": "SMS", "direction": "Outbound"} for _ in range(3)),
        {"type": "SMS", "direction": "Inbound"},
        {"type": "VoiceMail", "direction": "Inbound"},
        {"type": "Fax", "direction": "Outbound"},
    ]
    assert logged_in.of_extension(AGENT).json() == {
        "callLogStats": {
            "inboundCallCount": 3,
            "outboundCallCount": 2,
            "answeredCallCount": 2,
            "answeredCallPercentage": "66.67%",
            "totalTalkTime": 4,
            "averageTalkTime": 0.8,
        },
        "smsLogStats": {"smsSentCount": 3, "smsReceivedCount": 1},
    }
    asked = [query for _, path, query, _ in ringcentral.asked if path.endswith("call-log")]
    assert asked[0]["dateFrom"] == "2026-05-01T00:00:00.000Z"
    assert logged_in.of_extension("~").json()["callLogStats"]["inboundCallCount"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "timezone=UTC",
        "timeFrom=yesterday&timeTo=today",
        "timeFrom=2026-05-08T00:00:00Z&timeTo=2026-05-01T00:00:00Z",
        "timeFrom=2026-05-01T00:00:00Z&timeTo=2026-05-08T00:00:00Z&timezone=<b>",
        f"{PERIOD}&rcExtensionId=../../account",
    ],
)
def test_odd_requests_are_told_so_and_ask_nobody(logged_in, ringcentral, query):
    ringcentral.asked.clear()
    reply = logged_in.get("/ringcentral/admin/userReport", query)
    assert (reply.status_code, reply.content[:17]) == (400, b"Invalid request: ")
    assert ringcentral.asked == []


@pytest.mark.parametrize(
    ("status", "answered", "text"),
    [
        (403, 403, "RingCentral does not allow this report for your account."),
        (429, 429, "RingCentral's request limit is reached. Please try again in a minute."),
        (500, 503, "RingCentral could not make the report. Please try again later."),
        (400, 400, "RingCentral refused the report."),
    ],
)
def test_ringcentrals_refusal_is_a_text_that_the_client_shows(logged_in, ringcentral, status, answered, text):
    ringcentral.failing = {"/analytics": (status, "Nope")}
    reply = logged_in.company()
    assert reply.status_code == answered
    assert reply.content.decode().startswith(text)
    assert logged_in.login() is not None


def test_more_than_a_report_reads_is_told(logged_in, ringcentral):
    ringcentral.per_page = 1
    ringcentral.calls[AGENT] = [{"direction": "Inbound", "duration": 1}] * 31
    reply = logged_in.of_extension(AGENT)
    assert (reply.status_code, reply.content[:26]) == (400, b"There are too many records")


def test_no_token_of_ringcentral_reaches_a_log_or_an_event(logged_in, ringcentral, caplog, capsys):
    caplog.set_level("DEBUG")
    login = logged_in.login()
    logged_in.company()
    ringcentral.failing = {"/": (500, "oops")}
    logged_in.company()
    logged_in.log_in("secret-code")
    seen = caplog.text + capsys.readouterr().out + str(list(AuditEvent.objects.values()))
    for secret in (login.access_token, login.refresh_token, "secret-code", CLIENT[1]):
        assert secret not in seen


def test_a_user_whose_row_is_deleted_leaves_no_token_behind(logged_in, ringcentral):
    logged_in.user.delete()
    clear_tokens(dry_run=False)
    assert not RingCentralLogin.objects.exists()
    assert len(ringcentral.revoked) == 1


def test_keys_that_are_gone_end_the_login_quietly(logged_in, ringcentral):
    other = CrmUserFactory()
    other.set_credentials(Credentials(access_token="x"))
    RingCentralLogin.objects.update(access_token=other.__dict__["access_token"])
    assert logged_in.company().status_code == 403
    assert not RingCentralLogin.objects.exists()
