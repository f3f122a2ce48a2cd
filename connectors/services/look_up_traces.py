"""Keeps for a while what a look-up came to, so that support can say why somebody was found, or was not."""

from __future__ import annotations

import json
from typing import Any

from adapters.contract import ConnectorError, ContactMatches, PhoneNumber
from audit.fields import Undecipherable
from audit.middleware import current_request_id
from audit.prepared import insert
from connectors.models import CrmUser, LookUp
from connectors.services.numbers import columns_of

_MOST_LISTED = 20


def keep_trace(
    *,
    user: CrmUser,
    phone: PhoneNumber,
    matches: ContactMatches | None = None,
    error: ConnectorError | None = None,
    served_kept: bool = False,
) -> None:
    """One row, encrypted. ``served_kept``: the user was shown an older result, since the CRM could not be reached."""
    trace: dict[str, Any] = {"forms": phone.variants or [phone.raw], "served_kept": served_kept}
    if matches is not None:
        shown = matches.contacts[:_MOST_LISTED]
        trace["shown"] = [{"id": item.id, "type": item.type} for item in shown]
        trace["dropped"] = [{"id": hit.id, "reason": hit.reason} for hit in matches.dropped[:_MOST_LISTED]]
        trace["by_ending"] = list(matches.by_ending[:_MOST_LISTED])
        trace["notice"] = matches.notice.message if matches.notice else ""
    if error is not None:
        trace["error"], trace["said"] = type(error).__name__, error.said[:500]
    row = LookUp(
        user=user,
        request_id=current_request_id(),
        found=None if matches is None else min(len(matches.contacts), 32_000),
        trace=json.dumps(trace, ensure_ascii=False),
        **columns_of(phone),
    )
    insert(row)


def read_trace(look_up: LookUp) -> dict[str, Any]:
    """What was kept; empty where it cannot be read with the keys of this server."""
    try:
        found: dict[str, Any] = json.loads(look_up.trace)
    except (Undecipherable, ValueError):
        return {}
    return found
