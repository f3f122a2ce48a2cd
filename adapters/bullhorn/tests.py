"""What a single recorded exchange cannot say about Bullhorn: pages, requests in one round, secrets in URLs."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from adapters.bullhorn import people
from adapters.bullhorn.adapter import Adapter
from adapters.contract import (
    AdapterContext,
    ConnectorError,
    Credentials,
    CredentialsRejected,
    HttpClient,
    Manifest,
    OAuthCallback,
    Options,
    UserProfile,
    parse_phone,
)
from adapters.readiness.checklist import MemoryCache

MANIFEST = Manifest.parse((Path(__file__).parent / "manifest.json").read_text())
BASE = "https://rest30.bullhornstaffing.com/rest-services/e999/"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
LOGIN = "https://rest.bullhornstaffing.com/rest-services"
SESSION = {"oauth_access_token": "access-one", "rest_url": BASE}


def connected(*, cache: MemoryCache | None = None, **extra: Any) -> Adapter:
    context = AdapterContext(
        manifest=MANIFEST,
        user=UserProfile(id=9001, name="Agent Kim"),
        credentials=Credentials(access_token="session-one", refresh_token="refresh-one", extra={**SESSION, **extra}),
        options=Options(),
        secrets={"BULLHORN_CLIENT_ID": "client-id", "BULLHORN_CLIENT_SECRET": "client-secret"},
        cache=cache or MemoryCache(),
        now=lambda: NOW,
    )
    http = HttpClient(
        base_url=Adapter.base_url(context), hosts=MANIFEST.server.hosts, headers=Adapter.auth_headers(context)
    )
    return Adapter(http=http, context=context)


@pytest.fixture
def bullhorn() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as vendor:
        yield vendor


def test_a_thousand_users_are_read_in_two_requests(bullhorn: responses.RequestsMock) -> None:
    for start in (0, 500):
        users = [{"id": start + n, "firstName": "User", "lastName": str(start + n)} for n in range(500)]
        bullhorn.get(
            f"{BASE}query/CorporateUser",
            json={"start": start, "count": 500, "total": 1000, "data": users},
            match=[responses.matchers.query_param_matcher({"start": str(start)}, strict_match=False)],
        )
    users = connected().list_users()
    assert [user.id for user in users] == list(range(1000))
    assert len(bullhorn.calls) == 2


def test_a_second_look_up_asks_for_people_only(bullhorn: responses.RequestsMock) -> None:
    bullhorn.post(re.compile(re.escape(BASE) + "search/.*"), json={"data": []})
    bullhorn.get(f"{BASE}settings/commentActionList", json={"commentActionList": ["Inbound Call"]})
    bullhorn.get(re.compile(re.escape(BASE) + "meta/.*"), json={"fields": [{"name": "status", "options": []}]})
    adapter = connected()
    phone = parse_phone("+16505550112")
    adapter.find_contacts(phone)
    assert len(bullhorn.calls) == 7
    adapter.find_contacts(phone)
    assert len(bullhorn.calls) == 10


def test_redirects_are_followed_two_hops_and_no_further(bullhorn: responses.RequestsMock) -> None:
    names = ("east", "west", "emea", "apac")
    for here, there in itertools.pairwise(names):
        bullhorn.post(
            f"https://auth-{here}.bullhornstaffing.com/oauth/token",
            status=307,
            headers={"Location": f"https://auth-{there}.bullhornstaffing.com/oauth/token"},
        )
    fields = {
        "tokenUrl": "https://auth-east.bullhornstaffing.com/oauth/token",
        "apiUrl": "https://rest-east.bullhornstaffing.com/rest-services",
    }
    with pytest.raises(Exception, match="not understood"):
        connected().exchange_code(OAuthCallback(code="code-one", redirect_uri="", fields=fields))
    assert len(bullhorn.calls) == 3


def test_tokens_and_secrets_of_a_failed_refresh_are_in_no_log_and_no_error(
    bullhorn: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    bullhorn.post("https://auth.bullhornstaffing.com/oauth/token", status=400, json={"error": "invalid_grant"})
    adapter = connected()
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsRejected) as refused:
        adapter.refresh(adapter.credentials, keep=lambda fresh: None)
    assert refused.value.final
    told = caplog.text + str(vars(refused.value)) + str(refused.value)
    assert "oauth/token" in told
    for secret in ("refresh-one", "client-secret", "access-one"):
        assert secret not in told


@pytest.mark.parametrize("answer", [{"status": 500}, {"status": 200, "body": "<p class='error'>"}, {"status": 404}])
def test_the_api_users_password_is_in_no_log_and_no_error(
    bullhorn: responses.RequestsMock, caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    bullhorn.get("https://auth.bullhornstaffing.com/oauth/authorize", **answer)
    told = ""
    fields = {"apiUsername": "api.user", "apiPassword": "pass-word-one"}
    with caplog.at_level(logging.DEBUG):
        try:
            told = str(connected().save_server_logging_settings(fields, keep=lambda fresh: None))
        except ConnectorError as error:
            told = str(vars(error)) + str(error)
    assert "oauth/authorize" in caplog.text
    assert "pass-word-one" not in caplog.text + told
    assert "client-secret" not in caplog.text + told


def test_an_api_user_who_cannot_sign_in_now_stays_stored_beside_the_users_own_new_login(
    bullhorn: responses.RequestsMock,
) -> None:
    bullhorn.get("https://auth.bullhornstaffing.com/oauth/authorize", status=503)
    adapter = connected()
    previous = Credentials(extra={"api_username": "api.user", "api_password": "pass-word-one"})
    kept = adapter.after_login(adapter.credentials, previous)
    assert (kept.access_token, kept.refresh_token) == ("session-one", "refresh-one")
    assert (kept.extra["api_username"], kept.extra["api_password"]) == ("api.user", "pass-word-one")
    assert adapter.after_login(adapter.credentials, Credentials()) == adapter.credentials


def test_lists_that_cannot_be_read_anew_are_served_as_last_known(bullhorn: responses.RequestsMock) -> None:
    bullhorn.get(re.compile(re.escape(BASE) + ".*"), status=503, json={"errorMessage": "Service unavailable"})

    class Old(MemoryCache):
        def get(self, key: str, *, max_age: timedelta) -> Any:
            return None

    cache = Old()
    cache.values["bullhorn.leadStatuses"] = [{"const": "Open", "title": "Open"}]
    lists = connected(cache=cache).account_data("bullhornData")
    assert lists == {
        "commentActionList": [],
        "leadStatuses": [{"const": "Open", "title": "Open"}],
        "candidateStatuses": [],
        "contactStatuses": [],
    }


@pytest.mark.parametrize("lifetime", ["1e999", "1e300", "-1e300", '"600"', "null"])
def test_an_absurd_lifetime_of_the_access_token_does_not_cost_the_login(
    bullhorn: responses.RequestsMock, lifetime: str
) -> None:
    tokens = f'{{"access_token": "access-two", "refresh_token": "refresh-two", "expires_in": {lifetime}}}'
    bullhorn.post("https://auth.bullhornstaffing.com/oauth/token", body=tokens)
    bullhorn.post(f"{LOGIN}/login", json={"BhRestToken": "session-two", "restUrl": BASE})
    adapter = connected()
    kept: list[Credentials] = []
    fresh = adapter.refresh(adapter.credentials, keep=kept.append)
    assert (fresh.access_token, fresh.refresh_token) == ("session-two", "refresh-two")
    assert [pair.refresh_token for pair in kept] == ["refresh-two"]


def test_an_absurd_offset_is_no_time_zone(bullhorn: responses.RequestsMock) -> None:
    bullhorn.get(f"{BASE}settings/userId", json={"userId": 77})
    row = '{"data": [{"id": 77, "name": "Agent Kim", "masterUserID": 9001, "timeZoneOffsetEST": 1e999}]}'
    bullhorn.get(f"{BASE}query/CorporateUser", body=row)
    assert connected().user_profile().timezone == ""


def test_a_list_of_users_that_never_ends_is_given_up(bullhorn: responses.RequestsMock, monkeypatch: Any) -> None:
    monkeypatch.setattr(people, "MAX_PAGES", 3)
    users = [{"id": n, "firstName": "User", "lastName": str(n)} for n in range(500)]
    bullhorn.get(f"{BASE}query/CorporateUser", json={"data": users})
    assert len(connected().list_users()) == 1500
    assert len(bullhorn.calls) == 3


def _sign_in_of_api_user(bullhorn: responses.RequestsMock, rest_url: str) -> None:
    callback = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html?code=code-two"
    bullhorn.get("https://auth.bullhornstaffing.com/oauth/authorize", status=302, headers={"Location": callback})
    tokens = {"access_token": "access-two", "refresh_token": "refresh-two", "expires_in": 600}
    bullhorn.post("https://auth.bullhornstaffing.com/oauth/token", json=tokens)
    bullhorn.post(f"{LOGIN}/login", json={"BhRestToken": "session-two", "restUrl": rest_url})


def test_an_api_user_of_another_company_is_refused_and_its_session_ended(bullhorn: responses.RequestsMock) -> None:
    foreign = "https://rest40.bullhornstaffing.com/rest-services/f111/"
    _sign_in_of_api_user(bullhorn, foreign)
    ended = bullhorn.get(f"{foreign}logout", json={"logout": "OK"})
    fields = {"apiUsername": "api.user", "apiPassword": "pass-word-one"}
    credentials, notice = connected().save_server_logging_settings(fields, keep=lambda fresh: None)
    assert credentials is None
    assert (notice.message, notice.level) == (
        "Server logging settings update failed. This user belongs to another Bullhorn company.",
        "warning",
    )
    assert ended.calls[0].request.headers["BhRestToken"] == "session-two"


def test_a_new_login_ends_the_session_it_replaces(bullhorn: responses.RequestsMock) -> None:
    ended = bullhorn.get(f"{BASE}logout", json={"logout": "OK"})
    adapter = connected()
    previous = Credentials(access_token="session-zero", expires_at=NOW + timedelta(minutes=5), extra=SESSION)
    assert adapter.after_login(adapter.credentials, previous) == adapter.credentials
    assert [call.request.headers["BhRestToken"] for call in ended.calls] == ["session-zero"]
    adapter.after_login(adapter.credentials, replace(previous, expires_at=NOW))  # over by itself
    assert len(ended.calls) == 1
