"""One log line for each request, and its count: method, path template, status, milliseconds, user, request id.

The template is a path of the URL table with names instead of values: no address that somebody typed is repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from audit.middleware import current_request_id
from connectors.models import CrmUser
from connectors.observation import metrics

log = logging.getLogger("switchboard.requests")

#: Asked every few seconds by machines; a line for each would bury the others.
_SILENT = frozenset({"readyz", "metrics"})


class RequestLineMiddleware:
    """Stands inside of the request id's middleware and outside of all others, so that refusals have lines too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        route, status = _route_of(request), response.status_code
        metrics.request_ended(method=request.method, route=route, status=status, seconds=seconds)
        if route not in _SILENT or status >= 500:
            fields = {
                "method": metrics.method_label(request.method),
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "user": _user_of(request),
                "request_id": current_request_id(),
            }
            log.info("request", extra={"fields": fields})
        return response


def _route_of(request: HttpRequest) -> str:
    """The path of the URL table; ``static`` for files, ``unknown`` for what is not in the table."""
    if request.resolver_match:
        return request.resolver_match.route or "/"
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "unknown"


def _user_of(request: HttpRequest) -> str:
    """The row of a connected user or of a member of staff; empty for anybody else, and where nobody asked."""
    user = getattr(request, "user", None)
    user = getattr(user, "_wrapped", user)  # Django's is read from the database on first use only: not for a log line
    if type(user) is CrmUser:
        return f"user:{user.pk}"
    return f"staff:{user.pk}" if type(user) is User else ""
