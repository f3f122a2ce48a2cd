"""The sandbox's adapter as if it were another CRM's.

Without a search, without dispositions, with a second request, or with a fault: it fails over an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from adapters.contract import CallLogEntry, CrmAdapter, Id, LogResult, MessageLogEntry
from adapters.testcrm.adapter import Adapter
from simulation.crm import Crm, crm
from simulation.world import world

_create, _create_day = Adapter.create_call_log, Adapter.create_message_log
#: What the second request writes.
SECOND_STEP = "second step"


@contextmanager
def variant_for(variant: Crm) -> Iterator[None]:
    """Within the block the adapter fits this CRM."""
    replaced: dict[str, Any] = {}
    if not variant.can_be_asked:
        replaced |= {"find_call_log": CrmAdapter.find_call_log, "find_message_log": CrmAdapter.find_message_log}
    if not variant.has_dispositions:
        replaced["set_disposition"] = CrmAdapter.set_disposition
    if variant.stumbles:
        replaced |= {"create_call_log": _stumbling, "create_message_log": _stumbling_over_a_day}
    if variant.has_second_step:
        replaced |= {"create_call_log": _in_two_steps, "complete_call_log": _complete}
    original = {name: vars(Adapter).get(name) for name in replaced}
    for name, value in replaced.items():
        setattr(Adapter, name, value)
    try:
        yield
    finally:
        for name, value in original.items():
            if value is None:
                delattr(Adapter, name)
            else:
                setattr(Adapter, name, value)


def _in_two_steps(adapter: Adapter, entry: CallLogEntry) -> LogResult:
    result = _stumbling(adapter, entry)
    return _complete(adapter, result.log_id, entry)


def _stumbling(adapter: Adapter, entry: CallLogEntry) -> LogResult:
    return _create(adapter, replace(entry, created=_failing(entry.created)))


def _stumbling_over_a_day(adapter: Adapter, entry: MessageLogEntry) -> LogResult:
    return _create_day(adapter, replace(entry, created=_failing(entry.created)))


def _failing(created: Callable[[Id], None]) -> Callable[[Id], None]:
    """The adapter has the answer, and does not come to tell it."""

    def tell(log_id: Id) -> None:
        if crm.stumbles and world.rng.random() < 0.5:
            world.count("an adapter fails over an answer")
            raise LookupError("an answer without a member, as the schedule wants it")
        created(log_id)

    return tell


def _complete(adapter: Adapter, log_id: Id, entry: CallLogEntry) -> LogResult:
    adapter.http.patch(f"/api/activities/{log_id}", json={"department": SECOND_STEP}, template="/api/activities/{id}")
    return LogResult(log_id=log_id)
