"""What an administrator of a RingCentral account sets for everybody in it."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from django.db.models import F

from adapters.contract import AccessDenied, CredentialsRejected, CrmUnavailable
from connectors.api import settings as settings_api
from connectors.api.authentication import issue_token
from connectors.models import AccountSettings
from connectors.services import settings_changes
from connectors.services.identity import RingCentralIdentity, hashed
from tests.factories import CrmUserFactory

pytestmark = pytest.mark.django_db
ADMIN = RingCentralIdentity(account_id="400131", extension_id="101", is_admin=True)


@pytest.fixture
def ringcentral(monkeypatch):
    """Sets whom RingCentral takes the bearer of any token for, or what goes wrong when it is asked."""

    def says(outcome):
        def verify(token):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(settings_api, "verify_ringcentral_token", verify)

    says(ADMIN)
    cache.clear()
    return says


@pytest.fixture
def read(client):
    token = issue_token(CrmUserFactory())

    def read(rc_token="rc-token"):
        return client.get(f"/admin/settings?jwtToken={token}&rcAccessToken={rc_token}")

    return read


@pytest.fixture
def write(client):
    def write(body):
        return client.post("/admin/settings?rcAccessToken=rc-token", json.dumps(body), content_type="application/json")

    return write


def test_an_account_without_settings_still_says_that_this_is_an_administrator(read, ringcentral):
    assert read().json() == {"customConnector": None, "userSettings": {}}


def test_what_is_written_is_read_back_and_applies_to_the_accounts_users(client, read, write, ringcentral):
    settings = {"autoLogCall": {"value": True, "customizable": False}}
    written = {"userSettings": settings, "customAdapter": {"url": "https://crm.example"}, "userMappings": []}
    reply = write({"adminSettings": {**written, "adminAccessToken": "t", "id": "x", "createdAt": 1}})
    assert (reply.status_code, reply.content) == (200, b"Admin settings updated")
    assert read().json() == {"id": hashed("400131"), **written}
    assert client.get(f"/user/preloadSettings?rcAccountId={hashed('400131')}").json() == {"userSettings": settings}
    mine = issue_token(CrmUserFactory(rc_account_id="400131", rc_account_verified=True))
    assert client.get(f"/user/settings?jwtToken={mine}").json() == settings


@pytest.fixture
def two(client, ringcentral):
    """Two administrators of one account: each a function that reads, and one that saves what it is given."""

    def administrator(extension):
        token = issue_token(CrmUserFactory())
        who = RingCentralIdentity(account_id="400131", extension_id=extension, is_admin=True)

        def read():
            ringcentral(who)
            return client.get(f"/admin/settings?jwtToken={token}&rcAccessToken=t").json()

        def save(record):
            ringcentral(who)
            body = json.dumps({"adminSettings": record})
            assert (
                client.post("/admin/settings?rcAccessToken=t", body, content_type="application/json").status_code == 200
            )

        return read, save

    return administrator("101"), administrator("102")


def _with(record, **settings):
    return {**record, "userSettings": {**record["userSettings"], **settings}}


def test_what_one_administrator_saves_does_not_undo_what_another_saved_meanwhile(two):
    (read, save), (others_read, others_save) = two
    save(_with(read(), a={"value": 1}, b={"value": 1}))
    mine, others = read(), others_read()
    others_save({**_with(others, b={"value": 2}), "userMappings": [{"crmUserId": "7", "rcExtensionId": ["101"]}]})
    save(_with(mine, a={"value": 3}))
    save({**_with(mine, a={"value": 4}), "userMappings": [{"crmUserId": "8", "rcExtensionId": ["102"]}]})
    found = read()
    assert found["userSettings"] == {"a": {"value": 4}, "b": {"value": 2}}
    assert [entry["crmUserId"] for entry in found["userMappings"]] == ["7", "8"]


def test_an_administrator_can_take_a_setting_away_and_change_what_another_changed(two):
    (read, save), (others_read, others_save) = two
    save(_with(read(), a={"value": 1}, b={"value": 1}))
    mine = read()
    others_save(_with(others_read(), b={"value": 2}))
    save({**mine, "userSettings": {"b": {"value": 3}}})
    assert read()["userSettings"] == {"b": {"value": 3}}


def test_a_save_at_the_same_moment_is_merged_too(two, monkeypatch):
    (read, save), _ = two
    save(_with(read(), a={"value": 1}))
    mine, rebased, others = read(), settings_changes._rebased, iter([{"a": {"value": 1}, "b": {"value": 2}}])

    def after_somebody_else(*values):
        for settings in others:  # once
            AccountSettings.objects.update(settings=settings, version=F("version") + 1)
        return rebased(*values)

    monkeypatch.setattr(settings_changes, "_rebased", after_somebody_else)
    save(_with(mine, a={"value": 3}))
    assert read()["userSettings"] == {"a": {"value": 3}, "b": {"value": 2}}


def test_somebody_who_saves_without_having_read_saves_what_they_send(two):
    (read, save), (_, others_save) = two
    save(_with(read(), a={"value": 1}))
    others_save({"userSettings": {"b": {"value": 2}}})
    assert read()["userSettings"] == {"b": {"value": 2}}


def test_an_upload_that_unmaps_everybody_is_an_old_clients_mistake(read, write, ringcentral):
    mappings = [{"crmUserId": "1", "rcExtensionId": ["101"]}]
    write({"adminSettings": {"userMappings": mappings}})
    write({"adminSettings": {"userMappings": [{"crmUserId": "1", "rcExtensionId": "none"}]}})
    assert read().json()["userMappings"] == mappings


@pytest.mark.parametrize("body", [{}, [], {"adminSettings": None}, {"adminSettings": "x"}])
def test_a_body_without_settings_is_told_what_it_lacks(write, ringcentral, body):
    reply = write(body)
    assert (reply.status_code, reply.content) == (400, b"Invalid request: adminSettings: must be an object.")
    assert not AccountSettings.objects.exists()


@pytest.mark.parametrize(
    ("outcome", "status", "text"),
    [
        (RingCentralIdentity(account_id="1", extension_id="2", is_admin=False), 403, "Admin validation failed"),
        (CredentialsRejected(), 400, "RingCentral did not accept the access token."),
        (AccessDenied(), 400, "RingCentral did not accept the access token."),
        (CrmUnavailable(), 400, "RingCentral could not be asked who you are. Please try again later."),
    ],
)
def test_nobody_else_is_taken_for_an_administrator(read, write, ringcentral, outcome, status, text):
    ringcentral(outcome)
    for reply in (read(), write({"adminSettings": {"userSettings": {}}})):
        assert (reply.status_code, reply.content.decode()) == (status, text)
    assert read(rc_token="").content == b"Admin validation failed"
    assert not AccountSettings.objects.exists()
