"""Writes the exchanges of a run of the checklist as files for fixtures, without secrets and without people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from adapters import registry
from adapters.contract.exchange_tap import tapped
from adapters.contract.types import Reply
from adapters.readiness.checklist import Checklist, Step
from adapters.readiness.login import Login

_SCRUBBED = "scrubbed"
_SECRET = re.compile(r"token|secret|password|api_?key|user_?key|authorization|signature|^code$", re.IGNORECASE)
_PERSONAL = re.compile(
    r"name|mail|phone|mobile|fax|street|city|zip|postal|address|birth|note|comment|company|organi[sz]ation|avatar|photo",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_OURS = re.compile(r"readiness", re.IGNORECASE)
_HEADERS = ("content-type", "retry-after", "location")
_SHORTEST_SECRET = 4


def recorded_to(directory: str, checklist: Checklist, login: Login, *, secrets: Iterable[str]) -> Iterator[Step]:
    """The steps of a run; with a ``directory``, one file of each step's exchanges is written there."""
    if not directory:
        yield from checklist.run(login)
        return
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    exchanges: list[tuple[bytes | str | None, Reply]] = []
    with tapped(lambda body, reply: exchanges.append((body, reply))):
        for number, step in enumerate(checklist.run(login), 1):
            if exchanges:
                scrub = Scrubber(checklist, secrets)
                document = {
                    "source": f"A real account of {checklist.manifest.display_name}, scrubbed",
                    "step": step.name,
                    "outcome": step.outcome,
                    "exchanges": [_exchange(body, reply, scrub) for body, reply in exchanges],
                }
                text = scrub.text(json.dumps(document, indent=2, ensure_ascii=False))
                slug = re.sub(r"[^a-z0-9]+", "_", step.name.lower()).strip("_")
                (folder / f"{number:02}_{slug}.json").write_text(f"{text}\n", encoding="utf-8")
            exchanges.clear()
            yield step


class Scrubber:
    """Replaces what is secret wherever it stands, and what members with telling names hold about people."""

    def __init__(self, checklist: Checklist, secrets: Iterable[str]) -> None:
        credentials = checklist.credentials
        values = {
            *secrets,
            credentials.access_token,
            credentials.refresh_token,
            *(str(value) for value in credentials.extra.values()),
            *(registry.secrets_for(checklist.manifest)[name] for name in checklist.manifest.server.secrets),
        }
        found = {form for value in values if len(value) >= _SHORTEST_SECRET for form in (value, quote(value, safe=""))}
        found |= {quote_plus(value) for value in found}
        self._secrets = sorted(found, key=len, reverse=True)
        self._name, self._digits = checklist.user.name, checklist.phone.national

    def text(self, text: str) -> str:
        for value in self._secrets:
            text = text.replace(value, _SCRUBBED)
        if len(self._name) >= _SHORTEST_SECRET:
            text = text.replace(self._name, "Test User")
        return _EMAIL.sub("user@example.com", text)

    def value(self, value: Any, name: str = "") -> Any:
        """A JSON value, member by member."""
        if isinstance(value, dict):
            return {key: self.value(item, str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if value in (None, "", True, False):
            return value
        if _SECRET.search(name):
            return _SCRUBBED
        return _SCRUBBED if _PERSONAL.search(name) and isinstance(value, str) and not self._is_ours(value) else value

    def _is_ours(self, text: str) -> bool:
        return bool(_OURS.search(text)) or self._digits in re.sub(r"\D", "", text)


def _exchange(body: bytes | str | None, reply: Reply, scrub: Scrubber) -> dict[str, Any]:
    address, _, further = reply.url.partition("?")
    sent: dict[str, Any] = {"method": reply.method, "url": address}
    if query := parse_qsl(further):
        sent["query"] = scrub.value(dict(query))
    if body:
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        try:
            sent["json"] = scrub.value(json.loads(text))
        except ValueError:
            sent["form"] = scrub.value(dict(parse_qsl(text)))
    answer: dict[str, Any] = {"status": reply.status}
    if isinstance(reply.body, dict | list):
        answer["json"] = scrub.value(reply.body)
    elif reply.body:
        answer["text"] = _SCRUBBED
    headers = {name: value for name, value in reply.headers.items() if name in _HEADERS and name != "content-type"}
    if headers:
        answer["headers"] = scrub.value(headers)
    return {"request": sent, "response": answer}
