"""The WSGI application: Django's, which takes every request for UTF-8."""

from __future__ import annotations

import re
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

_BOUNDARY = re.compile(r"""\bboundary="?([\w'()+,./:=?-]{1,70})""", re.ASCII | re.IGNORECASE)


class Utf8Request(WSGIRequest):
    """A request whose charset is UTF-8, as the extension's is, whatever it names.

    Django would decode address and body with the charset it names, before any middleware is there to answer; some
    (base64, rot13, punycode) decode no text, and an odd parameter cannot be read at all.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        media_type, _, parameters = environ.get("CONTENT_TYPE", "").partition(";")
        environ["CONTENT_TYPE"] = media_type.strip()
        if media_type.strip().lower() == "multipart/form-data" and (found := _BOUNDARY.search(parameters)):
            environ["CONTENT_TYPE"] += f'; boundary="{found[1]}"'
        super().__init__(environ)


class Application(WSGIHandler):
    """What the web server calls. ``/healthz`` is answered here, where nothing is waited for: no database, no count."""

    request_class = Utf8Request

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO") == "/healthz" and environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            body = b"ok" if environ["REQUEST_METHOD"] == "GET" else b""
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
            return [body]
        return super().__call__(environ, start_response)
