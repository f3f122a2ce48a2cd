"""What a reply tells about itself when the client asks with ``is-debug: true`` and the operator allows it.

Times and counts only: no payload, no stack trace, no address. The server's log has the rest, under the request id.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from rest_framework.request import Request

from audit.middleware import current_request_id
from connectors.models import CrmUser


def is_wanted(request: Request) -> bool:
    """Whether to add ``_debug``: DEBUG_REPLIES is on, the client asks, and it is a user's who is connected."""
    if not settings.DEBUG_REPLIES or request.headers.get("is-debug", "").lower() != "true":
        return False
    user = vars(request).get("_user")  # nobody, where authentication itself failed
    return isinstance(user, CrmUser) and user.is_connected


def described(data: dict[str, Any], *, operation: str, status: int, seconds: float, crm_calls: int) -> dict[str, Any]:
    """The reply with ``_debug``, in the shape that the client's developers know."""
    milliseconds, moment = round(seconds * 1000), datetime.now(UTC).isoformat()
    trace = {
        "timestamp": moment,
        "elapsed": milliseconds,
        "methodName": operation,
        "level": "info",
        "data": {"status": status, "crmCalls": crm_calls},
        "stackTrace": "",
    }
    step = {"index": 0, "timestamp": moment, "level": "info", "method": operation, "elapsedMs": milliseconds}
    return {
        **data,
        "_debug": {
            "sum": [step],
            "requestId": current_request_id(),
            "totalDuration": f"{milliseconds}ms",
            "traceCount": 1,
            "traces": [trace],
        },
    }
