"""The audit trail: nothing changes it, and what was changed all the same is found and named."""

from __future__ import annotations

import csv
import io
import json
import logging
import threading
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from audit import append_only, sealing
from audit.models import AuditEvent, AuditPruning, AuditSeal, TrafficHour
from audit.recorder import record
from audit.seal_keys import chain_of, moment_text
from audit.sealing import seal_all, seal_when_due
from audit.traffic import percentile

EVENT, SEAL, MARK = "audit_auditevent", "audit_auditseal", "audit_auditpruning"


def _events(number, **fields):
    for _ in range(number):
        record("call_log.create", **{"actor": "user:kim", "platform": "testCRM", "subject": "s", **fields})
    return list(AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[:number][::-1])


def _execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def _tamper(sql, *parameters):
    """As somebody who may drop triggers."""
    append_only.remove(connection)
    _execute(sql, *parameters)
    append_only.extend(connection)


def _verify(*arguments):
    """Exit status and output of ``verify_audit``."""
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=io.StringIO())
    except CommandError:
        return 1, out.getvalue()
    return 0, out.getvalue()


def _copy_of(pk, **changed):
    """An INSERT that repeats an event, with other values in some columns."""
    columns = [field.column for field in AuditEvent._meta.fields]
    values = ", ".join("%s" if name in changed else name for name in columns)
    sql = f"({', '.join(columns)}) SELECT {values} FROM {EVENT} WHERE id = {pk}"
    return sql, [changed[name] for name in columns if name in changed]


# --- refused by the database -----------------------------------------------------------------------

STATEMENTS = {
    "update": f"UPDATE {EVENT} SET actor = 'x'",
    "delete": f"DELETE FROM {EVENT}",
    "update of a seal": f"UPDATE {SEAL} SET mac = 'x'",
    "delete of a seal": f"DELETE FROM {SEAL}",
    "delete of a mark": f"DELETE FROM {MARK}",
    "update of a mark": f"UPDATE {MARK} SET last_id = 999",
}
ONLY = {
    "postgresql": {
        "truncate": f"TRUNCATE {EVENT}",
        "truncate of seals": f"TRUNCATE {SEAL}",
        "truncate as a replica": f"SET LOCAL session_replication_role = replica; TRUNCATE {EVENT}",
        "update as a replica": f"SET LOCAL session_replication_role = replica; UPDATE {EVENT} SET actor = 'x'",
    },
    "sqlite": {
        "update or replace": f"UPDATE OR REPLACE {EVENT} SET actor = 'x'",
        "replace of a seal": f"REPLACE INTO {SEAL} SELECT * FROM {SEAL}",
        "replace of a mark": f"REPLACE INTO {MARK} SELECT * FROM {MARK}",
    },
}


@pytest.fixture
def sealed(db):
    """Three sealed events, and a mark of removal below them."""
    ids = _events(3)
    seal_all()
    AuditPruning.objects.create(last_id=0, pruned_at=timezone.now(), key_id="test", mac="x")
    return ids


@pytest.mark.parametrize("name", [*STATEMENTS, *ONLY["postgresql"], *ONLY["sqlite"]])
def test_the_database_refuses(sealed, name):
    statement = {**STATEMENTS, **ONLY[connection.vendor]}.get(name)
    if statement is None:
        pytest.skip("of the other database")
    before = list(AuditEvent.objects.order_by("pk").values()), list(AuditSeal.objects.values())
    with pytest.raises(DatabaseError), transaction.atomic():
        _execute(statement)
    assert (list(AuditEvent.objects.order_by("pk").values()), list(AuditSeal.objects.values())) == before


def test_an_event_takes_no_others_place(sealed):
    columns, values = _copy_of(sealed[1], id=sealed[1], actor="user:eve")
    verb = "REPLACE INTO" if connection.vendor == "sqlite" else "INSERT INTO"
    upsert = " ON CONFLICT (id) DO UPDATE SET actor = 'x'" if connection.vendor == "postgresql" else ""
    with pytest.raises(DatabaseError), transaction.atomic():
        _execute(f"{verb} {EVENT} {columns}{upsert}", *values)
    assert AuditEvent.objects.get(pk=sealed[1]).actor == "user:kim"


def test_an_event_is_not_slipped_into_a_sealed_range(sealed):
    _tamper(f"DELETE FROM {EVENT} WHERE id = %s", sealed[1])
    columns, values = _copy_of(sealed[0], id=sealed[1])
    for place in (sealed[1], -7):
        columns, values = _copy_of(sealed[0], id=place)
        with pytest.raises(DatabaseError, match="only added at the end"), transaction.atomic():
            _execute(f"INSERT INTO {EVENT} {columns}", *values)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows._raw_delete(rows.db),
        lambda rows: super(type(rows), rows).delete(),
        lambda rows: super(type(rows), rows).update(actor="x"),
        lambda rows: AuditEvent._base_manager.all().delete(),
        lambda rows: AuditEvent._base_manager.update(actor="x"),
        lambda rows: AuditEvent._base_manager.bulk_update([rows[0]], ["actor"]),
        lambda rows: AuditEvent._base_manager.bulk_create(
            list(rows), update_conflicts=True, unique_fields=["id"], update_fields=["actor"]
        ),
        lambda rows: rows[0].save(),
        lambda rows: call_command("flush", interactive=False, verbosity=0),
    ],
)
def test_no_way_of_the_orm_changes_an_event(sealed, change):
    rows = AuditEvent.objects.order_by("pk")
    with pytest.raises((DatabaseError, TypeError, CommandError)), transaction.atomic():
        change(rows.all())
    assert list(rows.values_list("pk", "actor")) == [(pk, "user:kim") for pk in sealed]


@pytest.mark.django_db
def test_a_trigger_that_was_dropped_is_missed():
    assert append_only.missing(connection) == []
    name = "audit_event_at_the_end"
    _execute(f"DROP TRIGGER {name}" + (f" ON {EVENT}" if connection.vendor == "postgresql" else ""))
    assert append_only.missing(connection) == [name]


# --- found by verify_audit -------------------------------------------------------------------------


def test_an_untouched_trail_is_as_it_was_written(sealed):
    _tamper(f"DELETE FROM {MARK}")
    _events(2)
    status, said = _verify()
    assert status == 0, said
    assert "3 events under 1 seals, 2 not sealed yet." in said


@pytest.mark.parametrize("column", ["actor", "outcome", "subject", "target", "detail", "occurred_at", "milliseconds"])
@pytest.mark.django_db
def test_a_changed_event_is_named(column):
    ids = _events(5)
    seal_all()
    value = {"detail": '{"count": 2}', "occurred_at": timezone.now() - timedelta(seconds=9), "milliseconds": 7}
    _tamper(f"UPDATE {EVENT} SET {column} = %s WHERE id = %s", value.get(column, "x"), ids[3])
    status, said = _verify()
    assert status == 1
    assert f"Event {ids[3]}: it was changed." in said
    assert said.count("Event ") == 1


@pytest.mark.django_db
def test_a_removed_event_is_named_and_one_that_takes_its_place():
    ids = _events(5)
    seal_all()
    _tamper(f"DELETE FROM {EVENT} WHERE id = %s", ids[2])
    assert f"Event {ids[2]}: it was removed." in _verify()[1]
    columns, values = _copy_of(ids[0], id=ids[2])
    _tamper(f"INSERT INTO {EVENT} {columns}", *values)
    status, said = _verify()
    assert status == 1
    assert f"Event {ids[2]}: it was changed." in said


@pytest.mark.django_db
def test_an_event_slipped_into_a_gap_of_a_sealed_range_is_named():
    first = _events(1)[0]
    with connection.cursor() as cursor:  # an id that a transaction took and gave up
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT nextval(pg_get_serial_sequence('{EVENT}', 'id'))")
        else:
            cursor.execute(f"UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = '{EVENT}'")
    _events(1)
    seal_all()
    assert _verify()[0] == 0
    columns, values = _copy_of(first, id=first + 1)
    _tamper(f"INSERT INTO {EVENT} {columns}", *values)
    status, said = _verify()
    assert status == 1
    assert f"Event {first + 1}: it was added to a range that was sealed already." in said


@pytest.mark.django_db
def test_a_back_dated_event_is_named_sealed_or_not():
    (first,) = _events(1)
    seal_all()
    columns, values = _copy_of(first, id=first + 10, occurred_at=timezone.now() - timedelta(days=3))
    _execute(f"INSERT INTO {EVENT} {columns}", *values)
    for _ in range(2):
        status, said = _verify()
        assert status == 1
        assert f"Event {first + 10}: it says " in said
        assert "and was written after" in said
        seal_all()


@pytest.mark.django_db
def test_events_of_months_that_are_sealed_together_are_not_dated_back(monkeypatch):
    """As after an update from a version without seals."""
    monkeypatch.setattr(sealing, "BATCH", 2)
    for days in (90, 60, 30, 0):
        with time_machine.travel(timezone.now() - timedelta(days=days)):
            _events(3)
    seal_all()
    status, said = _verify()
    assert status == 0, said


@pytest.mark.django_db
def test_a_seal_that_was_changed_or_removed_is_named(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 2)
    ids = _events(6)
    seal_all()
    second = AuditSeal.objects.order_by("last_id")[1]
    _tamper(f"DELETE FROM {SEAL} WHERE id = %s", second.pk)
    status, said = _verify()
    assert status == 1
    assert f"Between events {ids[1]} and {ids[4]}: a seal was removed." in said


@pytest.mark.django_db
def test_who_does_not_have_the_keys_cannot_seal_again():
    ids = _events(3)
    seal_all()
    seal = AuditSeal.objects.get()
    _tamper(f"UPDATE {EVENT} SET actor = 'x' WHERE id = %s", ids[0])
    row = AuditEvent.objects.values_list(*sealing.COLUMNS).get(pk=ids[0])
    digests = sealing.packed(seal.first_id, ids[0], sealing.digest_of(row)) + bytes(seal.digests)[12:]
    chain = chain_of("", seal.first_id, seal.last_id, seal.until, seal.closed_at, digests)
    _tamper(f"UPDATE {SEAL} SET chain = %s, digests = %s", chain, digests)
    status, said = _verify()
    assert status == 1
    assert f"Seal over events {seal.first_id} to {seal.last_id}: it was not made with this server's keys." in said


@pytest.mark.django_db
def test_the_log_line_of_a_seal_finds_a_trail_whose_end_was_cut_off(caplog):
    _events(2)
    seal_all()
    _events(2)
    with caplog.at_level(logging.INFO, "switchboard.audit"):
        seal_all()
    line = [line for line in caplog.records if line.getMessage() == "audit trail sealed"][-1]
    assert _verify("--expect", line.mac)[0] == 0
    _tamper(f"DELETE FROM {EVENT} WHERE id >= %s", line.first_event)
    _tamper(f"DELETE FROM {SEAL} WHERE id = %s", line.seal)
    assert _verify()[0] == 0, "nothing in the database tells"
    status, said = _verify("--expect", line.mac)
    assert status == 1
    assert "the end of the trail was cut off" in said


@pytest.mark.django_db
def test_seals_of_a_key_that_is_gone_are_covered_by_the_next(settings):
    ids = _events(2)
    seal_all()
    settings.CREDENTIAL_KEYS = {"new": b"n" * 32, **settings.CREDENTIAL_KEYS}
    settings.CREDENTIAL_KEYS.pop("test")
    status, said = _verify()
    assert status == 0
    assert f"Seals up to event {ids[1]} were made with key 'test'" in said
    _events(1)
    seal_all()
    assert "made with key" not in _verify()[1]
    _tamper(f"UPDATE {EVENT} SET actor = 'x' WHERE id = %s", ids[0])
    assert _verify()[0] == 1


# --- sealing ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_worker_seals_what_is_many_or_old(monkeypatch):
    _events(3)
    assert seal_when_due() == 0
    with time_machine.travel(timezone.now() + sealing.SEALED_WITHIN + timedelta(seconds=1)):
        assert seal_when_due() == 3
        _events(2)
    monkeypatch.setattr(sealing, "WORTH_A_SEAL", 2)
    assert seal_when_due() == 2
    assert seal_when_due() == 0


@pytest.mark.django_db(transaction=True)
def test_a_range_is_sealed_only_when_nobody_can_add_to_it(monkeypatch):
    """The lower id of two is committed last: the seal waits for it."""
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite one transaction writes at a time")
    monkeypatch.setattr(sealing, "_TRIES", 1)
    has_id, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            record("call_log.create", actor="user:slow")
            has_id.set()
            may_commit.wait(20)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    assert has_id.wait(20)
    (later,) = _events(1)
    with pytest.raises(sealing.NotClosed):
        seal_all()
    may_commit.set()
    thread.join(20)
    assert seal_all() == 2
    assert AuditSeal.objects.get().last_id == later
    assert _verify()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_seal_at_once_make_one_chain(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 3)
    monkeypatch.setattr(sealing, "_TRIES", 200)
    _events(30)
    problems = []

    def seal():
        try:
            for _ in range(12):
                seal_all()
        except Exception as error:
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    seal_all()
    status, said = _verify()
    assert status == 0, said
    assert "30 events under 10 seals, 0 not sealed yet." in said
    assert sum(TrafficHour.objects.values_list("succeeded", flat=True)) == 30


@pytest.mark.django_db
def test_what_is_sealed_is_counted_once_by_hour_and_crm():
    _events(3, milliseconds=400, crm_calls=1)
    _events(1, outcome="failure", milliseconds=9000, crm_calls=1)
    _events(2, platform="other")
    for _ in range(2):
        seal_all()
    rows = {row.platform: row for row in TrafficHour.objects.filter(action="call_log.create")}
    ours = rows["testCRM"]
    assert (ours.succeeded, ours.failed, rows["other"].succeeded) == (3, 1, 2)
    assert percentile(ours.durations, 0.5) == 500
    assert percentile(ours.durations, 0.95) == 13_000
    assert percentile(rows["other"].durations, 0.5) is None, "nobody asked the CRM"


# --- retention -------------------------------------------------------------------------------------


def _prune(*arguments):
    out = io.StringIO()
    call_command("prune_audit", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_whole_sealed_batches_go_after_their_time_and_the_rest_still_verifies(monkeypatch, settings):
    settings.AUDIT_RETENTION = timedelta(days=400)
    monkeypatch.setattr(sealing, "BATCH", 2)
    with time_machine.travel(timezone.now() - timedelta(days=500)):
        old = _events(5)
        seal_all()
    unsealed = _events(1)
    assert "5 events older than 400 days would be removed." in _prune("--dry-run")
    assert AuditEvent.objects.count() == 6
    assert "5 events older than 400 days removed." in _prune()
    assert not AuditEvent.objects.filter(pk__in=old).exists()
    assert AuditEvent.objects.filter(pk__in=unsealed).exists()
    assert AuditSeal.objects.count() == 3
    seal_all()
    status, said = _verify()
    assert status == 0, said
    assert f"Events up to {old[-1]} were removed by prune_audit" in said
    assert "0 events older than 400 days removed." in _prune()


@pytest.mark.django_db
def test_unsealed_events_and_batches_with_one_young_event_stay(settings):
    settings.AUDIT_RETENTION = timedelta(days=400)
    with time_machine.travel(timezone.now() - timedelta(days=500)):
        _events(3)
    assert "0 events" in _prune()
    _events(1)
    seal_all()
    assert "0 events" in _prune()
    assert AuditEvent.objects.count() == 4


@pytest.mark.django_db
def test_a_mark_of_removal_that_somebody_else_made_is_found():
    ids = _events(3)
    seal_all()
    _execute(
        f"INSERT INTO {MARK} (last_id, pruned_at, key_id, mac) VALUES (%s, %s, 'test', 'x')", ids[1], timezone.now()
    )
    _execute(f"DELETE FROM {EVENT} WHERE id <= %s", ids[1])  # triggers let it pass
    status, said = _verify()
    assert status == 1
    assert f"Events up to {ids[1]} were marked for removal by somebody else." in said
    assert f"Event {ids[0]}: it was removed." in said


# --- export ----------------------------------------------------------------------------------------


def _export(*arguments):
    out = io.StringIO()
    call_command("export_audit", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "|cmd"])
def test_no_cell_of_a_csv_is_a_formula(start):
    record("call_log.create", actor=start, subject=start, detail={"reason": start})
    (row,) = list(csv.DictReader(io.StringIO(_export("--format", "csv"))))
    assert row["actor"] == f"'{start}"
    assert row["subject"] == f"'{start}"
    assert row["detail"].startswith("{")
    line = json.loads(_export("--format", "jsonl", "--user", start).splitlines()[0])
    assert line["actor"] == start, "a program gets it unchanged"


@pytest.mark.django_db
def test_an_export_is_chosen_by_user_date_and_crm_and_recorded():
    with time_machine.travel("2026-05-01T10:00:00Z", tick=False):
        record("call_log.create", actor="user:kim", platform="testCRM", subject="first")
    with time_machine.travel("2026-05-02T10:00:00Z", tick=False):
        record("call_log.create", actor="user:kim", platform="testCRM", subject="second")
        record("call_log.create", actor="user:lee", platform="other", subject="third")
    chosen = {
        (): ["first", "second", "third"],
        ("--user", "kim"): ["first", "second"],
        ("--platform", "other"): ["third"],
        ("--until", "2026-05-01"): ["first"],
        ("--since", "2026-05-02T10:00+00:00", "--user", "user:kim"): ["second"],
    }
    for arguments, subjects in chosen.items():
        lines = [json.loads(line) for line in _export("--format", "jsonl", *arguments).splitlines()]
        assert [line["subject"] for line in lines if line["action"] != "audit.export"] == subjects
    assert lines[0]["occurred_at"] == moment_text(AuditEvent.objects.get(subject="second").occurred_at)
    assert AuditEvent.objects.filter(action="audit.export").count() == len(chosen)
    with pytest.raises(CommandError, match="--since must be a day such as"):
        _export("--since", "yesterday")


@pytest.mark.django_db
def test_an_export_goes_to_a_file(tmp_path):
    _events(3)
    target = tmp_path / "trail.csv"
    _export("--output", str(target))
    assert len(target.read_text().splitlines()) == 4
