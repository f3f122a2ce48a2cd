"""Writes what an adapter did in a run of the checklist as fixtures of the conformance kit, scrubbed.

One file for each operation and outcome (``find_contacts__none.json``): the arguments, the exchanges with the CRM, and
the result. Secrets and people's values are replaced by invented ones, the same wherever they stand, so that the
recorded requests still follow from the recorded answers.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from adapters import registry
from adapters.contract import ContactMatches, Credentials, CrmAdapter, MessageLogChange, UserProfile
from adapters.contract.errors import ConnectorError
from adapters.contract.exchange_tap import tapped
from adapters.contract.types import Reply
from adapters.readiness.checklist import Checklist, MemoryCache, Step
from adapters.readiness.login import Login
from adapters.readiness.plain import plain
from adapters.readiness.scrubbing import Substitutes

_HEADERS = ("retry-after", "location", "link")
#: What is asked of an adapter without a request to the CRM being its purpose.
_NO_OPERATIONS = frozenset({"explain", "is_own", "oauth_app", "after_login", "zone", "connected_notice"})

Exchanges = list[tuple[bytes | str | None, Reply]]


class Recording:
    """Notes every call of an adapter. ``cache``: the account's, which the adapters of the run are given."""

    def __init__(self, cache: MemoryCache) -> None:
        self._cache = cache
        self._moment: datetime | None = None
        self._cases: dict[str, dict[str, Any]] = {}
        self._exchanges: Exchanges = []

    def now(self) -> datetime:
        """The present moment; it stands still while an operation is recorded, as it does when the case is run."""
        return self._moment or datetime.now(UTC)

    def run(self, checklist: Checklist, login: Login, *, typed: Mapping[str, str], folder: Path) -> Iterator[Step]:
        """The steps of a run; afterwards the fixtures are in ``folder``. ``typed``: what the user logged in with."""
        plain_open = checklist.open
        checklist.open = lambda user, credentials: self._watched(plain_open(user, credentials), user, credentials)
        try:
            with tapped(lambda body, reply: self._exchanges.append((body, reply))):
                yield from checklist.run(login)
        finally:
            self._write(folder, checklist, typed)

    def _watched(self, adapter: CrmAdapter, user: UserProfile, credentials: Credentials) -> CrmAdapter:
        for name in (name for name in dir(CrmAdapter) if not name.startswith("_") and name not in _NO_OPERATIONS):
            method = getattr(adapter, name)
            if callable(method) and not isinstance(vars(CrmAdapter).get(name), classmethod):
                setattr(adapter, name, self._noting(name, method, user, credentials))
        return adapter

    def _noting(
        self, operation: str, method: Callable[..., Any], user: UserProfile, credentials: Credentials
    ) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if self._moment is not None:  # an operation that another one asks for is part of it
                return method(*args, **named)
            names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
            arguments = {**dict(zip(names, args, strict=False)), **named}
            cache = copy.deepcopy(self._cache.values)
            self._exchanges.clear()
            kept: list[Any] = []
            if "keep" in arguments:
                keep = arguments["keep"]

                def keep_both(value: Credentials) -> None:
                    kept.append(value)
                    keep(value)

                named["keep"] = keep_both
            with self._standing_still() as moment:
                document = {
                    "now": plain(moment),
                    "user": plain(user),
                    "credentials": plain(credentials),
                    "cache": cache,
                    "call": _call(arguments),
                }
                try:
                    result = method(*args, **named)
                except ConnectorError as error:
                    self._note(operation, document, error)
                    raise
            self._note(operation, {**document, "kept": plain(kept)}, result)
            return result

        return call

    @contextmanager
    def _standing_still(self) -> Iterator[datetime]:
        self._moment = datetime.now(UTC).replace(microsecond=0)
        try:
            yield self._moment
        finally:
            self._moment = None

    def _note(self, operation: str, document: dict[str, Any], result: Any) -> None:
        """Keeps the first of each outcome: what is looked for again and again tells nothing new."""
        name = f"{operation}__{_outcome(operation, result)}"
        if not self._exchanges or name in self._cases:
            return
        expected = (
            {"raises": type(result).__name__} if isinstance(result, ConnectorError) else {"expect": plain(result)}
        )
        expect = {"expect": expected} if "raises" in expected else expected
        exchanges = [_exchange(body, reply) for body, reply in self._exchanges]
        self._cases[name] = {**document, "exchanges": exchanges, **expect}

    def _write(self, folder: Path, checklist: Checklist, typed: Mapping[str, str]) -> None:
        manifest = checklist.manifest
        substitutes = Substitutes("\n".join(checklist.texts()))
        variables = registry.secrets_for(manifest)
        for name, value in typed.items():
            substitutes.add_secret(value, name)
        for name in manifest.server.secrets:
            substitutes.add_secret(variables[name], name)
        for case in self._cases.values():
            for part in ("credentials", "cache", "kept", "user"):
                substitutes.look_through(case.get(part))
            for exchange in case["exchanges"]:  # what is asked for are the checklist's own values, and the API's words
                substitutes.look_through(exchange["response"])
        usual = manifest.server.settings
        given = {name: value for name, value in variables.items() if value and value != usual.get(name)}
        folder.mkdir(parents=True, exist_ok=True)
        for name, case in self._cases.items():
            source = f"Recorded with a real account of {manifest.display_name}, scrubbed"
            kept = {key: value for key, value in case.items() if value not in ({}, [], None) or key == "expect"}
            document = {"source": source, **substitutes.put_into({**kept, **({"secrets": given} if given else {})})}
            text = json.dumps(document, indent=2, ensure_ascii=False)
            (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def _outcome(operation: str, result: Any) -> str:
    """The name of the case: ``success``, ``none``, ``several``, or the error's."""
    if isinstance(result, ConnectorError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(result).__name__).lower()
    if isinstance(result, ContactMatches):
        return "none" if not result.contacts else "success" if len(result.contacts) == 1 else "several"
    return "none" if operation.startswith("find_") and result is None else "success"


def _call(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as plain data. What is appended to a log is written out: who composes it is not the adapter."""
    found = {name: plain(value) for name, value in arguments.items() if name not in ("keep", "credentials")}
    if isinstance(change := arguments.get("change"), MessageLogChange):
        found["change"]["append"] = change.append("", change.messages)
    return found


def _exchange(body: bytes | str | None, reply: Reply) -> dict[str, Any]:
    address, _, query = reply.url.partition("?")
    sent: dict[str, Any] = {"method": reply.method, "url": address}
    if query:
        sent["query"] = _fields(query)
    if body:
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        try:
            sent["json"] = json.loads(text)
        except ValueError:
            sent["form"] = _fields(text)
    return {"request": sent, "response": _answer(reply)}


def _fields(text: str) -> dict[str, Any]:
    found = parse_qs(text, keep_blank_values=True)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _answer(reply: Reply) -> dict[str, Any]:
    if not reply.status:
        return {"error": "drop"}
    answer: dict[str, Any] = {"status": reply.status}
    if reply.is_json:
        answer["json"] = reply.body
    elif reply.text:
        answer["text"] = "scrubbed: no JSON"
    headers = {name.title(): value for name, value in reply.headers.items() if name in _HEADERS}
    return {**answer, **({"headers": headers} if headers else {})}
