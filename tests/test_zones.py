"""Time zones by name or offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.zones import offset_name, zone_of

MOMENT = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_a_zone_is_found_by_its_name():
    assert zone_of("America/Denver") == ZoneInfo("America/Denver")


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "America", "\0", "UTC+99:00", "a" * 5000]
)
def test_an_unknown_name_means_utc(name):
    assert MOMENT.astimezone(zone_of(name)).utcoffset() == timedelta(0)


@given(st.integers(-1439, 1439))
def test_an_offset_survives_being_named(minutes):
    assert zone_of(offset_name(minutes)).utcoffset(MOMENT) == timedelta(minutes=minutes)


@given(st.text())
def test_no_name_whatever_makes_the_look_up_fail(name):
    assert MOMENT.astimezone(zone_of(name)) == MOMENT
