"""Tokens, transport rules, encryption at rest, and the refresh lease."""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.utils import timezone

from adapters import registry
from adapters.contract import Credentials, CredentialsRejected, CrmUnavailable, UserProfile
from audit.fields import Undecipherable, seal, unseal
from connectors.api.authentication import issue_token, user_of_token
from connectors.models import CrmUser
from connectors.services import crm_access as opening
from connectors.services.sessions import disconnect
from tests.factories import CrmUserFactory

NO_TOKEN = "Please go to Settings and authorize CRM platform"
ORIGIN = {"Origin": "chrome-extension://abc"}

PROTECTED = [
    ("get", "/contact?phoneNumber=+16505551212"),
    ("post", "/contact"),
    ("get", "/custom/contact/search?name=x"),
    ("get", "/callLog?sessionIds=1"),
    ("post", "/callLog"),
    ("patch", "/callLog"),
    ("post", "/callLog/cacheNote"),
    ("put", "/callDisposition"),
    ("post", "/messageLog"),
    ("post", "/unAuthorize"),
    ("get", "/hostname"),
    ("get", "/authValidation"),
    ("get", "/user/settings"),
    ("post", "/user/settings"),
    ("get", "/admin/settings"),
    ("post", "/user/refreshInfo"),
    ("get", "/accountData?keys=x"),
    ("post", "/admin/userMapping"),
    ("post", "/admin/reinitializeUserMapping"),
    ("get", "/ringcentral/oauth/callback?code=x"),
    ("get", "/ringcentral/admin/report"),
    ("get", "/ringcentral/admin/userReport"),
    ("get", "/calldown"),
    ("post", "/calldown"),
    ("patch", "/calldown/1"),
    ("delete", "/calldown/1"),
    ("get", "/admin/serverLoggingSettings"),
    ("post", "/admin/serverLoggingSettings"),
]


def _forged(user):
    return jwt.encode({"id": user.wire_id, "platform": user.platform, "epoch": 0}, "x" * 32, algorithm="HS256")


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("token", ["", "rubbish", "forged", "unsigned"])
def test_without_a_valid_token_every_route_says_the_same_plain_sentence(client, method, path, token):
    user = CrmUserFactory()
    if token == "forged":
        token = _forged(user)
    elif token == "unsigned":
        token = jwt.encode({"id": user.wire_id, "platform": user.platform}, None, algorithm="none")
    separator = "&" if "?" in path else "?"
    reply = getattr(client, method)(
        f"{path}{separator}jwtToken={token}", content_type="application/json", headers=ORIGIN
    )
    assert (reply.status_code, reply.content.decode()) == (400, NO_TOKEN)
    assert reply["Access-Control-Allow-Origin"] == "*"


@pytest.mark.django_db
def test_a_crm_without_fields_for_server_logging_shows_none_and_takes_none(client):
    path = f"/admin/serverLoggingSettings?jwtToken={issue_token(CrmUserFactory())}"
    assert client.get(path).json() == {}
    refused = client.post(path, {"additionalFieldValues": {"apiUsername": "x"}}, content_type="application/json").json()
    assert (refused["successful"], refused["returnMessage"]["messageType"]) == (False, "warning")
    missing = client.post(path, {}, content_type="application/json")
    assert (missing.status_code, missing.content.decode()) == (400, "Missing additionalFieldValues")


@pytest.mark.django_db
def test_a_bad_bearer_token_is_not_mended_by_a_query_token(client):
    token = issue_token(CrmUserFactory())
    reply = client.get(f"/hostname?jwtToken={token}", headers={"Authorization": "Bearer rubbish"})
    assert reply.status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/hostname", "/HostName/", "/hostname/"])
def test_paths_match_in_any_case_with_and_without_slash_and_never_redirect(client, path):
    user = CrmUserFactory(host="crm.example")
    reply = client.get(path, headers={"Authorization": f"bearer {issue_token(user)}"})
    assert (reply.status_code, reply.content) == (200, b"crm.example")


def test_a_preflight_is_answered_with_the_headers_it_asks_for(client):
    reply = client.options(
        "/callLog",
        headers={
            **ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "rc-account-id,rc-extension-id,x-of-a-later-version",
        },
    )
    assert (reply.status_code, reply.content) == (204, b"")
    assert "PATCH" in reply["Access-Control-Allow-Methods"]
    assert reply["Access-Control-Allow-Headers"] == "rc-account-id,rc-extension-id,x-of-a-later-version"
    assert "Access-Control-Request-Headers" in reply["Vary"]


@pytest.mark.parametrize("path", ["/callLog", "/isAlive", "/admin/settings", "/nowhere"])
def test_options_tells_nothing_but_what_may_be_sent(client, path):
    reply = client.options(path, headers=ORIGIN)
    assert (reply.status_code, reply.content) == (204, b"")
    assert "x-rc-access-token" in reply["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(("method", "path"), [("post", "/admin/managedAuth"), ("get", "/admin/googleSheets/config")])
def test_a_path_of_the_extension_that_is_not_here_is_a_404_and_no_sign_in_page(client, method, path):
    reply = getattr(client, method)(path, headers=ORIGIN)
    assert (reply.status_code, reply["Access-Control-Allow-Origin"]) == (404, "*")


@pytest.mark.django_db
def test_a_method_that_a_path_has_not_is_told_which_there_are(client):
    reply = client.delete("/callLog", headers=ORIGIN)
    assert (reply.status_code, reply["Access-Control-Allow-Origin"]) == (405, "*")
    assert reply["Allow"] == "GET, POST, PATCH, HEAD, OPTIONS"


@pytest.mark.django_db
def test_a_token_in_its_second_half_is_refreshed_through_the_header(client):
    user = CrmUserFactory()
    token = issue_token(user)
    with time_machine.travel(timezone.now() + timedelta(days=6), tick=False):
        fresh = client.get(f"/hostname?jwtToken={token}")
        assert "x-refreshed-jwt-token" not in fresh
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        reply = client.get(f"/hostname?jwtToken={token}", headers=ORIGIN)
        refreshed = jwt.decode(reply["x-refreshed-jwt-token"], settings.APP_SERVER_SECRET_KEY, algorithms=["HS256"])
        assert refreshed["id"] == user.wire_id
        assert reply["Access-Control-Expose-Headers"] == "x-refreshed-jwt-token"


@pytest.mark.django_db
def test_an_expired_token_works_in_the_query_for_the_grace_period_and_never_as_bearer(client):
    user = CrmUserFactory()
    token = issue_token(user)
    with time_machine.travel(timezone.now() + timedelta(days=60), tick=False):
        assert client.get(f"/hostname?jwtToken={token}").status_code == 200
        assert client.get("/hostname", headers={"Authorization": f"Bearer {token}"}).status_code == 400
    with time_machine.travel(timezone.now() + timedelta(days=14 + 91), tick=False):
        assert client.get(f"/hostname?jwtToken={token}").status_code == 400


@pytest.mark.django_db
def test_a_token_of_the_reference_server_works_until_the_first_logout():
    user = CrmUserFactory()
    old = jwt.encode({"id": user.wire_id, "platform": user.platform}, settings.APP_SERVER_SECRET_KEY, algorithm="HS256")
    assert user_of_token(old)[0] == user
    disconnect(user=user, actor="test")
    assert user_of_token(old) is None


@pytest.mark.django_db
def test_tokens_stand_encrypted_in_the_database_and_only_open_for_their_row():
    one = CrmUserFactory(credentials=Credentials(access_token="secret-one", refresh_token="secret-two"))
    other = CrmUserFactory()
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token, refresh_token, secret_extra FROM connectors_crmuser")
        assert "secret-" not in str(cursor.fetchall())
    assert CrmUser.objects.get(pk=one.pk).credentials().access_token == "secret-one"
    swapped = CrmUser.objects.get(pk=one.pk).__dict__["access_token"]
    CrmUser.objects.filter(pk=other.pk).update(access_token=swapped)
    with pytest.raises(Undecipherable):
        CrmUser.objects.get(pk=other.pk).credentials()


def test_a_sealed_text_that_was_altered_does_not_open():
    sealed = seal("secret", place="a.b.c")
    assert unseal(sealed, place="a.b.c") == "secret"
    with pytest.raises(Undecipherable):
        unseal(sealed[:-6] + "AAAAAA", place="a.b.c")


@pytest.mark.django_db
def test_a_plain_token_cannot_be_written_past_the_encryption():
    user = CrmUserFactory()
    with pytest.raises(TypeError):
        CrmUser.objects.filter(pk=user.pk).update(access_token="plain")


@pytest.mark.django_db
def test_a_name_longer_than_its_column_keeps_nobody_from_logging_in(client, monkeypatch):
    sound = registry.adapter_class("testCRM")
    profile = UserProfile(id="u1", name="N" * 400, timezone="Z" * 100, email="e" * 300 + "@crm.example")
    methods = {"user_profile": lambda self: profile, "refresh_user": lambda self: profile}
    monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), methods))
    body = {"platform": "testCRM", "apiKey": "k", "hostname": ""}
    reply = client.post("/apiKeyLogin", body, content_type="application/json")
    assert reply.json()["name"] == "N" * 255
    refreshed = client.post(
        f"/user/refreshInfo?jwtToken={reply.json()['jwtToken']}", {}, content_type="application/json"
    )
    assert refreshed.json()["successful"] is True


class _Refreshing:
    """An adapter whose vendor counts refreshes."""

    def __init__(self, user, calls, error=None):
        self.credentials = user.credentials()
        self.calls, self.error = calls, error

    def refresh(self, credentials, *, keep):
        self.calls.append(credentials.access_token)
        if self.error:
            raise self.error
        return Credentials(access_token="new", refresh_token="r2", expires_at=timezone.now() + timedelta(hours=1))


def _expired_user():
    return CrmUserFactory(
        credentials=Credentials(access_token="old", refresh_token="r1", expires_at=timezone.now() - timedelta(hours=1))
    )


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_once_refresh_an_expired_token_once(monkeypatch):
    user, calls, seen = _expired_user(), [], []
    monkeypatch.setattr(opening, "_adapter_of", lambda row: _Refreshing(row, calls))

    def work():
        row = CrmUser.objects.get(pk=user.pk)
        opening.refresh_credentials(row, used="old")
        seen.append(row.access_token)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["old"]
    assert seen == ["new"] * 12


@pytest.mark.django_db(transaction=True)
def test_renewed_tokens_are_stored_though_the_database_restarts_meanwhile(monkeypatch):
    user, restarts = _expired_user(), [1, 2]

    class AtARestart(_Refreshing):
        def refresh(self, credentials, *, keep):
            blocker.__enter__()
            return super().refresh(credentials, keep=keep)

    def refuse(execute, sql, params, many, context):
        if restarts and sql.startswith("UPDATE"):
            restarts.pop()
            raise OperationalError("terminating connection due to administrator command")
        return execute(sql, params, many, context)

    blocker = connection.execute_wrapper(refuse)
    monkeypatch.setattr(opening, "_adapter_of", lambda row: AtARestart(row, []))
    try:
        opening.refresh_credentials(user, used="old")
    finally:
        blocker.__exit__(None, None, None)
    assert not restarts
    assert CrmUser.objects.get(pk=user.pk).credentials().refresh_token == "r2"


@pytest.mark.django_db
def test_a_renewal_has_time_for_every_answer_that_may_be_waited_for(monkeypatch, settings):
    settings.OUTBOUND_CONNECT_TIMEOUT, settings.OUTBOUND_READ_TIMEOUT = 5, 40
    user = _expired_user()
    held = []

    class Slow(_Refreshing):
        def refresh(self, credentials, *, keep):
            held.append(CrmUser.objects.get().refresh_lease_until - timezone.now())
            return super().refresh(credentials, keep=keep)

    monkeypatch.setattr(opening, "_adapter_of", lambda row: Slow(row, []))
    opening.refresh_credentials(user, used="old")

    assert held[0] > timedelta(seconds=5 * 45 - 5)


@pytest.mark.django_db
def test_a_refused_refresh_ends_the_session_and_passing_trouble_does_not(monkeypatch):
    user, calls = _expired_user(), []
    monkeypatch.setattr(opening, "_adapter_of", lambda row: _Refreshing(row, calls, CredentialsRejected(final=False)))
    with pytest.raises(CrmUnavailable):
        opening.refresh_credentials(user, used="old")
    assert CrmUser.objects.get(pk=user.pk).is_connected
    monkeypatch.setattr(opening, "_adapter_of", lambda row: _Refreshing(row, calls, CredentialsRejected(final=True)))
    with pytest.raises(opening.SessionEnded):
        opening.refresh_credentials(user, used="old")
    assert not CrmUser.objects.get(pk=user.pk).is_connected


def _connect_elsewhere(user):
    """Another window of the user logs in at another account of the CRM."""
    row = CrmUser.objects.get(pk=user.pk)
    columns = row.set_credentials(Credentials(access_token="new account's", refresh_token="r9"))
    CrmUser.objects.filter(pk=user.pk).update(
        crm_account_id="beta", refresh_lease=None, refresh_lease_until=None, **columns
    )


@pytest.mark.django_db
def test_a_renewal_that_is_refused_since_the_user_went_to_another_account_ends_the_request_only(monkeypatch):
    user = _expired_user()

    class Late(_Refreshing):
        def refresh(self, credentials, *, keep):
            _connect_elsewhere(user)
            raise CredentialsRejected(final=True)

    monkeypatch.setattr(opening, "_adapter_of", lambda row: Late(row, []))
    with pytest.raises(opening.SessionEnded):
        opening.refresh_credentials(user, used="old")
    assert CrmUser.objects.get(pk=user.pk).credentials().refresh_token == "r9"


@pytest.mark.django_db
def test_tokens_of_a_renewal_that_took_longer_than_its_lease_are_stored_where_the_former_still_stand(monkeypatch):
    user = _expired_user()

    class Slow(_Refreshing):
        def refresh(self, credentials, *, keep):
            CrmUser.objects.filter(pk=user.pk).update(refresh_lease=uuid.uuid4())  # another process begins
            return super().refresh(credentials, keep=keep)

    monkeypatch.setattr(opening, "_adapter_of", lambda row: Slow(row, []))
    opening.refresh_credentials(user, used="old")
    assert CrmUser.objects.get(pk=user.pk).credentials().refresh_token == "r2"


@pytest.mark.django_db
def test_a_login_at_another_account_just_before_the_renewal_stays(monkeypatch):
    user, take = _expired_user(), CrmUser.take_refresh_lease

    def take_late(row, **options):
        _connect_elsewhere(row)
        return take(row, **options)

    monkeypatch.setattr(CrmUser, "take_refresh_lease", take_late)
    with pytest.raises(opening.SessionEnded):
        opening.refresh_credentials(user, used="old")
    assert CrmUser.objects.get(pk=user.pk).credentials().refresh_token == "r9"


@pytest.mark.django_db
def test_a_user_whose_login_is_gone_is_told_so_with_the_code_the_client_knows(client):
    user = CrmUserFactory()
    token = issue_token(user)
    CrmUser.objects.filter(pk=user.pk).update(access_token="")
    reply = client.get(f"/contact?phoneNumber=+16505551212&jwtToken={token}")
    assert reply.status_code == 401
    assert reply.json()["errorCode"] == "CRM_SESSION_REVOKED"


@pytest.mark.django_db
def test_a_refresh_of_the_users_data_tells_a_login_that_is_gone_without_an_error(client):
    user = CrmUserFactory()
    token = issue_token(user)
    CrmUser.objects.filter(pk=user.pk).update(access_token="")
    reply = client.post(f"/user/refreshInfo?jwtToken={token}")
    assert (reply.status_code, reply.json()["successful"]) == (200, False)
    assert reply.json()["returnMessage"]["message"] == "User session expired. Please connect again."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/contact", 400),
        ("POST", "/callLog", 400),
        ("DELETE", "/callLog", 405),
        ("GET", "/authValidation", 200),
        ("GET", "/admin/settings", 403),
    ],
)
def test_a_token_is_refreshed_whatever_the_reply_is(client, method, path, status):
    token = issue_token(CrmUserFactory())
    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        headers = {**ORIGIN, "Authorization": f"Bearer {token}"}
        reply = client.generic(method, path, content_type="application/json", headers=headers)
    assert (reply.status_code, "x-refreshed-jwt-token" in reply) == (status, True)


def test_hashed_ids_are_those_of_the_reference_server(client, settings):
    settings.HASH_KEY = "demo-hash-key"
    found = client.get("/userInfoHash?accountId=400131").json()
    assert found["accountId"] == "2a40c8f9539d110e0767d370e2f79b0d2c28040e8878a45ef26369920f977dde"
    assert found["extensionId"] == hashlib.sha256(b"undefined:demo-hash-key").hexdigest()
