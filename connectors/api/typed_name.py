"""The name that was typed for a search, out of a query string in which the client did not encode it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from rest_framework.request import Request

_NAME = "name="
#: What stands behind an ampersand is a parameter if it begins like one: "R&D Partners", "A&B=C" are names.
_PARAMETER = re.compile(r"(?:[a-z][A-Za-z0-9_]+|_)=")


def typed_names(request: Request) -> list[str]:
    """The readings of ``name``, the likelier one first.

    Where it is the last parameter, all behind it belongs to it: the client leaves ``&``, ``+`` and ``=`` as they are.
    A plus sign may also be a blank, as forms write it. Any other query is read by the rules for forms.
    """
    form = [str(request.query_params.get("name", ""))]
    _, found, behind = ("&" + str(request.META.get("QUERY_STRING", ""))).partition("&" + _NAME)
    if not found:
        return form
    parts = behind.split("&")
    ours = next((index for index, part in enumerate(parts) if index and _PARAMETER.match(part)), None)
    if ours is not None:  # "AT&T" stays whole before other parameters too; one without a value would be none of ours
        return form if ours == 1 else [_decoded("&".join(parts[:ours]).replace("+", " "))]
    readings = [_decoded(behind), _decoded(behind.replace("+", " "))]
    return list(dict.fromkeys(readings))


def _decoded(text: str) -> str:
    """Percent signs decoded. WSGI hands bytes over as Latin-1."""
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8", "replace")
