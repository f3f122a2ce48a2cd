"""Who gets the console, and whose requests to the CRM its own route tells of."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import responses
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from audit.middleware import on_behalf_of
from audit.models import CallLog
from audit.recorder import record
from connectors.api.authentication import issue_token
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from tests.factories import CrmUserFactory

LOCAL = {"HTTP_HOST": "127.0.0.1:8000", "SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}
CALLS = "/console/crm-calls?request=r-1"
SANDBOX = "/console/sandbox"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on(settings):
    settings.CONSOLE = True
    settings.HOST = "127.0.0.1"
    settings.APP_SERVER = "http://127.0.0.1:8000"


def sign_in(client, **flags):
    user = User.objects.create_user("kim", password="a" * 12, **flags)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")


# --- who may use it ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_on_this_machine_nobody_has_to_sign_in(client, host):
    reply = client.get("/", **{**LOCAL, "HTTP_HOST": host})
    assert reply.status_code == 200
    assert "Switchboard console" in reply.text
    assert reply["Cache-Control"] == "no-store"


#: What makes a request one that another machine may have sent.
ELSEWHERE = {
    "the name in Host": ({"HTTP_HOST": "switchboard.example.com"}, {}),
    "a listener open to all": ({}, {"HOST": "0.0.0.0"}),
    "the socket it came to": ({"SERVER_NAME": "192.0.2.7"}, {}),
    "the server's public address": ({}, {"APP_SERVER": "https://switchboard.example.com"}),
    "the caller's address": ({"REMOTE_ADDR": "192.0.2.7"}, {}),
    "a proxy that says so": ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {}),
    "a trusted proxy": ({}, {"TRUSTED_PROXIES": 1}),
}


@pytest.mark.parametrize(("request_change", "settings_change"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_from_elsewhere_only_staff_gets_in(client, settings, request_change, settings_change):
    settings.ALLOWED_HOSTS = ["*"]
    for name, value in settings_change.items():
        setattr(settings, name, value)
    meta = {**LOCAL, **request_change}
    reply = client.get("/", **meta)
    assert (reply.status_code, reply["Location"]) == (302, "/admin/login/?next=/")
    token = f"Bearer {issue_token(CrmUserFactory())}"
    assert client.get(CALLS, HTTP_AUTHORIZATION=token, **meta).status_code == 403
    assert client.get(SANDBOX, HTTP_AUTHORIZATION=token, **meta).status_code == 403
    sign_in(client, is_staff=True)
    assert client.get("/", **meta).status_code == 200
    assert client.get(CALLS, HTTP_AUTHORIZATION=token, **meta).status_code == 200


def test_a_sign_in_that_is_not_staffs_does_not_count(client, settings):
    sign_in(client, is_staff=False)
    assert client.get("/", **{**LOCAL, "REMOTE_ADDR": "192.0.2.7"}).status_code == 302


def test_switched_off_there_is_only_the_desk(client, settings):
    settings.CONSOLE = False
    assert client.get("/", **LOCAL)["Location"] == "/admin/"
    reply = client.get(CALLS, HTTP_AUTHORIZATION=f"Bearer {issue_token(CrmUserFactory())}", **LOCAL)
    assert reply.status_code == 404


@pytest.mark.parametrize("path", ["/", CALLS, SANDBOX])
def test_no_page_of_another_origin_may_read_it(client, path):
    reply = client.get(path, HTTP_ORIGIN="https://evil.example.com", **LOCAL)
    assert not [name for name in reply.headers if name.startswith("Access-Control-")]
    asked = {"HTTP_ORIGIN": "https://evil.example.com", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}
    preflight = client.options(path, HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization", **asked, **LOCAL)
    assert not [name for name in preflight.headers if name.startswith("Access-Control-")]


def test_it_says_what_unconfigured_crms_lack_and_no_secret(client, settings):
    settings.ADAPTER_VARIABLES = {"CLIO_CLIENT_ID": "an-id", "REDTAIL_API_KEY": "a-secret-key"}
    reply = client.get("/", **LOCAL)
    facts = json.loads(re.search(r'<script id="facts"[^>]*>(.*?)</script>', reply.text)[1])
    lacking = {row["platform"]: row["missing"] for row in facts["notSetUp"]}
    assert lacking["clio"] == ["CLIO_CLIENT_SECRET"]
    assert "redtail" not in lacking
    assert "a-secret-key" not in reply.text


def test_each_script_of_the_page_is_short():
    scripts = list((Path(settings.BASE_DIR) / "connectors/console/static/console").glob("*.js"))
    assert len(scripts) > 15
    assert {script.name for script in scripts if len(script.read_text().splitlines()) > 300} == set()


# --- the requests to the CRM behind a request ----------------------------------------------------


def happened(user, *, actor="", request_id="r-1", owner=""):
    requests = [["GET", "/api/contacts", 200, 12, ""]]
    with on_behalf_of(request_id):
        record("contact.find", actor=actor or user.actor, platform=user.platform, owner=owner or user.owner,
               crm_calls=1, detail={"requests": requests})  # fmt: skip


def events(client, user, request_id="r-1"):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {issue_token(user)}"}
    reply = client.get(f"/console/crm-calls?request={request_id}", **bearer, **LOCAL)
    assert reply.status_code == 200
    return reply.json()["events"]


def test_the_owner_of_the_token_sees_what_was_asked_of_the_crm(client):
    me = CrmUserFactory()
    happened(me)
    happened(me, actor="worker")
    first, later = events(client, me)
    assert first["requests"] == [{"method": "GET", "path": "/api/contacts", "status": 200, "milliseconds": 12}]
    assert (first["byWorker"], later["byWorker"]) == (False, True)


def test_nobody_sees_what_belongs_to_somebody_else(client):
    me, other = CrmUserFactory(), CrmUserFactory()
    colleague = CrmUserFactory(crm_account_id="acme")
    own = CrmUserFactory(crm_account_id="acme")
    happened(other)
    happened(colleague, request_id="r-2")
    assert events(client, me) == []
    assert events(client, own, "r-2") == []  # of one company, and still not one's own request
    assert events(client, me, "") == []


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic eDp5"])
def test_without_a_token_there_is_nothing(client, header):
    assert client.get(CALLS, HTTP_AUTHORIZATION=header, **LOCAL).status_code == 401
    assert client.get(SANDBOX, HTTP_AUTHORIZATION=header, **LOCAL).status_code == 401


# --- the sandbox ---------------------------------------------------------------------------------


def order(client, user, body, **more):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {issue_token(user)}"}
    return client.post(SANDBOX, body, content_type="application/json", **bearer, **LOCAL, **more)


@responses.activate
def test_trouble_is_ordered_with_the_visitors_own_login_and_its_end_makes_due_what_waits(client):
    me, other = CrmUserFactory(), CrmUserFactory()
    waiting = [kept(user) for user in (me, other)]
    told = responses.post("http://127.0.0.1:8070/demonstration", json={"trouble": "", "activities": []})
    assert order(client, me, {"trouble": "down"}).json() == {"trouble": "", "activities": []}
    assert told.calls[0].request.headers["Authorization"] == "Basic ZGVtby1rZXk6"
    assert json.loads(told.calls[0].request.body) == {"trouble": "down"}
    assert [is_due(delivery) for delivery in waiting] == [False, False]
    order(client, me, {"trouble": ""})
    assert [is_due(delivery) for delivery in waiting] == [True, False]


def kept(user):
    """A change of the user's that waits for an hour yet."""
    log = CallLog.objects.create(platform=user.platform, owner=user.owner, user=user, session_id=user.wire_id)
    later = timezone.now() + timedelta(hours=1)
    return Delivery.objects.create(user=user, call_log=log, platform=user.platform, crm=user.crm, kind=Kind.CREATE,
                                   next_attempt_at=later)  # fmt: skip


def is_due(delivery):
    delivery.refresh_from_db()
    return delivery.next_attempt_at <= timezone.now()


@pytest.mark.parametrize("body", ["[]", "{}", '{"trouble": 1}', "nonsense", '{"trouble": null}'])
def test_a_malformed_order_is_refused(client, body):
    assert order(client, CrmUserFactory(), body).status_code == 400


@responses.activate
@pytest.mark.parametrize(("status", "expected"), [(401, 409), (503, 502), (422, 502)])
def test_a_sandbox_that_refuses_is_told_in_a_sentence(client, status, expected):
    responses.post("http://127.0.0.1:8070/demonstration", status=status, json={"code": "x", "message": "No."})
    reply = order(client, CrmUserFactory(), {"trouble": "down"})
    assert reply.status_code == expected
    assert reply.json()["error"]


@pytest.mark.parametrize("platform", ["insightly", "exampleCRM"])
def test_other_crms_have_no_such_switches(client, platform):
    user = CrmUserFactory(platform=platform)
    assert order(client, user, {"trouble": "down"}).status_code == 404
