"""What of a request may be logged: the host and the path's shape, never the values in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

#: Words and version numbers; whatever else stands in a path may be an id, a number or a name.
_WORD = re.compile(r"[A-Za-z][A-Za-z_.-]{0,39}|v[0-9]+(\.[0-9]+)*", re.ASCII)
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray")
_NOT_AN_ID = re.compile(r"[^A-Za-z0-9_.:=/+-]", re.ASCII)


def template_of(url: str, template: str | None) -> dict[str, str]:
    """``{"host", "template"}`` for the log line; segments of the path that are no words become ``{id}``."""
    parts = urlsplit(url)
    if template is None:
        template = "/".join(part if not part or _WORD.fullmatch(part) else "{id}" for part in parts.path.split("/"))
    return {"host": parts.netloc, "template": template}


def ends_in_id(url: str) -> bool:
    """Whether the last part of the path is no word, so the id of a record: ``/notes/7``, ``/notes/7.json``."""
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    return bool(last) and not _WORD.fullmatch(last)


def request_id_of(headers: Mapping[str, str]) -> str:
    """The vendor's own id of the request, for its support; empty when it gave none."""
    found = next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), "")
    return _NOT_AN_ID.sub("", found)[:100]
