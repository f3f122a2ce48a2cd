"""The one thread pool: sends independent reads out together."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from adapters.contract.errors import ConnectorError

Item = TypeVar("Item")
Result = TypeVar("Result")

_POOL_SIZE = 64
_pool: ThreadPoolExecutor | None = None
_pool_guard = threading.Lock()
_inside = contextvars.ContextVar("inside_fan_out", default=False)


def fan_out(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``[function(item) for item in items]``, all at once; results keep the order of ``items``.

    ``function`` does HTTP and arithmetic only: no ORM, no cache, no further ``fan_out`` (``RuntimeError``). The first
    error is raised after the others have finished. Not for writes of the same record.
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
        raise RuntimeError("fan_out inside fan_out: the pool could wait for itself for ever")
    if len(items) < 2:  # nothing to gain from a thread
        return [_run_here(function, item) for item in items]
    pool = _the_pool()
    futures = []
    for item in items:
        context = contextvars.copy_context()  # carries the request id into the thread's log lines
        futures.append(pool.submit(context.run, _run_inside, function, item))
    for future in futures:
        future.exception()  # waits
    return futures


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


def _the_pool() -> ThreadPoolExecutor:
    global _pool
    with _pool_guard:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=_POOL_SIZE, thread_name_prefix="fan-out")
        return _pool
