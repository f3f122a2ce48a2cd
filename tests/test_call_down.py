"""The call-down list: every field kept, in the user's own list, encrypted, and gone when it is old."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from audit.fields import Sealed
from connectors.api.authentication import issue_token
from connectors.models import CallDownEntry, CrmUser
from connectors.services import call_down
from connectors.services.key_rotation import encrypted_columns
from tests.factories import CrmUserFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LOG_FORM = {
    "contactId": 7001,
    "contactType": "person",
    "contactName": "Ada Byron",
    "phoneNumber": "+16505550100",
    "scheduledAt": "2026-05-05T09:00:00.000Z",
    "note": "Wants a <b>quote</b> & café",
}


class List:
    """One user's list, as the extension sees and changes it."""

    def __init__(self, client, user):
        self.client, self.user, self.token = client, user, issue_token(user)

    def send(self, method, path="", body=None, **query):
        query = "&".join(f"{key}={value}" for key, value in {"jwtToken": self.token, **query}.items())
        return self.client.generic(method, f"/calldown{path}?{query}", _json(body), content_type="application/json")

    def add(self, **body):
        reply = self.send("POST", body=body, rcAccountId="400131")
        assert reply.status_code == 200, reply.content
        assert reply.json()["successful"]
        return reply.json()["id"]

    def items(self, status="All"):
        reply = self.send("GET", status=status)
        assert reply.status_code == 200
        return reply.json()["items"]

    def change(self, entry, **body):
        return self.send("PATCH", f"/{entry}", body)


def _json(body):
    return "" if body is None else json.dumps(body)


@pytest.fixture
def mine(client):
    return List(client, CrmUserFactory())


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOW, tick=False):
        yield


def test_every_field_of_the_log_form_comes_back_as_it_was_sent(mine):
    entry = mine.add(**LOG_FORM)
    assert len(entry) == 32
    [item] = mine.items()
    assert {key: item[key] for key in LOG_FORM} == {**LOG_FORM, "scheduledAt": "2026-05-05T09:00:00+00:00"}
    assert (item["id"], item["userId"], item["status"], item["lastCallAt"]) == (
        entry, mine.user.wire_id, "scheduled", None,
    )  # fmt: skip


@pytest.mark.parametrize("contact", [{}, {"contactId": "newContact"}, {"contactId": None}, {"contactId": {"a": 1}}])
def test_the_schedule_page_names_no_contact_or_a_new_one(mine, contact):
    mine.add(phoneNumber="+16505550100", scheduledAt="2026-05-05T09:00:00Z", note="", **contact)
    [item] = mine.items()
    assert (item["contactId"], item["contactType"], item["phoneNumber"]) == ("", "contact", "+16505550100")


@pytest.mark.parametrize("sent", ["7001", 7001, "0071", "a0B"])
def test_a_contact_keeps_the_type_of_its_id(mine, sent):
    mine.add(contactId=sent)
    assert mine.items()[0]["contactId"] == sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (1_777_971_600_000, "2026-05-05T09:00:00+00:00"),
        ("2026-05-05T11:00:00+02:00", "2026-05-05T09:00:00+00:00"),
        ("tomorrow", None),
        (None, None),
        ({"at": 1}, None),
    ],
)
def test_a_time_that_cannot_be_read_costs_no_entry(mine, sent, kept):
    """The extension swallows a refusal, and its user believes that the call is noted."""
    mine.add(phoneNumber="+16505550100", scheduledAt=sent)
    [item] = mine.items()
    assert item["scheduledAt"] == kept
    assert item["status"] == ("scheduled" if kept else "not called")


def test_the_filters_are_those_of_the_page(mine):
    hour = timedelta(hours=1)
    for name, moment in (("late", NOW + 2 * hour), ("soon", NOW + hour), ("past", NOW - hour), ("any time", None)):
        mine.add(contactName=name, scheduledAt=moment and moment.isoformat())
    mine.change(mine.add(contactName="done", scheduledAt=(NOW - hour).isoformat()), status="called")

    def names(status):
        return [item["contactName"] for item in mine.items(status)]

    assert names("Scheduled") == ["soon", "late"]
    assert names("Called") == ["done"]
    for spelling in ("Not%20Called", "not_called", "notcalled", "NOT CALLED".replace(" ", "+")):
        assert names(spelling) == ["past", "any time"]
    for everything in ("All", "", "something"):
        assert names(everything) == ["past", "done", "soon", "late", "any time"]


def test_the_time_of_a_call_marks_it_as_called_with_or_without_the_status(mine):
    for body in (
        {"lastCallAt": "2026-05-04T11:58:00.000Z"},
        {"status": "Called", "lastCallAt": "2026-05-04T11:58:00Z"},
    ):
        entry = mine.add(**LOG_FORM)
        assert mine.change(entry, **body).json() == {"successful": True}
        [item] = mine.items("Called")
        assert (item["status"], item["lastCallAt"]) == ("called", "2026-05-04T11:58:00+00:00")
        assert {key: item[key] for key in LOG_FORM if key != "scheduledAt"}.items() <= LOG_FORM.items()
        assert mine.send("DELETE", f"/{entry}").json() == {"successful": True}
    entry = mine.add(**LOG_FORM)
    mine.change(entry, status="called")
    assert mine.items()[0]["lastCallAt"] == "2026-05-04T12:00:00+00:00"
    mine.change(entry, scheduledAt="2026-05-06T09:00:00Z")
    assert mine.items()[0]["status"] == "scheduled"
    mine.change(entry, scheduledAt="rubbish", note="later")
    assert (mine.items()[0]["scheduledAt"], mine.items()[0]["note"]) == ("2026-05-06T09:00:00+00:00", "later")


@pytest.mark.parametrize("field", ["contactName", "phoneNumber", "note", "contactType"])
def test_each_field_can_be_changed_alone(mine, field):
    entry = mine.add(**LOG_FORM)
    assert mine.change(entry, **{field: "new"}).status_code == 200
    [item] = mine.items()
    assert {key: item[key] for key in LOG_FORM if key != "scheduledAt"} == {
        key: "new" if key == field else value for key, value in LOG_FORM.items() if key != "scheduledAt"
    }


@pytest.mark.parametrize("path", ["/calldown/{}", "/CallDown/{}/", "/CALLDOWN/{}"])
def test_an_entry_is_found_in_every_spelling_of_its_path(client, mine, path):
    entry = mine.add(**LOG_FORM)
    assert client.delete(f"{path.format(entry)}?jwtToken={mine.token}").status_code == 200
    assert mine.items() == []


@pytest.mark.parametrize("entry", ["1", "x" * 400, "0" * 32])
def test_of_an_entry_that_is_not_there_the_user_is_told_so(mine, entry):
    for reply in (mine.change(entry, note="x"), mine.send("DELETE", f"/{entry}")):
        assert (reply.status_code, reply.content) == (400, b"This entry is not in your call-down list any more.")


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("POST", {}, "Invalid request: phoneNumber: whom to call must be said."),
        ("POST", {"note": "x"}, "Invalid request: phoneNumber: whom to call must be said."),
        (
            "POST",
            {"phoneNumber": "1", "note": "x" * 20_001},
            "Invalid request: note: must be at most 20000 characters.",
        ),
        ("PATCH", {}, "No valid fields to update"),
        ("PATCH", {"id": "1", "userId": "x"}, "No valid fields to update"),
        ("PATCH", {"status": "lost"}, "Invalid request: status: must be called, scheduled or not called."),
    ],
)
def test_bad_input_is_a_sentence(mine, method, body, told):
    path = f"/{mine.add(**LOG_FORM)}" if method == "PATCH" else ""
    reply = mine.send(method, path, body)
    assert (reply.status_code, reply.content.decode()) == (400, told)


def test_the_list_is_the_users_own_and_not_a_colleagues(client, mine):
    colleague = List(client, CrmUserFactory(crm_account_id="acme"))
    CrmUser.objects.filter(pk=mine.user.pk).update(crm_account_id="acme")
    entry = mine.add(**LOG_FORM)
    assert colleague.items() == []
    assert colleague.change(entry, note="x").status_code == colleague.send("DELETE", f"/{entry}").status_code == 400
    assert mine.items()[0]["note"] == LOG_FORM["note"]


def test_a_list_has_an_end(mine, monkeypatch):
    monkeypatch.setattr(call_down, "_MOST_ENTRIES", 1)
    mine.add(**LOG_FORM)
    reply = mine.send("POST", body=LOG_FORM)
    assert (reply.status_code, reply.content[:28]) == (400, b"Your call-down list is full.")


def test_who_and_why_is_encrypted_at_rest_and_rotates_with_the_other_secrets(mine):
    mine.add(**LOG_FORM)
    with connection.cursor() as cursor:
        cursor.execute("SELECT contact_name, phone_number, note FROM connectors_calldownentry")
        row = cursor.fetchone()
    assert all(value.startswith("v1.test.") for value in row)
    assert {field.attname for model, field in encrypted_columns() if model is CallDownEntry} == {
        "contact_name", "phone_number", "note",
    }  # fmt: skip


def test_an_entry_that_cannot_be_read_hides_no_other(mine):
    broken = mine.add(**LOG_FORM)
    mine.add(contactName="Grace Hopper", scheduledAt="2026-05-06T09:00:00Z")
    CallDownEntry.objects.filter(pk=broken).update(note=Sealed("v1.gone.AAAA"))
    assert [item["note"] for item in mine.items()] == ["", ""]
    assert [item["contactName"] for item in mine.items()] == ["Ada Byron", "Grace Hopper"]


def test_what_is_old_is_deleted_and_what_is_still_to_come_stays(mine, settings, capsys):
    settings.AUDIT_RETENTION = timedelta(days=30)
    mine.add(contactName="old", scheduledAt="2026-05-04T13:00:00Z")
    mine.add(contactName="no time")
    mine.add(contactName="next year", scheduledAt="2027-05-04T13:00:00Z")
    with time_machine.travel(NOW + timedelta(days=29), tick=False):
        mine.add(contactName="new")
    with time_machine.travel(NOW + timedelta(days=31), tick=False):
        call_command("clear_tokens", dry_run=True)
        assert CallDownEntry.objects.count() == 4
        call_command("clear_tokens")
        assert [item["contactName"] for item in mine.items()] == ["next year", "new"]
    assert "call-down" in capsys.readouterr().out


def test_the_list_outlives_a_logout_and_ends_with_the_user(mine, client):
    mine.add(**LOG_FORM)
    assert client.post(f"/unAuthorize?jwtToken={mine.token}").status_code == 200
    assert mine.send("GET", status="All").status_code == 400, "the token is over"
    user = CrmUser.objects.get(pk=mine.user.pk)
    user.set_credentials(mine.user.credentials())
    user.connected_at = timezone.now()
    user.save()
    assert List(client, user).items()[0]["contactName"] == "Ada Byron"
    user.delete()
    assert not CallDownEntry.objects.exists()
