"""Loads a fixture file, plays its exchanges in place of the CRM, and runs its case; no assertions."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import responses
from django.test import override_settings

from adapters import registry
from adapters.contract import (
    AdapterContext,
    ContactRef,
    Credentials,
    CrmAdapter,
    HttpClient,
    Manifest,
    MessageLogChange,
    MessageLogEntry,
    Options,
    OutboundPolicy,
    PhoneNumber,
    UserProfile,
    parse_phone,
)

DEFAULT_NOW = "2026-01-15T12:00:00Z"
SERVER_URL = "https://switchboard.example"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_ERRORS: dict[str, Callable[[], Exception]] = {
    "timeout": lambda: requests.ReadTimeout("no answer in time"),
    "connect": lambda: requests.ConnectTimeout("no connection"),
    "drop": lambda: requests.ConnectionError("connection dropped"),
}


class Unmatched(AssertionError):
    """The adapter sent a request that the fixture does not know."""


class MemoryCache:
    """An account cache in a dict; what the fixture puts in is fresh."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def get(self, key: str, *, max_age: timedelta) -> Any:
        return self.values.get(key)

    def get_stale(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value


@dataclasses.dataclass
class Outcome:
    """What a case did: its result or error, and everything reported on the way."""

    result: Any = None
    error: BaseException | None = None
    created: list[Any] = dataclasses.field(default_factory=list)
    kept: list[Any] = dataclasses.field(default_factory=list)
    cache: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: ``GET https://host/path`` of each request, and those the fixture still waits for.
    sent: list[str] = dataclasses.field(default_factory=list)
    unused: list[str] = dataclasses.field(default_factory=list)
    unmatched: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Case:
    """One fixture file."""

    platform: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.parent.parent.name}/{self.path.stem}"

    @property
    def operation(self) -> str:
        return self.path.stem.partition("__")[0]

    def load(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8"))


def all_cases() -> list[Case]:
    """Every fixture of every adapter that is switched on."""
    return [
        Case(platform, path)
        for platform in registry.manifests()
        for path in sorted((registry.folder_of(platform) / "fixtures").glob("*.json"))
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def build_adapter(
    manifest: Manifest,
    *,
    user: UserProfile,
    credentials: Credentials,
    options: Mapping[str, Any],
    secrets: Mapping[str, str],
    cache: MemoryCache,
    now: datetime,
) -> CrmAdapter:
    """The adapter as the service opens it, with a fixed clock and no pace."""
    kind = registry.adapter_class(manifest.name)
    with override_settings(ADAPTER_VARIABLES=secrets):
        values, hosts = registry.secrets_for(manifest), registry.hosts_for(manifest)
    context = AdapterContext(
        manifest=manifest,
        user=user,
        credentials=credentials,
        options=Options(values=options),
        secrets=values,
        cache=cache,
        server_url=SERVER_URL,
        now=lambda: now,
    )
    http = HttpClient(
        base_url=kind.base_url(context),
        hosts=hosts,
        headers=kind.auth_headers(context),
        policy=OutboundPolicy(allow_private_addresses=True, allow_plain_http=manifest.server.sandbox),
        adapter=manifest.name,
        upload_hosts=manifest.server.upload_hosts,
        clock=lambda: now,
    )
    return kind(http=http, context=context)


def from_plain(annotation: Any, value: Any) -> Any:
    """A contract value from JSON, by its annotation."""
    origin = typing.get_origin(annotation)
    if value is None:
        return None
    if origin in (typing.Union, types.UnionType):
        choices = [choice for choice in typing.get_args(annotation) if choice is not type(None)]
        return from_plain(choices[0], value) if len(choices) == 1 else value
    if origin in (tuple, list, Sequence):
        return tuple(from_plain(typing.get_args(annotation)[0], item) for item in value)
    if annotation is datetime:
        return moment(value)
    if annotation is PhoneNumber:
        return parse_phone(
            value["raw"], formats=value.get("formats", ""), is_extension=value.get("is_extension", False)
        )
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return annotation(value)
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return annotation(**{key: from_plain(hints[key], item) for key, item in value.items()})
    return value


def _with_bodies(adapter: CrmAdapter, value: Any, outcome: Outcome) -> Any:
    """The entry as the service hands it over: told of the ids created, able to compose message bodies."""
    from connectors.log_body import append_messages, compose_conversation

    if isinstance(value, MessageLogEntry):

        def compose(messages: Sequence[Any]) -> str:
            return compose_conversation(
                messages,
                title=value.subject,
                contact=value.contact,
                user_name=adapter.user.name,
                correspondents=value.correspondents,
                log_format=adapter.log_format,
                zone=adapter.zone(),
            )

        return dataclasses.replace(
            value, compose=compose, body=value.body or compose(value.messages), created=outcome.created.append
        )
    if isinstance(value, MessageLogChange):

        def append(body: str, messages: Sequence[Any]) -> str:
            return append_messages(
                body,
                messages,
                contact=value.contact or ContactRef(id=""),
                user_name=adapter.user.name,
                log_format=adapter.log_format,
                zone=adapter.zone(),
            )

        return dataclasses.replace(value, append=append)
    if dataclasses.is_dataclass(value) and any(item.name == "created" for item in dataclasses.fields(value)):
        return dataclasses.replace(value, created=outcome.created.append)
    return value


def run(case: Case, document: Mapping[str, Any]) -> Outcome:
    """Runs the case's operation against its exchanges."""
    manifest = registry.manifests()[case.platform]
    hints = typing.get_type_hints(getattr(CrmAdapter, case.operation))
    cache = MemoryCache(document.get("cache", {}))
    outcome = Outcome(cache=cache.values)
    user = from_plain(UserProfile, {"id": "1", "name": "Test User", **document.get("user", {})})
    with _played(document.get("exchanges", []), outcome):
        try:
            adapter = build_adapter(
                manifest,
                user=user,
                credentials=from_plain(Credentials, document.get("credentials", {})),
                options=document.get("options", {}),
                secrets=document.get("secrets", {}),
                cache=cache,
                now=moment(document.get("now", DEFAULT_NOW)),
            )
            arguments = {
                key: _with_bodies(adapter, from_plain(hints[key], value), outcome)
                for key, value in document.get("call", {}).items()
            }
            if case.operation == "refresh":
                arguments.setdefault("credentials", adapter.credentials)
            if "keep" in hints:
                arguments["keep"] = outcome.kept.append
            outcome.result = getattr(adapter, case.operation)(**arguments)
        except Exception as error:
            outcome.error = error
    return outcome


@contextmanager
def _played(exchanges: Sequence[Mapping[str, Any]], outcome: Outcome) -> Any:
    used: set[int] = set()

    def answer(request: requests.PreparedRequest) -> Any:
        outcome.sent.append(f"{request.method} {str(request.url).partition('?')[0]}")
        fitting = [index for index, item in enumerate(exchanges) if not difference(item["request"], request)]
        fresh = [index for index in fitting if index not in used]
        repeated = [index for index in fitting if _may_repeat(exchanges[index]["response"])]
        if not fresh and not repeated:
            outcome.unmatched.append(_explained(request, exchanges))
            return Unmatched(outcome.unmatched[-1])
        index = (fresh or repeated)[0]
        used.add(index)
        reply = exchanges[index]["response"]
        if "error" in reply:
            return _ERRORS[reply["error"]]()
        text = json.dumps(reply["json"]) if "json" in reply else reply.get("text", "")
        headers = {"Content-Type": "application/json" if "json" in reply else "text/html", **reply.get("headers", {})}
        return reply.get("status", 200), headers, text

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in _METHODS:
            mock.add_callback(method, re.compile(".*", re.DOTALL), callback=answer, content_type=None)
        yield
    outcome.unused = [
        f"{item['request']['method']} {item['request']['url']}"
        for index, item in enumerate(exchanges)
        if index not in used
    ]


def _may_repeat(reply: Mapping[str, Any]) -> bool:
    """The HTTP client repeats reads after these; one exchange stands for all tries."""
    return "error" in reply or reply.get("status") in (502, 503, 504)


def difference(expected: Mapping[str, Any], request: requests.PreparedRequest) -> str:
    """The first way in which a request is not the expected one; empty when it is."""
    url = urlsplit(str(request.url))
    body = request.body.decode("utf-8", "replace") if isinstance(request.body, bytes) else str(request.body or "")
    if request.method != expected["method"]:
        return f"method {request.method}"
    if f"{url.scheme}://{url.netloc}{url.path}" != expected["url"]:
        return f"url {url.scheme}://{url.netloc}{url.path}"
    if (query := parse_qs(url.query, keep_blank_values=True)) != _texts(expected.get("query", {})):
        return f"query {query}"
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


def _explained(request: requests.PreparedRequest, exchanges: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"  not {item['request']['method']} {item['request']['url']}: {difference(item['request'], request)}"
        for item in exchanges
    ]
    return "\n".join([f"no exchange for {request.method} {request.url}", *lines])


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
