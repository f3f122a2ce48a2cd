"""The same new contact asked for twice, at once or after a lost answer, is created once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from connectors.deliveries import clock
from connectors.models import ContactCreation
from tests.extension import Extension

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
_keys = iter(range(1000))
CREATES = {"method": "POST", "path_prefix": "/api/contacts"}


@pytest.fixture
def key():
    """A login of its own for each test, with no contacts of another one's."""
    return f"creations-{next(_keys)}"


def _people(me, name):
    return [row["id"] for row in me.search(name)["contact"]]


def test_ten_requests_at_once_create_one_contact_and_all_get_it(me, sandbox):
    sandbox.fail({**CREATES, "delay_ms": 200})

    def create(_):
        other = Extension(me.url, me.platform)
        other.token = me.token
        return other.create_contact("+12125550171", "Nia Brook")["contact"]["id"]

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(create, range(10)))
    assert list(ids) == _people(me, "Nia Brook")


@pytest.mark.parametrize("drop", ["before", "after_commit"])
def test_after_a_lost_answer_the_contact_is_looked_for_first(me, sandbox, drop):
    sandbox.fail({**CREATES, "drop": drop})
    assert me.create_contact("+12125550172", "Omar Reed")["successful"] is False
    if drop == "before":  # "not found" means nothing yet
        again = me.create_contact("+12125550172", "Omar Reed")
        assert "may have been created already" in str(again["returnMessage"])
        ContactCreation.objects.update(changed_at=timezone.now() - timedelta(minutes=1))
    created = me.create_contact("+12125550172", "Omar Reed")["contact"]["id"]
    assert _people(me, "Omar Reed") == [created]


def test_a_refused_contact_can_be_tried_again_and_another_name_is_another_person(me, sandbox):
    sandbox.fail({**CREATES, "status": 422})
    assert me.create_contact("+12125550173", "Pat Lowe")["successful"] is False
    assert not ContactCreation.objects.exists()
    first = me.create_contact("+12125550173", "Pat Lowe")["contact"]["id"]
    assert me.create_contact("+12125550173", "Sam Lowe")["contact"]["id"] != first


def test_a_look_that_fails_leaves_the_doubt_about_a_contact(me, sandbox):
    sandbox.fail({**CREATES, "drop": "after_commit"})
    assert me.create_contact("+12125550179", "Rue Hale")["successful"] is False
    sandbox.fail({"method": "GET", "path_prefix": "/api/contacts", "status": 423})
    assert me.create_contact("+12125550179", "Rue Hale")["successful"] is False
    created = me.create_contact("+12125550179", "Rue Hale")["contact"]["id"]
    assert _people(me, "Rue Hale") == [created]


def test_a_machine_whose_clock_is_fast_does_not_take_a_doubt_for_settled(me, sandbox, monkeypatch):
    database_time = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: database_time)
    sandbox.fail({**CREATES, "drop": "before"})
    assert me.create_contact("+12125550174", "Uma Finch")["successful"] is False
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        again = me.create_contact("+12125550174", "Uma Finch")
    assert "may have been created already" in str(again["returnMessage"])
    assert _people(me, "Uma Finch") == []
