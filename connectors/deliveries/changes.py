"""What is to be written, as the request gave it: the values that a delivery carries, and their JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter
from django.core.exceptions import ImproperlyConfigured

from adapters import registry
from adapters.contract import CallLogChange, CallLogEntry, ContactRef, Id, LogMarker, LogResult, Message
from connectors.log_body import CallDetails

Change = TypeVar("Change")


@dataclass(frozen=True, kw_only=True)
class CallIdentity:
    """Which log is meant: session and extension (hashed id, or "" for a caller without one)."""

    session_id: str
    extension: str = ""
    telephony_session_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CallSubmission:
    """A call to be logged, as the request gave it; ``entry.body`` is composed when it is sent."""

    identity: CallIdentity
    entry: CallLogEntry
    details: CallDetails
    is_server_side: bool = False


@dataclass(frozen=True, kw_only=True)
class CallEdit:
    """An edit of a logged call; ``change.body`` and ``change.current`` are filled in when it is sent."""

    identity: CallIdentity
    change: CallLogChange
    details: CallDetails
    is_server_side: bool = False


@dataclass(frozen=True, kw_only=True)
class CallUpdate:
    """The outcome of an edit: the id, the new body (None: not known here), and a notice of the adapter's own."""

    log_id: Id
    body: str | None = None
    result: LogResult = field(default_factory=lambda: LogResult(log_id=""))

    @property
    def gone(self) -> tuple[str, ...]:
        return self.result.gone


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation day as the request gave it."""

    conversation_id: str
    conversation_log_id: str
    contact: ContactRef
    #: Oldest first.
    messages: tuple[Message, ...]
    #: Names of further participants; "" for an unknown one.
    correspondents: tuple[str, ...] = ()
    #: The raw ``logInfo`` of a shared-inbox conversation, else None.
    shared: dict[str, Any] | None = None
    started_at: datetime
    ended_at: datetime
    submission: dict[str, Any]
    wire: dict[str, Any]


_LONG_SECTIONS = ("transcript", "ring_sense_transcript", "ai_note", "ring_sense_summary", "ring_sense_bulleted_summary")
#: Of the JSON of one change.
MOST_BYTES = 1024 * 1024
_KEPT_OF_A_LONG_SECTION = 1000  # characters
_SHORTENED = " [shortened]"


def without_long_sections(change: Change) -> Change:
    """A submission or edit of which only the beginnings of transcripts and AI notes are left."""
    replaced: dict[str, Any] = {}
    for part in ("entry", "change", "details"):
        value = getattr(change, part, None)
        if value is not None:
            texts = {name: getattr(value, name, None) for name in _LONG_SECTIONS}
            cut = {name: _cut(text) for name, text in texts.items() if isinstance(text, str)}
            replaced[part] = replace(value, **cut)
    return replace(change, **replaced)  # type: ignore[type-var]


def _cut(text: str) -> str:
    return text if len(text) <= _KEPT_OF_A_LONG_SECTION else text[:_KEPT_OF_A_LONG_SECTION] + _SHORTENED


class UnreadableChange(ValueError):
    """The stored JSON is not the change it should be."""


_converter = make_converter()
# Callbacks belong to one attempt; the attempt puts them in.
for _kind, _callback in ((CallLogEntry, "created"), (LogMarker, "is_anothers")):
    _without: Any = {_callback: override(omit=True)}
    _converter.register_unstructure_hook(_kind, make_dict_unstructure_fn(_kind, _converter, **_without))
    _converter.register_structure_hook(_kind, make_dict_structure_fn(_kind, _converter, **_without))


def _stores_once(kind: type[Any], source: str, kind_of_source: type[Any]) -> None:
    """Details say much of what the entry or change beside them says: what is equal is stored with ``source`` only."""
    shared = {item.name for item in fields(kind_of_source)} & {item.name for item in fields(CallDetails)}
    write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(kind, _converter)
    read: Callable[[Mapping[str, Any], Any], Any] = make_dict_structure_fn(kind, _converter)

    def unstructure(change: Any) -> dict[str, Any]:
        stored = write(change)
        stored["details"] = {
            name: value
            for name, value in stored["details"].items()
            if name not in shared or value != stored[source][name]
        }
        return stored

    def structure(stored: Mapping[str, Any], _: Any) -> Any:
        repeated = {name: stored[source][name] for name in shared}
        return read({**stored, "details": {**repeated, **stored["details"]}}, kind)

    _converter.register_unstructure_hook(kind, unstructure)
    _converter.register_structure_hook(kind, structure)


_stores_once(CallSubmission, "entry", CallLogEntry)
_stores_once(CallEdit, "change", CallLogChange)


def to_json(change: Any, *, with_raw_request: bool = True) -> str:
    """One of these values as JSON, of at most ``MOST_BYTES``: what is longer loses its long sections.

    ``with_raw_request``: whether the adapter maps members of the request as it came; else they are left out.
    """
    if not with_raw_request:
        change = _without_raw_request(change)
    text = json.dumps(_converter.unstructure(change), ensure_ascii=False)
    if len(text.encode()) <= MOST_BYTES:
        return text
    return json.dumps(_converter.unstructure(without_long_sections(_without_raw_request(change))), ensure_ascii=False)


def _without_raw_request(change: Any) -> Any:
    if getattr(change, "wire", None):
        return replace(change, wire={})
    parts = {part: getattr(change, part, None) for part in ("entry", "change")}
    return replace(change, **{part: replace(value, wire={}) for part, value in parts.items() if value is not None})


def stored(platform: str, change: Any) -> str:
    """The change as a delivery keeps it for a CRM."""
    return to_json(change, with_raw_request=platform in registry.manifests() and _maps_raw_request(platform))


def _maps_raw_request(platform: str) -> bool:
    try:
        return registry.adapter_class(platform).maps_raw_request
    except ImproperlyConfigured:  # an adapter that cannot be loaded now may map it when it can
        return True


def from_json(text: str, kind: type[Change]) -> Change:
    """The value again. Raises ``UnreadableChange``."""
    try:
        return _converter.loads(text, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError) as error:
        raise UnreadableChange(type(error).__name__) from None
