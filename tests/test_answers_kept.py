"""What is to be written is kept through every answer that is not the CRM's verdict, at every CRM; and sent once."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from adapters import registry
from adapters.contract import pacing
from connectors.deliveries.models import Delivery
from connectors.models import CrmUser, RequestCount
from tests.extension import call, conversation
from tests.replayed_crm import Agent, ReplayedCrm
from tests.test_answers import _DEAD, NGINX, PAGE, SAID

pytestmark = pytest.mark.django_db(transaction=True)

#: Answers to a write after which nothing was written, and which pass.
PASSING = {
    "423": {"status": 423, "json": SAID, "headers": {"Retry-After": "120"}},
    "425": {"status": 425, "json": SAID},
    "477": {"status": 477, "json": SAID, "headers": {"Retry-After": "300"}},
    "403 with Retry-After": {"status": 403, "json": SAID, "headers": {"Retry-After": "60"}},
    "302": {"status": 302, "headers": {"Location": "https://status.example.com/maintenance"}},
    "403 page": {"status": 403, "text": PAGE},
    "404 page": {"status": 404, "text": NGINX},
    "400 page": {"status": 400, "text": PAGE},
}
IN_DOUBT = {"408": {"status": 408, "json": SAID}, "409": {"status": 409, "json": SAID}}
#: Verdicts, but those of a look are none on the change that follows it.
REFUSALS = {"400": {"status": 400, "json": SAID}, "403": {"status": 403, "json": SAID}}
#: Answers of a token endpoint that say nothing about the login.
TOKEN_TROUBLE = [
    {"status": 403, "text": "<!DOCTYPE html><title>Just a moment...</title>"},
    {"status": 404, "text": "<html>nginx</html>"},
    {"status": 302, "headers": {"Location": "https://x.example/"}},
    {"status": 408},
    {"status": 200, "text": "<html>maintenance</html>"},
    {"status": 400, "json": {"error": "temporarily_unavailable"}},
    {"status": 400, "json": {"error": "invalid_request"}},
    {"status": 403, "json": {"message": "Forbidden"}},
    {"status": 404, "json": {"message": "no Route matched"}},
    {"status": 401, "text": PAGE},
    {"status": 200, "json": {"maintenance": True}},
    {"status": 503, "text": "<html>invalid_grant</html>"},
]
PLATFORMS = [name for name in registry.manifests() if name != "exampleCRM"]
OAUTH = ["bullhorn", "clio", "pipedrive"]
CALLS = (
    "create_call_log__success",
    "get_call_log__success",
    "update_call_log__success",
    "find_call_log__none",
    "find_call_log__success",
)
TEXTS = (
    "create_message_log__success",
    "update_message_log__success",
    "find_message_log__none",
    "get_call_log__success",
)


def forget_paces():
    pacing._limiters.clear()
    RequestCount.objects.all().delete()


@pytest.fixture
def crm_of(settings):
    """Makes the CRM of a platform; its fixtures' secrets are this server's."""

    def make(platform, names):
        further = ["create_call_log__types_fetched"] if platform == "pipedrive" else []
        crm = ReplayedCrm(platform, *names, *further)
        settings.ADAPTER_VARIABLES = {**crm.given.get("secrets", {}), **APPLICATIONS.get(platform, {})}
        return crm

    return make


APPLICATIONS = {"clio": {"CLIO_CLIENT_ID": "id", "CLIO_CLIENT_SECRET": "secret"}}


def deliver(hours=1):
    forget_paces()  # waits of real seconds
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        call_command("deliver", stdout=StringIO())


def texts(name, contact, count, *, first):
    """A conversation whose messages have ids of their own: colleagues share those that are logged."""
    body = conversation(name, contact, count)
    for message in body["logInfo"]["messages"]:
        message["id"] += first
    return body


def lines(reply):
    return str(reply["returnMessage"].get("details"))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_new_call_is_kept_and_written_once(crm_of, client, platform):
    crm = crm_of(platform, CALLS)
    with crm.running():
        for name, answer in PASSING.items():
            user = crm.user()
            me = Agent(client, user)
            crm.fail("write", answer)
            told = me.ask("post", "/callLog", call(name, crm.contact()))
            assert told["returnMessage"]["message"].startswith("Call log saved. It will be sent"), (name, told)
            first = crm.writes()
            assert len(first) == 1
            deliver()
            assert me.is_logged(name), name
            assert [line for line in crm.writes() if line == first[0]] == first, name


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_new_call_in_doubt_is_looked_for_and_written_once(crm_of, client, platform):
    crm = crm_of(platform, CALLS)
    with crm.running():
        for name, answer in IN_DOUBT.items():
            me = Agent(client, crm.user())
            crm.fail("write", answer)
            told = me.ask("post", "/callLog", call(name, crm.contact()))
            assert told["returnMessage"]["message"].startswith("Call log saved."), (name, told)
            assert "before anything is sent again" in lines(told)
            first = crm.writes()
            deliver()
            assert me.is_logged(name), name
            looked = crm.sent[: crm.sent.index(first[0])]
            assert looked, "it was written again without a look"
            assert crm.writes().count(first[0]) == 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_edit_is_kept_whether_the_look_or_the_write_is_answered_badly(crm_of, client, platform):
    crm = crm_of(platform, CALLS)
    with crm.running():
        me = Agent(client, crm.user())
        assert me.ask("post", "/callLog", call("edited", crm.contact()))["successful"]
        look = crm.address_of("get_call_log__success")
        for where, answers in ((look, {**REFUSALS, **PASSING}), ("write", PASSING)):
            for name, answer in answers.items():
                forget_paces()
                crm.fail(where, answer)
                told = me.ask("patch", "/callLog", {"sessionId": "edited", "note": f"{where == 'write'} {name}"})
                assert told["returnMessage"]["message"].startswith("Change saved."), (where, name, told)
                crm.writes()
                deliver()
                assert crm.writes(), (where, name)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_texts_are_kept_whether_they_begin_a_day_or_follow(crm_of, client, platform):
    crm = crm_of(platform, TEXTS)
    with crm.running():
        for number, (name, answer) in enumerate(PASSING.items()):
            me = Agent(client, crm.user())
            crm.fail("write", answer)
            told = me.ask("post", "/messageLog", texts(name, crm.contact(), 1, first=10 * number))
            assert told["returnMessage"]["message"].startswith("Messages saved."), (name, told)
            deliver()
            assert crm.writes(), name
            forget_paces()
            crm.fail("write", answer)
            told = me.ask("post", "/messageLog", texts(name, crm.contact(), 2, first=10 * number))
            assert told["returnMessage"]["message"].startswith("Messages saved."), (name, told)
            crm.writes()
            deliver()
            assert crm.writes(), name


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_refusal_in_the_crms_own_words_is_told_at_once(crm_of, client, platform):
    crm = crm_of(platform, CALLS)
    with crm.running():
        for status in (400, 403, 422):
            me = Agent(client, crm.user())
            refusal = {"status": status, "json": SAID}
            crm.fail("write", refusal, refusal)  # one adapter leaves links out and asks again
            told = me.ask("post", "/callLog", call(f"refused-{status}", crm.contact()))
            assert told["successful"] is False, told
            crm.writes()
            crm.faults.clear()
            deliver()
            assert crm.writes() == []


def test_a_page_that_does_not_go_away_is_shown_to_support_and_drops_nothing(crm_of, client):
    crm = crm_of("clio", CALLS)
    page = PASSING["403 page"]
    with crm.running():
        me = Agent(client, crm.user())
        crm.fail("write", *[page] * 40)
        assert me.ask("post", "/callLog", call("page", crm.contact()))["returnMessage"]["message"].startswith(
            "Call log"
        )
        for hours in range(1, 30):
            deliver(hours)
        tries = 40 - len(crm.faults)
        assert 2 <= tries <= 15  # and then a person has to look
        [kept] = Delivery.objects.all()
        assert kept.state == "person"


@pytest.mark.parametrize("platform", OAUTH)
def test_trouble_at_the_token_endpoint_says_nothing_about_the_log_or_the_login(crm_of, client, platform):
    crm = crm_of(platform, (*CALLS, "refresh__success"))
    with crm.running():
        for number, answer in enumerate(TOKEN_TROUBLE):
            user = crm.user(expires_at="2026-01-15T12:00:00Z")
            before = CrmUser.objects.get(pk=user.pk).refresh_token
            me = Agent(client, user)
            crm.fail("oauth", answer)
            told = me.ask("post", "/callLog", call(f"token-{number}", crm.contact()))
            assert told["returnMessage"]["message"].startswith("Call log saved. It will be sent"), (answer, told)
            assert crm.writes() == [], answer
            row = CrmUser.objects.get(pk=user.pk)
            assert row.is_connected
            assert row.refresh_token == before, answer
            assert "was not understood" not in lines(told)  # it would be shown to support after some tries
            deliver()
            assert me.is_logged(f"token-{number}"), answer
            assert len(crm.writes()) >= 1


def test_trouble_at_the_opening_of_a_session_says_nothing_about_the_log_or_the_login(crm_of, client):
    crm = crm_of("bullhorn", (*CALLS, "refresh__success"))
    with crm.running():
        for number, answer in enumerate([*TOKEN_TROUBLE, {"status": 401, "json": SAID}]):
            user = crm.user(expires_at="2026-01-15T12:00:00Z")
            me = Agent(client, user)
            crm.fail("rest-services/login", answer)
            told = me.ask("post", "/callLog", call(f"session-{number}", crm.contact()))
            assert told["returnMessage"]["message"].startswith("Call log saved. It will be sent"), (answer, told)
            assert CrmUser.objects.get(pk=user.pk).is_connected
            deliver()
            assert me.is_logged(f"session-{number}"), answer


@pytest.mark.parametrize("platform", OAUTH)
def test_a_grant_that_is_dead_ends_the_login_and_keeps_the_log(crm_of, client, platform):
    crm = crm_of(platform, (*CALLS, "refresh__success"))
    with crm.running():
        for number, answer in enumerate(_DEAD):
            user = crm.user(expires_at="2026-01-15T12:00:00Z")
            me = Agent(client, user)
            crm.fail("oauth", answer)
            told = me.ask("post", "/callLog", call(f"dead-{number}", crm.contact()))
            assert told["errorCode"] == "CRM_SESSION_REVOKED", (answer, told)
            assert told["returnMessage"]["message"] == "User session expired. Please connect again."
            assert not CrmUser.objects.get(pk=user.pk).is_connected
            assert "saved" in lines(told)


@pytest.mark.parametrize("platform", OAUTH)
def test_a_wrong_secret_of_this_server_is_told_logged_and_costs_nothing(crm_of, client, caplog, platform):
    crm = crm_of(platform, (*CALLS, "refresh__success"))
    wrong = {"status": 401, "json": {"error": "invalid_client", "error_description": "secret s3cret is wrong"}}
    with crm.running():
        user = crm.user(expires_at="2026-01-15T12:00:00Z")
        me = Agent(client, user)
        crm.fail("oauth", wrong, wrong)
        told = me.ask("post", "/callLog", call("secret", crm.contact()))
        assert told["returnMessage"]["message"] == "Call log saved. It will be sent later."
        name = registry.manifests()[platform].display_name
        assert f"This server's credentials for {name} are wrong; tell your administrator." in lines(told)
        assert CrmUser.objects.get(pk=user.pk).is_connected
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [record.getMessage() for record in errors if record.name == "switchboard.outbound"] == [
            f"this server is not set up rightly for {platform}: The CRM does not accept this server's own credentials."
        ]
        assert "s3cret" not in caplog.text
        looked_up = me.ask("get", "/contact?phoneNumber=+16505550112&overridingFormat=")
        assert looked_up["returnMessage"]["message"].startswith(f"This server's credentials for {name} are wrong")
        deliver()
        assert me.is_logged("secret")
