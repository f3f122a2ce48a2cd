"""The conformance kit itself can fail: a changed fixture is noticed."""

from __future__ import annotations

import copy

import pytest

from tests.exchanges import all_cases, mismatch, run

CASES = [
    case
    for case in all_cases()
    if case.path.stem.endswith("__success") and case.operation == "create_call_log" and case.load()["exchanges"]
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_the_fixture_does_not_know_is_noticed(case):
    document = copy.deepcopy(case.load())
    document["exchanges"][0]["request"]["url"] += "/elsewhere"

    outcome = run(case, document)

    assert outcome.unmatched
    assert outcome.unused


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_body_that_differs_is_noticed(case):
    document = copy.deepcopy(case.load())
    for exchange in document["exchanges"]:
        exchange["request"]["json"] = {"unexpected": True}

    assert run(case, document).unmatched


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_result_that_differs_is_noticed(case):
    outcome = run(case, case.load())

    assert mismatch({"log_id": "another id"}, outcome.result)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [("1", 1), (1, "1"), (True, 1), (None, ""), ([1], [1, 2]), ({"a": 1}, {}), ("x", None), ({"raises": "X"}, {})],
)
def test_ids_of_another_type_and_missing_members_are_differences(expected, actual):
    assert mismatch(expected, actual)


def test_a_list_of_other_length_is_explained_in_words():
    assert mismatch([1], (1, 2)) == "result: expected 1 items, got 2: (1, 2)"
