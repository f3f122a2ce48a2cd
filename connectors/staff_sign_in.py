"""Sign-in of support staff: bounded, audited, and never with what was typed in a log line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from audit.recorder import record
from connectors.api.envelope import too_many_requests
from connectors.api.throttling import client_address
from connectors.services.request_counts import seconds_to_wait


class AdminReferrerMiddleware:
    """Lets pages of the admin tell themselves where a form came from.

    Under ``no-referrer`` a browser sends ``Origin: null`` with every form, which the protection against forged requests
    rightly refuses: nobody could sign in (Fetch standard, "append a request Origin header"). Nothing goes elsewhere.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        reply = self.get_response(request)
        if request.resolver_match and request.resolver_match.app_name == "admin":
            reply["Referrer-Policy"] = "same-origin"
        return reply


class AuditedSite(AdminSite):
    """An admin whose sign-ins are counted per address and recorded."""

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method != "POST":
            return super().login(request, extra_context)
        wait = seconds_to_wait("login", f"{client_address(request)} admin")
        if wait is not None:
            return too_many_requests(wait)
        reply = super().login(request, extra_context)
        signed_in = request.user.is_authenticated
        locked = getattr(request, "axes_locked_out", False)
        record(
            "staff.sign_in",
            actor=f"staff:{_known_name(request.POST.get('username', '')) or 'unknown'}",
            outcome="success" if signed_in else "failure",
            error="" if signed_in else "LockedOut" if locked else "WrongPassword",
        )
        return reply


def _known_name(typed: str) -> str:
    """The user name if there is such a user, else "": what was typed may be a password in the wrong field."""
    is_known = "\x00" not in typed and User.objects.filter(username=typed).exists()  # PostgreSQL takes no NUL
    return typed if is_known else ""


def counted_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """What failed attempts are counted and stored under: the name of a user, a keyed hash of anything else."""
    typed = str((credentials or request.POST).get("username") or "")
    return _known_name(typed) or salted_hmac("connectors.staff_sign_in", typed, algorithm="sha256").hexdigest()[:32]


def locked_out(request: HttpRequest, original_response: HttpResponse | None, credentials: Any) -> HttpResponse:
    """The answer after too many wrong passwords."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    reply = HttpResponse(
        f"Too many wrong passwords for this user name from your address. Try again in {seconds // 60} minutes.",
        status=settings.AXES_HTTP_RESPONSE_CODE,
        content_type="text/plain; charset=utf-8",
    )
    reply["Retry-After"] = str(seconds)
    return reply
