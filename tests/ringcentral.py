"""A small RingCentral behind this server, and people whose extension calls it: fixtures for tests of their login."""

from __future__ import annotations

import pytest

from connectors.api.authentication import issue_token
from connectors.models import RingCentralLogin
from tests.factories import CrmUserFactory
from tests.fakes.ringcentral import CLIENT, running_ringcentral

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
