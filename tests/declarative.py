"""Adapters made of a definition on the spot, and a CRM that answers what it is told."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import responses

from adapters.contract import (
    AdapterContext,
    CallLogEntry,
    ContactRef,
    Credentials,
    Direction,
    HttpClient,
    LogRef,
    Manifest,
    Options,
    OutboundPolicy,
    UserProfile,
    parse_phone,
)
from adapters.proxy.loading import for_definition
from tests.exchanges import MemoryCache

HOST = "api.grove.example"
BASE = f"https://{HOST}/v1"
USER_INFO = {
    "url": "/me",
    "responseMapping": {
        "idPath": "body.id",
        "namePath": "body.name",
        "platformAdditionalInfoPaths": {name: f"body.{name}" for name in ("region", "x", "y")},
    },
}

START = datetime(2026, 5, 4, 16, 31, 7, tzinfo=UTC)
PHONE = parse_phone("+16505550112", formats="(###) ###-####")
PIA = ContactRef(id="per_1", type="Person", name="Pia Ostrow", phone="+16505550112")
REF = LogRef(log_id="17", marker="s1", contact=PIA)
ENTRY = CallLogEntry(
    session_id="s1",
    direction=Direction.INBOUND,
    contact=PIA,
    started_at=START,
    duration=90,
    result="Accepted",
    subject="Inbound Call",
    body="- Note: x\n",
    note="x",
    submission={"deals": "none", "stage": 0},
    wire={"logInfo": {"id": "r1", "duration": 91.4, "from": {"name": "P"}}, "ringSenseSummary": "s"},
)


def manifest_with(**server: Any) -> Manifest:
    members = {"base_url": BASE, "hosts": [HOST, "*.grove.example"], "auth": {"type": "api_key"}, **server}
    client = {"name": "grove", "displayName": "Grove", "contactPageUrl": "https://app.grove.example/{contactId}"}
    return Manifest.parse(json.dumps({"client": client, "server": members}))


def definition_with(operations: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**members, "operations": {"getUserInfo": USER_INFO, **operations}}


@dataclass
class Crm:
    """Answers in order, the last one again and again; keeps the requests."""

    replies: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)

    def will_answer(self, *bodies: Any, status: int = 200, **headers: str) -> None:
        self.replies += [(status, body, headers) for body in bodies]

    @property
    def last(self) -> Any:
        return self.requests[-1]

    @property
    def sent(self) -> Any:
        """The JSON of the last request."""
        return json.loads(self.last.body)

    @contextmanager
    def answering(self) -> Any:
        def answer(request: Any) -> tuple[int, dict[str, str], str]:
            self.requests.append(request)
            status, body, headers = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            return status, headers, body if isinstance(body, str) else json.dumps(body)

        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                mock.add_callback(method, re.compile(".*", re.DOTALL), callback=answer)
            yield self


def adapter_for(
    folder: Path,
    definition: dict[str, Any],
    *,
    key: str = "key-1",
    credentials: Credentials | None = None,
    user: UserProfile | None = None,
    secrets: dict[str, str] | None = None,
    policy: OutboundPolicy | None = None,
    **server: Any,
) -> Any:
    """The adapter of a definition that is in order."""
    (folder / "definition.json").write_text(json.dumps(definition))
    kind, manifest = for_definition(folder), manifest_with(**server)
    context = AdapterContext(
        manifest=manifest,
        user=user or UserProfile(id=41, name="Kim Alder"),
        credentials=credentials if credentials is not None else Credentials(access_token=key),
        options=Options(),
        secrets=secrets or {},
        cache=MemoryCache({}),
        now=lambda: datetime(2026, 5, 4, tzinfo=UTC),
    )
    http = HttpClient(
        base_url=kind.base_url(context),
        hosts=manifest.server.hosts,
        headers=kind.auth_headers(context),
        policy=policy or OutboundPolicy(allow_private_addresses=True),
    )
    return kind(http=http, context=context)
