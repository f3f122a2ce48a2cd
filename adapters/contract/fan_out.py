"""Sends independent requests out together."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from adapters.contract.errors import ConnectorError
from adapters.contract.waiting import run_in_turns

Item = TypeVar("Item")
Result = TypeVar("Result")

_inside = contextvars.ContextVar("inside_fan_out", default=False)


def fan_out(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``[function(item) for item in items]``, all at once; results keep the order of ``items``.

    ``function`` does HTTP and arithmetic only: no ORM, no cache, no further ``fan_out`` (``RuntimeError``). All run in
    this thread, each until it waits for its answer: whatever else blocks holds the others up. The first error is raised
    after the others have finished. Not for writes of the same record.
    """
    futures = _submit(function, list(items))
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def fan_out_outcomes(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result | ConnectorError]:
    """As ``fan_out``, but a ``ConnectorError`` stands in its item's place instead of being raised."""

    def outcome(item: Item) -> Result | ConnectorError:
        try:
            return function(item)
        except ConnectorError as error:
            return error

    return fan_out(outcome, items)


def run_together(*calls: Callable[[], Result]) -> list[Result]:
    """Runs unlike calls at once: ``run_together(lambda: ..., lambda: ...)``."""
    return fan_out(lambda call: call(), calls)


def _submit(function: Callable[[Item], Result], items: list[Item]) -> list[Future[Result]]:
    if _inside.get():
        raise RuntimeError("fan_out inside fan_out: the items of both belong into one")
    if len(items) < 2:  # nothing to gain from turns
        return [_run_here(function, item) for item in items]
    return run_in_turns([partial(_run_inside, function, item) for item in items])


def _run_inside(function: Callable[[Item], Result], item: Item) -> Result:
    _inside.set(True)
    return function(item)


def _run_here(function: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(contextvars.copy_context().run(_run_inside, function, item))
    except Exception as error:
        future.set_exception(error)
    return future
