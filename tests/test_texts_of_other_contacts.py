"""Texts logged for one contact, then for another: told, logged anew where the record is gone, never twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters import registry
from audit.models import AuditEvent, ConversationLog, MessageLog
from tests.extension import conversation

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
NUMBER = "+14155550123"

_keys = iter(range(1000))


@pytest.fixture
def key():
    """A person of the sandbox with records of their own."""
    return f"others-{next(_keys)}"


def _contact(sandbox, key, name):
    body = {"name": name, "type": "Contact", "phones": [NUMBER]}
    return sandbox.request("POST", "/api/contacts", key=key, json=body).json()["contact"]


@pytest.fixture
def theo(sandbox, key):
    return _contact(sandbox, key, "Theo Brandt")


@pytest.fixture
def ines(sandbox, key):
    return _contact(sandbox, key, "Ines Pardo")


def _texts(contact, count, *, only=None, **members):
    body = conversation("w", contact, count, **members)
    if only is not None:
        body["logInfo"]["messages"] = [row for row in body["logInfo"]["messages"] if row["id"] - 54000400 in only]
    return body


def _records(sandbox, key):
    """Contact -> how often each of three texts stands in their record."""
    rows = sandbox.activities(key)
    assert len({row["contact_id"] for row in rows}) == len(rows)
    return {row["contact_id"]: [row["body"].count(f"text number {index} ") for index in range(3)] for row in rows}


def _delete(sandbox, key):
    (row,) = sandbox.activities(key)
    assert sandbox.request("DELETE", f"/api/activities/{row['id']}", key=key).status_code == 204
    return str(row["id"])


def test_texts_in_another_contacts_record_are_told_and_not_written(me, theo, ines, sandbox, key):
    me.log_messages(_texts(theo, 2))
    before = sandbox.activities(key)

    reply = me.log_messages(_texts(ines, 2))

    assert (reply["successful"], len(reply["logIds"])) == (True, 2)  # the client shows a message only beside ids
    assert reply["returnMessage"]["message"] == "Existing log: these messages are logged for another contact."
    assert reply["returnMessage"]["messageType"] == "warning"
    assert "To log them for Ines Pardo, delete that record in Test CRM" in str(reply["returnMessage"]["details"])
    assert sandbox.activities(key) == before
    assert me.log_messages(_texts(theo, 2)) == {"successful": True, "logIds": [], "returnMessage": None}


def test_new_texts_for_another_contact_get_a_record_of_their_own(me, theo, ines, sandbox, key):
    me.log_messages(_texts(theo, 1))

    assert len(me.log_messages(_texts(ines, 2))["logIds"]) == 1
    assert len(me.log_messages(_texts(ines, 3))["logIds"]) == 1

    assert _records(sandbox, key) == {theo["id"]: [1, 0, 0], ines["id"]: [0, 1, 1]}
    assert me.log_messages(_texts(theo, 3))["logIds"] == []


def test_texts_whose_record_was_deleted_are_logged_for_the_other_contact(me, theo, ines, sandbox, key):
    me.log_messages(_texts(theo, 2))
    former = _delete(sandbox, key)

    reply = me.log_messages(_texts(ines, 3))

    assert (len(reply["logIds"]), reply["returnMessage"]["message"]) == (3, "Message logged")
    assert _records(sandbox, key) == {ines["id"]: [1, 1, 1]}
    day = ConversationLog.objects.get()
    assert (day.contact_id, day.earlier_ids) == (str(ines["id"]), [former])
    assert day.crm_log_id == str(sandbox.activities(key)[0]["id"])
    assert [event.target for event in AuditEvent.objects.filter(action="message_log.gone")] == [former]
    assert "Existing log" in me.log_messages(_texts(theo, 2))["returnMessage"]["message"]
    assert _records(sandbox, key) == {ines["id"]: [1, 1, 1]}


def test_texts_of_a_deleted_record_join_the_record_that_the_other_contact_has_already(me, theo, ines, sandbox, key):
    me.log_messages(_texts(theo, 1))
    former = _delete(sandbox, key)
    me.log_messages(_texts(ines, 2, only=[1]))

    assert len(me.log_messages(_texts(ines, 3))["logIds"]) == 2

    assert _records(sandbox, key) == {ines["id"]: [1, 1, 1]}
    assert ConversationLog.objects.get(contact_id=theo["id"]).earlier_ids == [former]
    assert "Existing log" in me.log_messages(_texts(theo, 1))["returnMessage"]["message"]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 403}, {"drop": "before"}])
def test_where_the_crm_cannot_be_asked_nothing_is_written(me, theo, ines, sandbox, key, fault):
    me.log_messages(_texts(theo, 2))
    before = sandbox.activities(key)
    sandbox.fail({"method": "GET", "path_prefix": "/api/activities", "times": None, **fault})

    assert "Existing log" in me.log_messages(_texts(ines, 2))["returnMessage"]["message"]

    sandbox.reset()
    assert sandbox.activities(key) == before
    assert MessageLog.objects.filter(conversation__contact_id=theo["id"]).count() == 2


def test_an_adapter_that_does_not_read_before_it_appends_writes_nothing(me, theo, ines, sandbox, key, monkeypatch):
    me.log_messages(_texts(theo, 2))
    before = sandbox.activities(key)
    sound = registry.adapter_class("testCRM")

    def update_message_log(self, ref, change):
        return self._change(ref, {"body": "overwritten"}, done="Message logged")

    blind = type("Blind", (sound,), {"update_message_log": update_message_log})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: blind)

    assert "Existing log" in me.log_messages(_texts(ines, 2))["returnMessage"]["message"]

    assert sandbox.activities(key) == before


def test_texts_for_two_contacts_at_the_same_time_are_written_once(me, theo, ines, sandbox, key):
    me.log_messages(_texts(theo, 1))
    _delete(sandbox, key)
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _: me.log_messages(_texts(ines, 3)), range(6)))
    assert all(reply["successful"] for reply in replies)
    assert _records(sandbox, key) == {ines["id"]: [1, 1, 1]}
    assert sorted(MessageLog.objects.values_list("message_id", flat=True)) == ["54000400", "54000401", "54000402"]


def test_a_shared_conversation_has_a_record_for_each_contact(me, theo, ines, sandbox, key):
    shared = {"owner": {"name": "Kim Agent"}, "entities": [], "creationTime": "2026-05-04T17:00:00.000Z"}
    me.log_messages(_texts(theo, 1, info=shared))
    before = sandbox.activities(key)
    me.log_messages(_texts(ines, 1, info=shared))
    me.log_messages(_texts(ines, 1, info=shared))
    rows = sandbox.activities(key)
    assert sorted(row["contact_id"] for row in rows) == sorted([theo["id"], ines["id"]])
    assert before[0] in rows
