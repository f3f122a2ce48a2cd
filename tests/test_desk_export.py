"""The audit trail as a file, from a page: for auditors, whole, harmless in a spreadsheet, and recorded."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from audit.models import AuditEvent
from audit.recorder import record
from connectors.roles import AUDITOR, SUPPORT_ACT
from tests.factories import signed_in

ADDRESS = "/admin/desk/export/"


@pytest.fixture
def auditor(client, db):
    return signed_in(client, AUDITOR)


def _export(client, **values):
    reply = client.post(ADDRESS, {"format": "csv", **values})
    assert reply.streaming, reply.content
    return reply, b"".join(reply.streaming_content).decode()


def test_a_csv_has_every_event_and_no_formula(auditor):
    record("call_log.create", actor="user:7-testCRM", platform="testCRM", subject="=1+1")
    reply, text = _export(auditor)
    assert reply["Content-Disposition"].startswith('attachment; filename="audit-trail-')
    assert reply["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["subject"] for row in rows if row["action"] == "call_log.create"] == ["'=1+1"]


def test_json_lines_are_narrowed_by_day_user_and_crm(auditor):
    with time_machine.travel(timezone.now() - timedelta(days=3)):
        record("call_log.create", actor="user:7-testCRM", platform="testCRM", subject="old")
    record("call_log.create", actor="user:7-testCRM", platform="testCRM", subject="mine")
    record("call_log.create", actor="user:7-clio", platform="clio", subject="other CRM")
    record("call_log.create", actor="user:8-testCRM", platform="testCRM", subject="other user")
    today = f"{timezone.localdate()}"
    _, text = _export(auditor, format="jsonl", since=today, until=today, user="7-testCRM", platform="testCRM")
    assert [json.loads(line)["subject"] for line in text.splitlines()] == ["mine"]


def test_each_export_is_an_event_with_what_was_asked_for(auditor):
    _export(auditor, user="worker")
    event = AuditEvent.objects.get(action="audit.export")
    assert event.actor == "staff:lee"
    assert event.detail == {"user": "worker", "format": "csv"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"since": "soon"}, "Enter a valid date"),
        ({"since": "2026-05-04", "until": "2026-05-03"}, "This day is before the first one."),
        ({"format": "xls"}, "Select a valid choice"),
        ({"platform": "nobody"}, "Select a valid choice"),
        ({"user": "a\x00b"}, "Null characters are not allowed"),
    ],
)
def test_what_cannot_be_exported_is_said_and_nothing_recorded(auditor, values, said):
    reply = auditor.post(ADDRESS, {"format": "csv", **values})
    assert said in reply.content.decode()
    assert not AuditEvent.objects.filter(action="audit.export").exists()


def test_only_an_auditor_is_led_there_and_let_in(client, db):
    signed_in(client, SUPPORT_ACT)
    assert client.post(ADDRESS, {"format": "csv"}).status_code == 403
    assert ADDRESS not in client.get("/admin/audit/auditevent/").content.decode()
    signed_in(client, AUDITOR)
    assert ADDRESS in client.get("/admin/audit/auditevent/").content.decode()
