"""Health, readiness, metrics, and the lines that a request leaves in the log."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from audit.models import CallLog
from audit.recorder import record
from connectors.api.application import Application
from connectors.api.authentication import issue_token
from connectors.deliveries.models import Circuit, Delivery
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from connectors.observation import exposition, health, heartbeat, metrics
from connectors.services.request_counts import seconds_to_wait
from tests.factories import CrmUserFactory
from tests.live_server import ROOT, live_server

TOKEN = "a-token-for-prometheus"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    health.forget()
    yield
    health.forget()
    metrics.stop()


@pytest.fixture
def counting(settings, tmp_path):
    settings.METRICS_DIR = tmp_path / "metrics"
    metrics.start(metrics.WEB, settings.METRICS_DIR)
    return lambda: _series(Client().get("/metrics").content.decode())


def _series(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


# --- /healthz ---


def _health(method="GET", path="/healthz"):
    told = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": None}
    body = b"".join(Application()(environ, lambda status, headers: told.append((status, dict(headers)))))
    return told[0][0], body


def test_health_needs_neither_database_nor_anything_that_counts():
    """The database is refused to this test: any query would fail it."""
    assert _health() == ("200 OK", b"ok")
    assert _health("HEAD") == ("200 OK", b"")


# --- /readyz ---


def _ready():
    health.forget()
    reply = Client().get("/readyz")
    return reply.status_code, reply.json()


@pytest.mark.django_db
def test_readiness_with_and_without_a_worker():
    cache.clear()
    assert _ready() == (
        200,
        {"status": "degraded", "checks": {"database": "ok", "migrations": "ok", "keys": "ok", "worker": "missing"}},
    )
    heartbeat.leave_sign()
    assert _ready() == (
        200, {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "keys": "ok", "worker": "ok"}},
    )  # fmt: skip


@pytest.mark.django_db
def test_missing_migrations_make_it_unready():
    MigrationRecorder(connection).record_unapplied("connectors", "0001_initial")
    status, found = _ready()
    assert (status, found["status"], found["checks"]["migrations"]) == (503, "unavailable", "failed")


@pytest.mark.django_db
def test_keys_that_open_no_login_make_it_unready_and_those_that_open_some_do_not(settings):
    CrmUserFactory.create_batch(2)
    settings.CREDENTIAL_KEYS = {"test": bytes(range(7, 39))}
    status, found = _ready()
    assert (status, found["checks"]["keys"]) == (503, "failed")
    CrmUserFactory()
    assert _ready()[0] == 200


@pytest.mark.django_db
def test_a_database_out_of_reach_makes_it_unready_and_nothing_of_it_is_shown(monkeypatch):
    def refuse():
        raise OperationalError("connection to server at 10.0.0.7 failed: password of user switchboard")

    monkeypatch.setitem(health._CHECKS, "database", refuse)
    assert _ready() == (503, {"status": "unavailable", "checks": {"database": "failed"}})


@pytest.mark.django_db
def test_a_cache_out_of_reach_is_a_worker_nobody_knows_of(monkeypatch):
    monkeypatch.setattr(heartbeat, "is_there", lambda: 1 / 0)
    status, found = _ready()
    assert (status, found["status"], found["checks"]["worker"]) == (200, "degraded", "missing")


def test_an_answer_stands_for_two_seconds_and_a_slow_look_holds_up_one_caller_only():
    import threading

    looks, entered, go_on = [], threading.Event(), threading.Event()

    def look():
        looks.append(1)
        if len(looks) == 2:
            entered.set()
            go_on.wait(30)
        return {"database": f"look {len(looks)}"}

    remembered = health._Remembered(look)
    assert remembered.findings() == remembered.findings() == {"database": "look 1"}
    remembered._until = 0
    slow = threading.Thread(target=remembered.findings)
    slow.start()
    assert entered.wait(30)
    assert remembered.findings() == {"database": "look 1"}
    go_on.set()
    slow.join()
    assert remembered.findings() == {"database": "look 2"}
    assert health._REMEMBERED == 2


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
@pytest.mark.django_db
def test_machines_only_read(path):
    assert Client().post(path).status_code == 405


# --- /metrics: who may read them ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "headers", "address", "status"),
    [
        ("", {}, "127.0.0.1", 200),
        ("", {}, "127.9.9.9", 200),
        ("", {}, "::1", 200),
        ("", {}, "203.0.113.5", 403),
        ("", {}, "", 403),
        ("", {"X-Forwarded-For": "203.0.113.5"}, "127.0.0.1", 403),
        ("", {"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", 403),
        ("", {"Forwarded": "for=127.0.0.1"}, "127.0.0.1", 403),
        ("", {"X-Real-Ip": "127.0.0.1"}, "127.0.0.1", 403),
        ("", {"Via": "1.1 proxy"}, "127.0.0.1", 403),
        ("", {"Authorization": "Bearer "}, "203.0.113.5", 403),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}"}, "203.0.113.5", 200),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "203.0.113.5"}, "127.0.0.1", 200),
        (TOKEN, {"Authorization": f"Basic {TOKEN}"}, "203.0.113.5", 403),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}x"}, "127.0.0.1", 403),
        (TOKEN, {}, "203.0.113.5", 403),
        (TOKEN, {}, "127.0.0.1", 200),
    ],
)
def test_metrics_are_for_this_machine_or_for_who_knows_the_token(settings, token, headers, address, status):
    settings.METRICS_TOKEN, settings.TRUSTED_PROXIES = token, 1
    assert Client().get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


# --- /metrics: what they hold ---


@pytest.mark.django_db
def test_requests_are_counted_by_the_path_of_the_url_table(counting):
    Client().get("/isAlive")
    Client().get("/ISALIVE/")
    Client().get("/callLog", {"sessionIds": "1"})
    Client().get("/no/such/+16505551212")
    Client().generic("BREW", "/isAlive")
    found = counting()
    assert found['switchboard_requests_total{method="GET",route="isAlive",status="200"}'] == 2
    assert found['switchboard_requests_total{method="GET",route="unknown",status="404"}'] == 1
    assert any(line.startswith('switchboard_requests_total{method="other",') for line in found)
    assert found['switchboard_request_seconds_count{route="isAlive"}'] == 3
    assert not any("650555" in line for line in found)


@pytest.mark.django_db
def test_events_refusals_look_ups_and_renewals_are_counted(counting, settings):
    record("call_log.create", actor="worker", platform="testCRM", outcome="failure")
    record("call_log.create", actor="worker", platform="somebody's own", outcome="success")
    settings.THROTTLES = {**settings.THROTTLES, "login": (1, 60)}
    assert seconds_to_wait("login", "someone") is None
    assert seconds_to_wait("login", "someone")
    metrics.crm_request_ended("testCRM", 429, 0.2)
    metrics.crm_request_ended("testCRM", 0, 10)
    metrics.crm_request_ended("testCRM", 503, 0.1)
    metrics.looked_up("testCRM", 2)
    metrics.login_renewed("testCRM", "ended")
    found = counting()
    for line in [
        'switchboard_events_total{action="call_log.create",outcome="failure",platform="testCRM",process="web"}',
        'switchboard_events_total{action="call_log.create",outcome="success",platform="other",process="web"}',
        'switchboard_throttled_total{limit="login"}',
        'switchboard_crm_requests_total{platform="testCRM",process="web",status="429"}',
        'switchboard_crm_requests_total{platform="testCRM",process="web",status="none"}',
        'switchboard_crm_requests_total{platform="testCRM",process="web",status="5xx"}',
        'switchboard_lookup_rounds_bucket{le="2.0",platform="testCRM"}',
        'switchboard_token_refreshes_total{outcome="ended",platform="testCRM",process="web"}',
    ]:
        assert found[line] == 1, line
    assert found['switchboard_crm_request_seconds_count{platform="testCRM",process="web"}'] == 3
    assert found['switchboard_lookup_rounds_bucket{le="1.0",platform="testCRM"}'] == 0


_WAITING = [(State.WAITING, 100), (State.WAITING, 7), (State.LOGIN, 50), (State.GIVEN_UP, 9000)]


@pytest.mark.django_db
def test_the_queue_and_the_circuits_are_read_from_the_database(counting):
    user = CrmUserFactory()
    for number, (waits_for, age) in enumerate(_WAITING):
        log = CallLog.objects.create(platform=user.platform, owner=user.owner, session_id=str(number))
        Delivery.objects.create(
            kind=Kind.CREATE, platform=user.platform, crm=f"{user.platform}:host", user=user,
            call_log=log, payload="{}", state=waits_for, accepted_at=timezone.now() - timedelta(seconds=age),
        )  # fmt: skip
    Circuit.objects.create(crm="testCRM:127.0.0.1", failures=3, open_until=timezone.now() + timedelta(minutes=1))
    Circuit.objects.create(crm="gone:127.0.0.1", failures=1)
    cache.clear()
    found = counting()
    assert found['switchboard_queue_depth{platform="testCRM",waits_for="crm"}'] == 2
    assert found['switchboard_queue_depth{platform="testCRM",waits_for="login"}'] == 1
    assert 100 <= found['switchboard_queue_oldest_seconds{platform="testCRM",waits_for="crm"}'] < 1000
    assert found['switchboard_circuits_open{platform="testCRM"}'] == 1
    assert found['switchboard_given_up{platform="testCRM"}'] == 1
    assert not any("waits_for" in line and "given_up" in line for line in found)
    assert (found["switchboard_worker_up"], found["switchboard_database_up"]) == (0, 1)
    assert any(line.startswith('switchboard_info{version="') for line in found)
    assert "127.0.0.1" not in str(found)


@pytest.mark.django_db
def test_without_the_database_the_rest_is_shown(counting, monkeypatch):
    def refuse():
        raise OperationalError("at 10.0.0.7")

    monkeypatch.setattr(exposition, "_of_database", refuse)
    Client().get("/isAlive")
    found = counting()
    assert found["switchboard_database_up"] == 0
    assert found['switchboard_requests_total{method="GET",route="isAlive",status="200"}'] == 1


_COUNT = """
import os, sys
from pathlib import Path
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
from connectors.observation import metrics
metrics.start(sys.argv[1], Path(sys.argv[2]))
metrics.throttled("login")
metrics.login_renewed("testCRM", "success")
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.mark.django_db
def test_processes_sum_up_and_what_ended_ones_left_goes_only_with_the_last_of_their_kind(settings, tmp_path):
    """A sum that falls while its process goes on would be taken for a restart, and counted again."""
    settings.METRICS_DIR = tmp_path
    started = []

    def start(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", _COUNT, kind, str(tmp_path)],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout.readline() == "counted\n"
        started.append(process)
        return process

    def end(process):
        process.communicate("")

    def sums():
        found = _series(Client().get("/metrics").content.decode())
        renewals = 'switchboard_token_refreshes_total{outcome="success",platform="testCRM",process="%s"}'
        return (
            found['switchboard_throttled_total{limit="login"}'],
            found[renewals % "web"],
            found.get(renewals % "worker"),
        )

    try:
        first = start("web")
        second = start("web")
        assert sums() == (2, 2, None)
        end(first)
        assert sums() == (2, 2, None)
        third = start("web")
        assert sums() == (3, 3, None)
        start("worker")
        assert sums() == (4, 3, 1)
        end(second)
        end(third)
        start("web")
        assert sums() == (2, 1, 1)
    finally:
        for process in started:
            if process.poll() is None:
                end(process)


@pytest.mark.enable_socket
@pytest.mark.slow
def test_two_processes_of_the_real_server_sum_up(tmp_path):
    import requests

    with live_server(tmp_path, workers=2, threads=2, METRICS_DIR=str(tmp_path / "metrics")) as server:
        assert requests.get(f"{server.url}/healthz", timeout=60).text == "ok"
        assert requests.get(f"{server.url}/readyz", timeout=60).json()["status"] == "degraded"
        before = requests.get(f"{server.url}/metrics", timeout=60).text
        sent = 0
        # Which process answers is the kernel's choice: until each has, and at least a few times.
        while sent < 40 or (sent < 5000 and len(list((tmp_path / "metrics").glob("counter_web-*.db"))) < 2):
            requests.get(f"{server.url}/isAlive", timeout=60)
            sent += 1
        after = requests.get(f"{server.url}/metrics", timeout=60).text
        name = 'switchboard_requests_total{method="GET",route="isAlive",status="200"}'
        assert _series(after)[name] - _series(before)[name] == sent
        assert len(list((tmp_path / "metrics").glob("counter_web-*.db"))) == 2
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines() if line.startswith("{")]
    starts = [line for line in lines if line["logger"] == "switchboard.start"]
    assert len(starts) == 2
    assert {"version", "database", "app_server", "adapters", "trusted_proxies"} <= starts[0].keys()
    assert "secret" not in str(starts)
    assert any(line.get("route") == "isAlive" and line["request_id"] for line in lines)
    assert not any(line.get("route") in ("readyz", "metrics") for line in lines)


# --- Lines of the log ---


@pytest.fixture
def lines(caplog):
    """The fields of the request lines so far."""
    logger = logging.getLogger("switchboard.requests")
    logger.addHandler(caplog.handler)
    yield lambda: [record.fields for record in caplog.records if record.name == "switchboard.requests"]
    logger.removeHandler(caplog.handler)


@pytest.mark.django_db
def test_each_request_leaves_one_line_with_the_template_and_the_row_of_its_user(lines, django_user_model):
    client = Client()
    client.get("/callLog", {"sessionIds": "s-1"}, headers={"Authorization": f"Bearer {issue_token(CrmUserFactory())}"})
    client.get("/contact", {"phoneNumber": "+16505551212"})
    client.get("/admin/login/")
    staff = django_user_model.objects.create_superuser("maria", password="x")
    client.force_login(staff)
    client.get("/admin/connectors/crmuser/0e0f0e0f-0000-0000-0000-000000000000/change/")
    client.get("/static/nothing.css")
    assert [line["route"] for line in lines()] == [
        "callLog", "contact", "admin/login/", "admin/connectors/crmuser/<path:object_id>/change/", "static",
    ]  # fmt: skip
    assert [line["user"].partition(":")[0] for line in lines()] == ["user", "", "", "staff", ""]
    assert "maria" not in str(lines())


@pytest.mark.django_db
def test_an_error_nobody_foresaw_has_a_line_too(lines, monkeypatch):
    from connectors.api.platforms import ServerViewSet

    monkeypatch.setattr(ServerViewSet, "version", lambda *_: 1 / 0)
    Client(raise_request_exception=False).get("/serverVersionInfo")
    assert [(line["route"], line["status"]) for line in lines()] == [("serverVersionInfo", 500)]


# --- X-Request-Id ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("proxies", "given", "is_taken"),
    [
        (1, "abc-DEF_1.2", True),
        (1, "a" * 64, True),
        (1, "a" * 65, False),
        (1, "", False),
        (1, "a b", False),
        (1, "a\nb", False),
        (1, "a\n", False),
        (1, "ä", False),
        (0, "abc-DEF_1.2", False),
    ],
)
def test_a_request_id_is_taken_over_from_proxies_only_and_only_if_it_is_sound(settings, proxies, given, is_taken):
    settings.TRUSTED_PROXIES = proxies
    told = Client().get("/isAlive", headers={"X-Request-Id": given})["X-Request-Id"]
    assert (told == given) is is_taken
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", told)


# --- What the code tells the counts ---


@pytest.fixture
def told(monkeypatch):
    """Calls of the functions that count."""
    calls = []
    for name in ("looked_up", "login_renewed"):
        monkeypatch.setattr(metrics, name, lambda *given, name=name: calls.append((name, *given)))
    return calls


def test_requests_that_overlap_are_one_round():
    from adapters.contract import call_count

    with call_count.count_calls() as calls:
        call_count.begin()
        call_count.begin()
        call_count.end("x", 200, 0)
        call_count.end("x", 200, 0)
        call_count.begin()
        call_count.end("x", 200, 0)
    assert (calls.value, calls.rounds) == (3, 2)


@pytest.mark.django_db
def test_a_look_up_tells_its_rounds_and_its_requests(told, monkeypatch):
    from adapters.contract import call_count
    from connectors.services.crm_audit import audited_at_crm

    user = CrmUserFactory()
    with audited_at_crm("contact.find", user=user):
        call_count.begin()
        call_count.end("testCRM", 200, 0)
    with audited_at_crm("contact.create", user=user):
        call_count.begin()
        call_count.end("testCRM", 200, 0)
    assert told == [("looked_up", "testCRM", 1)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "outcome"), [(None, "success"), ("final", "ended"), ("passing", "failure"), ("away", "failure")]
)
def test_a_renewal_tells_how_it_ended(told, monkeypatch, error, outcome):
    from adapters.contract import ConnectorError, Credentials, CredentialsRejected, CrmUnavailable
    from connectors.services import crm_access

    errors = {
        "final": CredentialsRejected(final=True), "passing": CredentialsRejected(), "away": CrmUnavailable(),
    }  # fmt: skip

    class Adapter:
        credentials = Credentials()

        def refresh(self, credentials, keep):
            if error:
                raise errors[error]
            return Credentials(access_token="new")

    monkeypatch.setattr(crm_access, "_adapter_of", lambda user: Adapter())
    user = CrmUserFactory()
    try:
        crm_access.refresh_credentials(user, used=user.access_token)
    except ConnectorError:
        assert error
    assert told == [("login_renewed", "testCRM", outcome)]


# --- The worker ---


def _delivery(user, **columns):
    log = CallLog.objects.create(platform=user.platform, owner=user.owner, session_id="s-1")
    return Delivery.objects.create(
        kind="call_log.create", platform=user.platform, crm=f"{user.platform}:host", user=user, call_log=log,
        payload="{}", **columns,
    )  # fmt: skip


@pytest.mark.django_db
def test_lines_and_events_of_a_worker_lead_to_the_delivery_and_to_the_request_that_brought_it(monkeypatch, caplog):
    import structlog

    from audit.middleware import current_request_id
    from connectors.deliveries import worker
    from connectors.deliveries.outcome import Outcome

    seen = []

    def attempt(delivery, actor):
        seen.append((current_request_id(), structlog.contextvars.get_contextvars()))
        return Outcome(waits=True)

    monkeypatch.setattr(worker, "attempt", attempt)
    caplog.set_level(logging.INFO, "switchboard.deliveries")
    delivery = _delivery(CrmUserFactory(), request_id="abc")
    worker.deliver(delivery)
    assert seen == [("abc", {"request_id": "abc", "delivery": str(delivery.pk)})]
    (line,) = [record for record in caplog.records if record.name == "switchboard.deliveries"]
    assert (line.message, line.kind, line.platform, line.error) == ("delivery waits", "call_log.create", "testCRM", "")
    assert current_request_id() == ""


@pytest.mark.enable_socket
@pytest.mark.slow
def test_a_running_worker_is_seen_by_the_server(tmp_path):
    import requests

    with live_server(tmp_path, workers=1, threads=2, METRICS_DIR=str(tmp_path / "metrics")) as server:
        worker = subprocess.Popen([sys.executable, "manage.py", "deliver", "--watch"], env=server.environment, cwd=ROOT)
        try:
            give_up = time.monotonic() + 120
            while requests.get(f"{server.url}/readyz", timeout=60).json()["status"] != "ready":
                assert time.monotonic() < give_up
                time.sleep(0.2)
            assert _series(requests.get(f"{server.url}/metrics", timeout=60).text)["switchboard_worker_up"] == 1
        finally:
            worker.terminate()
            worker.wait(60)
