"""What an administrator of a RingCentral account sets for everybody in it."""

from __future__ import annotations

import json

import pytest

from adapters.contract import AccessDenied, CredentialsRejected, CrmUnavailable
from connectors.api import settings as settings_api
from connectors.api.authentication import issue_token
from connectors.models import AccountSettings
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
