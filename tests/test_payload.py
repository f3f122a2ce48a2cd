"""Foreign JSON is read with a type, and a surprise names its place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract.errors import UnexpectedResponse
from adapters.contract.payload import dig, require, require_id, rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab01") | st.text(), inner, max_size=4),
)
PATHS = st.text() | st.lists(st.sampled_from(["a", "b", "0", "1", "-1", "²", ""]), max_size=4).map(".".join)
KINDS = st.sampled_from([str, int, float, bool, dict, list])
RECORD = {"data": [{"id": 7, "name": "Ada", "ratio": 2, "on": True, "none": None}]}


def test_a_value_is_found_by_its_path():
    assert require(RECORD, "data.0.id", int) == 7
    assert require(RECORD, "data.0.ratio", float) == 2


@pytest.mark.parametrize(("path", "kind"), [("data.0.on", int), ("data.0.id", str), ("data.1.id", int), ("x", str)])
def test_a_missing_or_wrong_typed_value_is_named_by_its_path(path, kind):
    with pytest.raises(UnexpectedResponse) as caught:
        require(RECORD, path, kind)
    assert f"'{path}'" in caught.value.reason


def test_a_surprise_does_not_repeat_the_value_found():
    with pytest.raises(UnexpectedResponse) as caught:
        require(RECORD, "data.0.name", int)
    assert "Ada" not in caught.value.reason + str(caught.value)


@pytest.mark.parametrize("value", ["", 1.5, True, None, [1], {}])
def test_only_a_text_or_a_whole_number_is_an_id(value):
    with pytest.raises(UnexpectedResponse):
        require_id({"id": value}, "id")


@pytest.mark.parametrize("value", ["a1", 0, 12])
def test_an_id_keeps_the_type_the_vendor_gave(value):
    assert require_id({"id": value}, "id") is value


def test_rows_take_null_for_none_and_refuse_other_things():
    assert rows({"data": None}, "data") == []
    assert rows([{"id": 1}], "") == [{"id": 1}]
    with pytest.raises(UnexpectedResponse):
        rows(None, "")
    for wrong in ({}, {"data": "x"}, {"data": [1]}, {"data": {}}):
        with pytest.raises(UnexpectedResponse):
            rows(wrong, "data")


def test_an_index_beyond_all_reason_finds_nothing():
    assert dig([1, 2], "9" * 5000, int, 0) == 0


@given(JSON, PATHS, KINDS)
def test_dig_gives_a_value_of_the_type_or_the_default_and_never_fails(payload, path, kind):
    default = object()
    found = dig(payload, path, kind, default)
    assert found is default or isinstance(found, (int, float) if kind is float else kind)


@given(JSON, PATHS, KINDS)
def test_require_fails_in_one_way_only(payload, path, kind):
    with contextlib.suppress(UnexpectedResponse):
        found = require(payload, path, kind)
        assert isinstance(found, (int, float) if kind is float else kind)


@given(JSON, PATHS)
def test_an_id_is_a_text_or_a_whole_number_or_an_error_and_nothing_else(payload, path):
    with contextlib.suppress(UnexpectedResponse):
        found = require_id(payload, path)
        assert found != ""
        assert isinstance(found, (str, int))
        assert not isinstance(found, bool)


@given(JSON, PATHS)
def test_rows_are_objects_or_an_error_and_nothing_else(payload, path):
    with contextlib.suppress(UnexpectedResponse):
        found = rows(payload, path)
        assert isinstance(found, list)
        assert all(isinstance(row, dict) for row in found)


def _places(payload, path=()):
    """Every value inside with the path that leads to it; keys with a dot cannot be addressed."""
    yield path, payload
    members = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    for key, value in members:
        if "." not in str(key):
            yield from _places(value, (*path, str(key)))


@given(st.dictionaries(st.text(min_size=1), JSON, min_size=1, max_size=4))
def test_every_value_is_found_again_by_the_path_that_leads_to_it(payload):
    for path, value in _places(payload):
        if value is not None and path:
            assert require(payload, ".".join(path), type(value)) is value
            assert dig(payload, ".".join(path), type(value), object()) is value


@given(st.text(st.characters(codec="utf-8"), min_size=4), st.sampled_from([int, float, bool, dict, list]))
def test_a_surprise_names_the_path_and_never_the_value(text, kind):
    value = f"private-{text}"
    with pytest.raises(UnexpectedResponse) as caught:
        require({"data": [value]}, "data.0", kind)
    assert "'data.0'" in caught.value.reason
    assert value not in f"{caught.value} {caught.value.reason} {caught.value!r}"
