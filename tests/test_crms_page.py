"""The cards of the CRMs, and the readiness checklist run from the browser."""

from __future__ import annotations

import re

import pytest
import requests

from adapters import registry
from audit.models import AuditEvent
from connectors.models import CrmUser
from connectors.roles import SUPPORT_ACT, SUPPORT_VIEW
from tests.factories import CrmUserFactory, signed_in
from tests.live_server import live_server

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db]
GIVEN = {"phone": "+16505550171", "formats": "", "contact_type": "Contact", "login_apiKey": "tried-key"}


@pytest.fixture
def staff(client):
    return signed_in(client, SUPPORT_ACT)


def _card(page, name):
    (card,) = [card for card in re.findall(r"<section.*?</section>", page, re.DOTALL) if f">{name}</h2>" in card]
    return " ".join(re.sub(r"<[^>]+>", " ", card).split())


def test_a_card_says_what_is_missing_and_what_to_register(staff, settings):
    settings.ADAPTER_VARIABLES = {"CLIO_CLIENT_ID": "x"}
    settings.APP_SERVER = "https://calls.example"
    page = staff.get("/admin/desk/crms/").content.decode()
    clio = _card(page, "Clio")
    assert "✕ not set up" in clio
    assert "Missing CLIO_CLIENT_SECRET Set it in .env and restart the server." in clio
    assert "Redirect URI https://ringcentral.github.io/ringcentral-embeddable/redirect.html" in clio
    assert "Try it" not in clio
    assert "Redirect URI https://calls.example/pipedrive-redirect" in _card(page, "Pipedrive")
    assert "Redirect URI" not in _card(page, "Insightly")


def test_a_card_says_who_logged_in_last_and_no_value_of_a_variable(staff, sandbox, settings):
    settings.ADAPTER_VARIABLES |= {"CLIO_CLIENT_ID": "the-id", "CLIO_CLIENT_SECRET": "the-secret"}
    CrmUserFactory()
    page = staff.get("/admin/desk/crms/").content.decode()
    card = _card(page, "Test CRM")
    assert "✓ set up" in card
    assert "Last login just now ; 1 connected now" in card
    assert "Try it" in card
    assert "the-secret" not in page


def test_who_only_sees_tries_nothing(client, sandbox):
    signed_in(client, SUPPORT_VIEW)
    assert "Try it" not in client.get("/admin/desk/crms/").content.decode()
    assert client.get("/admin/desk/crms/testCRM/").status_code == 403
    assert client.post("/admin/desk/crms/testCRM/", GIVEN).status_code == 403
    assert sandbox.requests_seen() == []


def test_the_checklist_runs_in_the_browser_and_leaves_no_login(staff, sandbox, caplog):
    reply = staff.post("/admin/desk/crms/testCRM/", GIVEN)
    page = b"".join(reply.streaming_content).decode()
    plain = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for step in ("Log in", "Current user", "Look up +16505550171", "Log a call", "Change its note", "Log an SMS"):
        assert f"✓ ok {step}" in plain, plain
    assert "How strict the search is lenient" in plain
    assert "Clean up to be deleted in Test CRM by hand: contact " in plain
    assert "✓ Test CRM is ready." in plain
    assert len(sandbox.activities("tried-key")) == 2
    assert not CrmUser.objects.exists()
    event = AuditEvent.objects.get(action="crm.try")
    assert (event.actor, event.platform) == ("staff:lee", "testCRM")
    assert event.detail["ok"] > 10
    assert "tried-key" not in page + caplog.text + str(event.detail)


def test_a_step_that_fails_is_shown_and_counted(staff, sandbox):
    sandbox.fail({"method": "GET", "path_prefix": "/api/me", "status": 503, "times": 3})
    reply = staff.post("/admin/desk/crms/testCRM/", GIVEN)
    plain = " ".join(re.sub(r"<[^>]+>", " ", b"".join(reply.streaming_content).decode()).split())
    assert "✗ FAILED Current user CrmUnavailable" in plain
    assert "✗ 1 step failed." in plain


@pytest.mark.parametrize(
    ("change", "said"),
    [({"phone": "12"}, "not a valid telephone number"), ({"login_apiKey": ""}, "This field is required")],
)
def test_a_mistake_in_the_form_is_told_before_anything_is_done(staff, sandbox, change, said):
    assert said in staff.post("/admin/desk/crms/testCRM/", {**GIVEN, **change}).content.decode()
    assert sandbox.requests_seen() == []


def test_an_oauth_login_leads_to_the_vendors_page_and_takes_the_address(staff, settings):
    settings.ADAPTER_VARIABLES = {name: f"value-{name}" for name in registry.manifests()["clio"].variables}
    page = staff.get("/admin/desk/crms/clio/").content.decode()
    assert "https://eu.app.clio.com/oauth/authorize?response_type=code&amp;client_id=value-CLIO_EU_CLIENT_ID" in page
    assert "value-CLIO_CLIENT_SECRET" not in page
    given = {"phone": "+16505550171", "hostname": "app.clio.com", "contact_type": "Person"}
    reply = staff.post("/admin/desk/crms/clio/", {**given, "address": "https://x.example/?code=1&state=other"})
    assert "does not carry the state of this login" in reply.content.decode()


@pytest.mark.parametrize("platform", ["nobody", "clio"])
def test_what_is_unknown_or_not_set_up_is_not_tried(staff, settings, platform):
    settings.ADAPTER_VARIABLES = {}
    assert staff.get(f"/admin/desk/crms/{platform}/").status_code == 404


def test_each_step_leaves_the_server_when_it_is_done(sandbox, tmp_path):
    """Through the web server: the first steps are there before a slow one has ended."""
    with live_server(tmp_path, SANDBOX="on", TEST_CRM_URL=sandbox.url) as running:
        code = "from django.contrib.auth.models import User; User.objects.create_superuser('kim', password='a' * 12)"
        running.manage("shell", "--no-imports", "-c", code)
        session = requests.Session()
        login = f"{running.url}/admin/login/?next=/admin/desk/crms/testCRM/"
        form = {"username": "kim", "password": "a" * 12, "csrfmiddlewaretoken": _token(session.get(login))}
        page = session.post(login, form, headers={"Referer": login})
        parts = []
        given = {**GIVEN, "login_apiKey": "watched-key", "csrfmiddlewaretoken": _token(page)}
        with session.post(page.url, given, headers={"Referer": page.url}, stream=True, timeout=60) as reply:
            assert "content-length" not in reply.headers
            for part in reply.iter_content(None):
                parts.append(part.decode())
        assert len(parts) > 3
        assert not any("Log in</strong>" in part and "is ready" in part for part in parts)
        assert "is ready" in "".join(parts)
        exported = session.post(
            f"{running.url}/admin/desk/export/",
            {"format": "csv", "csrfmiddlewaretoken": _token(page)},
            headers={"Referer": page.url},
        )
        assert exported.text.splitlines()[0].startswith("id,occurred_at")
        assert "crm.try" in exported.text


def _token(reply):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', reply.text)[1]
