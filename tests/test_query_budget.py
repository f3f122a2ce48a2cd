"""How many statements the two busiest requests cost the database; the CRM's own time is not theirs to add to."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from adapters import registry
from adapters.contract import LogResult
from connectors.api.authentication import issue_token
from connectors.deliveries import circuit
from tests.extension import call
from tests.factories import CrmUserFactory

LUKE = {"id": 1, "name": "Luke Skywalker", "type": "Contact"}
_TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


@pytest.fixture
def send(client, monkeypatch):
    """One request of a user whose CRM takes every log; returns how many statements it cost."""
    sound = registry.adapter_class("testCRM")

    def create_call_log(self, entry):
        entry.created(f"call-{entry.session_id}")
        return LogResult(log_id=f"call-{entry.session_id}")

    adapter = type("Adapter", (sound,), {"create_call_log": create_call_log})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: adapter)
    monkeypatch.setattr(circuit, "_REMEMBERED", 3600)  # however slow this machine is
    token = issue_token(CrmUserFactory())

    def send(method, path, body=None):
        with CaptureQueriesContext(connection) as statements:
            reply = getattr(client, method)(f"{path}jwtToken={token}", body, content_type="application/json")
        assert reply.json()["successful"], reply.content
        return sum(not item["sql"].startswith(_TRANSACTION) for item in statements)

    send("post", "/callLog?", call("0", LUKE))  # what is asked once in a while has been asked
    yield send
    circuit._fine_until.clear()


@pytest.mark.django_db(transaction=True)
def test_logging_a_call_costs_at_most_eight_statements(send):
    assert send("post", "/callLog?", call("1", LUKE)) <= 8


@pytest.mark.django_db(transaction=True)
def test_asking_which_calls_are_logged_costs_at_most_two_however_many(send):
    ids = ",".join(str(404430540000 + number) for number in range(5000))
    assert send("get", f"/callLog?sessionIds={ids}&") <= 2
