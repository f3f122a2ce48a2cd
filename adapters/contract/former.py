"""A login that was made at another server with the same API, and what an adapter can make of it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.contract.types import Credentials, Id, UserProfile


@dataclass(frozen=True, kw_only=True)
class FormerLogin:
    """A user's row of that server. What it says may be wrong: hosts are checked before a token goes there."""

    #: The vendor's user id, as a text.
    user_id: str
    credentials: Credentials = field(repr=False)
    hostname: str = ""
    #: IANA name.
    timezone: str = ""
    #: ``platformAdditionalInfo``: further facts, each adapter's own; some are secret.
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class AdoptedLogin:
    """The same login as this server keeps one. Empty credentials: the user has to connect again."""

    profile: UserProfile
    credentials: Credentials
    #: Names of the facts that were understood.
    used: frozenset[str] = frozenset()


def id_of(text: str) -> Id:
    """The id in the JSON type that vendors give it: a number where the text is one."""
    return int(text) if text.isascii() and text.isdigit() and text == str(int(text)) else text
