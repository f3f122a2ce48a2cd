"""How many statements and commits the busiest requests cost the database."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from adapters import registry
from adapters.contract import Contact, ContactMatches, LogResult
from connectors.api.authentication import issue_token
from connectors.deliveries import circuit
from tests.extension import call, conversation
from tests.factories import CrmUserFactory

LUKE = {"id": 1, "name": "Luke Skywalker", "type": "Contact"}
_TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


@pytest.fixture
def send(client, monkeypatch):
    """One request of a user whose CRM takes every log; returns the statements it cost: of data, and commits."""
    sound = registry.adapter_class("testCRM")

    def create_call_log(self, entry):
        entry.created(f"call-{entry.session_id}")
        return LogResult(log_id=f"call-{entry.session_id}")

    def create_message_log(self, entry):
        entry.created(f"day-{entry.conversation_log_id}")
        return LogResult(log_id=f"day-{entry.conversation_log_id}")

    def find_contacts(self, phone):
        return ContactMatches(contacts=(Contact(id=1, name="Luke Skywalker", type="Contact"),))

    def update_message_log(self, ref, change):
        change.append("", change.messages)
        return LogResult(log_id=ref.log_id)

    answers = (create_call_log, create_message_log, update_message_log, find_contacts)
    adapter = type("Adapter", (sound,), {answer.__name__: answer for answer in answers})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: adapter)
    monkeypatch.setattr(circuit, "_REMEMBERED", 3600)  # however slow this machine is
    token = issue_token(CrmUserFactory())

    def send(method, path, body=None):
        with CaptureQueriesContext(connection) as statements:
            reply = getattr(client, method)(f"{path}jwtToken={token}", body, content_type="application/json")
        assert reply.json()["successful"], reply.content
        sql = [item["sql"] for item in statements]
        writes = ("INSERT", "UPDATE", "DELETE")
        commits, is_open = 0, False
        for text in sql:
            is_open = text.startswith("BEGIN") or (is_open and text != "COMMIT")
            commits += text == "COMMIT" or (not is_open and text.startswith(writes))
        return sum(not text.startswith(_TRANSACTION) for text in sql), commits

    send("post", "/callLog?", call("0", LUKE))  # what is asked once in a while has been asked
    yield send
    circuit._fine_until.clear()


@pytest.mark.django_db(transaction=True)
def test_logging_a_call_costs_eight_statements_and_three_commits(send):
    """The claim, the record's id, and the outcome with its event."""
    statements, commits = send("post", "/callLog?", call("1", LUKE))
    assert statements <= 8
    assert commits == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [1, 10, 50])
def test_logging_the_first_texts_of_a_day_costs_the_same_however_many(send, count):
    """The claim, the attempt's beginning, the record's id, and the outcome with its event."""
    statements, commits = send("post", "/messageLog?", conversation("c", LUKE, count))
    assert statements <= 14
    assert commits == 4


@pytest.mark.django_db(transaction=True)
def test_further_texts_of_a_day_cost_the_same_however_many_are_there(send):
    send("post", "/messageLog?", conversation("c", LUKE, 40))
    statements, commits = send("post", "/messageLog?", conversation("c", LUKE, 41))
    assert statements <= 20
    assert commits <= 4


@pytest.mark.django_db(transaction=True)
def test_a_look_up_costs_one_commit(send):
    send("get", "/contact?phoneNumber=%2B14155550101&overridingFormat=&")
    statements, commits = send("get", "/contact?phoneNumber=%2B14155550100&overridingFormat=&")
    assert statements <= 10
    assert commits == 1


@pytest.mark.django_db(transaction=True)
def test_asking_which_calls_are_logged_costs_at_most_two_however_many(send):
    ids = ",".join(str(404430540000 + number) for number in range(5000))
    assert send("get", f"/callLog?sessionIds={ids}&") <= (2, 0)
