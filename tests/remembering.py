"""A CRM that takes every log and remembers it, in place of the sandbox CRM's adapter; no request leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from adapters import registry
from adapters.contract import CrmAdapter, LogFormat, LoggedCall, LogRef, LogResult
from connectors.api.authentication import issue_token
from tests.factories import CrmUserFactory


@dataclass
class Memory:
    """What the CRM holds: bodies by id; and the last entry and change it was given."""

    client: Any
    token: str = ""
    bodies: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    entry: Any = None
    change: Any = None

    def post(self, path: str, body: Any) -> dict[str, Any]:
        return self._sent("post", path, body)

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        return self._sent("patch", path, body)

    def _sent(self, method: str, path: str, body: Any) -> dict[str, Any]:
        address = f"{path}?jwtToken={self.token}"
        reply = getattr(self.client, method)(address, body, content_type="application/json")
        assert reply.status_code == 200, reply.content
        found: dict[str, Any] = reply.json()
        return found

    def details(self, session_id: str) -> dict[str, Any]:
        """What the edit form of the extension is filled with."""
        query = f"/callLog?sessionIds={session_id}&requireDetails=true&jwtToken={self.token}"
        found: dict[str, Any] = self.client.get(query).json()["logs"][0]["logData"]
        return found


def remembering(client: Any, monkeypatch: Any, log_format: LogFormat = LogFormat.PLAIN, **server: Any) -> Memory:
    """The memory of a CRM with bodies in ``log_format``; ``server``: members of its manifest's server half."""
    memory = Memory(client)
    manifest = registry.manifests()["testCRM"]
    manifest = replace(manifest, server=replace(manifest.server, **server))

    def created(entry: Any, log_id: str) -> LogResult:
        memory.entry = entry
        memory.bodies[log_id], memory.titles[log_id] = entry.body, entry.subject
        entry.created(log_id)
        return LogResult(log_id=log_id)

    class Adapter(registry.adapter_class("testCRM")):  # type: ignore[misc]
        def __init__(self, *, http: Any, context: Any) -> None:
            super().__init__(http=http, context=replace(context, manifest=manifest))

        def create_call_log(self, entry: Any) -> LogResult:
            return created(entry, f"call-{entry.session_id}")

        def get_call_log(self, ref: LogRef) -> LoggedCall:
            return LoggedCall(body=memory.bodies[ref.log_id], subject=memory.titles[ref.log_id])

        get_call_logs = CrmAdapter.get_call_logs

        def update_call_log(self, ref: LogRef, change: Any) -> LogResult:
            memory.change = change
            memory.bodies[ref.log_id] = change.body or memory.bodies[ref.log_id]
            memory.titles[ref.log_id] = change.subject or memory.titles[ref.log_id]
            return LogResult(log_id=ref.log_id)

        def create_message_log(self, entry: Any) -> LogResult:
            return created(entry, entry.conversation_log_id)

        def update_message_log(self, ref: LogRef, change: Any) -> LogResult:
            memory.change = change
            body = memory.bodies[ref.log_id]
            memory.bodies[ref.log_id] = change.append(body, change.messages) if change.body is None else change.body
            return LogResult(log_id=ref.log_id)

    Adapter.log_format = log_format
    monkeypatch.setattr(registry, "adapter_class", lambda platform: Adapter)
    memory.token = issue_token(CrmUserFactory())
    return memory
