"""What seals are made with: hashes of events, the chain over them, and HMACs with keys of CREDENTIAL_KEYS."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

#: The columns that a seal covers, in this order. It is part of what is hashed: a new column needs a new version.
COLUMNS = (
    "id",
    "occurred_at",
    "request_id",
    "actor",
    "action",
    "platform",
    "owner",
    "outcome",
    "error",
    "subject",
    "target",
    "milliseconds",
    "crm_calls",
    "detail",
)
_ENTRY = struct.Struct(">I8s")


def moment_text(moment: datetime) -> str:
    """The same text for the same moment, whatever zone the database gave it in."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def digest_of(values: tuple[Any, ...]) -> bytes:
    """The start of the SHA-256 of one event; ``values``: those of ``COLUMNS``."""
    plain = [moment_text(value) if isinstance(value, datetime) else value for value in values]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()[:8]


def packed(first_id: int, event_id: int, digest: bytes) -> bytes:
    """One entry of a seal's ``digests``."""
    return _ENTRY.pack(event_id - first_id, digest)


def unpacked(first_id: int, digests: bytes) -> Iterator[tuple[int, bytes]]:
    """The ids and digests of a seal, in order of ids."""
    for distance, digest in _ENTRY.iter_unpack(digests[: len(digests) // _ENTRY.size * _ENTRY.size]):
        yield first_id + distance, digest


def chain_of(before: str, first_id: int, last_id: int, until: datetime, closed_at: datetime, digests: bytes) -> str:
    """The hash that a seal adds to the chain; ``before``: that of the seal before, "" for the first."""
    head = f"{before}|{first_id}|{last_id}|{moment_text(until)}|{moment_text(closed_at)}|"
    return hashlib.sha256(head.encode() + digests).hexdigest()


def sealed(text: str) -> dict[str, str]:
    """The columns ``key_id`` and ``mac`` of a seal or a mark that is made now, with the first key."""
    key_id = str(next(iter(settings.CREDENTIAL_KEYS)))
    return {"key_id": key_id, "mac": mac_of(text, key_id) or ""}


def mac_of(text: str, key_id: str) -> str | None:
    """The HMAC; None where the key is not in CREDENTIAL_KEYS any more.

    The keys encrypt elsewhere: here one derived from each is used.
    """
    key = settings.CREDENTIAL_KEYS.get(key_id)
    if key is None:
        return None
    own = hmac.digest(key, b"switchboard audit seal", hashlib.sha256)
    return hmac.digest(own, text.encode(), hashlib.sha256).hex()


def pruning_text(last_id: int, pruned_at: datetime) -> str:
    """What the HMAC of a mark of removal covers."""
    return f"pruned up to {last_id} at {moment_text(pruned_at)}"
