"""What an adversary once got through: each of these doubled or lost a log."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, connection, connections
from django.utils import timezone

from adapters.contract import (
    BodyTooLong,
    CallLogChange,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Disposition,
    LoggedCall,
    LogMarker,
    LogResult,
    RateLimited,
    RecordNotFound,
    RequestRejected,
    UnexpectedResponse,
)
from adapters.contract.write_fence import may_write, writes_until
from adapters.testcrm.adapter import Adapter
from audit.models import AuditEvent, CallLog, ConversationLog, LogState, MessageLog
from connectors.deliveries import calls, clock, logins, messages, restore, second_looks, support, worker
from connectors.deliveries.accepting import accept
from connectors.deliveries.changes import CallEdit, CallIdentity, UnreadableChange, from_json, without_long_sections
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind, Told
from connectors.deliveries.queue import State
from connectors.deliveries.sending import send_now
from connectors.log_body import CallDetails
from connectors.models import CrmUser
from connectors.services import call_logs
from connectors.services.message_logs import log_messages
from connectors.services.sessions import disconnect
from tests.factories import CrmUserFactory
from tests.test_delivery_faults import Crm, Killed, crm, day, days, log_call, send, submission, user  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def lose_answer(crm, *, lands: bool = False):  # noqa: F811
    """The next write has no answer; ``lands``: it is in the CRM all the same, at once."""

    def drop():
        if lands:
            crm.records.append("s1")
        raise CrmUnavailable(maybe_applied=True)

    crm.on_create = drop


# --- many at once -----------------------------------------------------------------------------------


def test_a_call_whose_logging_ends_while_another_request_reads_is_not_claimed_again(crm, user):  # noqa: F811
    first = calls.accept_call(user, submission("s1"))
    ended = []

    def end_before_the_delivery_is_read(execute, sql, params, many, context):
        if not ended and sql.startswith("SELECT") and 'FROM "deliveries_delivery"' in sql:
            ended.append(True)
            assert first.finish(log_id="id-1")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(end_before_the_delivery_is_read):
        assert calls.accept_call(user, submission("s1")) is None
    assert ended
    assert CallLog.objects.get().crm_log_id == "id-1"
    assert not Delivery.objects.exists()


# --- upgrades --------------------------------------------------------------------------------------


def test_a_database_that_refuses_a_row_is_not_taken_for_somebody_who_was_first(crm, user):  # noqa: F811
    def refuse(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "audit_calllog"'):
            raise IntegrityError("NOT NULL constraint failed: audit_calllog.of_a_newer_version")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse), pytest.raises(IntegrityError):
        log_call(user)
    assert not Delivery.objects.exists()


def test_texts_that_got_no_row_are_an_error_and_not_a_colleagues(days, user, monkeypatch):  # noqa: F811
    monkeypatch.setattr(MessageLog.objects, "bulk_create", lambda *args, **kwargs: [])
    with pytest.raises(messages.MessageNotStored):
        log_messages(user=user, conversation=day("c", 1))
    assert not Delivery.objects.exists()


# --- late commits and slow indexes -----------------------------------------------------------------


def test_a_record_that_appears_late_is_not_written_again(crm, user):  # noqa: F811
    lose_answer(crm)
    log_call(user)
    crm.on_create = Crm.raising(AssertionError("written again"))
    send(after=2)  # looked for too early
    assert CallLog.objects.get().state == LogState.UNCERTAIN
    crm.records.append("s1")  # the CRM has committed it after all
    send(after=60)
    assert (crm.records, CallLog.objects.get().state) == (["s1"], LogState.LOGGED)


def test_a_record_that_appears_after_it_was_written_again_is_reported(crm, user, monkeypatch, caplog):  # noqa: F811
    lose_answer(crm)
    log_call(user)
    crm.on_create = lambda: None
    send(after=60)
    assert crm.records == ["s1"]
    monkeypatch.setattr(
        Adapter, "find_call_log", lambda adapter, marker: None if marker.is_anothers("id-9") else "id-9"
    )
    send(after=300)
    assert AuditEvent.objects.get(action="log.doubled").target == "id-9"
    assert "stands twice" in caplog.text
    assert not Delivery.objects.exists()


def test_a_record_made_since_the_second_look_was_taken_up_is_not_taken_for_a_double(crm, user, monkeypatch):  # noqa: F811
    lose_answer(crm)
    log_call(user)
    crm.on_create = lambda: None
    send(after=60)
    look = Delivery.objects.select_related("user", "call_log").get(kind="log.look_again")
    CallLog.objects.update(crm_log_id="id-7")  # the first one was deleted, and the call logged anew
    monkeypatch.setattr(
        Adapter, "find_call_log", lambda adapter, marker: None if marker.is_anothers("id-7") else "id-7"
    )
    second_looks.look_again(look, LogMarker(marker="s1", contact=ContactRef(id="1", type="Contact")))
    assert not AuditEvent.objects.filter(action="log.doubled").exists()


def test_nothing_is_written_over_an_edit_that_may_still_land(crm, user, monkeypatch):  # noqa: F811
    log_call(user)
    bodies, answers = ["theirs"], [CrmUnavailable(maybe_applied=True)]

    def update(adapter, ref, change):
        if answers:
            raise answers.pop()
        bodies.append(change.note)
        return LogResult(log_id=ref.log_id)

    monkeypatch.setattr(Adapter, "get_call_log", lambda adapter, ref: LoggedCall(body=bodies[-1]))
    monkeypatch.setattr(Adapter, "update_call_log", update)
    monkeypatch.setattr("connectors.deliveries.sending._WAIT_FOR_EARLIER", 0.1)

    def edit(note):
        change = CallEdit(
            identity=CallIdentity(session_id="s1"), change=CallLogChange(note=note), details=CallDetails(note=note)
        )
        return call_logs.update_call_log(user=user, edit=change)

    assert edit("first").result.notice
    assert "earlier change" in edit("second").result.notice.details[0]
    bodies.append("first, landed late")
    send(after=60)
    assert bodies == ["theirs", "first, landed late", "first", "second"]


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite carries out one writing transaction at a time")
def test_two_workers_do_not_send_two_changes_of_one_record_at_once(user):  # noqa: F811
    row = ConversationLog.objects.create(platform="testCRM", owner=user.owner, conversation_log_id="c/1", user=user)
    for number in (1, 2):
        accept(kind=Kind.TEXTS, user=user, change=day("c", number), record=row)
    in_doubt = {"settles_at": clock.now(), "next_attempt_at": clock.now(), "attempts": 1}
    Delivery.objects.update(**in_doubt)
    both_have_lent = threading.Barrier(2)

    def take(_):
        waited = []

        def wait(execute, sql, *further):
            result = execute(sql, *further)
            if sql.startswith("UPDATE") and not waited:
                waited.append(both_have_lent.wait(30))
            return result

        with connection.execute_wrapper(wait):
            taken = worker.take_due(limit=1)
        connections.close_all()
        return taken

    with ThreadPoolExecutor(2) as pool:
        taken = [delivery for found in pool.map(take, range(2)) for delivery in found]
    assert len(taken) <= 1
    assert Delivery.objects.filter(lease=None, lease_until=None, attempts=1).count() == 2 - len(taken)
    assert len(taken + worker.take_due(limit=2)) == 1


# --- logins ----------------------------------------------------------------------------------------


def test_a_kept_revocation_ends_no_later_login(user, monkeypatch):  # noqa: F811
    revoked = []
    monkeypatch.setattr(Adapter, "revoke", lambda adapter: Crm.raising(CrmUnavailable())())
    disconnect(user=user, actor="test")
    assert Delivery.objects.get().kind == "session.revoke"
    monkeypatch.setattr(Adapter, "revoke", lambda adapter: revoked.append(1))
    again = CrmUser.objects.get(pk=user.pk)
    CrmUser.objects.filter(pk=user.pk).update(**again.set_credentials(Credentials(access_token="new")))
    send(after=60)
    assert revoked == []
    logins.drop_revocations(user)
    assert not Delivery.objects.filter(kind="session.revoke").exists()


def test_a_kept_revocation_that_cannot_be_read_is_sent_when_the_keys_are_there(user, monkeypatch, settings):  # noqa: F811
    monkeypatch.setattr(Adapter, "revoke", lambda adapter: Crm.raising(CrmUnavailable())())
    disconnect(user=user, actor="test")
    revoked, keys = [], settings.CREDENTIAL_KEYS
    monkeypatch.setattr(Adapter, "revoke", lambda adapter: revoked.append(1))
    settings.CREDENTIAL_KEYS = {"other": bytes(32)}
    send(after=60)
    assert (revoked, Delivery.objects.get().state) == ([], State.PERSON)
    settings.CREDENTIAL_KEYS = keys
    send(after=120)
    assert (revoked, Delivery.objects.count()) == ([1], 0)


def test_a_newer_note_is_kept_though_the_version_before_cannot_be_read(crm, user, settings):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable(maybe_applied=True))
    log_call(user, note="first")
    settings.CREDENTIAL_KEYS = {"other": bytes(32)}
    log_call(user, note="second")
    kept = Delivery.objects.order_by("position")
    assert [delivery.kind for delivery in kept] == ["call_log.create", "call_log.update"]
    assert from_json(kept[1].payload, CallEdit).change.note == "second"


# --- ages and absences -----------------------------------------------------------------------------


def test_what_is_old_is_tried_once_more_before_it_is_given_up(crm, user, settings):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 + 3600)  # the worker was away for days, the CRM is well
    assert (crm.records, CallLog.objects.get().state) == (["s1"], LogState.LOGGED)


def test_what_waits_for_a_login_waits_as_long_as_it_takes(crm, user, settings):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    disconnect(user=user, actor="test")
    send(after=60)
    send(after=settings.DELIVERY_MAX_AGE_HOURS * 3600 * 2)
    assert Delivery.objects.get(kind="call_log.create").state == State.LOGIN


# --- power cuts ------------------------------------------------------------------------------------


def test_what_is_told_to_be_saved_is_on_disk():
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone()[0] == 2  # FULL
        else:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone()[0] == "on"


# --- authors and identities ------------------------------------------------------------------------


@pytest.fixture
def colleagues():
    return CrmUserFactory(crm_account_id="acme"), CrmUserFactory(crm_account_id="acme")


def test_texts_in_doubt_are_not_written_again_for_a_colleague(days, colleagues, monkeypatch):  # noqa: F811
    kim, ada = colleagues

    def lost(adapter, entry):
        raise CrmUnavailable(maybe_applied=True)

    with monkeypatch.context() as faulty:
        faulty.setattr(Adapter, "create_message_log", lost)
        log_messages(user=kim, conversation=day("c", 1, 2))
    disconnect(user=kim, actor="test")
    send(after=60)
    assert Delivery.objects.get(kind="message_log.write").state == State.LOGIN
    assert log_messages(user=ada, conversation=day("c", 1, 2)).ids == ()
    assert days == {}


@pytest.mark.parametrize("second", ["hash-a", ""])
def test_one_session_with_and_without_an_extension_is_one_log(crm, user, second):  # noqa: F811
    together = threading.Barrier(2)

    def log(extension):
        try:
            one = submission("s1")
            together.wait(30)
            call_logs.create_call_log(
                user=CrmUser.objects.get(pk=user.pk),
                submission=replace(one, identity=replace(one.identity, extension=extension)),
            )
        except Exception as error:
            return type(error).__name__
        finally:
            connections.close_all()
        return "logged"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(log, ["hash-a", second]))
    assert results == ["AlreadyLogged", "logged"]
    assert crm.records == ["s1"]


def test_a_transferred_call_of_two_colleagues_stays_two_logs(crm, colleagues):  # noqa: F811
    for number, who in enumerate(colleagues):
        one = submission("s1")
        call_logs.create_call_log(
            user=who, submission=replace(one, identity=replace(one.identity, extension=f"hash-{number}"))
        )
    assert CallLog.objects.filter(session_id="s1", state=LogState.LOGGED).count() == 2


def test_a_user_has_one_extension_whatever_a_request_says(client, user):  # noqa: F811
    from connectors.services.identity import claim_extension

    assert claim_extension(user, "hash-a") == "hash-a"
    assert claim_extension(CrmUser.objects.get(pk=user.pk), "hash-b") == "hash-a"


# --- restored back-ups -----------------------------------------------------------------------------


def test_after_a_restore_nothing_that_went_out_is_sent_again(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    crm.records += ["s1", "s2"]  # both were logged after the back-up was made
    call_command("after_restore")
    send(after=1)
    assert log_call(user, "s2", started_at=timezone.now() - timedelta(hours=1)).log_id == "id-2"
    assert crm.records == ["s1", "s2"]
    log_call(user, "s3", started_at=timezone.now() + timedelta(minutes=1))
    assert crm.records == ["s1", "s2", "s3"]


def test_after_a_restore_a_call_that_was_refused_before_may_have_been_logged_since(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(RequestRejected())
    with pytest.raises(RequestRejected):
        log_call(user)
    crm.on_create = lambda: None
    crm.records.append("s1")  # logged after the back-up was made
    call_command("after_restore")
    assert log_call(user).log_id == "id-1"
    assert crm.records == ["s1"]
    assert CallLog.objects.get().state == LogState.LOGGED


def test_what_was_sent_just_before_a_restore_and_shows_late_is_not_sent_again(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = Crm.raising(AssertionError("written again"))
    call_command("after_restore")
    send(after=30)
    assert log_call(user, "s2", started_at=timezone.now() - timedelta(hours=1)).log_id == ""
    crm.records += ["s1", "s2"]  # the CRM has taken its time
    send(after=600)
    assert not Delivery.objects.filter(kind="call_log.create").exists()
    assert crm.records == ["s1", "s2"]


def test_a_call_in_doubt_that_nobody_sends_any_more_is_not_logged_anew_before_it_must_show(crm, user):  # noqa: F811
    lose_answer(crm)
    log_call(user)
    assert support.erase(Delivery.objects.get())
    crm.on_create = Crm.raising(AssertionError("written again"))
    assert log_call(user).log_id == ""
    crm.records.append("s1")
    send(after=600)
    assert (crm.records, CallLog.objects.get().crm_log_id) == (["s1"], "id-1")


def test_after_a_restore_edits_wait_for_support_and_texts_are_looked_for(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    log_messages(user=user, conversation=day("c", 1, 2))
    MessageLog.objects.filter(message_id="c-2").delete()
    restored = restore.after_restore()
    assert (restored.in_doubt, restored.for_support) == (0, 0)
    log_messages(user=user, conversation=day("c", 1, 2))
    assert days["c/2026-05-04"].count("text 2.") == 1


def test_after_a_restore_the_next_record_of_a_full_day_is_looked_for_too(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    saved = ConversationLog.objects.get()
    days["c/2026-05-04"] += "x" * 40_000
    create, update, created = Adapter.create_message_log, Adapter.update_message_log, []

    def full(adapter, ref, change):
        if len(change.append(days[ref.log_id], change.messages)) > 40_000:
            raise BodyTooLong
        return update(adapter, ref, change)

    def count(adapter, entry):
        created.append(entry.conversation_log_id)
        return create(adapter, entry)

    monkeypatch.setattr(Adapter, "update_message_log", full)
    monkeypatch.setattr(Adapter, "create_message_log", count)
    log_messages(user=user, conversation=day("c", 1, 2))
    saved.save()  # as it was when the back-up was made
    MessageLog.objects.filter(message_id="c-2").delete()
    restore.after_restore()
    log_messages(user=user, conversation=day("c", 1, 2, 3))
    send(after=600)
    send(after=1200)
    assert not Delivery.objects.filter(kind="message_log.write").exists()
    assert [days["c/2026-05-04 (2)"].count(f"text {number}.") for number in (2, 3)] == [1, 1]
    assert created == ["c/2026-05-04 (2)"]


def test_after_a_restore_a_full_record_keeps_the_texts_that_stand_there(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1, 2))
    days["c/2026-05-04"] += "x" * 40_000
    update = Adapter.update_message_log
    monkeypatch.setattr(Adapter, "update_message_log", Crm.raising(CrmUnavailable()))
    MessageLog.objects.filter(message_id="c-2").delete()  # as it was when the back-up was made
    log_messages(user=user, conversation=day("c", 1, 2, 3))
    restore.after_restore()

    def full(adapter, ref, change):
        if len(change.append(days[ref.log_id], change.messages)) > 40_000:
            raise BodyTooLong
        return update(adapter, ref, change)

    monkeypatch.setattr(Adapter, "update_message_log", full)
    send(after=600)
    bodies = days["c/2026-05-04"], days["c/2026-05-04 (2)"]
    assert [[body.count(f"text {number}.") for number in (1, 2, 3)] for body in bodies] == [[1, 1, 0], [0, 0, 1]]
    assert dict(MessageLog.objects.values_list("message_id", "part")) == {"c-1": 1, "c-2": 1, "c-3": 2}
    assert not MessageLog.objects.exclude(delivery_id=None).exists()


# --- deleted records -------------------------------------------------------------------------------


def test_texts_of_a_deleted_record_do_not_count_among_those_of_the_next(days, user, monkeypatch):  # noqa: F811
    update = Adapter.update_message_log

    def gone(adapter, ref, change):
        if ref.log_id not in days:
            raise RecordNotFound
        return update(adapter, ref, change)

    def lost(adapter, entry):
        days["new"] = entry.body
        raise CrmUnavailable(maybe_applied=True)

    monkeypatch.setattr(Adapter, "update_message_log", gone)
    log_messages(user=user, conversation=day("c", 1))
    days.clear()
    monkeypatch.setattr(Adapter, "create_message_log", lost)
    monkeypatch.setattr(Adapter, "find_message_log", lambda adapter, marker: "new")
    log_messages(user=user, conversation=day("c", 1, 2))
    send(after=600)
    assert not Delivery.objects.exists()
    assert days["new"].count("text 2.") == 1


def test_an_edit_of_a_call_that_nobody_sends_leaves_the_doubt_about_it(crm, user):  # noqa: F811
    lose_answer(crm, lands=True)
    log_call(user)
    assert support.erase(Delivery.objects.get())
    identity = CallIdentity(session_id="s1")
    edit = CallEdit(identity=identity, change=CallLogChange(note="later"), details=CallDetails(note="later"))
    with pytest.raises(RecordNotFound):
        call_logs.update_call_log(user=user, edit=edit)
    crm.on_create = Crm.raising(AssertionError("written again"))
    assert log_call(user).log_id == "id-1"
    assert crm.records == ["s1"]


def test_a_call_in_doubt_that_a_colleague_logs_anew_is_looked_for_among_the_records_of_whoever_tried(
    crm,  # noqa: F811
    colleagues,
    monkeypatch,
):
    lose_answer(crm, lands=True)
    log_call(colleagues[0])
    assert support.erase(Delivery.objects.get())
    crm.on_create = Crm.raising(AssertionError("written again"))
    asked = []
    find = Adapter.find_call_log

    def found(adapter, marker):
        asked.append(adapter.user.id)
        return find(adapter, marker)

    monkeypatch.setattr(Adapter, "find_call_log", found)
    assert log_call(colleagues[1]).log_id == "id-1"
    assert asked == [colleagues[0].crm_user_id]


def test_a_call_that_was_given_up_and_comes_again_is_sent_though_its_process_dies(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    Delivery.objects.update(state=State.GIVEN_UP)
    crm.on_create = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    crm.on_create = lambda: None
    send(after=600)
    assert crm.records == ["s1"]


# --- clocks and suspended machines -----------------------------------------------------------------


def test_the_databases_time_is_read_once_a_minute_and_follows_no_wrong_clock(monkeypatch):
    monkeypatch.undo()
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has a clock of its own")
    with time_machine.travel(timezone.now() + timedelta(hours=4)):
        assert clock.now() < timezone.now() - timedelta(hours=3)
        statements = []
        with connection.execute_wrapper(lambda execute, *rest: (statements.append(rest[0]), execute(*rest))[1]):
            for _ in range(20):
                clock.now()
    assert statements == []


def test_the_fence_closes_on_a_machine_that_was_suspended():
    with writes_until(time.monotonic() + 30):
        assert may_write()
        with time_machine.travel(timezone.now() + timedelta(minutes=5)):
            assert not may_write()


def test_an_id_is_kept_only_by_the_holder_of_the_lease(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(Killed())
    with pytest.raises(Killed):
        log_call(user)
    zombie = Delivery.objects.select_related("call_log", "user").get()
    with time_machine.travel(timezone.now() + timedelta(seconds=600)):
        assert Delivery.objects.take(zombie.pk)
    zombie.keeps_id("id-of-the-zombie")
    assert CallLog.objects.get().crm_log_id == ""


# --- key changes -----------------------------------------------------------------------------------


def test_what_could_not_be_read_is_tried_again_with_other_keys(crm, user, settings):  # noqa: F811
    crm.on_create = Crm.raising(CrmUnavailable())
    log_call(user)
    crm.on_create = lambda: None
    right = settings.CREDENTIAL_KEYS
    login = CrmUser.objects.get().__dict__["access_token"]
    settings.CREDENTIAL_KEYS = {"other": b"0" * 32}
    send(after=60)
    assert Delivery.objects.get().state == State.PERSON
    send(after=120)
    assert Delivery.objects.get().state == State.PERSON
    settings.CREDENTIAL_KEYS = right
    CrmUser.objects.update(access_token=login)
    send(after=180)
    assert crm.records == ["s1"]


@pytest.mark.parametrize("kind", [Kind.EDIT, Kind.DISPOSITION])
def test_a_change_that_could_not_be_read_does_not_undo_a_newer_one(crm, user, monkeypatch, settings, kind):  # noqa: F811
    log_call(user)
    written, identity = [], CallIdentity(session_id="s1")

    def write(adapter, ref, change):
        written.append(change.note if kind is Kind.EDIT else change.fields["status"])
        return LogResult(log_id=ref.log_id)

    monkeypatch.setattr(Adapter, "get_call_log", lambda adapter, ref: LoggedCall(body=""))
    monkeypatch.setattr(Adapter, "update_call_log", write)
    monkeypatch.setattr(Adapter, "set_disposition", write)

    def ask(value):
        edit = CallEdit(identity=identity, change=CallLogChange(note=value), details=CallDetails(note=value))
        change = edit if kind is Kind.EDIT else Disposition(fields={"status": value})
        return calls.accept_change(user, identity, kind, change)[1]

    with monkeypatch.context() as unreadable:
        unreadable.setattr("connectors.deliveries.sending.from_json", lambda *_: Crm.raising(UnreadableChange())())
        unreadable.setattr("connectors.deliveries.logins.keys_and_version", lambda: "another version")
        first = send_now(ask("first"), None)
    assert (first.told, send_now(ask("second"), None).waits) == (Told.OWN_FAULT, False)
    send(after=120)
    kept = Delivery.objects.get()
    assert (written, kept.state, kept.last_error) == (["second"], State.PERSON, "overtaken")
    send(after=240)
    assert written == ["second"]
    support.send_again(Delivery.objects.all())
    send(after=360)
    assert written == ["second", "first"]


def test_a_change_that_could_not_be_read_goes_before_a_newer_one_that_waits(crm, user, monkeypatch):  # noqa: F811
    log_call(user)
    written, identity = [], CallIdentity(session_id="s1")

    def write(adapter, ref, change):
        written.append(change.fields["status"])

    monkeypatch.setattr(Adapter, "set_disposition", write)

    def ask(value):
        change = Disposition(fields={"status": value})
        return calls.accept_change(user, identity, Kind.DISPOSITION, change)[1]

    first = ask("first")
    Delivery.objects.filter(pk=first.pk).update(
        state=State.PERSON, unreadable_with="another version", lease=None, lease_until=None
    )
    ask("second")
    send(after=120)
    assert (written, Delivery.objects.count()) == (["first", "second"], 0)


# --- records that are gone or full -----------------------------------------------------------------


def test_a_day_whose_record_was_deleted_goes_on_in_a_new_one(days, user):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    del days["c/2026-05-04"]
    original = Adapter.update_message_log

    def gone(adapter, ref, change):
        if ref.log_id not in days:
            raise RecordNotFound
        return original(adapter, ref, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adapter, "update_message_log", gone)
        assert log_messages(user=user, conversation=day("c", 1, 2)).result.log_id
        log_messages(user=user, conversation=day("c", 1, 2, 3))
    assert [days["c/2026-05-04"].count(f"text {number}.") for number in (1, 2, 3)] == [0, 1, 1]
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("refusal", [BodyTooLong(), RequestRejected()])
def test_a_full_day_goes_on_in_a_second_record_and_a_small_one_does_not(days, user, refusal):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    days["c/2026-05-04"] += "x" * 40_000
    original = Adapter.update_message_log

    def full(adapter, ref, change):
        if len(change.append(days[ref.log_id], change.messages)) > 40_000:
            raise refusal
        return original(adapter, ref, change)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adapter, "update_message_log", full)
        log_messages(user=user, conversation=day("c", 1, 2))
        log_messages(user=user, conversation=day("c", 1, 2, 3))
    second = days["c/2026-05-04 (2)"]
    assert [second.count(f"text {number}.") for number in (1, 2, 3)] == [0, 1, 1]
    row = ConversationLog.objects.get()
    assert (row.part, row.crm_log_id, row.earlier_ids) == (2, "c/2026-05-04 (2)", ["c/2026-05-04"])


def _write_without_an_answer(monkeypatch, author, conversation):
    """Adds texts to a day's record, where they are written and the answer is lost."""
    original = Adapter.update_message_log

    def lost(adapter, ref, change):
        original(adapter, ref, change)
        raise CrmUnavailable(maybe_applied=True)

    with monkeypatch.context() as faulty:
        faulty.setattr(Adapter, "update_message_log", lost)
        log_messages(user=author, conversation=conversation)


def test_a_full_record_is_not_left_while_texts_of_a_colleague_may_stand_in_it(days, colleagues, monkeypatch):  # noqa: F811
    kim, ada = colleagues
    log_messages(user=kim, conversation=day("c", 1))
    original = Adapter.update_message_log
    _write_without_an_answer(monkeypatch, kim, day("c", 2))
    disconnect(user=kim, actor="test")
    send(after=60)
    assert Delivery.objects.get(kind="message_log.write").state == State.LOGIN
    days["c/2026-05-04"] += "x" * 40_000

    def full(adapter, ref, change):
        body = days[ref.log_id]
        if change.append(body, change.messages) != body and len(body) > 40_000:
            raise BodyTooLong
        return original(adapter, ref, change)

    monkeypatch.setattr(Adapter, "update_message_log", full)
    assert log_messages(user=ada, conversation=day("c", 3)).ids == ("c-3",)
    assert list(days) == ["c/2026-05-04"]
    assert set(Delivery.objects.values_list("user", "settles_at")) >= {(ada.pk, None)}
    kim.set_credentials(Credentials(access_token="anew"))
    kim.save()
    logins.wake(kim)
    send(after=70)
    send(after=140)
    assert not Delivery.objects.exists()
    written = "".join(days.values())
    assert [written.count(f"text {number}.") for number in (1, 2, 3)] == [1, 1, 1]
    assert "text 3." in days["c/2026-05-04 (2)"]


def test_texts_in_doubt_go_before_earlier_ones_that_wait_for_what_is_found_of_them(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    original = Adapter.update_message_log

    def lost(adapter, ref, change):
        raise CrmUnavailable(maybe_applied=True)

    def kept(number):
        with monkeypatch.context() as faulty:
            faulty.setattr(Adapter, "update_message_log", lost)
            log_messages(user=user, conversation=day("c", number))
        return Delivery.objects.get(position=number)

    first = kept(2)
    Delivery.objects.filter(pk=first.pk).update(state=State.PERSON, settles_at=None)  # refused when it was tried again
    second = kept(3)
    assert second.is_in_doubt
    Delivery.objects.filter(pk=first.pk).update(state=State.WAITING)  # support sends it
    days["c/2026-05-04"] += "x" * 40_000

    def full(adapter, ref, change):
        if len(change.append(days[ref.log_id], change.messages)) > 40_000:
            raise BodyTooLong
        return original(adapter, ref, change)

    monkeypatch.setattr(Adapter, "update_message_log", full)
    for minutes in (1, 30, 60):
        send(after=60 * minutes)
    assert not Delivery.objects.exists()
    assert [days["c/2026-05-04 (2)"].count(f"text {number}.") for number in (2, 3)] == [1, 1]


def test_texts_that_stand_in_a_record_too_long_by_now_are_not_sent_to_it_again(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    _write_without_an_answer(monkeypatch, user, day("c", 2))
    days["c/2026-05-04"] += "x" * 40_000  # somebody wrote into it

    def full(adapter, ref, change):
        change.append(days[ref.log_id], change.messages)
        raise BodyTooLong

    monkeypatch.setattr(Adapter, "update_message_log", full)
    send(after=600)
    assert not Delivery.objects.exists()
    assert list(days) == ["c/2026-05-04"]


@pytest.mark.parametrize("most", [100_000, 40_000], ids=["as the manifest says", "less than anybody knew"])
def test_a_first_post_that_fills_more_than_one_record_is_written_into_several(days, user, monkeypatch, most):  # noqa: F811
    create, update = Adapter.create_message_log, Adapter.update_message_log

    def checked(body):
        if len(body) > most:
            raise RequestRejected
        return body

    monkeypatch.setattr(Adapter, "create_message_log", lambda one, entry: checked(entry.body) and create(one, entry))
    monkeypatch.setattr(
        Adapter,
        "update_message_log",
        lambda one, ref, change: checked(change.append(days[ref.log_id], change.messages)) and update(one, ref, change),
    )
    whole = day("c", *range(1, 51))
    whole = replace(whole, messages=tuple(replace(one, text=one.text + " long" * 600) for one in whole.messages))
    assert log_messages(user=user, conversation=whole).result.log_id
    for hours in range(8):
        send(after=hours * 3600)
    assert list(Delivery.objects.values_list("state", "last_error", "reason")) == []
    written = "".join(days.values())
    assert [written.count(f"text {number}.") for number in range(1, 51)] == [1] * 50
    assert max(len(body) for body in days.values()) <= most
    assert MessageLog.objects.filter(delivery_id=None).count() == 50
    assert log_messages(user=user, conversation=whole).result is None


def test_a_refusal_of_a_small_record_stays_a_refusal(days, user, monkeypatch):  # noqa: F811
    log_messages(user=user, conversation=day("c", 1))
    monkeypatch.setattr(Adapter, "update_message_log", lambda *_: Crm.raising(RequestRejected())())
    with pytest.raises(RequestRejected):
        log_messages(user=user, conversation=day("c", 1, 2))
    assert list(days) == ["c/2026-05-04"]


def test_a_log_that_a_read_found_deleted_can_be_logged_again_once(crm, user, monkeypatch):  # noqa: F811
    log_call(user)
    monkeypatch.setattr(Adapter, "get_call_logs", lambda adapter, refs: [CrmUnavailable() for _ in refs])
    call_logs.find_logs(user=user, session_ids=["s1"], extension="", with_details=True)
    assert CallLog.objects.get().is_logged  # the CRM could not be asked
    monkeypatch.setattr(Adapter, "get_call_logs", lambda adapter, refs: [RecordNotFound() for _ in refs])
    (found,) = call_logs.find_logs(user=user, session_ids=["s1"], extension="", with_details=True)
    assert (found.log, found.error) == (None, None)
    assert AuditEvent.objects.get(action="call_log.gone").target == "id-1"
    other = ContactRef(id=77, type="lead", name="Pat Lee")
    assert log_call(user, contact=other).log_id == "id-2"
    assert (CallLog.objects.get().crm_log_id, CallLog.objects.get().contact_id) == ("id-2", "77")
    with pytest.raises(Exception, match="Existing log"):
        log_call(user)


def test_a_call_that_is_too_long_is_sent_without_its_long_sections(crm, user):  # noqa: F811
    refusals = [BodyTooLong()]

    def refuse_once():
        if refusals:
            raise refusals.pop()

    crm.on_create = refuse_once
    result = log_call(user, transcript="word " * 30_000)
    assert result.log_id == "id-1"
    assert "shortened" in result.notice.details[-1]


def test_long_sections_are_cut_and_the_note_is_not():
    one = submission("s1", note="n" * 5000, transcript="t" * 5000)
    cut = without_long_sections(one)
    assert len(cut.entry.note) == 5000
    assert cut.entry.transcript.endswith("[shortened]")
    assert len(cut.entry.transcript) < 1100


# --- what an answer means --------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [UnexpectedResponse(status=403), RateLimited(retry_after=2), CrmUnavailable()])
def test_what_is_no_verdict_costs_nothing(crm, user, refusal):  # noqa: F811
    crm.on_create = Crm.raising(refusal)
    notice = log_call(user).notice
    assert notice.message == "Call log saved. It will be sent when Test CRM is back."
    crm.on_create = lambda: None
    send(after=60)
    assert crm.records == ["s1"]


def test_an_answer_of_a_proxy_that_does_not_end_is_shown_to_a_person_and_not_dropped(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(UnexpectedResponse(status=403))
    log_call(user)
    for number in range(1, 8):
        send(after=number * 1500)
    assert Delivery.objects.get().state == State.PERSON
    assert CallLog.objects.get().state == LogState.QUEUED


def test_nobody_at_the_phone_is_shut_out_for_long_nor_after_a_new_login(crm, user):  # noqa: F811
    crm.on_create = Crm.raising(RateLimited(retry_after=50_000))
    log_call(user)
    crm.on_create = lambda: None
    with time_machine.travel(timezone.now() + timedelta(seconds=800)):
        assert log_call(user).notice
    logins.wake(user)
    assert log_call(user).log_id == "id-1"


@pytest.mark.parametrize("error", [CrmUnavailable(), CredentialsRejected()])
def test_a_reply_that_says_saved_leads_to_the_delivery(client, crm, user, error):  # noqa: F811
    from connectors.api.authentication import issue_token
    from tests.extension import call

    crm.on_create = Crm.raising(error)
    body = call("s1", {"id": 1, "name": "Luke", "type": "Contact"})
    reply = client.post(f"/callLog?jwtToken={issue_token(user)}", body, content_type="application/json").json()
    reference = Delivery.objects.get().request_id
    assert reference
    assert str(reply["returnMessage"]["details"]).count(f"Reference: {reference}") == 1
