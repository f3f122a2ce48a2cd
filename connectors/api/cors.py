"""Cross-origin requests: the extension has no host permissions, so its browser asks before almost every one."""

from __future__ import annotations

from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers


class WireCorsMiddleware(CorsMiddleware):
    """Answers every OPTIONS, and lets any header through: a later extension may send one that nobody knows yet.

    Nothing rests on it: no cookie is used, and a token is as readable in one header as in another.
    """

    def check_preflight(self, request: HttpRequest) -> HttpResponseBase | None:
        super().check_preflight(request)
        if request.method != "OPTIONS" or not self.is_enabled(request):
            return None
        reply = HttpResponse(status=204)
        del reply["Content-Type"]
        return reply

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().add_response_headers(request, response)
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked and "Access-Control-Allow-Headers" in response:
            response["Access-Control-Allow-Headers"] = asked
            patch_vary_headers(response, ["Access-Control-Request-Headers"])
        return response
