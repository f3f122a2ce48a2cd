"""The RingCentral login of an administrator, against a small RingCentral over real HTTP: kept, refreshed, revoked."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from adapters.contract import Credentials
from audit.models import AuditEvent
from connectors.models import CrmUser, RingCentralLogin
from connectors.services import ringcentral_login, sessions
from connectors.services.cleaning import clear_tokens
from connectors.services.identity import hashed
from tests.factories import CrmUserFactory
from tests.fakes.ringcentral import CLIENT
from tests.ringcentral import (
    ACCOUNT,
    ADMIN,
    AGENT,
    NOT_ADMIN,
    OTHER_ACCOUNT,
    STRANGER,
    Person,
    admin,
    logged_in,
    ringcentral,
)

__all__ = ["admin", "logged_in", "ringcentral"]
pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]


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
