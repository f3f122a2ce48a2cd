"""The shape of every reply, and the one place where errors become replies."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from adapters import registry
from adapters.contract import (
    AccessDenied,
    AddressNotPublic,
    AlreadyLogged,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    Notice,
    NoticeLevel,
    RateLimited,
    RecordNotFound,
    ServerMisconfigured,
    UnexpectedResponse,
    UnsupportedOperation,
)
from audit.fields import Undecipherable
from audit.middleware import current_request_id
from connectors.services.crm_access import SessionEnded

log = logging.getLogger("switchboard.api")

TOO_LARGE = "Invalid request: it is too large."
LOGIN_NOT_STORED = (
    "You are not connected: the login could not be stored on the server. Please try again in a moment; "
    "if it goes on, tell your administrator."
)
NO_TOKEN = "Please go to Settings and authorize CRM platform"  # noqa: S105 - a sentence, not a secret

#: What could not be done, and the permission it needs, by the viewset's ``operation``.
_FAILED = {
    "findContact": ("Error finding contact", "Please check if your account has permission to GET contacts."),
    "createContact": ("Error creating contact", "Please check if your account has permission to CREATE contacts."),
    "findContactWithName": ("Error searching contacts", "Please check if your account has permission to GET contacts."),
    "createCallLog": ("Error creating call log", "Please check if your account has permission to CREATE logs."),
    "getCallLog": ("Error getting call log", "Please check if your account has permission to READ logs."),
    "updateCallLog": (
        "Error updating call log",
        "Please check if the log entity still exists on {crm} and your account has permission to EDIT logs.",
    ),
    "upsertCallDisposition": (
        "Error updating call log",
        "Please check if the log entity still exists on {crm} and your account has permission to EDIT logs.",
    ),
    "createMessageLog": ("Error creating message log", "Please check if your account has permission to CREATE logs."),
}


class AnyAccept(BaseContentNegotiation):
    """Every reply is JSON or plain text, whatever the request says it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media = (request.content_type or "").split(";")[0].strip().lower()
        for parser in parsers:
            if parser.media_type == media:
                return parser
        return parsers[0] if media in ("", "text/plain") else None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class PlainText(Exception):
    """A reply that is a plain string: the only form of a 4xx that the client shows."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def text_reply(text: str, status: int = 200) -> HttpResponse:
    """Raw text. Never HTML: what a user typed may stand in it."""
    reply = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    reply["X-Content-Type-Options"] = "nosniff"
    return reply


def return_message(
    message: str, level: str = NoticeLevel.WARNING, ttl: int = 5000, details: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """``returnMessage`` as the client shows it; ``details``: title -> lines."""
    result: dict[str, Any] = {"message": message, "messageType": str(level), "ttl": ttl}
    if details:
        result["details"] = [
            {
                "title": title,
                "items": [{"id": str(number), "type": "text", "text": line} for number, line in enumerate(lines, 1)],
            }
            for title, lines in details.items()
        ]
    return result


def from_notice(notice: Notice) -> dict[str, Any]:
    return return_message(
        notice.message, notice.level, notice.ttl, {"Details": list(notice.details)} if notice.details else None
    )


def from_error(error: ConnectorError, *, operation: str, crm: str) -> dict[str, Any]:
    """What the user is told about an error: what failed, the vendor's reason, what to do, and the request id."""
    title, advice = _FAILED.get(operation, (f"Error performing {operation}", "Please try again."))
    advice = advice.format(crm=crm)
    lines = [line for line in (error.message, error.reason) if line]
    message, ttl = title, 5000
    if error.advice:
        message, ttl, lines = error.message, 3000, [line for line in (error.advice, error.reason) if line]
    elif isinstance(error, ServerMisconfigured):
        message, lines = error.sentence(crm), [line for line in (error.reason,) if line]
    elif isinstance(error, RateLimited) and error.status not in (0, 403, 429):
        wait = f"in {max(1, round(error.retry_after))} seconds" if error.retry_after else "in a minute"
        lines.append(f"{crm} does not take this at the moment. Please try again {wait}.")
    elif isinstance(error, RateLimited):
        message = "Rate limit exceeded"
        wait = f"in {max(1, round(error.retry_after))} seconds" if error.retry_after else "in the next minute"
        lines = [
            *([error.message] if error.message != RateLimited().message else []),
            f"You have exceeded the maximum number of requests allowed by {crm}. Please try again {wait}. "
            "If the problem persists please contact support.",
        ]
    elif isinstance(error, CredentialsRejected):
        message = "Authorization error"
        advice = (
            f"It seems like there's something wrong with your authorization of {crm}. "
            f"Please Logout and then Connect your {crm} account within this extension."
        )
        lines = [advice, *lines]
    elif isinstance(error, AlreadyLogged):
        return return_message(error.message, ttl=3000)
    elif isinstance(error, CrmUnavailable | AddressNotPublic):
        lines.append(f"{crm} could not be reached or had trouble answering. Please try again later.")
    elif isinstance(error, AccessDenied):
        lines.append(advice)
    elif isinstance(error, RecordNotFound):
        lines.append(f"It may have been deleted in {crm}.")
    elif isinstance(error, UnsupportedOperation):
        message, lines = f"Not supported by {crm}", []
    elif isinstance(error, UnexpectedResponse):
        lines.append("Please report this to your administrator.")
    request_id = current_request_id()
    if request_id and not any(request_id in line for line in lines):
        lines.append(f"Reference: {request_id}")
    return return_message(message, ttl=ttl, details={"Details": lines})


def revoked(error: SessionEnded) -> Response:
    """The client logs out on this one."""
    details = {"Details": [error.reason]} if error.reason else None
    return Response(
        {
            "successful": False,
            "returnMessage": return_message("User session expired. Please connect again.", details=details),
            "errorCode": "CRM_SESSION_REVOKED",
        },
        status=401,
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Any:
    """Every error that leaves a viewset. ``None`` for those nobody foresaw: Django's 500 handler answers them."""
    view = context["view"]
    operation = getattr(view, "operation", "")
    always = dict(getattr(view, "always", {}))
    if isinstance(error, PlainText):
        return text_reply(error.text, error.status)
    if isinstance(error, SessionEnded):
        return revoked(error)
    if isinstance(error, ConnectorError):
        crm = _crm_of(context.get("request"))
        if isinstance(error, UnexpectedResponse):
            log.error("unexpected response", extra={"operation": operation, "reason": error.reason})
        return Response(
            {**always, "successful": False, "returnMessage": from_error(error, operation=operation, crm=crm)}
        )
    if isinstance(error, exceptions.ValidationError):
        return text_reply(f"Invalid request: {_first_problem(error.detail)}", 400)
    if isinstance(error, RequestDataTooBig):
        return text_reply(TOO_LARGE, 413)
    if isinstance(error, SuspiciousOperation):  # too many fields, a malformed form
        return bad_request(context["request"], error)
    if isinstance(error, exceptions.Throttled):
        return too_many_requests(getattr(error, "wait", None))
    if isinstance(error, exceptions.APIException):
        return text_reply(str(error.detail), error.status_code)
    if isinstance(error, OperationalError | InterfaceError):
        log.error("database out of reach", extra={"operation": operation, "error": type(error.__cause__).__name__})
        return unavailable()
    if isinstance(error, DatabaseError | Undecipherable):
        log.error("storage failed", exc_info=error, extra={"operation": operation})
        if operation == "login":  # the client takes a 200 for a login, whatever stands in it
            return text_reply(LOGIN_NOT_STORED, 503)
        return Response({**always, "successful": False, "returnMessage": return_message("Database operation failed")})
    return None


def too_many_requests(wait: float | None) -> HttpResponse:
    """``wait``: seconds until it makes sense to ask again."""
    reply = text_reply("Too many requests. Please wait a moment and try again.", 429)
    if wait is not None:
        reply["Retry-After"] = str(int(wait) + 1)
    return reply


def _crm_of(request: Request | None) -> str:
    platform = getattr(getattr(request, "user", None), "platform", "")
    manifest = registry.manifests().get(platform)
    return manifest.display_name if manifest else "the CRM"


def _first_problem(detail: Any, path: str = "") -> str:
    if isinstance(detail, dict) and detail:
        key, value = next(iter(detail.items()))
        if key == api_settings.NON_FIELD_ERRORS_KEY:  # what the serializer says of the whole
            return _first_problem(value, path)
        return _first_problem(value, f"{path}.{key}" if path else str(key))
    if isinstance(detail, list) and detail:
        return _first_problem(next((item for item in detail if item), ""), path)
    if getattr(detail, "code", "") == "invalid_choice":  # its text repeats what was sent
        detail = "is not one of the choices."
    return f"{path}: {detail}" if path else str(detail)


def unavailable() -> HttpResponse:
    """The database cannot be reached, or not in time: on every path, whatever was asked."""
    detail = "The database cannot be reached at the moment. Please try again shortly."
    reply = JsonResponse({"error": "Service unavailable", "detail": detail}, status=503)
    reply["Retry-After"] = "5"
    return reply


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return HttpResponse("<!doctype html><title>Not found</title><p>Not found.", status=404)


def bad_request(request: HttpRequest | Request, exception: Exception | None = None) -> HttpResponse:
    return text_reply("Invalid request.", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the error is being handled: middleware and plain views meet a lost database too."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return unavailable()
    reference = current_request_id()
    text = f"Something went wrong at the server. Please tell your administrator this reference: {reference}"
    return text_reply(text, 500)  # the client shows its user a text, and logs JSON where nobody looks
