"""Compares requests and results with what a fixture says, and tells the first difference in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Asked:
    """A request that left, taken apart once however many exchanges it is compared with."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        url = urlsplit(str(request.url))
        self.method = str(request.method)
        self.url = f"{url.scheme}://{url.netloc}{url.path}"
        self.headers = request.headers
        body = request.body
        self.body = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
        self._query = url.query

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self._query, keep_blank_values=True)

    @cached_property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body, keep_blank_values=True)

    @cached_property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body


class Expected:
    """The request of an exchange, as its fixture writes it."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.method, self.url = request["method"], request["url"]
        self._request = request
        self._query = _texts(request.get("query", {}))
        self._form = _texts(request["form"]) if "form" in request else None

    def difference(self, asked: Asked) -> str:
        """The first way in which a request is not the expected one; empty when it is."""
        if asked.method != self.method:
            return f"method {asked.method}"
        if asked.url != self.url:
            return f"url {asked.url}"
        if asked.query != self._query:
            return f"query {asked.query}"
        if "json" not in self._request and self._form is None and asked.body:
            return f"body {asked.body}"
        if "json" in self._request and asked.json != self._request["json"]:
            return f"json {asked.body}"
        if self._form is not None and asked.form != self._form:
            return f"form {asked.body}"
        for name, value in self._request.get("headers", {}).items():
            if asked.headers.get(name) != value:
                return f"header {name}: {asked.headers.get(name)}"
        return ""


def _texts(values: Mapping[str, Any]) -> dict[str, list[str]]:
    return {key: [str(v) for v in value] if isinstance(value, list) else [str(value)] for key, value in values.items()}


def told(error: BaseException) -> str:
    """What an error says, its reason included; the reason alone where nothing was answered.

    What our own guard refuses was never sent, so it must not read "the CRM refused".
    """
    reason, status = getattr(error, "reason", ""), getattr(error, "status", 0)
    if reason and not status:
        return str(reason)
    return f"{error} ({reason})" if reason else str(error)


def mismatch(expected: Any, actual: Any, where: str = "result") -> str:
    """The first difference between expected plain data and a contract value; only the keys given are compared."""
    if dataclasses.is_dataclass(actual) and not isinstance(actual, type):
        actual = {item.name: getattr(actual, item.name) for item in dataclasses.fields(actual)}
    if isinstance(actual, BaseException) and isinstance(expected, dict) and "raises" in expected:
        if type(actual).__name__ != expected["raises"]:
            return f"{where}: expected {expected['raises']}, got {type(actual).__name__}: {told(actual)}"
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
