"""Whether JSON has the shape of a connector document and of what the extension shows: objects, lists and texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Key -> what it has to be where it is given; a mapping is an object with such keys.
_TEXT, _OBJECT, _OBJECTS, _NUMBER = "a text", "an object", "a list of objects", "a number"
_AUTH = dict.fromkeys(
    ("type", "scheme", "headerName", "credentialTemplate", "encode", "tokenUrl", "redirectUri", "clientId"), _TEXT
)
_DOCUMENT: Mapping[str, Any] = {
    "meta": {"name": _TEXT, "displayName": _TEXT, "logFormat": _TEXT},
    "auth": _AUTH,
    "requestDefaults": {
        "baseUrl": _TEXT,
        "timeoutSeconds": _NUMBER,
        "defaultHeaders": _OBJECT,
        "defaultQuery": _OBJECT,
    },
}
_OPERATION: Mapping[str, Any] = {
    **{"method": _TEXT, "url": _TEXT, "headers": _OBJECT, "query": _OBJECT, "auth": _AUTH},
    "responseMapping": {"platformAdditionalInfoPaths": _OBJECT, "item": _OBJECT},
}
_FORM = {"additionalFields": _OBJECTS}
_CLIENT: Mapping[str, Any] = {
    **dict.fromkeys(("name", "displayName", "urlIdentifier", "contactPageUrl"), _TEXT),
    "environment": {"urlIdentifier": _TEXT, "selections": _OBJECTS},
    "auth": {"oauth": _OBJECT, "apiKey": {"page": {"content": _OBJECTS}}},
    "page": {"callLog": _FORM, "messageLog": _FORM, "newContact": _FORM},
    "settings": _OBJECTS,
    "rcAdditionalSubmission": _OBJECTS,
}


def faults_in(document: Mapping[str, Any], client: Mapping[str, Any]) -> list[str]:
    """Every place that is not what it should be, with what it should be."""
    found = [*_faults(document, _DOCUMENT, ""), *_faults(client, _CLIENT, "manifest.")]
    for name, operation in document["operations"].items():
        found += _faults(operation, _OPERATION, f"operations.{name}.")
    return found


def _faults(node: Any, shape: Mapping[str, Any], place: str) -> Iterator[str]:
    if not isinstance(node, Mapping):
        yield f"{place.rstrip('.')} must be {_OBJECT}"
        return
    for key, kind in shape.items():
        value = node.get(key)
        if value is None:
            continue
        if isinstance(kind, Mapping):
            yield from _faults(value, kind, f"{place}{key}.")
        elif not _fits(value, kind):
            yield f"{place}{key} must be {kind}"


def _fits(value: Any, kind: str) -> bool:
    if kind == _OBJECTS:
        return isinstance(value, list) and all(isinstance(item, dict) for item in value)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**9
    return isinstance(value, str if kind == _TEXT else dict)
