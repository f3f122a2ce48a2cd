"""Refuses what is too large before it is read: address, headers, body; and JSON that no database or client takes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from adapters.contract.payload import is_storable, storable
from connectors.api.authentication import AppTokenAuthentication
from connectors.api.envelope import TOO_LARGE, text_reply

_MOST_ADDRESS = 64 * 1024  # five thousand session ids and two tokens fit; the server itself takes no more
_MOST_HEADERS = 32 * 1024
_MOST_BODY_OF_STRANGERS = 64 * 1024
_MOST_NESTED = 64
_TOO_DEEP = "Invalid request: it is nested too deep."


class RequestLimitsMiddleware:
    """Address, headers and body. A large body is for connected users: anybody else's may be 64 KiB.

    A chunked body, which has no length to judge, is read up to the limit; Django by itself would take it for empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return _refusal(request) or self.get_response(request)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    query = request.META.get("QUERY_STRING", "")
    if len(query) + len(request.path_info) > _MOST_ADDRESS:
        return text_reply("Invalid request: the address is too long.", 414)
    if "%00" in query or "\x00" in request.path_info:  # PostgreSQL takes no text with a null character
        return text_reply("Invalid request: the address holds a null character.", 400)
    if sum(len(value) for key, value in request.META.items() if key.startswith("HTTP_")) > _MOST_HEADERS:
        return text_reply("Invalid request: the headers are too large.", 431)
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        return _take_chunked(request)
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return text_reply("Invalid request: Content-Length is not a number.", 400)
    if length > _MOST_BODY_OF_STRANGERS and length > _most_body(request):
        return text_reply(TOO_LARGE, 413)
    return None


def _most_body(request: HttpRequest) -> int:
    is_known = AppTokenAuthentication().authenticate(Request(request)) is not None
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) if is_known else _MOST_BODY_OF_STRANGERS


def _take_chunked(request: HttpRequest) -> HttpResponse | None:
    source = request.META["wsgi.input"]
    if not request.META.get("wsgi.input_terminated"):  # this server does not mark the end: a read might never return
        return text_reply("Invalid request: Content-Length is required.", 411)
    body = source.read(_MOST_BODY_OF_STRANGERS + 1)
    if len(body) > _MOST_BODY_OF_STRANGERS:
        most = _most_body(request)
        body += source.read(most + 1 - len(body))
        if len(body) > most:
            return text_reply(TOO_LARGE, 413)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)
    return None


class BoundedJSONParser(JSONParser):
    """JSON nested at most 64 deep, with numbers of at most 64 bits, whose texts are made such as a database takes.

    Null characters are left out. Half a character, as where a client cut its text within an emoji (``\\ud83d``), is
    replaced by U+FFFD: no log is refused over it. Either would stop a statement or a reply in the middle of the work.
    """

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError(_TOO_DEEP) from None
        except ParseError:
            raise ParseError("Invalid request: it is not valid JSON in UTF-8.") from None
        return storable(data) if _needs_repair(data) else data


def _needs_repair(data: Any) -> bool:
    """Whether some text in it cannot be stored. Raises ``ParseError`` for what is not to be read at all."""
    found, level = False, [data]
    for _ in range(_MOST_NESTED):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                found = found or not is_storable(item)
            elif isinstance(item, int | float) and _is_too_large(item):
                raise ParseError("Invalid request: a number is too large.")
        if not below:
            return found
        level = below
    raise ParseError(_TOO_DEEP)


def _is_too_large(number: float) -> bool:
    return not (math.isfinite(number) if isinstance(number, float) else -(2**63) <= number < 2**63)
