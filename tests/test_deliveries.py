"""What a CRM cannot take now is kept and sent later: in order, once, and to nobody's surprise."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from adapters.contract import pacing
from audit.models import AuditEvent, CallLog, ConversationLog, LogState, MessageLog
from connectors.deliveries import circuit, sending, support, worker
from connectors.deliveries.models import Circuit, Delivery, State
from connectors.models import CrmUser
from connectors.services.sessions import forget
from tests.extension import Extension, call, conversation
from tests.live_server import free_port

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
KEPT = "Call log saved. It will be sent when Test CRM is back."
WRITES = {"method": "POST", "path_prefix": "/api/activities", "times": None}


@pytest.fixture
def sandbox(sandbox, settings):
    settings.OUTBOUND_READ_TIMEOUT = 2
    settings.DELIVERY_LEASE = timedelta(seconds=24)
    return sandbox


_sessions = iter(range(7000, 8000))


@pytest.fixture
def session():
    """A session id of this test alone: the sandbox CRM lives as long as the module."""
    return str(next(_sessions))


def send(*, after: float = 30) -> str:
    """A worker's turn, so many seconds from now."""
    out = StringIO()
    with time_machine.travel(timezone.now() + timedelta(seconds=after)):
        call_command("deliver", stdout=out)
    return out.getvalue()


def settle() -> None:
    """From now on "not found" means that it is not there."""
    Delivery.objects.exclude(settles_at=None).update(settles_at=timezone.now(), hold_until=timezone.now())


def records(sandbox, session: str) -> list[dict]:
    return [row for row in sandbox.activities() if row["external_id"] == session]


def down(settings, seconds: float = 0) -> None:
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{free_port()}"}


def up(settings, sandbox) -> None:
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": sandbox.url}


def test_a_call_logged_while_the_crm_is_down_is_kept_encrypted_and_sent_when_it_is_back(
    me, luke, sandbox, settings, session
):
    down(settings)
    reply = me.log_call(call(session, luke, note="Wants the blue one"))
    assert reply["successful"] is True
    assert reply["returnMessage"]["message"] == KEPT
    assert "logId" not in reply
    assert me.logged(session) == [{"sessionId": session, "matched": False}]
    with connection.cursor() as cursor:
        cursor.execute("SELECT payload FROM deliveries_delivery")
        assert "blue" not in cursor.fetchone()[0]
    assert CallLog.objects.get().state == LogState.QUEUED
    assert send() == "0 sent, 1 still wait.\n"
    up(settings, sandbox)
    assert send(after=60) == "1 sent, 0 still wait.\n"
    (record,) = records(sandbox, session)
    assert "Wants the blue one" in record["body"]
    (found,) = me.logged(session)
    assert (found["matched"], found["logId"]) == (True, record["id"])
    assert not Delivery.objects.exists()
    assert [event.actor for event in AuditEvent.objects.filter(subject=session).order_by("pk")][-1] == "worker"


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": "before"}, {"drop": "after_commit"}, {"delay_ms": 3000}])
def test_a_write_of_unknown_outcome_is_looked_for_before_it_is_sent_again(me, luke, sandbox, session, fault):
    sandbox.fail({**WRITES, **fault, "times": 1})
    assert me.log_call(call(session, luke))["returnMessage"]["message"] == KEPT
    assert CallLog.objects.get().state == LogState.UNCERTAIN
    assert send() == "1 sent, 0 still wait.\n"
    assert len(records(sandbox, session)) == 1
    assert me.logged(session)[0]["matched"]


def test_a_record_that_is_another_calls_is_not_taken_for_the_lost_one(me, luke, sandbox, session, monkeypatch):
    other = me.log_call(call(session + "-other", luke))["logId"]
    sandbox.fail({**WRITES, "drop": "before", "times": 1})
    me.log_call(call(session, luke))
    monkeypatch.setattr("adapters.testcrm.adapter.Adapter.find_call_log", lambda adapter, marker: other)
    send()
    assert len(records(sandbox, session)) == 1
    assert CallLog.objects.filter(state=LogState.LOGGED).count() == 2


def test_a_rate_limit_is_waited_out_by_workers_and_by_the_user_who_asks_again(me, luke, sandbox, session):
    sandbox.fail({**WRITES, "status": 429, "retry_after": 60, "times": 1})
    reply = me.log_call(call(session, luke))
    assert reply["returnMessage"]["message"] == KEPT
    assert "accepts no more requests" in str(reply["returnMessage"]["details"])
    sandbox.reset()
    assert send(after=0) == "0 sent, 0 still wait.\n"
    assert me.log_call(call(session, luke))["returnMessage"]["message"] == KEPT
    assert not [line for line in sandbox.requests_seen() if line.startswith("POST /api/activities")]
    pacing._limiters.clear()  # it waits for seconds that pass
    assert send(after=61) == "1 sent, 0 still wait.\n"
    assert len(records(sandbox, session)) == 1


def test_what_arrives_meanwhile_is_applied_in_order(me, luke, sandbox, settings, session):
    down(settings)
    me.log_call(call(session, luke, note="first"))
    deal = luke["additionalInfo"]["deals"][0]["const"]
    for reply in (
        me.edit_call(session, note="second"),
        me.dispose(session, deals=deal),
        me.edit_call(session, note="third", duration=99),
    ):
        assert reply["successful"] is True
        assert reply["returnMessage"]["message"] == "Change saved. It will be sent when Test CRM is back."
    up(settings, sandbox)
    assert send(after=60) == "4 sent, 0 still wait.\n"
    (record,) = records(sandbox, session)
    assert record["body"].startswith("- Note: third\n")
    assert record["duration_seconds"] == 99
    assert me.logged(session, details=True)[0]["logData"]["dispositions"]["deals"] == deal


def test_what_waited_behind_another_change_is_sent_right_after_it(me, luke, sandbox, settings, session):
    down(settings)
    me.log_call(call(session, luke))
    me.edit_call(session, note="second")
    up(settings, sandbox)
    assert me.log_call(call(session, luke, note="first"))["logId"]  # the user asks again: only this one is sent
    assert send(after=1) == "1 sent, 0 still wait.\n"
    assert records(sandbox, session)[0]["body"].startswith("- Note: second\n")


def test_a_user_who_asks_again_does_not_wait_for_the_worker_and_the_newest_version_counts(
    me, luke, sandbox, settings, session
):
    down(settings)
    me.log_call(call(session, luke, note="first"))
    up(settings, sandbox)
    assert me.log_call(call(session, luke, note="second"))["logId"]
    (record,) = records(sandbox, session)
    assert "second" in record["body"]
    assert send() == "0 sent, 0 still wait.\n"


@pytest.mark.parametrize("drop", ["before", "after_commit"])
@pytest.mark.parametrize("is_back", [True, False])
def test_a_note_that_is_new_when_a_call_in_doubt_is_logged_again_reaches_the_log(
    me, luke, sandbox, settings, session, drop, is_back
):
    sandbox.fail({**WRITES, "drop": drop, "times": 1})
    me.log_call(call(session, luke, note="first"))
    if not is_back:
        down(settings)
    settle()
    reply = me.log_call(call(session, luke, note="second"))
    assert reply["successful"] is True
    assert bool(reply.get("logId")) is is_back
    up(settings, sandbox)
    send(after=60)
    (record,) = records(sandbox, session)
    assert record["body"].startswith("- Note: second\n")
    assert not Delivery.objects.exclude(kind="log.look_again").exists()
    send(after=120)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("drop", ["before", "after_commit"])
@pytest.mark.parametrize("is_back", [True, False])
@pytest.mark.parametrize("note", ["second", ""])
def test_a_call_in_doubt_that_was_handed_back_has_the_newest_note_when_it_is_logged_again(
    me, luke, sandbox, settings, session, drop, is_back, note
):
    sandbox.fail({**WRITES, "drop": drop, "times": 1})
    me.log_call(call(session, luke, note="first"))
    assert support.hand_back(Delivery.objects.get())
    if not is_back:
        down(settings)
    reply = me.log_call(call(session, luke, note=note))
    assert reply["successful"] is True
    up(settings, sandbox)
    send(after=60)
    (record,) = records(sandbox, session)
    assert record["body"].startswith(f"- Note: {note or 'first'}\n")
    send(after=120)
    assert not Delivery.objects.exists()


def test_a_call_that_is_written_anew_after_it_was_handed_back_is_not_edited_besides(
    me, luke, sandbox, settings, session
):
    sandbox.fail({**WRITES, "drop": "before", "times": 1})
    me.log_call(call(session, luke, note="first"))
    support.hand_back(Delivery.objects.get())
    CallLog.objects.update(updated_at=timezone.now() - timedelta(minutes=5))
    assert me.log_call(call(session, luke, note="second"))["logId"]
    assert records(sandbox, session)[0]["body"].startswith("- Note: second\n")
    assert not AuditEvent.objects.filter(action="call_log.update").exists()


def test_an_attempt_that_lands_after_its_call_was_handed_back_and_logged_again_is_found(
    me, luke, sandbox, settings, session
):
    """The CRM takes its time: the record appears after the agent has logged again."""
    sandbox.fail({**WRITES, "drop": "before", "times": 1})
    entry = call(session, luke, note="first")
    me.log_call(entry)
    support.hand_back(Delivery.objects.get())
    assert not me.log_call(call(session, luke, note="second")).get("logId"), "too early to know that it is not there"
    record = {"kind": "call", "subject": "late", "body": "- Note: first\n", "external_id": session}
    assert sandbox.request("POST", "/api/activities", key="demo-key", json=record).status_code == 201
    send(after=60)
    (record,) = records(sandbox, session)
    assert record["body"].startswith("- Note: second\n")


def test_an_edit_of_a_log_in_a_crm_that_is_down_is_kept(me, luke, sandbox, settings, session):
    me.log_call(call(session, luke))
    down(settings)
    assert me.edit_call(session, note="later")["returnMessage"]["message"].startswith("Change saved.")
    assert me.logged(session)[0]["matched"]
    up(settings, sandbox)
    send()
    assert records(sandbox, session)[0]["body"].startswith("- Note: later\n")


def test_messages_of_a_day_are_kept_one_by_one_and_written_once(me, luke, sandbox, settings, session):
    down(settings)
    first = me.log_messages(conversation(session, luke, 3))
    assert (first["successful"], len(first["logIds"])) == (True, 3)
    assert first["returnMessage"]["message"] == "Messages saved. They will be sent when Test CRM is back."
    assert me.log_messages(conversation(session, luke, 3))["logIds"] == []
    assert len(me.log_messages(conversation(session, luke, 5))["logIds"]) == 2
    assert MessageLog.objects.exclude(delivery_id=None).count() == 5
    up(settings, sandbox)
    assert send(after=60) == "2 sent, 0 still wait.\n"
    (day,) = records(sandbox, f"{session}/2026-05-04")
    assert [day["body"].count(f"text number {index} ") for index in range(5)] == [1] * 5
    assert MessageLog.objects.filter(delivery_id=None).count() == 5
    assert ConversationLog.objects.get().state == LogState.LOGGED


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_messages_whose_answer_was_lost_are_not_written_twice(me, luke, sandbox, session, method):
    if method == "PATCH":
        me.log_messages(conversation(session, luke, 2))
    sandbox.fail({**WRITES, "method": method, "drop": "after_commit", "times": 1})
    assert me.log_messages(conversation(session, luke, 4))["returnMessage"]["message"].startswith("Messages saved.")
    assert send() == "1 sent, 0 still wait.\n"
    (day,) = records(sandbox, f"{session}/2026-05-04")
    assert [day["body"].count(f"text number {index} ") for index in range(4)] == [1] * 4


def texts(sandbox, session: str, count: int, *, key: str = "demo-key") -> list[int]:
    """How often each text stands in the day's record."""
    (day,) = (row for row in sandbox.activities(key) if row["external_id"] == f"{session}/2026-05-04")
    return [day["body"].count(f"text number {index} ") for index in range(count)]


def test_messages_the_crm_refused_when_nobody_waited_are_sent_when_the_client_sends_them_again(
    me, luke, sandbox, settings, session
):
    down(settings)
    me.log_messages(conversation(session, luke, 2))
    up(settings, sandbox)
    sandbox.fail({**WRITES, "status": 422, "times": 1})
    send(after=60)
    assert Delivery.objects.get().state == State.PERSON
    assert len(me.log_messages(conversation(session, luke, 3))["logIds"]) == 3
    assert texts(sandbox, session, 3) == [1, 1, 1]
    assert not Delivery.objects.exists()


def test_refused_messages_that_the_client_does_not_send_again_stay_with_support(me, luke, sandbox, settings, session):
    down(settings)
    me.log_messages(conversation(session, luke, 2))
    up(settings, sandbox)
    sandbox.fail({**WRITES, "status": 422, "times": 1})
    send(after=60)
    assert len(me.log_messages(only(conversation(session, luke, 4), 1, 2, 3))["logIds"]) == 2
    assert Delivery.objects.get().state == State.PERSON
    Delivery.objects.update(state=State.WAITING)
    send(after=60)
    assert texts(sandbox, session, 4) == [1, 1, 1, 1]


def only(body: dict, *numbers: int) -> dict:
    """The request with some of its messages."""
    info = body["logInfo"]
    info["messages"] = [row for row in info["messages"] if row["id"] - 54000400 in numbers]
    return body


def two_messages_of_kim_who_logged_out(live_server, sandbox, settings, session):
    """They wait for Kim's login; Ada is a colleague, and Luke the contact."""
    kim, ada = Extension(live_server.url, "testCRM"), Extension(live_server.url, "testCRM")
    kim.login_with_key("acme-kim")
    ada.login_with_key("acme-ada")
    luke = kim.look_up("+16505551212")["contact"][0]
    down(settings)
    kim.log_messages(conversation(session, luke, 2))
    kim.logout()
    up(settings, sandbox)
    send(after=60)
    assert Delivery.objects.get(kind="message_log.write").state == State.LOGIN
    return kim, ada, luke


def test_messages_of_a_colleague_who_logged_out_go_out_with_the_one_who_sends_them_too(
    sandbox, settings, session, live_server
):
    _, ada, luke = two_messages_of_kim_who_logged_out(live_server, sandbox, settings, session)
    assert len(ada.log_messages(conversation(session, luke, 3))["logIds"]) == 3
    assert texts(sandbox, session, 3, key="acme-ada") == [1, 1, 1]
    assert not Delivery.objects.filter(kind="message_log.write").exists()


def test_messages_do_not_wait_for_the_login_of_a_colleague_whose_messages_came_first(
    sandbox, settings, session, live_server
):
    kim, ada, luke = two_messages_of_kim_who_logged_out(live_server, sandbox, settings, session)
    reply = ada.log_messages(only(conversation(session, luke, 3), 2))
    assert reply["returnMessage"]["messageType"] == "success"
    assert texts(sandbox, session, 3, key="acme-ada") == [0, 0, 1]
    kim.token = ""
    kim.login_with_key("acme-kim")
    send(after=1)
    assert texts(sandbox, session, 3, key="acme-ada") == [1, 1, 1]


@pytest.mark.parametrize("fault", ["lost answer", "killed"])
def test_an_append_of_unknown_outcome_that_expired_is_not_repeated(
    me, luke, sandbox, settings, session, monkeypatch, fault
):
    me.log_messages(conversation(session, luke, 2))
    if fault == "killed":
        original = sending.messages.write

        def dying(delivery, change, **_):
            delivery.begin()
            original(delivery, change)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setitem(sending.WRITERS, "message_log.write", (sending.Conversation, dying))
            body = conversation(session, luke, 4)
            with pytest.raises(Killed):
                _log_messages_directly(CrmUser.objects.get(), luke, body)
    else:
        sandbox.fail({**WRITES, "method": "PATCH", "drop": "after_commit", "times": 1})
        me.log_messages(conversation(session, luke, 4))
    down(settings)
    send(after=60)  # no answer
    send(after=django_settings.DELIVERY_MAX_AGE_HOURS * 3600 + 600)
    day = ConversationLog.objects.get()
    assert (day.state, Delivery.objects.get().state) == (LogState.UNCERTAIN, State.GIVEN_UP)
    up(settings, sandbox)
    Circuit.objects.all().delete()
    settle()
    me.log_messages(conversation(session, luke, 4))
    me.log_messages(conversation(session, luke, 5))
    assert texts(sandbox, session, 5) == [1, 1, 1, 1, 1]
    assert ConversationLog.objects.get().state == LogState.LOGGED


def test_messages_are_not_taken_for_as_many_others_that_may_be_in_the_record(me, luke, sandbox, session):
    sandbox.fail({**WRITES, "drop": "after_commit", "times": 1})
    me.log_messages(conversation(session, luke, 2))
    sandbox.fail({"method": "GET", "path_prefix": "/api/activities", "status": 403, "times": 1})
    send()  # the search for the record is refused
    assert Delivery.objects.get().state == State.PERSON
    sandbox.fail()
    assert len(me.log_messages(only(conversation(session, luke, 4), 2, 3))["logIds"]) == 2
    assert texts(sandbox, session, 4) == [1, 1, 1, 1]


class Killed(BaseException):
    """Stands for SIGKILL: nothing is tidied up."""


@pytest.mark.parametrize("moment", ["before the call", "after the call"])
def test_a_process_that_dies_in_mid_write_leaves_a_log_that_is_settled(luke, sandbox, session, monkeypatch, moment, me):
    user = CrmUser.objects.get()
    original = sending.calls.create

    def dying(delivery, submission, **_):
        if moment == "after the call":
            original(delivery, submission)
        raise Killed

    monkeypatch.setitem(sending.WRITERS, "call_log.create", (sending.CallSubmission, dying))
    with pytest.raises(Killed):
        _log_directly(user, luke, session)
    monkeypatch.setitem(sending.WRITERS, "call_log.create", (sending.CallSubmission, original))
    assert CallLog.objects.get().state == (LogState.LOGGED if moment == "after the call" else LogState.CLAIMED)
    assert me.log_call(call(session, luke))["returnMessage"]["message"] == f"Existing log for session {session}"
    assert send(after=10) == "0 sent, 0 still wait.\n"  # its lease may still belong to somebody
    assert send(after=40) == "1 sent, 0 still wait.\n"
    assert len(records(sandbox, session)) == 1
    assert CallLog.objects.get().state == LogState.LOGGED


def _log_directly(user, contact, session):
    from adapters.contract import CallLogEntry, ContactRef, Direction
    from connectors.deliveries.changes import CallIdentity, CallSubmission
    from connectors.log_body import CallDetails
    from connectors.services import call_logs

    entry = CallLogEntry(
        session_id=session,
        direction=Direction.INBOUND,
        contact=ContactRef(id=contact["id"], type=contact["type"], name=contact["name"]),
        started_at=timezone.now(),
        duration=5,
    )
    submission = CallSubmission(identity=CallIdentity(session_id=session), entry=entry, details=CallDetails())
    return call_logs.create_call_log(user=user, submission=submission)


def _log_messages_directly(user, contact, body):
    from adapters.contract import ContactRef, Direction, Message, MessageKind
    from connectors.deliveries.changes import Conversation
    from connectors.services import message_logs

    info = body["logInfo"]
    messages = tuple(
        Message(
            id=str(row["id"]),
            kind=MessageKind.SMS,
            direction=Direction(row["direction"]),
            sent_at=datetime.fromisoformat(row["creationTime"].replace("Z", "+00:00")),
            text=row["subject"],
        )
        for row in reversed(info["messages"])
    )
    day = Conversation(
        conversation_id=info["conversationId"],
        conversation_log_id=info["conversationLogId"],
        contact=ContactRef(
            id=contact["id"], type=contact["type"], name=contact["name"], phone=contact.get("phone", "+16505551212")
        ),
        messages=messages,
        started_at=messages[0].sent_at,
        ended_at=messages[-1].sent_at,
        submission={},
        wire={},
    )
    return message_logs.log_messages(user=user, conversation=day)


def test_a_process_that_slept_with_the_lease_writes_nothing(me, luke, sandbox, session, monkeypatch):
    """Between accepting the call and calling the CRM the process is stopped for longer than half its lease."""
    original = circuit.may_call
    traveller = time_machine.travel(timezone.now() + timedelta(seconds=20))

    def sleeping(crm):
        traveller.start()
        return original(crm)

    monkeypatch.setattr(circuit, "may_call", sleeping)
    try:
        _log_directly(CrmUser.objects.get(), luke, session)
    finally:
        traveller.stop()
    monkeypatch.setattr(circuit, "may_call", original)
    assert records(sandbox, session) == []
    send(after=60)
    assert len(records(sandbox, session)) == 1


def test_a_log_refused_for_a_login_that_is_over_goes_out_after_the_next_login(me, luke, sandbox, session):
    sandbox.fail({"status": 401, "times": None})
    reply = me.log_call(call(session, luke))
    assert reply["successful"] is False
    assert reply["returnMessage"]["message"] == "Authorization error"
    assert "Call log saved. It will be sent after you have connected again." in str(reply["returnMessage"]["details"])
    sandbox.reset()
    assert send(after=600) == "0 sent, 0 still wait.\n"
    welcome = me.login_with_key("demo-key")
    assert "1 saved change is sent now." in str(welcome["returnMessage"]["details"])
    assert send(after=1) == "1 sent, 0 still wait.\n"
    assert len(records(sandbox, session)) == 1


def test_the_deliveries_of_a_user_who_logged_out_wait_for_the_next_login(me, luke, sandbox, settings, session):
    down(settings)
    me.log_call(call(session, luke))
    me.logout()
    up(settings, sandbox)
    send(after=60)
    assert Delivery.objects.get(kind="call_log.create").state == State.LOGIN
    assert records(sandbox, session) == []
    me.token = ""
    me.login_with_key("demo-key")
    send(after=1)
    assert len(records(sandbox, session)) == 1


def test_a_revocation_the_crm_could_not_take_is_sent_later(me, sandbox, settings):
    from urllib.parse import parse_qs, urlsplit

    redirect = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
    form = {
        "response_type": "code",
        "client_id": "switchboard",
        "redirect_uri": redirect,
        "state": "platform=testCRM",
        "user": "Agent Kim",
        "decision": "allow",
    }
    answer = sandbox.request("POST", "/oauth/authorize", data=form)
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    me.token = ""
    me.login_with_code(f"{redirect}?state=platform=testCRM&code={code}")
    user = CrmUser.objects.exclude(refresh_token="").get()
    access = user.access_token
    assert sandbox.request("GET", "/api/me", token=access).status_code == 200
    down(settings)
    assert me.logout()["messageType"] == "success"
    assert sandbox.request("GET", "/api/me", token=access).status_code == 200
    up(settings, sandbox)
    assert send(after=60) == "1 sent, 0 still wait.\n"
    assert sandbox.request("GET", "/api/me", token=access).status_code == 401


def test_a_delivery_the_crm_refuses_or_nobody_can_read_is_shown_to_support_and_holds_up_no_other(
    me, luke, sandbox, settings, session
):
    down(settings)
    for suffix in ("a", "b", "c"):
        me.log_call(call(session + suffix, luke))
    up(settings, sandbox)
    unreadable = Delivery.objects.get(call_log__session_id=session + "a")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE deliveries_delivery SET payload = 'v1.test.AAAA' WHERE kind = %s AND call_log_id = %s",
                       [unreadable.kind, _key(unreadable.call_log_id)])  # fmt: skip
    sandbox.fail({**WRITES, "status": 422, "times": 1})
    send(after=60)
    assert CallLog.objects.filter(state=LogState.LOGGED).count() == 1
    unreadable, refused = Delivery.objects.filter(state=State.PERSON).order_by("-last_error")
    assert (unreadable.last_error, unreadable.call_log.state) == ("Undecipherable", LogState.QUEUED)
    assert (refused.last_error, refused.call_log.state) == ("RequestRejected", LogState.FAILED)
    sandbox.reset()
    assert me.log_call(call(refused.call_log.session_id, luke))["logId"]


def _key(value):
    return value.hex if connection.vendor == "sqlite" else value


def test_what_cannot_be_sent_in_the_time_allowed_is_kept_for_support_then_forgotten(me, luke, settings, session):
    down(settings)
    me.log_call(call(session, luke))
    me.log_messages(conversation(session, luke, 2))
    hours = django_settings.DELIVERY_MAX_AGE_HOURS
    send(after=hours * 3600 + 60)
    send(
        after=hours * 3600 + 600
    )  # the third failure closes the CRM for a while, now and then before the last was sent
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.GIVEN_UP}
    assert CallLog.objects.get().state == LogState.FAILED
    assert AuditEvent.objects.filter(detail__given_up=True).count() == 2
    send(after=(hours + 24 * django_settings.DELIVERY_KEEP_DAYS) * 3600 + 600)
    assert not Delivery.objects.exists()
    assert not MessageLog.objects.exists()


def test_a_crm_that_is_down_is_probed_and_not_stormed(me, luke, sandbox, settings, session):
    port = free_port()
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{port}"}
    for index in range(3):
        me.log_call(call(f"{session}-{index}", luke))
    assert Circuit.objects.get().failures == 3
    sandbox.reset()
    up(settings, sandbox)
    assert me.log_call(call(f"{session}-3", luke))["returnMessage"]["message"] == KEPT
    assert sandbox.requests_seen() == []
    (down_now,) = Circuit.objects.all()
    with time_machine.travel(down_now.open_until + timedelta(seconds=1)):
        assert [circuit.may_call(down_now.crm) for _ in range(3)] == [True, False, False]
    send(after=240)
    assert not Circuit.objects.exists()
    assert CallLog.objects.filter(state=LogState.LOGGED).count() == 4


def test_requests_that_fail_together_close_a_crm_no_longer_than_one_and_failed_probes_do(settings):
    settings.DELIVERY_RETRY_SECONDS = 5
    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(30):
            circuit.note_failure("crm")
        assert Circuit.objects.get().open_until - timezone.now() == timedelta(seconds=5)
    for expected in (10, 20, 40, 80, 120, 120):
        with time_machine.travel(Circuit.objects.get().open_until + timedelta(seconds=1)):
            assert circuit.may_call("crm")
            circuit.note_failure("crm")
            assert Circuit.objects.get().open_until - timezone.now() > timedelta(seconds=expected - 1)
            assert not circuit.may_call("crm")


def test_a_crm_that_fails_on_one_request_is_not_taken_for_one_that_is_down(me, luke, sandbox, session):
    sandbox.fail({**WRITES, "status": 500, "times": 4})
    for _ in range(4):
        me.log_call(call(session, luke))
        settle()
    assert not Circuit.objects.exists()
    assert me.log_call(call(session + "-b", luke))["logId"]


def test_two_edits_at_the_same_time_both_reach_the_log(me, luke, sandbox, session):
    me.log_call(call(session, luke))
    sandbox.fail({"path_prefix": "/api/activities", "delay_ms": 300, "times": 4})
    edits = [{"note": "kept note"}, {"recordingLink": "https://media.example.com/rec/77"}]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda members: _other(me).edit_call(session, **members), edits))
    body = records(sandbox, session)[0]["body"]
    assert body.startswith("- Note: kept note\n")
    assert "https://media.example.com/rec/77" in body


def test_messages_sent_at_the_same_time_become_one_record(me, luke, sandbox, session):
    sandbox.fail({"path_prefix": "/api/activities", "delay_ms": 200, "times": 3})
    with ThreadPoolExecutor(4) as pool:
        replies = list(
            pool.map(lambda count: _other(me).log_messages(conversation(session, luke, count)), (1, 2, 3, 4))
        )
    assert sorted(len(reply["logIds"]) for reply in replies)[-1] >= 1
    assert sum(len(reply["logIds"]) for reply in replies) == 4
    (day,) = records(sandbox, f"{session}/2026-05-04")
    assert [day["body"].count(f"text number {index} ") for index in range(4)] == [1] * 4


def test_an_edit_that_overtakes_its_own_log_is_applied_after_it(me, luke, sandbox, session):
    sandbox.fail({**WRITES, "delay_ms": 800, "times": 1})
    with ThreadPoolExecutor(2) as pool:
        created = pool.submit(lambda: _other(me).log_call(call(session, luke, note="first")))
        threading.Event().wait(0.3)
        edited = pool.submit(lambda: _other(me).edit_call(session, note="second"))
        assert created.result()["successful"]
        assert edited.result()["successful"]
    assert records(sandbox, session)[0]["body"].startswith("- Note: second\n")


def _other(me: Extension) -> Extension:
    other = Extension(me.url, me.platform)
    other.token = me.token
    return other


def test_what_a_user_left_who_uninstalled_the_app_waits_for_the_next_login(me, luke, sandbox, settings, session):
    down(settings)
    me.log_call(call(session, luke))
    up(settings, sandbox)
    Circuit.objects.all().delete()
    user = CrmUser.objects.get()
    sandbox.fail({"path_prefix": "/api/me", "status": 401, "times": 1})
    assert forget(platform="testCRM", crm_user_id=user.crm_user_id, account_id="")
    assert not CrmUser.objects.get().is_connected
    send(after=60)
    assert Delivery.objects.get().state == State.LOGIN
    me.token = ""
    me.login_with_key("demo-key")
    send(after=1)
    assert len(records(sandbox, session)) == 1


def test_an_uninstall_that_is_older_than_the_login_ends_nothing(me, luke, settings, session):
    user = CrmUser.objects.get()
    assert forget(platform="testCRM", crm_user_id=user.crm_user_id, account_id="")
    down(settings)
    assert forget(platform="testCRM", crm_user_id=user.crm_user_id, account_id="")
    assert CrmUser.objects.get().is_connected


def test_any_number_of_workers_send_each_change_once(me, luke, sandbox, settings, session):
    down(settings)
    for index in range(12):
        me.log_call(call(f"{session}-{index}", luke))
    up(settings, sandbox)
    Circuit.objects.all().delete()
    Delivery.objects.update(next_attempt_at=timezone.now(), hold_until=timezone.now())

    def work(_):
        try:
            while taken := worker.take_due(limit=3):
                for delivery in taken:
                    worker.deliver(delivery)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert [len(records(sandbox, f"{session}-{index}")) for index in range(12)] == [1] * 12
    assert not Delivery.objects.exists()


def test_support_sees_what_waits_and_why_and_sends_it_or_gives_it_up(me, luke, sandbox, settings, session, client):
    down(settings)
    me.log_call(call(f"{session}-1", luke, note="A secret wish"))
    me.log_messages(conversation(session, luke, 1))
    client.force_login(User.objects.create_superuser("kim", password="x" * 16))
    Delivery.objects.update(state=State.PERSON)
    page = client.get("/admin/deliveries/delivery/").content.decode()
    assert f"{session}-1" in page
    assert "a decision of support" in page
    first, second = Delivery.objects.order_by("accepted_at")
    detail = client.get(f"/admin/deliveries/delivery/{first.pk}/change/").content.decode()
    assert "secret wish" not in page + detail
    assert "v1.test" not in page + detail
    up(settings, sandbox)
    client.post("/admin/desk/decide/give-up/", {"confirmed": "yes", "ids": str(second.pk)})
    client.post("/admin/desk/decide/send-now/", {"confirmed": "yes", "ids": str(first.pk)})
    assert send(after=1) == "1 sent, 0 still wait.\n"
    assert ConversationLog.objects.get().state == LogState.FAILED
    assert Delivery.objects.get().state == State.GIVEN_UP
    decided = AuditEvent.objects.filter(action="delivery.decide").values_list("actor", "detail__decision")
    assert sorted(decided) == [("staff:kim", "give up"), ("staff:kim", "send now")]
    assert client.get("/admin/deliveries/circuit/").status_code == 200
