"""Who may use the console: anybody on this machine where the server can be reached from here only, else staff."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from connectors.api.authentication import user_of_token
from connectors.models import CrmUser

#: A proxy in front adds one of these: the request may come from anywhere then.
_OF_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


def may_use(request: HttpRequest) -> bool:
    """Whether the console may be shown for this request."""
    return is_local(request) or (request.user.is_active and request.user.is_staff)


def is_local(request: HttpRequest) -> bool:
    """Whether no other machine can send such a request.

    The server listens on loopback, calls itself by a loopback address, and no proxy stands before it; the ``Host``
    header is loopback too, so that a web page whose name leads to this machine (DNS rebinding) gets nothing.
    """
    ours = (settings.HOST, urlsplit(settings.APP_SERVER).hostname or "", request.META.get("SERVER_NAME", ""))
    theirs = (urlsplit(f"//{request.get_host()}").hostname or "", request.META.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES or any(name in request.META for name in _OF_PROXIES):
        return False
    return all(_is_loopback(host) for host in (*ours, *theirs))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def for_the_tokens_owner(view: Callable[[HttpRequest, CrmUser], JsonResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A route of the console that answers with what belongs to the user of the bearer token.

    The token comes in a header, which no form of another site can send, so there is no CSRF token besides.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any) -> HttpResponse:
        if not settings.CONSOLE:
            return _said("The console is switched off (CONSOLE).", 404)
        if not may_use(request):
            return _said("Sign in at /admin/ first.", 403)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = user_of_token(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            return _said("The token is missing, or not valid any more. Please log in to the CRM again.", 401)
        reply = view(request, found[0])
        reply["Cache-Control"] = "no-store"
        return reply

    vars(guarded)["csrf_exempt"] = True
    return guarded


def _said(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)
