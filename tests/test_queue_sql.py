"""The condition of whose turn it is keeps its SQL, and asks with the time at hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.deliveries import clock
from connectors.deliveries.models import Delivery


@pytest.mark.django_db
@pytest.mark.parametrize("day", [1, 2])
def test_what_is_due_is_asked_with_the_present_time(monkeypatch, day):
    now = datetime(2026, 5, day, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    _, parameters = Delivery.objects.due().query.sql_with_params()
    times = [parameter for parameter in parameters if f"2026-05-0{day}" in str(parameter)]
    assert len(times) == 6  # three tables' leases and doubts, its own lease, its own time


@pytest.mark.django_db
def test_the_condition_fits_a_query_in_which_the_table_has_another_name():
    plain = str(Delivery.objects.due().query)
    within = str(Delivery.objects.filter(pk__in=Delivery.objects.due().values("pk")).query)
    assert '("deliveries_delivery"."call_log_id")' in plain
    inner = within.partition(" IN (SELECT ")[2]
    assert '"deliveries_delivery"."' not in inner
    assert list(Delivery.objects.filter(pk__in=Delivery.objects.due().values("pk"))) == []
    assert '("deliveries_delivery"."call_log_id")' in str(Delivery.objects.due().query)
