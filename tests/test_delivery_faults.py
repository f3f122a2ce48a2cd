"""What the delivery engine does when something else than the CRM fails: its database, its processes, its own code."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.utils import timezone

from adapters.contract import (
    AccessDenied,
    CallLogChange,
    CallLogEntry,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Direction,
    LoggedCall,
    LogResult,
    Message,
    MessageKind,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
    UnsupportedOperation,
    UserProfile,
)
from adapters.contract.pacing import Limiter
from adapters.testcrm.adapter import Adapter
from audit.models import AuditEvent, CallLog, ConversationLog, LogState, MessageLog
from connectors.deliveries import calls, circuit, logins, sending, support, tasks, worker
from connectors.deliveries.accepting import accept
from connectors.deliveries.changes import CallEdit, CallIdentity, CallSubmission, Conversation
from connectors.deliveries.models import Circuit, Delivery, State
from connectors.deliveries.policy import Kind
from connectors.log_body import CallDetails
from connectors.models import CrmUser
from connectors.services import call_logs
from connectors.services.message_logs import log_messages
from connectors.services.sessions import disconnect
from tests.factories import CrmUserFactory

pytestmark = pytest.mark.django_db(transaction=True)


class Crm:
    """A CRM in memory, behind the adapter's methods: what it holds, and what it does next."""

    def __init__(self, monkeypatch):
        self.records: list[str] = []
        self.on_create = self.on_find = lambda: None
        self.in_step = lambda: None
        self.completed: list[str] = []
        crm = self

        def create_call_log(adapter, entry):
            crm.on_create()
            crm.records.append(entry.session_id)
            entry.created(f"id-{len(crm.records)}")
            crm.in_step()
            return LogResult(log_id=f"id-{len(crm.records)}")

        def find_call_log(adapter, marker):
            crm.on_find()
            return f"id-{crm.records.index(marker.marker) + 1}" if marker.marker in crm.records else None

        def complete_call_log(adapter, log_id, entry):
            crm.completed.append(log_id)
            return LogResult(log_id=log_id)

        for method in (create_call_log, find_call_log, complete_call_log):
            monkeypatch.setattr(Adapter, method.__name__, method)

    @staticmethod
    def raising(error):
        def act():
            raise error

        return act


@pytest.fixture
def crm(monkeypatch):
    circuit._fine_until.clear()
    return Crm(monkeypatch)


@pytest.fixture
def user():
    return CrmUserFactory()


def submission(session: str, **members) -> CallSubmission:
    known = {
        "direction": Direction.INBOUND,
        "contact": ContactRef(id="1", type="contact", name="Luke Skye"),
        "started_at": timezone.now(),
        "duration": 5,
    }
    entry = CallLogEntry(session_id=session, **{**known, **members})
    return CallSubmission(identity=CallIdentity(session_id=session), entry=entry, details=CallDetails())


def log_call(user, session="s1", **members):
    return call_logs.create_call_log(user=user, submission=submission(session, **members))


def send(*, after: float = 700) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=after)):
        call_command("deliver")


class Killed(BaseException):
    """Stands for SIGKILL."""


# --- a record that may be there is never written blindly -------------------------------------------


def lost_answer(crm, user):
    """The record is in the CRM, and nobody here knows."""
    crm.on_create = lambda: (crm.records.append("s1"), Crm.raising(CrmUnavailable(maybe_applied=True))())
    assert log_call(user).notice is not None
    crm.on_create = lambda: None
    assert CallLog.objects.get().state == LogState.UNCERTAIN
    settle()


def settle() -> None:
    """From now on "not found" means that it is not there."""
    Delivery.objects.exclude(settles_at=None).update(settles_at=timezone.now(), hold_until=timezone.now())


def test_a_search_that_is_refused_leaves_the_log_uncertain_for_the_user_who_asks_again(crm, user):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(AccessDenied())
    assert "may be in Test CRM already" in log_call(user).notice.message
    assert Delivery.objects.get().state == State.PERSON
    crm.on_find = lambda: None
    assert log_call(user).log_id == "id-1"
    assert crm.records == ["s1"]


def test_a_search_that_is_refused_leaves_the_log_uncertain_for_workers(crm, user):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(AccessDenied())
    send()
    assert Delivery.objects.get().state == State.PERSON
    assert CallLog.objects.get().state == LogState.UNCERTAIN
    crm.on_find = lambda: None
    assert log_call(user).log_id == "id-1"
    assert crm.records == ["s1"]


def test_an_uncertain_log_that_expired_is_looked_for_when_the_user_asks_again(crm, user, settings):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(CrmUnavailable())
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + 60)
    log = CallLog.objects.get()
    assert (log.state, log.deliveries.get().state) == (LogState.UNCERTAIN, State.GIVEN_UP)
    crm.on_find = lambda: None
    assert log_call(user).log_id == "id-1"
    assert crm.records == ["s1"]


def test_a_log_whose_process_died_is_uncertain_when_it_expires(crm, user, settings):
    crm.on_create = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    crm.on_find = Crm.raising(CrmUnavailable())
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + 60)
    assert CallLog.objects.get().state == LogState.UNCERTAIN


def test_two_requests_for_an_uncertain_log_without_a_delivery_write_one_record(crm, user, settings):
    lost_answer(crm, user)
    crm.records.clear()  # it was lost on the way there
    Delivery.objects.all().delete()
    together = threading.Barrier(2)
    results = []

    def claim(_):
        try:
            together.wait(30)
            results.append(calls.accept_call(user, submission("s1")))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(claim, range(2)))
    assert sorted(result is None for result in results) == [False, True]


def test_a_log_whose_id_is_known_is_completed_and_neither_looked_for_nor_written_again(crm, user):
    crm.in_step = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    crm.in_step = lambda: None
    crm.on_find = Crm.raising(AssertionError("looked for"))
    send()
    assert crm.records == ["s1"]
    assert crm.completed == ["id-1"]
    log = CallLog.objects.get()
    assert (log.state, log.crm_log_id) == (LogState.LOGGED, "id-1")


def test_an_error_of_our_own_after_a_request_waits_until_the_record_would_be_found(crm, user, monkeypatch):
    from adapters.contract import call_count

    monkeypatch.setattr(sending, "settling_time", lambda platform: timedelta(seconds=500))
    crm.on_create = lambda: (call_count.begin(), Crm.raising(TypeError("our own fault"))())
    notice = log_call(user).notice
    assert "look whether it arrived" in notice.details[0]
    assert CallLog.objects.get().state == LogState.UNCERTAIN
    assert Delivery.objects.get().settles_at > timezone.now() + timedelta(seconds=400)


def test_an_error_of_our_own_before_any_request_leaves_the_log_certainly_unwritten(crm, user, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(sending.calls, "write_about", lambda *_, **__: Crm.raising(KeyError("disabled"))())
        notice = log_call(user).notice
    assert notice.message == "Call log saved. It will be sent later."
    assert notice.details == ("An error on this server kept it from being sent. Your administrator sees it too.",)
    assert CallLog.objects.get().state == LogState.QUEUED
    send()
    assert crm.records == ["s1"]


def test_a_process_that_lost_its_lease_does_not_undo_what_the_next_one_did(crm, user, monkeypatch):
    lost_answer(crm, user)
    first = Delivery.objects.take(Delivery.objects.get().pk)
    record = crm.records.pop()

    def overtaken():
        crm.on_find = lambda: None
        crm.records.append(record)
        Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        worker.deliver(Delivery.objects.take(first.pk))
        crm.records.clear()  # what the slow process was told before

    crm.on_find = overtaken
    crm.on_create = Crm.raising(AssertionError("written again"))
    worker.deliver(first)
    assert CallLog.objects.get().state == LogState.LOGGED


def test_a_log_that_nobody_can_look_for_is_written_when_support_has_looked(crm, user):
    lost_answer(crm, user)
    crm.records.clear()  # it was lost on the way there
    crm.on_find = Crm.raising(UnsupportedOperation("finding call logs"))
    send()
    assert Delivery.objects.get().state == State.PERSON
    send()
    assert crm.records == []
    support.send_again(Delivery.objects.all())
    send(after=1)
    assert crm.records == ["s1"]


def another_log(user, **columns):
    return CallLog.objects.create(platform=user.platform, owner=user.owner, session_id="another", **columns)


def test_a_log_that_support_has_found_in_the_crm_is_logged_under_its_id_and_its_edits_go_out(
    crm, user, client, monkeypatch
):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(UnsupportedOperation("finding call logs"))
    send()
    edits = []
    monkeypatch.setattr(Adapter, "get_call_log", lambda adapter, ref: LoggedCall(raw={}, body=""))

    def update_call_log(adapter, ref, change):
        edits.append(ref.log_id)
        return LogResult(log_id=ref.log_id)

    monkeypatch.setattr(Adapter, "update_call_log", update_call_log)
    edit = CallEdit(
        identity=CallIdentity(session_id="s1"), change=CallLogChange(note="later"), details=CallDetails(note="later")
    )
    call_logs.update_call_log(user=user, edit=edit)
    client.force_login(User.objects.create_superuser("kim", password="x" * 16))
    create, change = Delivery.objects.order_by("position")

    def decide(*deliveries, crm_id=""):
        (one,) = deliveries
        typed = {"crm_id": crm_id, "typed": crm_id.strip()}  # this CRM's records say neither day nor contact
        return client.post(f"/admin/desk/mark/{one.pk}/", typed, follow=True).content.decode()

    another_log(user, crm_log_id="id-7")
    assert "Enter the id" in decide(create)
    assert "another log&#x27;s record" in decide(create, crm_id="id-7")
    assert "Send an edit again instead" in decide(change, crm_id="id-1")
    assert CallLog.objects.get(session_id="s1").state == LogState.UNCERTAIN
    assert "counts as logged" in decide(create, crm_id=" id-1 ")
    log = CallLog.objects.get(session_id="s1")
    assert (log.state, log.crm_log_id) == (LogState.LOGGED, "id-1")
    assert AuditEvent.objects.get(action="delivery.decide").detail["decision"] == "mark as logged"
    send()
    assert (edits, crm.records) == (["id-1"], ["s1"])
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(("known", "expected"), [(None, 81), (("80", True), 81), (("80", False), "81")])
def test_an_id_that_support_enters_has_the_type_of_the_vendors_ids(crm, user, known, expected):
    if known:
        another_log(user, crm_log_id=known[0], crm_log_id_is_number=known[1])
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    assert support.mark_as_logged(Delivery.objects.get(), "81")
    assert CallLog.objects.get(session_id="s1").wire_log_id() == expected


def test_a_search_that_was_refused_is_made_again_when_support_sends_the_log(crm, user):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(AccessDenied())
    send()
    crm.on_find = lambda: None
    support.send_again(Delivery.objects.all())
    send(after=1)
    assert (crm.records, CallLog.objects.get().state) == (["s1"], LogState.LOGGED)


def test_an_edit_waits_with_its_call_for_the_decision_of_support(crm, user):
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    identity = CallIdentity(session_id="s1")
    edit = CallEdit(identity=identity, change=CallLogChange(note="later"), details=CallDetails(note="later"))
    call_logs.update_call_log(user=user, edit=edit)
    crm.on_create = Crm.raising(RequestRejected())
    send()
    send(after=3000)
    assert CallLog.objects.get().state == LogState.FAILED
    states = dict(Delivery.objects.values_list("kind", "state"))
    assert states == {Kind.CREATE: State.PERSON, Kind.EDIT: State.WAITING}


def test_a_process_that_slept_before_it_looked_does_not_undo_what_the_next_one_did(crm, user):
    crm.on_create = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    crm.on_create = lambda: None
    with time_machine.travel(timezone.now() + timedelta(seconds=300)):
        sleeping = Delivery.objects.take(Delivery.objects.get().pk)
    with time_machine.travel(timezone.now() + timedelta(seconds=600)):
        worker.deliver(Delivery.objects.take(sleeping.pk))
        crm.on_find = Crm.raising(CrmUnavailable())
        worker.deliver(sleeping)
    assert CallLog.objects.get().state == LogState.LOGGED


def test_steps_that_follow_a_log_are_made_up_once_the_crm_is_back(crm, user, monkeypatch):
    crm.in_step = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    with monkeypatch.context() as away:
        away.setattr(sending.calls, "write_about", lambda *_, **__: Crm.raising(CrmUnavailable())())
        send()
    assert CallLog.objects.get().state == LogState.LOGGED  # the log is there
    assert crm.completed == []
    send(after=1500)
    assert crm.completed == ["id-1"]
    assert not Delivery.objects.exists()
    assert crm.records == ["s1"]


class Mortal:
    """A process that dies at its n-th statement, before or after it took effect; no statement follows."""

    def __init__(self, dies_at: int, *, before: bool) -> None:
        self.left, self.before, self.is_dead = dies_at, before, False

    def __call__(self, execute, sql, params, many, context):
        self.left -= 1
        if self.is_dead or (self.left == 0 and self.before):
            self._die()
        result = execute(sql, params, many, context)
        if self.left == 0:
            self._die()
        return result

    def _die(self):
        self.is_dead = True
        raise Killed


def _survives(dies_at: int, *, before: bool, act) -> bool:
    mortal = Mortal(dies_at, before=before)
    try:
        with connection.execute_wrapper(mortal):
            act()
    except Killed:
        connection.close()
        return False
    return not mortal.is_dead


def _work():
    for delivery in worker.take_due(limit=8):
        worker.deliver(delivery)


def _drain():
    for after in (300, 1500, 3000):
        with time_machine.travel(timezone.now() + timedelta(seconds=after)):
            while Delivery.objects.exists() and (taken := worker.take_due(limit=8)):
                for delivery in taken:
                    worker.deliver(delivery)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("who", ["server", "worker"])
def test_a_call_is_logged_once_at_whichever_statement_a_process_dies(crm, user, who, before):
    for number in range(1, 60):
        session = f"s{number}"
        if who == "server":
            survived = _survives(number, before=before, act=lambda name=session: log_call(user, name))
        else:
            crm.on_create = Crm.raising(CrmUnavailable())
            log_call(user, session)
            crm.on_create = lambda: None
            Delivery.objects.update(next_attempt_at=timezone.now(), hold_until=timezone.now())
            survived = _survives(number, before=before, act=_work)
        was_accepted = CallLog.objects.filter(session_id=session).exists()
        _drain()
        assert crm.records.count(session) == was_accepted, number
        if not was_accepted:
            log_call(user, session)
        log = CallLog.objects.get(session_id=session)
        assert (crm.records.count(session), log.state) == (1, LogState.LOGGED), number
        if survived:
            break
    assert number > 5
    assert not Delivery.objects.exists()


def day(name: str, *numbers: int) -> Conversation:
    moments = [datetime(2026, 5, 4, 17, number, tzinfo=UTC) for number in numbers]
    return Conversation(
        conversation_id=name,
        conversation_log_id=f"{name}/2026-05-04",
        contact=ContactRef(id="1", type="contact", name="Luke Skye"),
        messages=tuple(
            Message(
                id=f"{name}-{number}",
                kind=MessageKind.SMS,
                direction=Direction.OUTBOUND,
                sent_at=moment,
                text=f"text {number}.",
            )
            for number, moment in zip(numbers, moments, strict=True)
        ),
        started_at=moments[0],
        ended_at=moments[-1],
        submission={},
        wire={},
    )


@pytest.fixture
def days(monkeypatch, crm):
    """The conversation days in the CRM: body by id."""
    bodies: dict[str, str] = {}

    def create_message_log(adapter, entry):
        bodies[entry.conversation_log_id] = entry.body
        entry.created(entry.conversation_log_id)
        return LogResult(log_id=entry.conversation_log_id)

    def update_message_log(adapter, ref, change):
        bodies[ref.log_id] = change.append(bodies[ref.log_id], change.messages)
        return LogResult(log_id=ref.log_id)

    def find_message_log(adapter, marker):
        return marker.marker if marker.marker in bodies else None

    for method in (create_message_log, update_message_log, find_message_log):
        monkeypatch.setattr(Adapter, method.__name__, method)
    return bodies


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("in_crm", [(), (1, 2)])
def test_messages_are_logged_once_at_whichever_statement_a_process_dies(days, user, in_crm, before):
    for number in range(1, 60):
        name = f"c{number}"
        if in_crm:
            log_messages(user=user, conversation=day(name, *in_crm))
        whole = day(name, *in_crm, 3, 4)
        survived = _survives(number, before=before, act=lambda whole=whole: log_messages(user=user, conversation=whole))
        was_accepted = MessageLog.objects.filter(message_id=f"{name}-4").exists()
        _drain()
        if not was_accepted:
            log_messages(user=user, conversation=whole)
        body = days[f"{name}/2026-05-04"]
        assert [body.count(f"text {message}.") for message in (*in_crm, 3, 4)] == [1] * (len(in_crm) + 2), number
        if survived:
            break
    assert number > 5
    assert not Delivery.objects.exists()
    assert set(ConversationLog.objects.values_list("state", flat=True)) == {LogState.LOGGED}


def test_messages_given_up_in_doubt_and_sent_again_behind_others_are_not_repeated(days, user, monkeypatch):
    monkeypatch.setattr(sending, "_WAIT_FOR_EARLIER", 0.1)
    log_messages(user=user, conversation=day("c", 1))
    original, faults = Adapter.update_message_log, [CrmUnavailable(maybe_applied=True)]

    def faulty(adapter, ref, change):
        result = original(adapter, ref, change)
        if faults:
            raise faults.pop()
        return result

    monkeypatch.setattr(Adapter, "update_message_log", faulty)
    log_messages(user=user, conversation=day("c", 1, 2, 3))
    log_messages(user=user, conversation=day("c", 1, 2, 3, 4, 5))
    support.give_up(Delivery.objects.order_by("position")[0])
    Delivery.objects.update(attempts=1, next_attempt_at=timezone.now() + timedelta(minutes=5))
    log_messages(user=user, conversation=day("c", 1, 2, 3))
    assert Delivery.objects.count() == 2
    _drain()
    body = days["c/2026-05-04"]
    assert [body.count(f"text {number}.") for number in (1, 2, 3, 4, 5)] == [1] * 5
    assert ConversationLog.objects.get().state == LogState.LOGGED


def test_an_append_in_doubt_is_not_repeated_though_others_went_in_before_it_was_given_up(days, user, monkeypatch):
    log_messages(user=user, conversation=day("c", 1, 2))
    with monkeypatch.context() as faulty:
        original = Adapter.update_message_log

        def lost(adapter, ref, change):
            original(adapter, ref, change)
            raise CrmUnavailable(maybe_applied=True)

        faulty.setattr(Adapter, "update_message_log", lost)
        log_messages(user=user, conversation=day("c", 1, 2, 3))
        faulty.setattr(Adapter, "update_message_log", lambda *_: Crm.raising(AccessDenied())())
        send()
    log_messages(user=user, conversation=day("c", 4))
    support.give_up(Delivery.objects.get(state=State.PERSON))
    log_messages(user=user, conversation=day("c", 1, 2, 3, 4))
    body = days["c/2026-05-04"]
    assert [body.count(f"text {number}.") for number in (1, 2, 3, 4)] == [1] * 4


def test_texts_that_are_taken_up_again_are_told_without_those_that_are_logged(days, user, monkeypatch):
    log_messages(user=user, conversation=day("c", 1))
    monkeypatch.setattr(Adapter, "update_message_log", lambda *_: Crm.raising(CrmUnavailable(maybe_applied=True))())
    log_messages(user=user, conversation=day("c", 2))
    Delivery.objects.update(state=State.PERSON)
    assert log_messages(user=user, conversation=day("c", 1, 2)).ids == ("c-2",)


def test_a_refusal_told_to_whoever_asks_for_one_text_leaves_the_others_to_support(days, user, monkeypatch):
    monkeypatch.setattr(Adapter, "create_message_log", lambda *_: Crm.raising(AccessDenied())())
    row = ConversationLog.objects.create(
        platform="testCRM", owner=user.owner, conversation_log_id="c/2026-05-04", user=user, contact_id="1"
    )
    kept = accept(kind="message_log.write", user=user, change=day("c", 1, 2), record=row)
    names = {"platform": "testCRM", "owner": user.owner, "conversation": row, "delivery_id": kept.pk}
    MessageLog.objects.bulk_create(MessageLog(message_id=f"c-{number}", **names) for number in (1, 2))
    Delivery.objects.update(state=State.PERSON)
    assert log_messages(user=user, conversation=day("c", 1)).ids == ("c-1",)
    assert Delivery.objects.get().state == State.PERSON
    assert MessageLog.objects.filter(delivery_id=kept.pk).count() == 2


# --- nothing waits for ever ------------------------------------------------------------------------


def test_an_edit_kept_for_support_does_not_keep_the_call_from_being_logged(crm, user):
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    edit = CallEdit(identity=CallIdentity(session_id="s1"), change=_change(), details=CallDetails())
    call_logs.update_call_log(user=user, edit=edit)
    crm.on_create = Crm.raising(RequestRejected())
    send()
    send(after=1500)
    assert Delivery.objects.get(kind="call_log.create").state == State.PERSON
    for _ in range(2):
        with pytest.raises(RequestRejected):
            log_call(user)
    support.send_again(Delivery.objects.all())  # the edit: before the log that it changes
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    send()
    assert CallLog.objects.get().state == LogState.LOGGED


def _change():
    return CallLogChange(note="later")


def test_a_login_during_the_refusal_of_the_old_one_is_not_missed(crm, user):
    def refused():
        anew = CrmUser.objects.get(pk=user.pk)
        anew.connected_at = timezone.now()
        anew.save(update_fields=["connected_at"])
        logins.wake(anew)
        raise CredentialsRejected

    crm.on_create = refused
    with pytest.raises(CredentialsRejected):
        log_call(user)
    assert Delivery.objects.get().state == State.WAITING
    crm.on_create = lambda: None
    send(after=1)
    assert crm.records == ["s1"]


def test_a_login_that_was_refused_in_error_is_tried_again_each_hour_while_the_user_is_connected(crm, user):
    crm.on_create = Crm.raising(CredentialsRejected())
    with pytest.raises(CredentialsRejected):
        log_call(user)
    attempts = []
    crm.on_create = lambda: (attempts.append(1), Crm.raising(CredentialsRejected())())
    send(after=3000)
    assert attempts == []
    send(after=3700)
    send(after=3800)
    assert attempts == [1]
    crm.on_create = lambda: None
    send(after=7400)
    assert crm.records == ["s1"]


def test_what_waits_for_a_login_is_not_tried_while_nobody_is_logged_in(crm, user):
    crm.on_create = Crm.raising(CredentialsRejected())
    with pytest.raises(CredentialsRejected):
        log_call(user)
    disconnect(user=user, actor="test")
    before = AuditEvent.objects.count()
    send(after=3700)
    assert AuditEvent.objects.count() == before
    assert Delivery.objects.get(kind="call_log.create").attempts == 1


def test_a_search_answered_with_a_page_for_people_is_made_again(crm, user):
    lost_answer(crm, user)
    crm.on_find = Crm.raising(UnexpectedResponse(status=200))
    send()
    assert (Delivery.objects.get().state, CallLog.objects.get().state) == (State.WAITING, LogState.UNCERTAIN)
    crm.on_find = lambda: None
    send(after=1500)
    assert (crm.records, CallLog.objects.get().state) == (["s1"], LogState.LOGGED)


def test_an_edit_of_a_log_that_cannot_be_read_now_is_kept(crm, user, monkeypatch):
    log_call(user)
    answers = iter([UnexpectedResponse(reason="the answer is not JSON", status=200), LoggedCall(body="theirs")])
    written = []

    def get_call_log(adapter, ref):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def update_call_log(adapter, ref, change):
        written.append(change.body)
        return LogResult(log_id=ref.log_id)

    monkeypatch.setattr(Adapter, "get_call_log", get_call_log)
    monkeypatch.setattr(Adapter, "update_call_log", update_call_log)
    edit = CallEdit(identity=CallIdentity(session_id="s1"), change=_change(), details=CallDetails(note="later"))
    kept = call_logs.update_call_log(user=user, edit=edit).result.notice
    assert kept.message == "Change saved. It will be sent when Test CRM is back."
    send()
    (body,) = written
    assert "later" in body
    assert "theirs" in body


def test_an_edit_does_not_wait_for_the_login_of_a_colleague_whose_edit_came_first(crm, monkeypatch):
    kim, ada = CrmUserFactory(crm_account_id="acme"), CrmUserFactory(crm_account_id="acme")
    log_call(kim)
    notes = []

    def update(delivery, edit, **_):
        notes.append(edit.change.note)
        if len(notes) == 1:
            raise CrmUnavailable

    monkeypatch.setitem(sending.WRITERS, "call_log.update", (CallEdit, update))
    for who, note in ((kim, "first"), (ada, "second")):
        change = CallLogChange(note=note)
        edit = CallEdit(identity=CallIdentity(session_id="s1"), change=change, details=CallDetails())
        call_logs.update_call_log(user=who, edit=edit)
        if who is kim:
            disconnect(user=kim, actor="test")
            send()
            assert Delivery.objects.get(call_log__isnull=False).state == State.LOGIN
    assert notes == ["first", "first", "second"]
    assert not Delivery.objects.filter(call_log__isnull=False).exists()


def test_a_pause_that_a_crm_asks_for_beyond_all_reason_is_cut_short(crm, user):
    crm.on_create = Crm.raising(RateLimited(retry_after=1e15))
    assert log_call(user).notice is not None
    assert Delivery.objects.get().next_attempt_at < timezone.now() + timedelta(days=2)


@pytest.mark.parametrize("maybe_applied", [False, True])
def test_a_crm_that_is_closed_for_a_time_is_left_alone_so_long(crm, user, maybe_applied):
    closed = CrmUnavailable(status=503, maybe_applied=maybe_applied, retry_after=900)
    crm.on_create = Crm.raising(closed)
    log_call(user)
    assert Delivery.objects.get().next_attempt_at > timezone.now() + timedelta(seconds=890)
    reason = "did not confirm it" if maybe_applied else "could not be reached"
    assert reason in log_call(user).notice.details[0]  # asked again at once
    crm.on_create = lambda: None
    send(after=850)
    assert crm.records == []
    send(after=910)
    assert crm.records == ["s1"]


def test_changes_on_which_the_crm_stumbles_close_it_for_nobody_else(crm, user, monkeypatch):
    sound = Adapter.create_call_log

    def write(adapter, entry):
        if entry.session_id.startswith("poison"):
            raise CrmUnavailable(status=502)
        return sound(adapter, entry)

    monkeypatch.setattr(Adapter, "create_call_log", write)
    for number in range(4):
        log_call(user, f"poison-{number}")
    for hours in range(1, 8):
        send(after=hours * 3600)
    with time_machine.travel(timezone.now() + timedelta(hours=9)):
        for number in range(3):
            assert log_call(user, f"sound-{number}").notice is None
            call_command("deliver")
            assert not Circuit.objects.exclude(open_until=None).exists()
    assert CallLog.objects.filter(state=LogState.QUEUED).count() == 4


def test_our_own_pacing_is_not_taken_for_an_answer_of_a_crm_that_is_down(crm, user):
    Circuit.objects.create(crm="testCRM:", failures=2)
    limiter = Limiter()
    limiter.close_for(5)
    crm.on_create = lambda: limiter.turn(None).__enter__()
    log_call(user)
    assert Circuit.objects.filter(failures=2).exists()


def test_a_change_is_finished_before_others_are_woken(crm, user, monkeypatch):
    crm.on_create = Crm.raising(CrmUnavailable(status=503))
    log_call(user)
    crm.on_create = lambda: None
    monkeypatch.setattr(circuit, "note_success", lambda crm: Crm.raising(OperationalError("deadlock"))())
    worker.deliver(Delivery.objects.take(Delivery.objects.get().pk))
    assert not Delivery.objects.exists()
    assert CallLog.objects.get().state == LogState.LOGGED


@pytest.mark.parametrize("state", [LogState.QUEUED, LogState.UNCERTAIN])
def test_a_call_kept_for_a_colleague_who_logged_out_is_logged_for_the_one_who_asks_now(crm, state):
    kim, ada = CrmUserFactory(crm_account_id="acme"), CrmUserFactory(crm_account_id="acme")
    crm.on_create = Crm.raising(CrmUnavailable(maybe_applied=state == LogState.UNCERTAIN))
    log_call(kim)
    disconnect(user=kim, actor="test")
    send(after=60)
    assert Delivery.objects.get(kind="call_log.create").state == State.LOGIN
    crm.on_create = lambda: None
    if state == LogState.QUEUED:
        assert log_call(ada).log_id == "id-1"
        assert CallLog.objects.get().user == ada
    else:  # it may be among Kim's records, which only Kim's login shows
        assert log_call(ada).notice.message == "Call log saved. It will be sent after a colleague has connected again."
        assert (crm.records, CallLog.objects.get().user) == ([], kim)


def test_a_kept_call_that_is_logged_for_another_contact_belongs_to_that_one(crm, user):
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    log_call(user, contact=ContactRef(id=77, type="lead", name="Pat Lee"))
    log = CallLog.objects.get()
    assert (log.state, log.wire_contact_id(), log.contact_type) == (LogState.LOGGED, 77, "lead")


# --- one record, one writer ------------------------------------------------------------------------


def test_a_crm_that_is_given_more_time_to_answer_keeps_its_writer_longer(crm, user, monkeypatch):
    from adapters import registry
    from adapters.contract import ContactDraft, PhoneNumber
    from connectors.services import contact_creations

    known = registry.manifests()["testCRM"]
    patient = replace(known, server=replace(known.server, read_timeout=60))
    monkeypatch.setattr(registry, "manifests", lambda: {"testCRM": patient})
    longest = timedelta(seconds=3 * 60)
    crm.on_create = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    with time_machine.travel(timezone.now() + timedelta(seconds=700)):
        taken = Delivery.objects.take(Delivery.objects.get().pk)
    for delivery in (Delivery.objects.get(), taken):
        assert delivery.lease_until - timezone.now() > timedelta(seconds=1200)
    with time_machine.travel(timezone.now() + timedelta(seconds=700)):
        assert timedelta(seconds=taken.seconds_to_write) + longest < taken.lease_until - timezone.now()
    draft = ContactDraft(name="Nia Brook", phone=PhoneNumber(raw="+12125550171"), type="contact")
    claim = contact_creations.claim(user, draft)
    assert contact_creations.may_write_until(claim) - time.monotonic() > 300


def test_a_change_released_by_support_waits_for_the_one_being_sent(user):
    row = ConversationLog.objects.create(platform="testCRM", owner=user.owner, conversation_log_id="c/1", user=user)
    first, second = (accept(kind="message_log.write", user=user, change=day("c", n), record=row) for n in (1, 2))
    Delivery.objects.filter(pk=first.pk).update(state=State.PERSON)
    assert Delivery.objects.take(second.pk)
    support.send_again(Delivery.objects.filter(pk=first.pk))
    assert Delivery.objects.take(first.pk) is None


def test_an_old_celery_message_changes_nothing_about_a_delivery_that_waits(crm, user):
    crm.on_create = Crm.raising(CrmUnavailable(status=500))
    log_call(user)
    delivery = Delivery.objects.get()
    crm.on_create = lambda: None
    tasks.deliver(str(delivery.pk))
    assert crm.records == []
    Delivery.objects.update(next_attempt_at=timezone.now(), hold_until=timezone.now(), state=State.PERSON)
    tasks.deliver(str(delivery.pk))
    assert crm.records == []
    Delivery.objects.update(state=State.WAITING)
    tasks.deliver(str(delivery.pk))
    assert crm.records == ["s1"]


# --- the worker lives on ---------------------------------------------------------------------------


def test_the_worker_outlives_a_database_that_goes_away(crm, user, monkeypatch):
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    Delivery.objects.update(next_attempt_at=timezone.now())
    faults = iter([OperationalError("gone"), OperationalError("gone")])
    original = worker.take_due

    def take_due(**options):
        if error := next(faults, None):
            raise error
        return original(**options)

    monkeypatch.setattr(worker, "take_due", take_due)
    monkeypatch.setattr(worker, "_POLL", 0.01)
    stop = threading.Event()
    crm.on_create = stop.set
    worker.Worker(threads=1).watch(stop)
    assert crm.records == ["s1"]


@pytest.mark.parametrize(("seconds", "is_told"), [(0, False), (60, True), (-60, True)])
def test_the_worker_says_so_when_its_clock_is_not_the_databases(user, caplog, seconds, is_told):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has a clock of its own")
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        worker.clear_up()
    assert (f"clock is {seconds} seconds from the database's" in caplog.text) is is_told


def test_a_sending_that_breaks_off_is_logged_and_frees_its_place(crm, user, monkeypatch, caplog):
    monkeypatch.setattr(worker, "deliver", lambda delivery: Crm.raising(OperationalError("gone"))())
    runner = worker.Worker(threads=1)
    with ThreadPoolExecutor(1) as pool:
        runner._start(pool, Delivery(kind="call_log.create"))
    assert (runner._free_places(), runner.waiting) == (1, 1)
    assert "OperationalError" in caplog.text


def test_what_was_given_up_is_kept_for_support_and_then_forgotten(crm, user, settings):
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + 60)
    assert Delivery.objects.get().state == State.GIVEN_UP
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + settings.DELIVERY_KEEP_DAYS * 86400 - 60)
    assert Delivery.objects.exists()
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + settings.DELIVERY_KEEP_DAYS * 86400 + 600)
    assert not Delivery.objects.exists()
    assert CallLog.objects.get().state == LogState.FAILED


# --- logins ----------------------------------------------------------------------------------------


def test_a_renewal_that_was_going_on_does_not_replace_a_new_login(user, monkeypatch):
    from connectors.services import crm_access, sessions

    profile = UserProfile(id=user.crm_user_id, name="Agent Kim")
    monkeypatch.setattr(Adapter, "user_profile", lambda adapter: profile)
    with crm_access._renewing(user) as keep:
        fresh = CrmUser.objects.get(pk=user.pk)
        assert fresh.refresh_lease
        sessions._connected("testCRM", Credentials(access_token="new"), "", "", False, "")
        keep(Credentials(access_token="old, renewed"))
    assert CrmUser.objects.get(pk=user.pk).access_token == "new"


def test_a_logout_during_a_login_keeps_its_older_tokens_worthless(user, monkeypatch):
    from connectors.services import sessions

    profile = UserProfile(id=user.crm_user_id, name="Agent Kim")
    monkeypatch.setattr(Adapter, "user_profile", lambda adapter: profile)

    def after_login(adapter, credentials, previous):
        CrmUser.objects.filter(pk=user.pk).update(session_epoch=7)
        return credentials

    monkeypatch.setattr(Adapter, "after_login", after_login)
    sessions._connected("testCRM", Credentials(access_token="new"), "", "", False, "")
    assert CrmUser.objects.get(pk=user.pk).session_epoch == 7


def test_a_contact_of_unknown_outcome_is_looked_for_however_long_ago_that_was(user):
    from adapters.contract import ContactDraft, PhoneNumber
    from connectors.services import contact_creations

    draft = ContactDraft(name="Nia Brook", phone=PhoneNumber(raw="+12125550171"), type="contact")
    contact_creations.give_up(contact_creations.claim(user, draft), maybe_applied=True)
    with time_machine.travel(timezone.now() + timedelta(hours=20)):
        assert contact_creations.claim(user, draft).uncertain_since


def test_a_user_whose_credentials_nobody_can_read_can_log_out(user):
    other = CrmUserFactory()
    CrmUser.objects.filter(pk=user.pk).update(access_token=CrmUser.objects.get(pk=other.pk).__dict__["access_token"])
    disconnect(user=CrmUser.objects.get(pk=user.pk), actor="test")
    assert not CrmUser.objects.get(pk=user.pk).is_connected


def test_a_request_that_slept_with_its_claim_creates_no_contact(user):
    from adapters.contract import ContactDraft, PhoneNumber
    from connectors.services import contact_creations

    draft = ContactDraft(name="Nia Brook", phone=PhoneNumber(raw="+12125550171"), type="contact")
    claim = contact_creations.claim(user, draft)
    assert contact_creations.may_write_until(claim) > time.monotonic()
    with time_machine.travel(claim.row.changed_at + django_settings.DELIVERY_LEASE, tick=False):
        assert contact_creations.may_write_until(claim) < time.monotonic()
