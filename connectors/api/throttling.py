"""Limits on how often somebody may ask: per connected user, address, login target, wrong token, hashed id."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from adapters import registry
from connectors.api.envelope import too_many_requests
from connectors.models import CrmUser
from connectors.services.request_counts import seconds_to_wait

_WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](:[0-9]*)?|(?P<four>[0-9.]+):[0-9]*", re.ASCII)


def client_address(request: HttpRequest | Request) -> str:
    """The caller's address: of the connection, or what the outermost of TRUSTED_PROXIES proxies saw.

    An IPv6 caller counts by its /64, which is what one subscriber has; one that is an IPv4 caller in disguise, as on a
    socket open to both, by its IPv4 address. A port that a proxy adds does not make another caller.
    """
    address: str = request.META.get("REMOTE_ADDR", "")
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.TRUSTED_PROXIES and forwarded:
        chain = [part.strip() for part in forwarded.split(",")]
        address = chain[-min(settings.TRUSTED_PROXIES, len(chain))]
    with_port = _WITH_PORT.fullmatch(address)
    try:
        ip = ipaddress.ip_address(with_port["six"] or with_port["four"] if with_port else address)
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((int(ip), 64), strict=False).network_address)


class AddressThrottleMiddleware:
    """Per address, on everything: pages, hooks and unknown paths too, before a body is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wait = seconds_to_wait("address", client_address(request))
        return self.get_response(request) if wait is None else too_many_requests(wait)


class _CountingThrottle(BaseThrottle):
    scope = ""
    _wait: float | None = None

    def caller(self, request: Request, view: Any) -> str | None:
        """Whom the request counts for; None: it does not count."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        caller = self.caller(request, view)
        self._wait = None if caller is None else seconds_to_wait(self.scope, caller)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


class UserThrottle(_CountingThrottle):
    """Per connected user."""

    scope = "user"

    def caller(self, request: Request, view: Any) -> str | None:
        return str(request.user.pk) if isinstance(request.user, CrmUser) else None


class WrongTokenThrottle(_CountingThrottle):
    """Per address, for requests whose token is not, or no longer, one of ours."""

    scope = "wrong_token"

    def caller(self, request: Request, view: Any) -> str | None:
        if request.user is not None or not view.authentication_classes:
            return None
        given = request.headers.get("Authorization") or request.query_params.get("jwtToken")
        return client_address(request) if given else None


class HashThrottle(_CountingThrottle):
    """Per address, for hashes of RingCentral ids: every user of an office asks for theirs when the day begins."""

    scope = "hash"

    def caller(self, request: Request, view: Any) -> str | None:
        return client_address(request)


class LoginThrottle(_CountingThrottle):
    """Per address and the platform that is logged in to; the view's ``login_platform`` tells which."""

    scope = "login"

    def caller(self, request: Request, view: Any) -> str | None:
        asked = getattr(view, "login_platform", None)
        return f"{client_address(request)} {registry.find_platform(asked(request)) or '' if asked else ''}"
