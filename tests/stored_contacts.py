"""Every CRM with one person in it: answers of each vendor around one text in a field for numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import responses
from django.test import override_settings

from adapters.contract import Credentials
from adapters.contract.pacing import Limiter
from connectors.models import CrmUser
from tests.factories import CrmUserFactory

PERSON = 41207
VARIABLES = {
    "TEST_CRM_URL": "http://127.0.0.1:8070",
    "CLIO_CLIENT_ID": "id",
    "CLIO_CLIENT_SECRET": "secret",
    "BULLHORN_CLIENT_ID": "id",
    "BULLHORN_CLIENT_SECRET": "secret",
    "PIPEDRIVE_CLIENT_ID": "id",
    "PIPEDRIVE_CLIENT_SECRET": "secret",
    "REDTAIL_API_KEY": "partner-key",
}
_NEVER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """A request as the vendor got it."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rsplit("/", 1)[1]


Answer = Callable[[Asked, str], Any]


def _sandbox(asked: Asked, stored: str) -> Any:
    if asked.method == "POST":
        return {"contact": {"id": 7, "deals": [], **asked.body}}
    row = {"id": PERSON, "name": "Ines Pardo", "type": "Contact", "phones": [stored], "deals": []}
    return {"contacts": [row]}


def _clio(asked: Asked, stored: str) -> Any:
    if asked.method == "POST":
        return {"data": {"id": 7, "name": asked.body["data"]["name"]}}
    row = {"id": PERSON, "type": "Person", "name": "Ines Pardo", "phone_numbers": [{"number": stored}]}
    return {"data": [row] if asked.name == "contacts.json" else []}


def _bullhorn(asked: Asked, stored: str) -> Any:
    if asked.method == "PUT":
        return {"changedEntityId": 7}
    if asked.name == "commentActionList":
        return {"commentActionList": ["Inbound Call"]}
    if "/meta/" in asked.path:
        return {"fields": [{"name": "status", "options": [{"value": "New", "label": "New"}]}]}
    row = {"id": PERSON, "name": "Ines Pardo", "phone": stored}
    return {"data": [row] if asked.name == "Candidate" else []}


def _pipedrive(asked: Asked, stored: str) -> Any:
    if asked.method == "POST":
        return {"data": {"id": 7, "name": asked.body["name"]}}
    if asked.name == "itemSearch":
        row = {"id": PERSON, "type": "person", "name": "Ines Pardo", "phones": [stored], "emails": []}
        return {"data": {"items": [{"item": row}], "related_items": []}}
    return {"data": []}


def _insightly(asked: Asked, stored: str) -> Any:
    if asked.method == "POST":
        return {"CONTACT_ID": 7, **asked.body}
    row = {"CONTACT_ID": PERSON, "FIRST_NAME": "Ines", "LAST_NAME": "Pardo", "PHONE": stored, "LINKS": []}
    return [row] if "/Contacts/" in asked.path and asked.query.get("field_name") == "PHONE" else []


def _redtail(asked: Asked, stored: str) -> Any:
    if asked.method == "POST":
        return {"contact": {"id": 7, **asked.body}}
    if asked.name == "categories":
        return {"categories": [{"id": 1, "name": "Client"}]}
    return {
        "contacts": [{"id": PERSON, "first_name": "Ines", "last_name": "Pardo", "phones": [{"number": stored}]}],
        "meta": {"total_pages": 1},
    }


@dataclass(frozen=True)
class Kind:
    """A CRM: its answers, what of a request is searched for, and the login of its user."""

    answer: Answer
    #: Parameter of a search by number; a JSON body's is called the same.
    searched: str
    credentials: Credentials = field(default_factory=lambda: Credentials(access_token="key-1"))
    host: str = ""
    #: Contact type for the creation form.
    contact_type: str = ""


CRMS: Mapping[str, Kind] = {
    "testCRM": Kind(_sandbox, "phone"),
    "exampleCRM": Kind(_sandbox, "phone"),
    "clio": Kind(_clio, "query", Credentials(access_token="t", hostname="app.clio.com"), "app.clio.com", "Person"),
    "bullhorn": Kind(
        _bullhorn,
        "query",
        Credentials(
            access_token="session",
            refresh_token="refresh",
            expires_at=_NEVER,
            extra={
                "rest_url": "https://rest30.bullhornstaffing.com/rest-services/e999/",
                "login_url": "https://rest-west.bullhornstaffing.com/rest-services",
                "token_url": "https://auth-west.bullhornstaffing.com/oauth/token",
            },
        ),
        contact_type="Lead",
    ),
    "pipedrive": Kind(
        _pipedrive,
        "term",
        Credentials(
            access_token="t",
            hostname="acme.pipedrive.com",
            extra={"token_reply": {"scope": "search:read"}},
        ),
        "acme.pipedrive.com",
    ),
    "insightly": Kind(
        _insightly,
        "field_value",
        Credentials(access_token="key-1", extra={"apiUrl": "https://api.na1.insightly.com"}),
        contact_type="contact",
    ),
    "redtail": Kind(_redtail, "phone_number", Credentials(access_token="user-key")),
}


class Stored:
    """One CRM for the length of a test; ``text`` is what its person has in the field for numbers."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.kind = CRMS[platform]
        self.text = ""
        self.requests: list[Asked] = []

    def user(self, timezone: str = "America/New_York") -> CrmUser:
        user: CrmUser = CrmUserFactory(
            platform=self.platform, host=self.kind.host, timezone=timezone, credentials=self.kind.credentials
        )
        return user

    def searched(self) -> list[str]:
        """What was searched for by number, with all that a query holds."""
        asked = [
            {**request.query, **(request.body if isinstance(request.body, dict) else {})} for request in self.requests
        ]
        return [row[self.kind.searched] for row in asked if self.kind.searched in row]

    def written(self) -> list[Any]:
        """The bodies of what was written."""
        return [row.body for row in self.requests if row.method != "GET" and self.kind.searched not in (row.body or {})]

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(request.url)
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(request.method, parts.path, query, json.loads(body) if body else None)
        self.requests.append(asked)
        return 200, {"Content-Type": "application/json"}, json.dumps(self.kind.answer(asked, self.text))


@contextmanager
def stored(platform: str) -> Iterator[Stored]:
    """The CRM, reached under its own hosts; it answers however often it is asked, so nobody keeps to a pace."""
    crm = Stored(platform)
    with (
        override_settings(ADAPTER_VARIABLES=VARIABLES),
        patch.object(Limiter, "turn", lambda limiter, pace: nullcontext()),
        responses.RequestsMock(False) as mock,
    ):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            mock.add_callback(method, re.compile(".*"), callback=crm.answer, content_type=None)
        yield crm
