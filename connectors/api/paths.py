"""Matches paths in any letter case and with or without a trailing slash, without ever redirecting."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest, HttpResponse


@cache
def _canonical() -> dict[str, str]:
    from connectors.api import urls

    return {str(pattern.pattern).lower(): str(pattern.pattern) for pattern in urls.urlpatterns}


class WirePathMiddleware:
    """Rewrites the path of an API request to the spelling in the URL table; other paths pass as they are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.path_info.strip("/").lower()
        if (known := _canonical().get(asked)) is not None:
            request.path_info = f"/{known}"
        return self.get_response(request)
