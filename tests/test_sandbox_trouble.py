"""The trouble that a person of the sandbox orders for themselves: what it does to them, and to nobody else."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox import start_sandbox
from tests.test_sandbox_crm import CALL, CLIENT

ME, OTHER = "key-in-trouble", "key-of-another"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = start_sandbox(tmp_path_factory.mktemp("sandbox"), faults=False)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _no_trouble_left(sandbox):
    yield
    assert order(sandbox, "").json()["trouble"] == ""


def order(sandbox, kind, key=ME):
    return sandbox.request("POST", "/demonstration", key=key, json={"trouble": kind})


def add(sandbox, key=ME):
    return sandbox.request("POST", "/api/activities", key=key, json={**CALL, "contact_id": "contact-1"})


@pytest.mark.parametrize(
    ("kind", "reading", "writing"),
    [("down", 503, 503), ("refuse", 200, 422), ("limit", 429, 429), ("expired", 401, 401), ("", 200, 201)],
)
def test_what_each_kind_answers(sandbox, kind, reading, writing):
    assert order(sandbox, kind).json()["trouble"] == kind
    assert sandbox.request("GET", "/api/contacts", key=ME).status_code == reading
    assert add(sandbox).status_code == writing
    assert sandbox.request("GET", "/api/contacts", key=OTHER).status_code == 200
    assert add(sandbox, OTHER).status_code == 201
    assert sandbox.request("GET", "/demonstration", key=OTHER).json()["trouble"] == ""


def test_a_limit_says_when_to_come_back(sandbox):
    order(sandbox, "limit")
    assert sandbox.request("GET", "/api/contacts", key=ME).headers["Retry-After"] == "10"


def test_what_is_dropped_was_written_and_can_be_seen(sandbox):
    before = len(sandbox.activities(ME))
    order(sandbox, "drop")
    with pytest.raises(requests.ConnectionError):
        add(sandbox)
    assert len(sandbox.activities(ME)) == before + 1


def test_the_records_are_shown_while_the_api_is_down(sandbox):
    add(sandbox)
    order(sandbox, "down")
    (newest, *_) = sandbox.request("GET", "/demonstration", key=ME).json()["activities"]
    assert newest["subject"] == CALL["subject"]
    assert sandbox.request("GET", "/demonstration", key="key-of-nobody-yet").json()["activities"] == []


def test_a_new_login_ends_an_expired_one(sandbox):
    order(sandbox, "expired")
    assert sandbox.request("GET", "/api/me", key=ME).status_code == 200
    assert sandbox.request("GET", "/api/contacts", key=ME).status_code == 200


def test_an_oauth_login_that_expires_is_gone_with_its_refresh_token(sandbox):
    back = "http://127.0.0.1/"
    form = {"response_type": "code", "client_id": CLIENT[0], "redirect_uri": back, "decision": "allow", "user": "Robin"}
    code = sandbox.request("POST", "/oauth/authorize", data=form).headers["Location"].partition("code=")[2]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    tokens = sandbox.request("POST", "/oauth/token", data=grant, auth=CLIENT).json()
    token = tokens["access_token"]
    assert sandbox.request("POST", "/demonstration", token=token, json={"trouble": "expired"}).status_code == 200
    assert sandbox.request("GET", "/api/me", token=token).status_code == 401
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert sandbox.request("POST", "/oauth/token", data=renewal, auth=CLIENT).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("method", "body", "status"), [("POST", {"trouble": "worse"}, 422), ("POST", {}, 422), ("DELETE", {}, 405)]
)
def test_what_cannot_be_ordered_is_refused(sandbox, method, body, status):
    assert sandbox.request(method, "/demonstration", key=ME, json=body).status_code == status
    assert sandbox.request("GET", "/demonstration").status_code == 401
