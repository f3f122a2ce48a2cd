"""Reads at the CRM for somebody who waits: not sent to one that is known not to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from adapters.contract import ConnectorError, CrmAdapter, CrmUnavailable, ErrorKind
from adapters.contract.http import count_calls
from connectors.deliveries import circuit
from connectors.deliveries.policy import NO_ANSWER
from connectors.models import CrmUser
from connectors.services.crm_access import with_adapter
from connectors.services.shares import CrmBusy

Result = TypeVar("Result")


def look(user: CrmUser, operation: Callable[[CrmAdapter], Result], *, read_anew: bool = False) -> Result:
    """``with_adapter`` for an operation that changes nothing.

    After three reads or writes in a row without an answer, the CRM is asked by one at a time until it answers; the
    others get ``CrmUnavailable`` at once. Raises as ``with_adapter`` otherwise.
    """
    if not circuit.may_call(user.crm):
        raise CrmUnavailable
    try:
        with count_calls() as calls:
            result = with_adapter(user, operation, read_anew=read_anew)
    except CrmBusy:
        raise
    except ConnectorError as error:
        if isinstance(error, CrmUnavailable) and error.kind is ErrorKind.DOWN and error.status in NO_ANSWER:
            circuit.note_failure(user.crm)
        elif error.status:
            circuit.note_answer(user.crm)
        raise
    if calls.value:
        circuit.note_answer(user.crm)
    return result
