"""What waits for one CRM, or for one user, leaves threads for everybody else."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest
from django.db import connection

from adapters.contract import waiting
from audit import middleware
from connectors.services import shares
from connectors.services.shares import CrmBusy, share_of_threads


@pytest.fixture(autouse=True)
def _in_a_request(settings):
    settings.WEB_THREADS = 16
    token = middleware._request_id.set("r")
    yield
    middleware._request_id.reset(token)
    assert not shares._held


def _hold(stack, crm, count, user=""):
    for number in range(count):
        stack.enter_context(share_of_threads(crm=crm, user=user or f"{crm}{number}"))


def test_a_crm_that_hangs_takes_its_share_and_others_go_on(settings):
    settings.WEB_QUEUE_SECONDS = 0
    with ExitStack() as stack:
        _hold(stack, "hangs", 10)
        with pytest.raises(CrmBusy) as told:
            _hold(stack, "hangs", 1, user="new")
        assert (told.value.maybe_applied, told.value.try_later) == (False, True)
        _hold(stack, "sound", 4)
        with pytest.raises(CrmBusy):  # the last threads are for what needs no CRM
            _hold(stack, "third", 1)


def test_one_user_takes_half_of_the_threads_at_most(settings):
    settings.WEB_QUEUE_SECONDS = 0
    with ExitStack() as stack:
        _hold(stack, "crm", 8, user="one")
        with pytest.raises(CrmBusy):
            _hold(stack, "crm", 1, user="one")
        _hold(stack, "crm", 1, user="another")


def test_while_the_crm_answers_requests_stand_in_line(settings):
    settings.WEB_QUEUE_SECONDS = 60
    served = []
    with ExitStack() as stack:
        _hold(stack, "crm", 10)

        def ask():
            middleware._request_id.set("other")
            with share_of_threads(crm="crm", user="new"):
                served.append(1)

        others = [threading.Thread(target=ask) for _ in range(5)]
        for other in others:
            other.start()
        assert not served
    for other in others:
        other.join()
    assert len(served) == 5


def test_work_without_a_request_needs_no_share(settings):
    settings.WEB_QUEUE_SECONDS = 0
    with ExitStack() as stack:
        _hold(stack, "crm", 10)
        token = middleware._request_id.set("")
        _hold(stack, "crm", 5, user="worker")
        middleware._request_id.reset(token)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the tests run on another database")
@pytest.mark.django_db(transaction=True)
def test_a_thread_that_waits_for_a_crm_holds_no_database_connection():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.connection is not None
    waiting.about_to_wait()
    assert connection.connection is None
