"""The sandbox's adapter as if it were another CRM's: without a search, without dispositions, with a second request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adapters.contract import CallLogEntry, CrmAdapter, Id, LogResult
from adapters.testcrm.adapter import Adapter
from simulation.crm import Crm

_create = Adapter.create_call_log
#: What the second request writes.
SECOND_STEP = "second step"


@contextmanager
def variant_for(crm: Crm) -> Iterator[None]:
    """Within the block the adapter fits this CRM."""
    replaced: dict[str, Any] = {}
    if not crm.can_be_asked:
        replaced |= {"find_call_log": CrmAdapter.find_call_log, "find_message_log": CrmAdapter.find_message_log}
    if not crm.has_dispositions:
        replaced["set_disposition"] = CrmAdapter.set_disposition
    if crm.has_second_step:
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
    result = _create(adapter, entry)
    return _complete(adapter, result.log_id, entry)


def _complete(adapter: Adapter, log_id: Id, entry: CallLogEntry) -> LogResult:
    adapter.http.patch(f"/api/activities/{log_id}", json={"department": SECOND_STEP}, template="/api/activities/{id}")
    return LogResult(log_id=log_id)
