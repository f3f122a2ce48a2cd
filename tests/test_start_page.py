"""The start page: what waits, how each CRM is, and at what cost."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from adapters.contract import ContactRef, LogMarker
from audit.models import CallLog, LogState, TrafficHour
from audit.recorder import record
from audit.sealing import seal_all
from audit.traffic import STEPS, hour_of
from connectors.deliveries import circuit, second_looks
from connectors.deliveries.models import Circuit, Delivery, Recovery
from connectors.roles import SUPPORT_ACT, SUPPORT_VIEW
from tests.factories import CrmUserFactory, signed_in


def _hour(platform, *, hours_ago, succeeded=0, failed=0, step=3, action="call_log.create"):
    durations = [0] * (len(STEPS) + 1)
    durations[step] = succeeded
    TrafficHour.objects.create(
        hour=hour_of(timezone.now() - timedelta(hours=hours_ago)), platform=platform, action=action,
        succeeded=succeeded, failed=failed, durations=durations,
    )  # fmt: skip


def _waiting(user, *, state="waiting", hours=1.0, **columns):
    log = CallLog.objects.create(
        platform=user.platform, owner=user.owner, user=user, session_id=f"{Delivery.objects.count()}", state="queued"
    )
    return Delivery.objects.create(
        kind="call_log.create", platform=user.platform, crm=f"{user.platform}:{user.host}", user=user, call_log=log,
        position=1, payload="{}", accepted_at=timezone.now() - timedelta(hours=hours), state=state, **columns,
    )  # fmt: skip


def _row(page, name):
    (row,) = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f'<th scope="row">{name}<br>' in row]
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


@pytest.mark.django_db
def test_it_tells_what_waits_what_needs_somebody_and_how_each_crm_is(client):
    signed_in(client, SUPPORT_ACT)
    user = CrmUserFactory(host="crm.example")
    _waiting(user, hours=5)
    _waiting(user, state="person", hours=30)
    _waiting(user, state="given_up", hours=99)
    CallLog.objects.create(platform="testCRM", owner="o", session_id="f", state=LogState.FAILED)
    Circuit.objects.create(
        crm="testCRM:crm.example", failures=4, since=timezone.now() - timedelta(hours=2),
        open_until=timezone.now() + timedelta(minutes=2),
    )  # fmt: skip
    _hour("testCRM", hours_ago=3, succeeded=30, failed=2)
    _hour("testCRM", hours_ago=26, succeeded=8, step=9)
    _hour("testCRM", hours_ago=24 * 9, succeeded=1000, failed=1000)
    page = client.get("/admin/").content.decode()
    plain = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "2 waiting oldest: 30 h ago" in plain
    assert "1 needs a decision 1 given up" in plain
    assert "1 failed today of 4 calls and conversations" in plain
    row = _row(page, "Test CRM")
    assert "✕ down since 2 h ago crm.example 2 , oldest 30 h ago" in row
    assert "38 calls, 5.0 % failed" in row
    assert f"half within {STEPS[3]} ms , 95 % within {STEPS[9]} ms" in row
    assert "Try now" in row


@pytest.mark.django_db
def test_what_is_in_its_crm_and_looked_for_once_more_does_not_count_as_waiting(client):
    signed_in(client, SUPPORT_VIEW)
    delivery = _waiting(CrmUserFactory())
    CallLog.objects.update(last_position=1)
    delivery.rewrites = LogMarker(marker="0", contact=ContactRef(id="1"))
    second_looks.accept_look(delivery)
    delivery.delete()
    page = " ".join(re.sub(r"<[^>]+>", " ", client.get("/admin/").content.decode()).split())
    assert "0 waiting everything is in its CRM" in page
    queue = client.get("/admin/desk/queue/").content.decode()
    assert "It is in the CRM; an earlier attempt may have written it too" in queue
    assert "It has not been tried yet" not in queue


@pytest.mark.django_db
def test_a_crm_that_answers_again_is_up_since_then(client):
    signed_in(client, SUPPORT_VIEW)
    crm = CrmUserFactory(host="crm.example").crm
    assert "✓ up since" not in _row(client.get("/admin/").content.decode(), "Test CRM")
    for _ in range(3):
        circuit.note_failure(crm)
    with time_machine.travel(timezone.now() + timedelta(hours=5)):
        assert "✕ down since 5 h ago" in _row(client.get("/admin/").content.decode(), "Test CRM")
    circuit.note_answer(crm)
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        assert "✓ up since 3 h ago" in _row(client.get("/admin/").content.decode(), "Test CRM")
    since = Recovery.objects.get().up_since
    circuit.note_failure(crm)
    circuit.note_answer(crm)
    assert Recovery.objects.get().up_since == since, "one failure is no outage"


@pytest.mark.django_db
def test_its_charts_are_of_the_chosen_period_and_of_our_own_files(client):
    signed_in(client, SUPPORT_VIEW)
    _hour("testCRM", hours_ago=1, succeeded=3, failed=1)
    _hour("testCRM", hours_ago=24 * 20, succeeded=7)
    for days, logged in ((7, 3), (30, 10)):
        page = client.get(f"/admin/?days={days}").content.decode()
        data = json.loads(re.search(r'<script id="desk-chart-data" type="application/json">(.*?)</script>', page)[1])
        assert len(data["days"]) == days
        (series,) = data["series"]
        assert sum(series["logged"]) == logged
        assert 25.0 in series["failed"]
    assert all(source.startswith("/static/") for source in re.findall(r'<script src="([^"]*)"', page))
    assert "Try now" not in page, "who only sees tries nothing"


@pytest.mark.django_db
def test_what_was_sealed_is_what_it_counts(client):
    signed_in(client, SUPPORT_VIEW)
    for outcome in ("success", "success", "failure"):
        record("call_log.create", actor="user:x", platform="testCRM", outcome=outcome, crm_calls=1, milliseconds=90)
    seal_all()
    assert "2 calls, 33.3 % failed" in _row(client.get("/admin/").content.decode(), "Test CRM")


@pytest.mark.django_db
def test_it_costs_at_most_twelve_statements_however_much_there_is(client):
    signed_in(client, SUPPORT_ACT)
    counts = []
    for number in (2, 30):
        user = CrmUserFactory(host="crm.example")
        for _ in range(number):
            _waiting(user)
        for hour in range(number):
            _hour("testCRM", hours_ago=hour + number * 40, succeeded=2)
            record("call_log.create", actor="user:x", platform="testCRM", outcome="failure")
        client.get("/admin/")
        with CaptureQueriesContext(connection) as statements:
            client.get("/admin/")
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 12


@pytest.mark.django_db
def test_an_account_without_a_role_is_told_how_to_get_one(client):
    client.force_login(User.objects.create_user("new", password="x" * 16, is_staff=True))
    page = client.get("/admin/").content.decode()
    assert "Your account has no role yet" in page
    assert "waiting" not in page
