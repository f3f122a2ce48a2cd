"""Token requests: what is sent, what is read from the reply, and what each failure means for the login."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from responses.matchers import urlencoded_params_matcher

from adapters.contract.errors import (
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RequestRejected,
    ServerMisconfigured,
    UnexpectedResponse,
)
from adapters.contract.http import HttpClient, count_calls
from adapters.contract.oauth import OAuthApp
from adapters.contract.types import Credentials, LoginForm, OAuthCallback, Reply

TOKEN_URL = "https://login.crm.example/oauth/token"
REVOKE_URL = "https://login.crm.example/oauth/revoke"
CALLBACK = "https://switchboard.example/callback"
GRANTED = {"access_token": "new-access", "token_type": "bearer", "expires_in": 3600, "refresh_token": "new-refresh"}
OLD = Credentials(
    access_token="old-access", refresh_token="old-refresh", hostname="eu.crm.example", extra={"session": "s1"}
)


def oauth(**app):
    http = HttpClient(
        base_url="https://api.crm.example",
        hosts=["*.crm.example"],
        headers={"Authorization": "Bearer of-the-user", "X-App": "demo"},
    )
    given = {"client_id": "id 1", "client_secret": "s+cret", "token_url": TOKEN_URL, "redirect_uri": CALLBACK, **app}
    return http.oauth(OAuthApp(**given))


@pytest.fixture
def crm():
    with responses.RequestsMock() as mock:
        yield mock


def form_of(call):
    return {name: values[0] for name, values in parse_qs(call.request.body).items()}


def test_a_code_is_exchanged_with_the_redirect_uri_of_the_application(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    before = datetime.now(UTC)
    credentials = oauth().exchange(code="c/1", hostname="eu.crm.example", extra={"code_verifier": "v"})
    assert form_of(crm.calls[0]) == {
        "grant_type": "authorization_code",
        "code": "c/1",
        "redirect_uri": CALLBACK,
        "code_verifier": "v",
    }
    assert (credentials.access_token, credentials.refresh_token) == ("new-access", "new-refresh")
    assert credentials.hostname == "eu.crm.example"
    assert timedelta(0) <= credentials.expires_at - before - timedelta(hours=1) < timedelta(minutes=1)


def test_a_redirect_uri_of_the_login_replaces_that_of_the_application(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    oauth().exchange(code="c", redirect_uri="https://other.example/")
    assert form_of(crm.calls[0])["redirect_uri"] == "https://other.example/"


def test_the_client_secret_travels_in_a_header(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    oauth().refresh(OLD)
    headers = crm.calls[0].request.headers
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"id 1:s+cret").decode()
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form_of(crm.calls[0]) == {"grant_type": "refresh_token", "refresh_token": "old-refresh"}


def test_or_in_the_form(crm):
    crm.post(
        TOKEN_URL,
        json=GRANTED,
        match=[
            urlencoded_params_matcher(
                {
                    "grant_type": "refresh_token",
                    "refresh_token": "old-refresh",
                    "client_id": "id 1",
                    "client_secret": "s+cret",
                }
            )
        ],
    )
    oauth(token_auth="post").refresh(OLD)
    assert "Authorization" not in crm.calls[0].request.headers


def test_or_with_everything_else_in_the_query(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    oauth(token_auth="query").exchange(code="c+/=1")
    request = crm.calls[0].request
    assert parse_qs(urlsplit(request.url).query) == {
        "grant_type": ["authorization_code"],
        "code": ["c+/=1"],
        "redirect_uri": [CALLBACK],
        "client_id": ["id 1"],
        "client_secret": ["s+cret"],
    }
    assert not request.body


def test_the_users_own_headers_stay_out_of_token_requests(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    oauth(token_auth="post").refresh(OLD)
    assert "X-App" not in crm.calls[0].request.headers


def test_a_refresh_keeps_what_the_reply_does_not_replace(crm):
    crm.post(TOKEN_URL, json={"access_token": "new-access"})
    credentials = oauth().refresh(OLD)
    assert (credentials.access_token, credentials.refresh_token) == ("new-access", "old-refresh")
    assert (credentials.hostname, credentials.extra["session"]) == ("eu.crm.example", "s1")


def test_a_rotated_refresh_token_replaces_the_old_one(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    assert oauth().refresh(OLD).refresh_token == "new-refresh"


def test_further_members_of_the_reply_are_kept_but_no_token_among_them(crm):
    crm.post(TOKEN_URL, json={**GRANTED, "api_domain": "https://a.example", "scope": "x", "id_token": "t"})
    assert oauth().exchange(code="c").extra == {"token_reply": {"api_domain": "https://a.example", "scope": "x"}}


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(600, 600), ("600", 600), (600.5, 600.5), (0, 0), (-5, 0), (10**30, 3650 * 86400), ("9" * 18, 3650 * 86400)],
)
def test_the_lifetime_may_be_a_number_or_a_text_of_digits(crm, expires_in, seconds):
    crm.post(TOKEN_URL, json={**GRANTED, "expires_in": expires_in})
    before = datetime.now(UTC)
    assert timedelta(0) <= oauth().refresh(OLD).expires_at - before - timedelta(seconds=seconds) < timedelta(minutes=1)


@pytest.mark.parametrize("expires_in", [None, "soon", "", True, [], "٣"])
def test_a_token_without_a_readable_lifetime_does_not_expire(crm, expires_in):
    crm.post(TOKEN_URL, json={**GRANTED, "expires_in": expires_in})
    assert oauth().refresh(OLD).expires_at is None


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_ends_the_login_for_good(crm, status):
    crm.post(TOKEN_URL, status=status, json={"error": "invalid_grant"})
    with pytest.raises(CredentialsRejected) as caught:
        oauth().refresh(OLD)
    assert caught.value.final


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_request"}, RequestRejected),
        (400, {"message": "no"}, RequestRejected),
        (401, {"error": "invalid_client"}, ServerMisconfigured),
        (400, {"error": "unauthorized_client"}, ServerMisconfigured),
        (403, {"message": "forbidden"}, RequestRejected),
        (404, {}, RequestRejected),
        (401, {}, RequestRejected),
        (302, {}, UnexpectedResponse),
        (500, {"error": "invalid_grant"}, CrmUnavailable),
        (503, {}, CrmUnavailable),
        (200, {"error": "invalid_request"}, RequestRejected),
        (200, {}, CredentialsRejected),
        (200, {"access_token": ""}, CredentialsRejected),
        (200, {"access_token": 5}, CredentialsRejected),
        (200, [], UnexpectedResponse),
        (200, "text", UnexpectedResponse),
    ],
)
def test_no_other_failure_ends_the_login_for_good(crm, status, body, kind):
    crm.post(TOKEN_URL, status=status, json=body)
    with pytest.raises(kind) as caught:
        oauth().refresh(OLD)
    assert not getattr(caught.value, "final", False)
    assert "s+cret" not in repr(caught.value) + caught.value.reason


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(200, "<html>", UnexpectedResponse), (400, "<html>", UnexpectedResponse), (502, "<html>", CrmUnavailable)],
)
def test_a_reply_that_is_not_json_is_an_error_of_ours(crm, status, body, kind):
    crm.post(TOKEN_URL, status=status, body=body)
    with pytest.raises(kind):
        oauth().refresh(OLD)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, CrmUnavailable)])
def test_a_token_endpoint_may_say_how_long_to_wait(crm, status, kind):
    crm.post(TOKEN_URL, status=status, headers={"Retry-After": "9"})
    with pytest.raises(kind) as caught:
        oauth().refresh(OLD)
    assert caught.value.retry_after == 9


def test_a_refresh_without_an_answer_may_have_used_up_the_token(crm):
    crm.post(TOKEN_URL, status=503)
    with pytest.raises(CrmUnavailable) as caught:
        oauth().refresh(OLD)
    assert caught.value.maybe_applied
    assert len(crm.calls) == 1


def test_without_a_refresh_token_only_a_new_login_helps(crm):
    with pytest.raises(CredentialsRejected) as caught:
        oauth().refresh(Credentials(access_token="old-access"))
    assert caught.value.final


@pytest.mark.parametrize(
    "url", ["https://evil.example/token", "http://login.crm.example/token", "https://login.crm.example@evil.example/"]
)
def test_the_client_secret_goes_to_no_foreign_host(crm, url):
    with pytest.raises(RequestRejected):
        oauth(token_url=url).refresh(OLD)
    with pytest.raises(RequestRejected):
        oauth(revoke_url=url).revoke("old-access")


def test_a_token_is_revoked_with_a_hint_of_its_kind(crm):
    crm.post(REVOKE_URL, body="")
    oauth(revoke_url=REVOKE_URL).revoke("old-refresh", hint="refresh_token")
    assert form_of(crm.calls[0]) == {"token": "old-refresh", "token_type_hint": "refresh_token"}


def test_nothing_is_sent_where_the_crm_cannot_revoke(crm):
    oauth().revoke("old-access")


def test_a_failed_revocation_is_reported(crm):
    crm.post(REVOKE_URL, status=503)
    with pytest.raises(CrmUnavailable):
        oauth(revoke_url=REVOKE_URL).revoke("old-access")


def test_token_requests_are_logged_and_counted_without_a_secret(crm, caplog):
    crm.post(TOKEN_URL, json=GRANTED)
    with count_calls() as counter, caplog.at_level("DEBUG"):
        oauth(token_auth="query").exchange(code="the-code")
    assert counter.value == 1
    assert "login.crm.example" in caplog.text
    everything = str([vars(record) for record in caplog.records])
    for secret in ("the-code", "s+cret", "s%2Bcret", "new-access", "new-refresh"):
        assert secret not in everything


def test_expiry_is_counted_from_the_clock_given(crm):
    crm.post(TOKEN_URL, json=GRANTED)
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    http = HttpClient(base_url="https://api.crm.example", hosts=["*.crm.example"], clock=lambda: noon)
    app = OAuthApp(client_id="id", client_secret="s", token_url=TOKEN_URL)
    assert http.oauth(app).refresh(OLD).expires_at == noon + timedelta(hours=1)


def test_tokens_and_codes_do_not_show_when_a_value_that_holds_them_is_printed():
    printed = repr(
        [
            Credentials(access_token="t0p", refresh_token="t0p", extra={"session": "t0p"}),
            LoginForm(fields={"apiKey": "t0p"}),
            OAuthCallback(code="t0p", redirect_uri=CALLBACK, fields={"code": "t0p"}),
            Reply(status=200, headers={"set-cookie": "t0p"}, body={"token": "t0p"}, text="t0p", url="https://x/?t0p"),
        ]
    )
    assert "t0p" not in printed


def test_the_secret_does_not_show_when_an_application_is_printed():
    app = OAuthApp(client_id="id", client_secret="s+cret", token_url=TOKEN_URL)
    assert "s+cret" not in f"{app} {app!r}"
