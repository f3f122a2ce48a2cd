"""``Retry-After`` in every form that vendors use, and how long it may keep anybody out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import responses
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import CrmUnavailable, HttpClient, RateLimited, Reply, pacing
from adapters.contract.reply_errors import retry_after_of
from connectors.services.crm_access import pace_key_of
from tests.factories import CrmUserFactory

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
WAITS = st.integers(min_value=0, max_value=30 * 86_400)


def _wait(text):
    return retry_after_of(Reply(status=429, headers={"retry-after": text}, body=None))


@pytest.fixture(scope="module", autouse=True)
def _at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


@given(WAITS)
def test_it_may_be_seconds(seconds):
    assert _wait(str(seconds)) == seconds
    assert _wait(f" {seconds}.5 ") == seconds + 0.5


@given(WAITS)
def test_it_may_be_an_http_date(seconds):
    moment = NOON + timedelta(seconds=seconds)
    assert _wait(format_datetime(moment, usegmt=True)) == seconds
    assert _wait(f"{moment:%A, %d-%b-%y %H:%M:%S} GMT") == seconds  # the form before RFC 1123


@given(WAITS)
def test_it_may_be_a_moment_in_seconds_or_milliseconds_since_1970(seconds):
    moment = int(NOON.timestamp()) + seconds
    assert _wait(str(moment)) == seconds
    assert _wait(str(moment * 1000)) == seconds
    assert _wait(f"{moment}.25") == seconds + 0.25


@given(st.datetimes(min_value=datetime(2001, 10, 1), max_value=datetime(2026, 1, 15, 11)))
def test_a_moment_that_is_over_is_no_wait(past):
    moment = past.replace(tzinfo=UTC)
    for text in (str(int(moment.timestamp())), str(int(moment.timestamp() * 1000)), format_datetime(moment)):
        assert _wait(text) == 0


@pytest.mark.parametrize(
    "text",
    ["", "soon", "nan", "inf", "-inf", "1e3", "1_000", "٣", "12 seconds", "5, 10", "0x10", "9" * 30, "2026-13-45", ";"],
)
def test_what_cannot_be_read_is_no_answer(text):
    assert _wait(text) is None


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_whatever_stands_there_it_is_a_wait_or_nothing(text):
    wait = _wait(text)
    assert wait is None or (wait >= 0 and math.isfinite(wait))


@given(st.one_of(WAITS.map(str), st.sampled_from(["1e3", "253370764800", "253370764800000", "999999999", "-7"])))
def test_nobody_at_the_phone_is_kept_out_longer_than_a_quarter_of_an_hour(text):
    limiter = pacing.Limiter()
    limiter.close_for(_wait(text) or 0)
    closed_for = 0
    try:
        with limiter.turn(None):
            pass
    except RateLimited as error:
        closed_for = error.retry_after
    assert closed_for <= 900


@pytest.mark.django_db  # other processes are told of it
@pytest.mark.parametrize("status", [429, 477, 403])
def test_a_long_wait_is_told_in_full_and_keeps_requests_out_for_a_quarter_of_an_hour(status):
    sent = HttpClient(base_url="https://crm.example", hosts=["crm.example"], pace_key=f"test:{status}")
    with responses.RequestsMock() as crm:
        crm.get("https://crm.example/a", status=status, json={}, headers={"Retry-After": "86400"})
        with pytest.raises(RateLimited) as caught:
            sent.get("/a")
        assert caught.value.retry_after == 86400  # what waits in the background keeps to it
        with pytest.raises(RateLimited) as caught:
            sent.get("/a")
        assert 890 < caught.value.retry_after <= 900
        assert len(crm.calls) == 1


@pytest.mark.parametrize("status", [402, 423, 425])
def test_a_wait_for_one_record_keeps_no_other_request_out(status):
    sent = HttpClient(base_url="https://crm.example", hosts=["crm.example"], pace_key=f"test:{status}")
    with responses.RequestsMock() as crm:
        crm.put("https://crm.example/a", status=status, json={}, headers={"Retry-After": "600"})
        crm.get("https://crm.example/b", json={})
        with pytest.raises(RateLimited):
            sent.put("/a")
        assert sent.get("/b") == {}


@pytest.mark.parametrize("status", [408, 409, 503])
def test_it_is_kept_of_an_answer_that_leaves_a_write_in_doubt(status):
    sent = HttpClient(base_url="https://crm.example", hosts=["crm.example"])
    with responses.RequestsMock() as crm:
        crm.post("https://crm.example/a", status=status, headers={"Retry-After": "90"})
        with pytest.raises(CrmUnavailable) as caught:
            sent.post("/a", json={})
    assert (caught.value.retry_after, caught.value.maybe_applied) == (90, True)


@pytest.mark.django_db
def test_a_new_login_is_not_kept_out_by_what_shut_out_the_old_one():
    user = CrmUserFactory()
    before = pace_key_of(user)
    assert pace_key_of(user) == before
    user.connected_at = timezone.now() + timedelta(seconds=1)
    assert pace_key_of(user) != before
