"""Independent reads go out together and come back in order."""

from __future__ import annotations

import contextvars

import pytest

from adapters.contract.errors import CrmUnavailable, RecordNotFound
from adapters.contract.fan_out import fan_out, fan_out_outcomes, run_together

REQUEST_ID = contextvars.ContextVar("request_id", default="")


def test_results_keep_the_order_of_the_items():
    assert fan_out(lambda item: item * 2, range(20)) == [item * 2 for item in range(20)]
    assert fan_out(str, []) == []


def test_the_first_error_comes_up_after_the_others_have_finished():
    finished = []

    def work(item):
        if item == 0:
            raise RecordNotFound
        finished.append(item)
        raise CrmUnavailable

    with pytest.raises(RecordNotFound):
        fan_out(work, [0, 1, 2])
    assert finished == [1, 2]


@pytest.mark.parametrize("items", [[0], [0, 1, 2]])
def test_outcomes_stand_in_place_of_errors(items):
    def work(item):
        if item == 0:
            raise RecordNotFound
        return item

    outcomes = fan_out_outcomes(work, items)
    assert isinstance(outcomes[0], RecordNotFound)
    assert outcomes[1:] == items[1:]


def test_an_error_of_ours_is_not_mistaken_for_an_outcome():
    with pytest.raises(ZeroDivisionError):
        fan_out_outcomes(lambda item: 1 // item, [1, 0])


@pytest.mark.parametrize("count", [1, 3])
def test_the_request_id_is_known_to_every_item_and_changes_there_stay_there(count):
    REQUEST_ID.set("abc")

    def work(_):
        seen = REQUEST_ID.get()
        REQUEST_ID.set("changed")
        return seen

    assert fan_out(work, range(count)) == ["abc"] * count
    assert REQUEST_ID.get() == "abc"


@pytest.mark.parametrize("count", [1, 2])
def test_nesting_is_refused_and_does_not_spoil_later_calls(count):
    with pytest.raises(RuntimeError):
        fan_out(lambda _: fan_out(str, [1, 2]), range(count))
    assert fan_out(str, [1, 2]) == ["1", "2"]


def test_unlike_calls_run_together():
    assert run_together(lambda: 1, lambda: "two") == [1, "two"]
