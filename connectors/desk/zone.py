"""Shows pages of the admin in the time zone of whoever reads them, as their browser has told it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

#: Set by ``desk/zone.js``: an IANA name such as Europe/Zurich.
COOKIE = "timezone"


class TimeZoneMiddleware:
    """Times of a page are in the browser's zone; in UTC until it has told one that exists."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(COOKIE)
        if not name or not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        try:
            zone = ZoneInfo(unquote(name))
        except (ValueError, LookupError, OSError):  # no such zone, or no name of one
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)
