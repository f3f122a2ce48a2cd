"""Loads a fixture file, and runs its case against the exchanges played in place of the CRM; no assertions."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import requests
from django.test import override_settings

from adapters import registry
from adapters.contract import (
    AccountCache,
    AdapterContext,
    ContactRef,
    Credentials,
    CrmAdapter,
    HttpClient,
    MessageLogChange,
    MessageLogEntry,
    OAuthApp,
    OAuthClient,
    Options,
    OutboundPolicy,
    PhoneNumber,
    UserProfile,
    parse_phone,
)
from tests.comparison import Asked, Expected, moment
from tests.played import Answer, Failure, Player, played_by

DEFAULT_NOW = "2026-01-15T12:00:00Z"
SERVER_URL = "https://switchboard.example"


class MemoryCache(AccountCache):
    """An account cache in a dict; what the fixture puts in is fresh."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def get(self, key: str, *, max_age: timedelta) -> Any:
        return self.values.get(key)

    def get_stale(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value

    def forget(self, key: str) -> None:
        self.values.pop(key, None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as it left, with what the transport was told."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    #: ``api``, ``token`` or ``media`` by the method of ``HttpClient`` that sent it; ``outside``: none of them.
    kind: str
    #: Whether it changes nothing at the CRM, by its method or because the adapter said so.
    is_read: bool
    has_timeout: bool
    #: Hosts a download was allowed to go to, which the adapter names itself.
    hosts: tuple[str, ...]
    #: The answer as a fixture writes it, and whether it was ordered to fail.
    answer: Mapping[str, Any]
    failed: bool

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.method, self.url, self.body


@dataclasses.dataclass
class Outcome:
    """What a case did: its result or error, and everything reported on the way."""

    result: Any = None
    error: BaseException | None = None
    adapter: CrmAdapter | None = None
    created: list[Any] = dataclasses.field(default_factory=list)
    kept: list[Any] = dataclasses.field(default_factory=list)
    cache: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sent: list[Sent] = dataclasses.field(default_factory=list)
    #: ``GET https://host/path`` of those the fixture still waits for, and explanations of those it does not know.
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
    return [case for platform in registry.manifests() for case in cases_of(platform)]


def cases_of(platform: str) -> list[Case]:
    return [Case(platform, path) for path in sorted((registry.folder_of(platform) / "fixtures").glob("*.json"))]


class ObservedClient(HttpClient):
    """The real client, noting for each request which of its methods sent it."""

    current: ContextVar[Any] = ContextVar("current request", default=None)
    token_urls: frozenset[str] = frozenset()

    def __init__(self, *, hosts: Sequence[str], upload_hosts: Sequence[str], **options: Any) -> None:
        super().__init__(hosts=hosts, upload_hosts=upload_hosts, **options)
        #: Where the manifest lets requests go, its variables filled in.
        self.hosts = (*hosts, *upload_hosts)

    @contextmanager
    def _noting(self, kind: str, *, is_read: bool, hosts: Sequence[str] = ()) -> Iterator[None]:
        token = self.current.set((kind, is_read, tuple(hosts)))
        try:
            yield
        finally:
            self.current.reset(token)

    def send(self, method: str, url: str, *, read: bool | None = None, **options: Any) -> Any:
        with self._noting("api", is_read=method.upper() in ("GET", "HEAD") if read is None else read):
            return super().send(method, url, read=read, **options)

    def oauth(self, app: OAuthApp) -> OAuthClient:
        self.token_urls |= {app.token_url, app.revoke_url}
        return super().oauth(app)

    def download(self, url: str, *, hosts: Sequence[str], max_bytes: int) -> bytes:
        with self._noting("media", is_read=True, hosts=hosts):
            return super().download(url, hosts=hosts, max_bytes=max_bytes)

    def upload(self, url: str, data: bytes, headers: Mapping[str, str], *, method: str = "PUT") -> None:
        with self._noting("media", is_read=False):
            super().upload(url, data, headers, method=method)

    def note_of(self, request: requests.PreparedRequest) -> tuple[str, bool, tuple[str, ...]]:
        """Kind, whether it is a read, and hosts of the request that is being sent."""
        note: tuple[str, bool, tuple[str, ...]] | None = self.current.get()
        if note is not None:
            return note
        is_token = str(request.url).partition("?")[0] in self.token_urls
        return "token" if is_token else "outside", False, ()


#: Contract types by field or argument; reading them takes longer than playing a case.
hints_of = functools.cache(typing.get_type_hints)


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
        hints = hints_of(annotation)
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
        recorded = value.append if isinstance(value.append, str) else None

        def append(body: str, messages: Sequence[Any]) -> str:
            if recorded is not None:  # by ``crm_readiness --record``, which composes nothing
                return body + recorded
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


class Prepared:
    """A case read once, to be run as often as one likes."""

    def __init__(self, case: Case, document: Mapping[str, Any]) -> None:
        self._operation = case.operation
        self._document = document
        self._manifest = registry.manifests()[case.platform]
        self._hints = hints_of(getattr(CrmAdapter, case.operation))
        self._user = from_plain(UserProfile, {"id": "1", "name": "Test User", **document.get("user", {})})
        self._credentials = from_plain(Credentials, document.get("credentials", {}))
        self._now = moment(document.get("now", DEFAULT_NOW))
        self._arguments = {key: from_plain(self._hints[key], value) for key, value in document.get("call", {}).items()}
        self._exchanges = [(Expected(item["request"]), item["response"]) for item in document.get("exchanges", [])]
        with override_settings(ADAPTER_VARIABLES=document.get("secrets", {})):
            self._secrets, self._hosts = registry.secrets_for(self._manifest), registry.hosts_for(self._manifest)

    def run(self, failure: Failure | None = None) -> Outcome:
        """Runs the operation against the exchanges, one of them replaced by a failure if one is given."""
        cache = MemoryCache(self._document.get("cache", {}))
        outcome = Outcome(cache=cache.values)

        def noted(
            request: requests.PreparedRequest, asked: Asked, reply: Answer, is_failed: bool, has_timeout: bool
        ) -> None:
            outcome.sent.append(_noted(request, asked, outcome, reply, is_failed, has_timeout))

        player = Player(self._exchanges, failure, noted)
        with played_by(player):
            try:
                outcome.adapter = self._adapter(cache)
                outcome.result = getattr(outcome.adapter, self._operation)(**self._call(outcome.adapter, outcome))
            except Exception as error:
                outcome.error = error
        outcome.unused, outcome.unmatched = player.unused, player.unmatched
        return outcome

    def _call(self, adapter: CrmAdapter, outcome: Outcome) -> dict[str, Any]:
        arguments = {key: _with_bodies(adapter, value, outcome) for key, value in self._arguments.items()}
        if self._operation == "refresh":
            arguments.setdefault("credentials", adapter.credentials)
        if "keep" in self._hints:
            arguments["keep"] = outcome.kept.append
        return arguments

    def _adapter(self, cache: MemoryCache) -> CrmAdapter:
        """The adapter as the service opens it, with a fixed clock and no pace."""
        manifest = self._manifest
        kind = registry.adapter_class(manifest.name)
        context = AdapterContext(
            manifest=manifest,
            user=self._user,
            credentials=self._credentials,
            options=Options(values=self._document.get("options", {})),
            secrets=self._secrets,
            cache=cache,
            server_url=SERVER_URL,
            now=lambda: self._now,
        )
        http = ObservedClient(
            base_url=kind.base_url(context),
            hosts=self._hosts,
            headers=kind.auth_headers(context),
            policy=OutboundPolicy(allow_private_addresses=True, allow_plain_http=manifest.server.sandbox),
            adapter=manifest.name,
            upload_hosts=manifest.server.upload_hosts,
            clock=lambda: self._now,
        )
        return kind(http=http, context=context)


def run(case: Case, document: Mapping[str, Any], failure: Failure | None = None) -> Outcome:
    """Runs a case once; see ``Prepared.run``."""
    return Prepared(case, document).run(failure)


def _noted(
    request: requests.PreparedRequest,
    asked: Asked,
    outcome: Outcome,
    reply: Answer,
    is_failed: bool,
    has_timeout: bool,
) -> Sent:
    http = outcome.adapter.http if outcome.adapter else None
    kind, is_read, hosts = http.note_of(request) if isinstance(http, ObservedClient) else ("outside", False, ())
    return Sent(
        method=asked.method,
        url=str(request.url),
        headers=dict(request.headers),
        body=asked.body,
        kind=kind,
        is_read=is_read,
        has_timeout=has_timeout,
        hosts=hosts,
        answer=reply,
        failed=is_failed,
    )
