"""Matches paths in any letter case and with or without a trailing slash, without ever redirecting."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse


@cache
def _canonical() -> dict[str, tuple[str, bool]]:
    """By path in lower case: the spelling in the URL table, and whether a viewset of the extension's API answers.

    Of a path that ends with an id, all up to the id (``calldown/``).
    """
    from connectors.api import urls, wire

    return {
        (path := str(pattern.pattern).partition("<")[0]).lower(): (
            f"/{path}",
            issubclass(getattr(pattern.callback, "cls", object), wire.WireViewSet),
        )
        for pattern in urls.urlpatterns
    }


def _known(path_info: str) -> tuple[str, bool] | None:
    """A path as the URL table spells it, and whether the extension's API answers; None for any other path."""
    asked = path_info.strip("/")
    if found := _canonical().get(asked.lower()):
        return found
    head, _, last = asked.rpartition("/")
    if last and (found := _canonical().get(f"{head}/".lower())):
        return found[0] + last, found[1]
    return None


@cache
def _policy() -> str:
    return str(build_policy())


def is_of_the_extension(request: HttpRequest) -> bool:
    """Whether the request is for the extension's API, and not for a page."""
    return getattr(request, "is_of_the_extension", False)


class WirePathMiddleware:
    """Rewrites the path of an API request to the spelling in the URL table; other paths pass as they are.

    Replies of the API carry the policy of all pages, as a text that is made once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = _known(request.path_info)
        if known is None:
            return self.get_response(request)
        request.path_info, is_wire = known
        if not is_wire:
            return self.get_response(request)
        vars(request)["is_of_the_extension"] = True
        reply = self.get_response(request)
        reply["Content-Security-Policy"] = _policy()
        return reply
