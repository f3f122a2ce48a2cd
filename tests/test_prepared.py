"""Statements whose SQL is made once find, change and delete the rows that the same querysets do."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from django.db.models.sql.compiler import SQLCompiler

from adapters.contract import Credentials
from audit import models
from audit.models import CallLog, LogState, call_logs_for
from audit.prepared import PreparedDeletion, change, insert
from connectors.api import authentication
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from connectors.models import ContactMatch, CrmUser
from tests.factories import CrmUserFactory


def _columns(row):
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


@pytest.mark.django_db
def test_a_user_is_read_with_every_column():
    users = [
        CrmUserFactory(extra={"a": [1, None]}, settings={}, crm_user_id_is_number=True),
        CrmUserFactory(last_seen_at=datetime(2026, 1, 2, 3, 4, 5, 678, UTC), session_epoch=7),
    ]
    users[1].set_credentials(Credentials(access_token="secret", expires_at=datetime(2027, 1, 1, tzinfo=UTC)))
    users[1].save()
    for user in users:
        expected = CrmUser.objects.get(pk=user.pk)
        found = authentication._users(user.wire_id, user.platform, user.session_epoch)
        assert [_columns(row) for row in found] == [_columns(expected)]
        assert found[0] == expected
        assert found[0].credentials() == expected.credentials()
        assert not found[0]._state.adding
        assert authentication._users_at(user.wire_id, user.platform, user.session_epoch, user.identity_host) == found
        assert authentication._users_at(user.wire_id, user.platform, user.session_epoch, "elsewhere") == []
        assert authentication._users(user.wire_id, user.platform, user.session_epoch + 1) == []


@pytest.fixture
def logs():
    user = CrmUserFactory()
    common = {"platform": "testCRM", "owner": "o", "user": user, "state": LogState.LOGGED}
    make = CallLog.objects.create
    return {
        "mine": make(**common, session_id="1", extension="me", started_at=datetime(2026, 1, 2, tzinfo=UTC)),
        "old": make(**common, session_id="1", extension="", contact_id="5", contact_id_is_number=True),
        "other's": make(**common, session_id="2", extension="you"),
        "nobody's": make(**common, session_id="3", extension=""),
        "tenant's": make(**{**common, "owner": "p"}, session_id="4", extension="me"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("extension", ["me", ""])
def test_logs_are_read_with_every_column_whatever_their_number(logs, extension):
    for ids in (["1"], ["1", "2", "3", "4"], ["x"], [str(number) for number in range(200)]):
        found = call_logs_for(platform="testCRM", owner="o", session_ids=ids, extension=extension)
        names = {"1": "mine" if extension else "old", "3": "nobody's"} | ({} if extension else {"2": "other's"})
        expected = {key: CallLog.objects.get(pk=logs[name].pk) for key, name in names.items() if key in ids}
        assert {key: _columns(row) for key, row in found.items()} == {k: _columns(v) for k, v in expected.items()}


@pytest.mark.django_db
def test_sql_is_made_once_for_each_number_of_sessions(logs, monkeypatch):
    made = []
    real = SQLCompiler.as_sql
    monkeypatch.setattr(
        SQLCompiler, "as_sql", lambda self, *args, **named: made.append(1) or real(self, *args, **named)
    )
    models._find_logs._prepared._prepared.clear()
    for ids in (["1"], ["2"], ["x", "1"], ["3"], ["1", "2"]):
        call_logs_for(platform="testCRM", owner="o", session_ids=ids, extension="me")
    assert len(made) == 2


@pytest.mark.django_db
def test_columns_are_changed_where_the_lookups_fit_also_to_none(logs, django_assert_num_queries):
    mine, moment, found = logs["mine"], datetime(2026, 5, 4, tzinfo=UTC), CallLog.objects.filter(pk=logs["mine"].pk)
    cases = [
        ({"started_at__lt": moment}, {"started_at": moment, "state": LogState.FAILED}, 1),
        ({"started_at__lt": moment}, {"started_at": None, "state": LogState.QUEUED}, 0),
        ({"started_at": moment}, {"started_at": None, "state": LogState.QUEUED, "contact_id_is_number": True}, 1),
        ({"started_at": None}, {"started_at": moment, "last_error": "x"}, 1),
        ({"started_at": None}, {"started_at": moment, "last_error": "y"}, 0),
    ]
    for which, columns, expected in cases:
        with django_assert_num_queries(1):
            assert change(CallLog, {"pk": mine.pk, **which}, columns) == expected
        assert found.filter(**columns).exists() == bool(expected)
    assert not CallLog.objects.exclude(pk=mine.pk).filter(state__in=(LogState.FAILED, LogState.QUEUED)).exists()


@pytest.mark.django_db
def test_a_delivery_is_taken_with_the_rows_that_it_refers_to(logs, django_assert_num_queries):
    kept = Delivery(kind=Kind.CREATE, user=logs["mine"].user, platform="testCRM", call_log=logs["mine"], position=1)
    kept.payload = "secret"
    kept.save()
    with django_assert_num_queries(2):
        taken = Delivery.objects.take(kept.pk, "testCRM")
        assert (taken.pk, taken.payload, taken.attempts, taken.conversation) == (kept.pk, "secret", 1, None)
        found = taken.user, taken.call_log
    expected = CrmUser.objects.get(pk=kept.user_id), CallLog.objects.get(pk=kept.call_log_id)
    assert [_columns(row) for row in found] == [_columns(row) for row in expected]
    assert Delivery.objects.take(kept.pk, "testCRM") is None
    assert Delivery.objects.take(UUID(int=1)) is None


@pytest.mark.django_db
def test_a_row_is_stored_or_changes_the_one_that_has_its_place():
    user = CrmUserFactory()
    rows = [
        ContactMatch(user=user, key=key, result={"name": name}, fetched_at=datetime(2026, 1, day, tzinfo=UTC))
        for key, name, day in [("a", "first", 1), ("b", "other", 2), ("a", "second", 3)]
    ]
    for row in rows:
        insert(row, or_update=("result", "fetched_at"), where=("user_id", "key"))
    found = ContactMatch.objects.order_by("key").values_list("key", "result", "fetched_at__day")
    assert list(found) == [("a", {"name": "second"}, 3), ("b", {"name": "other"}, 2)]


@pytest.mark.django_db
def test_rows_are_deleted_by_the_parameters_of_the_call():
    ended = PreparedDeletion(lambda platform, *ids: CallLog.objects.filter(platform=platform, session_id__in=ids))
    for session in "12345":
        CallLog.objects.create(platform="testCRM", owner="o", session_id=session)
    assert [ended("testCRM", "1", "2"), ended("other", "3", "4"), ended("testCRM", "2", "3", "9")] == [2, 0, 1]
    assert sorted(CallLog.objects.values_list("session_id", flat=True)) == ["4", "5"]


@pytest.mark.django_db
@pytest.mark.parametrize("log_id", [17, "17"])
def test_the_id_of_a_record_is_kept_by_the_holder_of_the_lease(log_id):
    user, leases = CrmUserFactory(), [uuid4(), uuid4()]
    log = CallLog.objects.create(platform="testCRM", owner="o", session_id="1", last_error="x")
    Delivery.objects.create(
        kind=Kind.CREATE, user=user, platform="testCRM", call_log=log, position=1, payload="{}", lease=leases[0]
    )
    log.created(log_id, deliveries__lease=leases[1])
    log = CallLog.objects.get()
    assert log.crm_log_id == ""
    log.created(log_id, deliveries__lease=leases[0])
    kept = CallLog.objects.get()
    assert (kept.wire_log_id(), kept.state, kept.last_error) == (log_id, LogState.LOGGED, "")
