"""Users of a CRM that this server does not offer any more, cannot load, or whose login it cannot read."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.utils import timezone

from adapters import registry
from audit.models import AuditEvent, CallLog
from connectors.api.authentication import issue_token
from connectors.deliveries.models import Delivery
from connectors.models import CrmUser
from connectors.services.crm_access import LoginUnreadable, refresh_credentials
from tests.extension import call, conversation
from tests.factories import CrmUserFactory

CONTACT = {"id": 1, "name": "Luke Skywalker", "type": "Contact"}
OPERATIONS = [
    ("get", "/contact?phoneNumber=+16505551212", None),
    ("get", "/custom/contact/search?name=luke", None),
    ("post", "/contact", {"phoneNumber": "+16505551212", "newContactName": "L"}),
    ("post", "/callLog", call("1", CONTACT)),
    ("post", "/messageLog", conversation("c", CONTACT, 2)),
    ("post", "/user/refreshInfo", {}),
    ("get", "/admin/serverLoggingSettings", None),
]


def _send(client, user, method, path, body=None):
    separator = "&" if "?" in path else "?"
    content = {} if body is None else {"data": body, "content_type": "application/json"}
    return getattr(client, method)(f"{path}{separator}jwtToken={issue_token(user)}", **content)


def _gone(**columns):
    return CrmUserFactory(platform="bygone", **columns)


def _unreadable(**columns):
    """A login that was encrypted with a key that is not listed any more."""
    user, other = CrmUserFactory(**columns), CrmUserFactory(**columns)
    CrmUser.objects.filter(pk=user.pk).update(access_token=other.__dict__["access_token"])
    return CrmUser.objects.get(pk=user.pk)


@pytest.fixture
def unloadable(monkeypatch):
    def refuse(platform):
        raise ImproperlyConfigured("adapters/testcrm cannot be imported: SyntaxError: secret line")

    monkeypatch.setattr(registry, "adapter_class", refuse)


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
def test_a_crm_that_is_not_offered_any_more_is_named_and_nothing_is_kept_for_it(client, method, path, body):
    reply = _send(client, _gone(), method, path, body)
    assert reply.status_code == 200
    told = reply.json()
    assert told["successful"] is False
    assert told["returnMessage"]["message"] == "bygone is not available on this server."
    assert "administrator" in str(told["returnMessage"]["details"])
    assert not CallLog.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_what_the_client_asks_about_such_a_session_is_answered(client):
    user = _gone()
    assert _send(client, user, "get", "/authValidation").json() == {"successful": True}
    assert _send(client, user, "get", "/licenseStatus").json()["isLicenseValid"] is False
    assert _send(client, user, "post", "/unAuthorize").json()["message"] == "Logged out of bygone"
    assert not CrmUser.objects.get(pk=user.pk).is_connected


@pytest.mark.django_db
@pytest.mark.usefixtures("unloadable")
def test_an_adapter_that_cannot_be_loaded_is_told_and_a_log_waits_for_it(client):
    user = CrmUserFactory()
    found = _send(client, user, "get", "/contact?phoneNumber=+16505551212").json()
    assert found["contact"] == []
    assert found["returnMessage"]["message"] == "Test CRM is not available on this server."
    logged = _send(client, user, "post", "/callLog", call("1", CONTACT)).json()["returnMessage"]
    assert logged["message"] == "Call log saved. It will be sent later."
    sentence = "Test CRM is not available on this server. Please tell your administrator."
    assert logged["details"][0]["items"][0]["text"] == sentence
    login = client.post("/apiKeyLogin", {"platform": "testCRM", "apiKey": "k"}, content_type="application/json")
    assert login.status_code == 400
    assert login.json()["returnMessage"]["message"] == "Test CRM is not available on this server."
    offered = client.get("/implementedInterfaces?platform=testCRM")
    assert (offered.status_code, offered.content) == (400, b"Test CRM is not available on this server.")
    assert "secret line" not in str([found, logged, login.content, AuditEvent.objects.values_list("detail", "error")])


@pytest.mark.django_db
def test_a_login_that_cannot_be_read_is_told_as_that_and_can_be_ended(client):
    user = _unreadable()
    told = _send(client, user, "get", "/contact?phoneNumber=+16505551212").json()
    assert told["returnMessage"]["message"] == "Your login at Test CRM cannot be read on this server."
    logged = _send(client, user, "post", "/callLog", call("1", CONTACT)).json()["returnMessage"]
    assert "connect" in str(logged["details"]).lower()
    assert _send(client, user, "post", "/unAuthorize").json()["message"] == "Logged out of Test CRM"
    assert not CrmUser.objects.get(pk=user.pk).is_connected


@pytest.mark.django_db
def test_a_login_that_was_renewed_meanwhile_with_a_key_not_listed_here_is_told_as_that():
    user, other = CrmUserFactory(), CrmUserFactory()
    used = str(user.access_token)
    CrmUser.objects.filter(pk=user.pk).update(access_token=other.__dict__["access_token"])
    with pytest.raises(LoginUnreadable):
        refresh_credentials(user, used=used)


@pytest.mark.django_db
def test_clear_tokens_is_not_stopped_by_logins_that_cannot_be_read_or_have_no_adapter():
    old = timezone.now() - timedelta(days=200)
    _gone(last_seen_at=old)
    _unreadable(last_seen_at=old)
    out = StringIO()
    call_command("clear_tokens", stdout=out)
    assert "bygone: expired sessions 1" in out.getvalue()
    assert "testCRM: expired sessions 2" in out.getvalue()
    assert not CrmUser.objects.exclude(access_token="").exists()
