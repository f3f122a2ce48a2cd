"""Middleware that only pages for people need: a request of the extension passes it by."""

from __future__ import annotations

from typing import Any

from csp.middleware import CSPMiddleware as _Policy
from django.contrib.auth.middleware import AuthenticationMiddleware as _Authentication
from django.contrib.messages.middleware import MessageMiddleware as _Message
from django.contrib.sessions.middleware import SessionMiddleware as _Session
from django.http import HttpRequest

from connectors.api.paths import is_of_the_extension


def _for_pages(middleware: type[Any]) -> type[Any]:
    class ForPages(middleware):  # type: ignore[misc]
        def __call__(self, request: HttpRequest) -> Any:
            return self.get_response(request) if is_of_the_extension(request) else super().__call__(request)

    return ForPages


CSPMiddleware = _for_pages(_Policy)
SessionMiddleware = _for_pages(_Session)
AuthenticationMiddleware = _for_pages(_Authentication)
MessageMiddleware = _for_pages(_Message)
