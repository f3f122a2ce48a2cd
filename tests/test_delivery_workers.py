"""The delivery worker as operators run it: its own processes, on SQLite, on PostgreSQL, and on Celery with Redis."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.extension import Extension, call, conversation
from tests.live_server import ROOT, LiveServer, free_port, live_server, postgres_database
from tests.sandbox import start_sandbox
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there, redis_database

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
needs_postgres = pytest.mark.skipif(not postgres_is_there(), reason="no PostgreSQL")
FAST = {"DELIVERY_RETRY_SECONDS": "0.2", "OUTBOUND_READ_TIMEOUT": "30", "SANDBOX": "on"}


@contextmanager
def worker(server: LiveServer, *command: str):
    """A worker process; ends by SIGTERM and says how."""
    arguments = [sys.executable, *(command or ("manage.py", "deliver", "--watch"))]
    process = subprocess.Popen(arguments, cwd=ROOT, env=server.environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def wait_for(condition, seconds: float = 300) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.1)


def _user(server: LiveServer, sandbox) -> tuple[Extension, dict]:
    me = Extension(server.url, "testCRM")
    me.login_with_key("demo-key")
    return me, me.look_up("+16505551212")["contact"][0]


def _other(me: Extension) -> Extension:
    other = Extension(me.url, me.platform)
    other.token = me.token
    return other


def _records(sandbox) -> list[str]:
    return sorted(row["external_id"] for row in sandbox.activities())


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    """A server on SQLite, and the port at which it expects the sandbox CRM."""
    folder, port = tmp_path_factory.mktemp("sqlite"), free_port()
    with live_server(folder, TEST_CRM_URL=f"http://127.0.0.1:{port}", **FAST) as server:
        yield server, port


def test_a_worker_that_is_stopped_finishes_what_it_is_sending(tmp_path, on_sqlite):
    server, port = on_sqlite
    sandbox = start_sandbox(tmp_path, port=port)
    try:
        me, luke = _user(server, sandbox)
        sandbox.fail({"method": "POST", "status": 429, "retry_after": 1, "times": 1})
        me.log_call(call("stopped", luke))
        sandbox.fail({"method": "POST", "delay_ms": 1500, "times": 1})
        sandbox.requests_seen()
        with worker(server) as process:
            wait_for(lambda: sandbox.requests_seen().count("POST /api/activities") == 2)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "1 sent, 0 still wait.\n")
        assert _records(sandbox) == ["stopped"]
        states = "list(CallLog.objects.filter(session_id='stopped').values_list('state', flat=True))"
        assert server.rows(states) == ["logged"]
    finally:
        sandbox.stop()


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory):
    """Two server processes on PostgreSQL, and the port at which they expect the sandbox CRM."""
    folder, port = tmp_path_factory.mktemp("postgresql"), free_port()
    with (
        postgres_database(POSTGRES, prepared=True) as url,
        live_server(
            folder, workers=2, threads=16, database_url=url, TEST_CRM_URL=f"http://127.0.0.1:{port}", **FAST
        ) as server,
    ):
        yield server, port


def _kept_while_down_then_drained(tmp_path, server, port, *workers):
    """Server processes keep twenty calls and ten conversations of a CRM that is down; workers send them."""
    sandbox = start_sandbox(tmp_path, port=port)
    try:
        me, luke = _user(server, sandbox)
        sandbox.stop()
        bodies = [call(f"c{index}", luke) for index in range(20)]
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda body: _other(me).log_call(body), bodies))
            replies += pool.map(
                lambda index: _other(me).log_messages(conversation(f"m{index}", luke, 1, info={"messages": [
                    {**conversation("x", luke, 1)["logInfo"]["messages"][0], "id": f"m{index}"}]})),
                range(10),
            )  # fmt: skip
        assert all(reply["successful"] for reply in replies)
        assert all("Test CRM is back" in reply["returnMessage"]["message"] for reply in replies)
        assert server.rows("Delivery.objects.count()") == 30
        sandbox = start_sandbox(tmp_path, port=port)
        running = [worker(server, *command) for command in workers]
        for context in running:
            context.__enter__()
        try:
            wait_for(lambda: len(_records(sandbox)) >= 30)
            wait_for(lambda: server.rows("Delivery.objects.count()") == 0)
        finally:
            for context in running:
                context.__exit__(None, None, None)
        expected = [f"c{index}" for index in range(20)] + [f"m{index}/2026-05-04" for index in range(10)]
        assert _records(sandbox) == sorted(expected)
        assert server.rows("CallLog.objects.exclude(state='logged').count()") == 0
    finally:
        sandbox.stop()


def test_kept_changes_are_sent_once_by_two_workers_on_sqlite(tmp_path, on_sqlite):
    _kept_while_down_then_drained(tmp_path, *on_sqlite, (), ())


@needs_postgres
def test_kept_changes_are_sent_once_by_two_workers_on_postgresql(tmp_path, on_postgres):
    _kept_while_down_then_drained(tmp_path, *on_postgres, (), ())


@needs_postgres
def test_kept_changes_are_sent_once_by_celery_over_redis(tmp_path):
    port = free_port()
    with (
        redis_database() as redis,
        postgres_database(POSTGRES, prepared=True) as url,
        live_server(
            tmp_path, database_url=url, REDIS_URL=redis, TEST_CRM_URL=f"http://127.0.0.1:{port}", **FAST
        ) as server,
    ):
        celery = ("-m", "celery", "-A", "config.celery", "worker", "--pool", "threads", "--loglevel", "WARNING")
        _kept_while_down_then_drained(
            tmp_path,
            server,
            port,
            (*celery, "--concurrency", "4", "--hostname", "a@%h", "--beat", "--schedule", str(tmp_path / "beat-a")),
            (*celery, "--concurrency", "4", "--hostname", "b@%h"),
        )


@needs_postgres
def test_two_processes_write_one_conversation_day_and_create_one_contact(tmp_path, on_postgres):
    server, port = on_postgres
    sandbox = start_sandbox(tmp_path, port=port)
    try:
        me, luke = _user(server, sandbox)
        sandbox.fail({"path_prefix": "/api/activities", "delay_ms": 100, "times": 5})
        counts = [1 + index % 8 for index in range(32)]
        with ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(lambda n: _other(me).log_messages(conversation("day", luke, n)), counts))
            made = list(
                pool.map(lambda _: _other(me).create_contact("+12125550155", "Uma Field")["contact"]["id"], counts)
            )
        logged = [log_id for reply in replies for log_id in reply["logIds"]]
        assert sorted(logged) == sorted(str(54000400 + index) for index in range(8))
        (day,) = sandbox.activities()
        assert [day["body"].count(f"text number {index} ") for index in range(8)] == [1] * 8
        assert len(set(made)) == 1
        assert [row["id"] for row in me.search("Uma Field")["contact"]] == [made[0]]
    finally:
        sandbox.stop()
