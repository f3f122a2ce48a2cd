"""Gives every request an id, for log lines, audit events and the user's error details."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

#: No longer than the column of the audit trail, and nothing that could break a log line.
_SOUND = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the request being answered; empty outside of one."""
    return _request_id.get()


@contextmanager
def on_behalf_of(request_id: str, **more: str) -> Iterator[None]:
    """Log lines and audit events within the block have this id, and log lines ``more`` besides.

    Also for work that goes on after the request: its lines lead back to what brought it.
    """
    token = _request_id.set(request_id)
    try:
        with structlog.contextvars.bound_contextvars(request_id=request_id, **more):
            yield
    finally:
        _request_id.reset(token)


class RequestIdMiddleware:
    """Sets the id, and returns it as ``X-Request-Id``: one of our own, or that of a proxy in front.

    Without TRUSTED_PROXIES whoever asks could give many requests one id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUSTED_PROXIES else ""
        request_id = given if _SOUND.fullmatch(given) else uuid.uuid4().hex[:16]
        with on_behalf_of(request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
