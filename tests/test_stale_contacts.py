"""A contact, or a choice made for it, that went away in the CRM: what is logged, what is told, what is shown next."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from audit.models import CallLog, ConversationLog, LogState
from connectors.models import ContactMatch
from tests.extension import call, conversation
from tests.live_server import free_port

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
NUMBER = "+14155550123"
GONE = "no longer exists in Test CRM: it may have been deleted or merged. Search for the contact again."

_keys = iter(range(1000))
_sessions = iter(range(720_0001, 730_0000))


@pytest.fixture
def key():
    """A person of the sandbox with records of their own."""
    return f"stale-{next(_keys)}"


@pytest.fixture
def ines(me, sandbox, key):
    """Looked up, so that the look-up is kept."""
    _add(sandbox, key, "Ines Pardo")
    return _shown(me)[0]


def _add(sandbox, key, name):
    body = {"name": name, "type": "Contact", "phones": [NUMBER]}
    return sandbox.request("POST", "/api/contacts", key=key, json=body).json()["contact"]


def _merge(sandbox, key, contact):
    """As a merge in the CRM: the contact is gone, its number is a new one's."""
    assert sandbox.request("DELETE", f"/api/contacts/{contact['id']}", key=key).status_code == 204
    return _add(sandbox, key, "Ines Pardo-Lind")["id"]


def _shown(me):
    return [row for row in me.look_up(NUMBER)["contact"] if not row.get("isNewContact")]


def _log_call(me, contact, session, **members):
    return me.log_call(call(session, contact, **members))


def _log_texts(me, contact, session, **members):
    return me.log_messages(conversation(f"c{session}", contact, 1, **members))


def _worker():
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        call_command("deliver", stdout=StringIO())


@pytest.mark.parametrize("log", [_log_call, _log_texts], ids=["call", "texts"])
def test_a_contact_that_a_log_found_gone_is_looked_up_anew(me, ines, sandbox, key, log):
    successor = _merge(sandbox, key, ines)

    refused = log(me, ines, str(next(_sessions)))

    assert refused["successful"] is False
    assert GONE in str(refused["returnMessage"]["details"])
    assert sandbox.activities(key) == []
    assert not ContactMatch.objects.exists()
    assert [row["id"] for row in _shown(me)] == [successor]


@pytest.mark.parametrize("log", [_log_call, _log_texts], ids=["call", "texts"])
def test_the_same_where_a_worker_is_told(me, ines, sandbox, key, settings, log):
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{free_port()}"}
    assert "saved" in log(me, ines, str(next(_sessions)))["returnMessage"]["message"]
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": sandbox.url}
    successor = _merge(sandbox, key, ines)

    _worker()

    assert sandbox.activities(key) == []
    assert [row["id"] for row in _shown(me)] == [successor]


def test_look_ups_of_others_stay(me, ines, sandbox, key):
    me.look_up("+16505551212")
    _merge(sandbox, key, ines)

    _log_call(me, ines, str(next(_sessions)))

    assert ContactMatch.objects.count() == 1


@pytest.mark.parametrize(
    ("log", "done"), [(_log_call, "Call logged"), (_log_texts, "Message logged")], ids=["call", "texts"]
)
@pytest.mark.parametrize("is_kept", [False, True], ids=["at once", "by a worker"])
def test_a_deal_that_is_gone_costs_no_log(me, ines, sandbox, key, settings, log, done, is_kept):
    if is_kept:
        settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{free_port()}"}

    reply = log(me, ines, str(next(_sessions)), additionalSubmission={"deals": "deal-999999"})

    if is_kept:
        settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": sandbox.url}
        _worker()
    else:
        told = f"{done}. The deal no longer exists in Test CRM and was left out."
        assert (reply["successful"], reply["returnMessage"]["message"]) == (True, told)
    (record,) = sandbox.activities(key)
    assert (record["contact_id"], record["deal_id"]) == (ines["id"], None)
    states = [
        *CallLog.objects.values_list("state", flat=True),
        *ConversationLog.objects.values_list("state", flat=True),
    ]
    assert states == [LogState.LOGGED]
    assert not ContactMatch.objects.exists()  # it offered the deal


@pytest.mark.parametrize("is_kept", [False, True], ids=["at once", "by a worker"])
def test_a_deal_that_is_gone_costs_no_choice_made_after_the_call(me, ines, sandbox, key, settings, is_kept):
    session = str(next(_sessions))
    _log_call(me, ines, session)
    if is_kept:
        settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{free_port()}"}

    reply = me.dispose(session, deals="deal-999999", address="12 High Street")

    if is_kept:
        settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": sandbox.url}
        _worker()
    else:
        assert "The deal no longer exists" in reply["returnMessage"]["message"]
    (record,) = sandbox.activities(key)
    assert (record["deal_id"], record["address"]) == (None, "12 High Street")


def test_a_deal_that_is_gone_costs_no_further_text_of_the_day(me, ines, sandbox, key):
    session = str(next(_sessions))
    _log_texts(me, ines, session)
    further = conversation(f"c{session}", ines, 2, additionalSubmission={"deals": "deal-999999"})

    reply = me.log_messages(further)

    assert reply["returnMessage"]["message"].startswith("Message logged. The deal no longer exists")
    (record,) = sandbox.activities(key)
    assert "text number 1" in record["body"]


def test_a_login_that_a_log_found_refused_is_told_by_the_next_look_up(me, ines, sandbox):
    sandbox.fail({"method": "POST", "path_prefix": "/api/activities", "status": 401, "times": 1})
    _log_call(me, ines, str(next(_sessions)))
    sandbox.fail({"method": "GET", "path_prefix": "/api/contacts", "status": 401, "times": 1})

    told = me.look_up(NUMBER)

    assert (told["successful"], told["returnMessage"]["message"]) == (False, "Authorization error")
    assert [row["id"] for row in _shown(me)] == [ines["id"]]  # the CRM accepts the login again
    sandbox.reset()
    assert [row["id"] for row in _shown(me)] == [ines["id"]]
    assert sandbox.requests_seen() == []
