"""Compares requests and results with what a fixture says, and tells the first difference in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def body_of(request: requests.PreparedRequest) -> str:
    return request.body.decode("utf-8", "replace") if isinstance(request.body, bytes) else str(request.body or "")


def difference(expected: Mapping[str, Any], request: requests.PreparedRequest) -> str:
    """The first way in which a request is not the expected one; empty when it is."""
    if request.method != expected["method"]:
        return f"method {request.method}"
    url = urlsplit(str(request.url))
    if f"{url.scheme}://{url.netloc}{url.path}" != expected["url"]:
        return f"url {url.scheme}://{url.netloc}{url.path}"
    body = body_of(request)
    if (query := parse_qs(url.query, keep_blank_values=True)) != _texts(expected.get("query", {})):
        return f"query {query}"
    if "json" not in expected and "form" not in expected and body:
        return f"body {body}"
    if "json" in expected and _json(body) != expected["json"]:
        return f"json {body}"
    if "form" in expected and parse_qs(body, keep_blank_values=True) != _texts(expected["form"]):
        return f"form {body}"
    for name, value in expected.get("headers", {}).items():
        if request.headers.get(name) != value:
            return f"header {name}: {request.headers.get(name)}"
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _texts(values: Mapping[str, Any]) -> dict[str, list[str]]:
    return {key: [str(v) for v in value] if isinstance(value, list) else [str(value)] for key, value in values.items()}


def mismatch(expected: Any, actual: Any, where: str = "result") -> str:
    """The first difference between expected plain data and a contract value; only the keys given are compared."""
    if dataclasses.is_dataclass(actual) and not isinstance(actual, type):
        actual = {item.name: getattr(actual, item.name) for item in dataclasses.fields(actual)}
    if isinstance(actual, BaseException) and isinstance(expected, dict) and "raises" in expected:
        if type(actual).__name__ != expected["raises"]:
            return f"{where}: expected {expected['raises']}, got {type(actual).__name__}: {actual}"
        rest = {key: value for key, value in expected.items() if key != "raises"}
        return mismatch(rest, {key: getattr(actual, key, None) for key in rest}, where)
    if isinstance(expected, dict) and isinstance(actual, Mapping):
        for key, value in expected.items():
            if key not in actual:
                return f"{where}.{key} is missing"
            if found := mismatch(value, actual[key], f"{where}.{key}"):
                return found
        return ""
    if isinstance(expected, list) and isinstance(actual, list | tuple):
        if len(expected) != len(actual):
            return f"{where}: expected {len(expected)} items, got {len(actual)}: {actual!r}"
        pairs = enumerate(zip(expected, actual, strict=True))
        return next((found for i, (e, a) in pairs if (found := mismatch(e, a, f"{where}.{i}"))), "")
    if isinstance(actual, datetime):
        same = isinstance(expected, str) and moment(expected) == actual
    else:
        same = type(expected) is type(actual) and expected == actual
        same = same or (isinstance(actual, Enum) and actual.value == expected)
        numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
        same = same or (
            numbers and not isinstance(expected, bool) and not isinstance(actual, bool) and expected == actual
        )
    return "" if same else f"{where}: expected {expected!r}, got {actual!r}"
