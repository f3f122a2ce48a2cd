"""The demonstration: a month at four CRMs with its troubles, and never among real logs unasked."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent, CallLog, ConversationLog, LogReason, TrafficHour
from connectors.deliveries import support
from connectors.deliveries.changes import CallSubmission, from_json
from connectors.deliveries.models import Circuit, Delivery
from connectors.models import CrmUser, LookUp
from tests.factories import CrmUserFactory


def _demo(*arguments):
    out = io.StringIO()
    call_command("demo_data", *arguments, stdout=out, stderr=io.StringIO(), skip_checks=True)
    return out.getvalue()


@pytest.mark.django_db
def test_it_holds_a_month_of_four_crms_with_all_kinds_of_trouble_and_verifies():
    assert "16 agents at 4 CRMs" in _demo()
    assert CallLog.objects.values("platform").distinct().count() == 4
    assert {ConversationLog, LogReason, LookUp, TrafficHour} == {
        model for model in (ConversationLog, LogReason, LookUp, TrafficHour) if model.objects.exists()
    }
    times = list(CallLog.objects.order_by("created_at").values_list("created_at", flat=True))
    assert 25 <= (times[-1] - times[0]).days <= 31
    waiting = Delivery.objects.select_related("user", "call_log")
    assert {delivery.state for delivery in waiting} == {"waiting", "person", "login", "given_up"}
    assert {"CrmUnavailable", "RateLimited", "ReferenceGone", "RequestRejected", "UnsupportedOperation"} <= {
        delivery.last_error for delivery in waiting
    }
    for delivery in waiting:
        assert from_json(delivery.payload, CallSubmission).entry.contact.name
        support.if_sent_now(delivery)
    assert Circuit.objects.count() == 1
    assert CrmUser.objects.filter(access_token="").count() == 1
    text = str(list(AuditEvent.objects.values_list("detail", "subject", "target")))
    assert "Holloway" not in text, "events hold no names"
    traces = [json.loads(row.trace) for row in LookUp.objects.all()]
    assert not any("name" in hit for trace in traces for hit in trace["shown"]), "nor do traces of look-ups"
    assert {hit["reason"] for trace in traces for hit in trace["dropped"]} == {"has another number"}
    failures = AuditEvent.objects.filter(outcome="failure")
    assert all(event.detail["next"] for event in failures), "what became of each is told"
    call_command("verify_audit", stdout=io.StringIO(), stderr=io.StringIO())
    with pytest.raises(CommandError, match="already"):
        _demo()


@pytest.mark.django_db
def test_it_is_not_mixed_with_real_logs_unasked():
    user = CrmUserFactory()
    CallLog.objects.create(platform="testCRM", owner=user.owner, user=user, session_id="1")
    with pytest.raises(CommandError, match="logs of real users"):
        _demo()
    assert not CrmUser.objects.filter(crm_account_id__startswith="demo-").exists()
