"""SQLite as the server uses it: connections that stay open, commits that are on disk, writers that take turns."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from adapters.contract import Contact, ContactMatches, parse_phone
from audit.durability import unflushed
from audit.recorder import record
from connectors.services import contacts, request_counts
from connectors.sqlite import base
from tests.factories import CrmUserFactory

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="the tests run on another database")


@pytest.fixture
def open_database(tmp_path, django_db_blocker):
    """Connections of their own to one file with a table ``t``, as many as asked for."""
    path, opened = tmp_path / "some.sqlite3", []
    options = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }

    def open_one():
        defaults = settings.DATABASES["default"]
        wrapper = base.DatabaseWrapper(
            {**defaults, "NAME": str(path), "OPTIONS": options, "CONN_MAX_AGE": None}, "some"
        )
        wrapper.inc_thread_sharing()
        opened.append(wrapper)
        return wrapper

    with django_db_blocker.unblock():
        with open_one().cursor() as cursor:
            cursor.execute("CREATE TABLE t (n INTEGER)")
        yield open_one, path
        for wrapper in opened:
            wrapper.close()


def _insert(wrapper, number):
    with wrapper.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (%s)", [number])


def _numbers(wrapper):
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT n FROM t ORDER BY n")
        return [row[0] for row in cursor.fetchall()]


def test_a_connection_stays_open_from_request_to_request(open_database):
    wrapper = open_database[0]()
    _insert(wrapper, 1)
    handle = wrapper.connection
    wrapper.close_if_unusable_or_obsolete()
    assert wrapper.connection is handle


def test_a_file_that_was_put_in_place_is_the_one_that_counts(open_database):
    open_one, path = open_database
    wrapper = open_one()
    _insert(wrapper, 1)
    with closing(sqlite3.connect(f"{path}.backup")) as backup:
        wrapper.connection.backup(backup)
    _insert(wrapper, 2)
    os.replace(f"{path}.backup", path)
    for rest in ("-wal", "-shm"):
        if os.path.exists(f"{path}{rest}"):
            os.remove(f"{path}{rest}")
    wrapper.close_if_unusable_or_obsolete()
    assert _numbers(wrapper) == [1]


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_commit_is_flushed_but_for_what_nobody_was_told():
    def level():
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            return cursor.fetchone()[0]

    full, normal = 2, 1
    assert level() == full
    with unflushed():
        assert level() == normal
    assert level() == full
    with pytest.raises(ValueError, match="x"), unflushed():
        raise ValueError("x")
    assert level() == full
    with transaction.atomic(), unflushed():
        assert level() == full
    with unflushed(), transaction.atomic():
        assert level() == normal
    assert level() == full


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_look_up_waits_for_no_disk(monkeypatch):
    """Its trace, the result it keeps and the count of requests; what is logged does."""
    levels, real = [], base.DatabaseWrapper._commit

    def commit(self):
        levels.append(self.connection.execute("PRAGMA synchronous").fetchone()[0])
        real(self)

    matches = ContactMatches(contacts=(Contact(id="1", name="Ada", phone="+16505550100", type="Contact"),))
    user = CrmUserFactory()
    monkeypatch.setattr(base.DatabaseWrapper, "_commit", commit)
    monkeypatch.setattr(contacts, "look", lambda *_, **__: matches)
    contacts.find_contacts(user=user, phone=parse_phone("+16505550100"), force=False, render=lambda _: {"contact": []})
    request_counts.add_to_count("some key", 1, ends=2e9)
    assert levels == [1, 1]
    with transaction.atomic():
        record("call_log.create", actor="x")
    assert levels[2:] == [2]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the tests run on another database")
@pytest.mark.django_db(transaction=True)
def test_a_commit_is_flushed_but_for_what_nobody_was_told_on_postgresql():
    def level():
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return cursor.fetchone()[0]

    assert level() == "on"
    with unflushed():
        assert level() == "off"
    assert level() == "on"
    with transaction.atomic(), unflushed():
        assert level() == "on"


def test_of_many_writers_only_one_asks_for_the_file(open_database, monkeypatch):
    open_one, _ = open_database
    asking, most, guard = [0], [0], threading.Lock()
    real = base._patiently

    def patiently(run):
        with guard:
            asking[0] += 1
            most[0] = max(most[0], asking[0])
        try:
            return real(run)
        finally:
            with guard:
                asking[0] -= 1

    monkeypatch.setattr(base, "_patiently", patiently)

    def write(wrapper, first):
        for number in range(first, first + 20, 2):
            _insert(wrapper, number)
            wrapper.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            wrapper.in_atomic_block = True
            _insert(wrapper, number + 1)
            wrapper.in_atomic_block = False
            wrapper.commit()
            wrapper.set_autocommit(True)

    wrappers = [open_one() for _ in range(8)]
    for wrapper in wrappers:
        wrapper.ensure_connection()
    threads = [threading.Thread(target=write, args=(wrapper, 20 * n)) for n, wrapper in enumerate(wrappers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _numbers(wrappers[0]) == list(range(160))
    assert most[0] == 1


def test_a_writer_waits_for_another_process(open_database):
    open_one, path = open_database
    wrapper = open_one()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=_insert, args=(wrapper, 1))
    writer.start()
    writer.join(0.2)
    assert writer.is_alive()
    other.execute("COMMIT")
    writer.join()
    other.close()
    assert _numbers(wrapper) == [1]


def test_a_writer_that_waits_too_long_fails_and_lets_the_next_one_try(open_database, monkeypatch):
    monkeypatch.setattr(base, "_PATIENCE", 0.05)
    open_one, path = open_database
    first, second = open_one(), open_one()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(OperationalError, match="locked"):
            _insert(first, 1)
        with pytest.raises(OperationalError, match="locked"):
            first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    other.execute("COMMIT")
    other.close()
    _insert(second, 2)
    assert _numbers(second) == [2]


def test_a_connection_that_is_lost_in_a_transaction_lets_the_next_one_write(open_database):
    open_one, _ = open_database
    first, second = open_one(), open_one()
    first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    _insert(first, 1)
    first.close()
    _insert(second, 2)
    assert _numbers(second) == [2]
