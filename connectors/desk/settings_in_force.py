"""The settings that count for a user, and who set each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import registry
from connectors.models import CrmUser
from connectors.services.settings import account_settings, merged

_SECRET = re.compile(r"token|secret|password|key|license|plugin_", re.IGNORECASE)
_LONGEST = 120  # characters of a value


@dataclass(frozen=True, kw_only=True)
class InForce:
    """One setting: its name, its value in words, and who set it."""

    name: str
    value: str
    who: str


def settings_of(user: CrmUser) -> list[InForce]:
    """All that are set, by name. What may hold a secret is only said to be set."""
    account = account_settings(user)
    ruled, own = (account.settings or {}) if account else {}, user.settings or {}
    titles = _titles(user.platform)
    rows = [
        InForce(name=titles.get(key) or _spelt(key), value=_value(key, entry.get("value")), who=_who(key, ruled, own))
        for key, entry in merged(ruled, own).items()
        if entry.get("value") is not None
    ]
    return sorted(rows, key=lambda row: row.name.lower())


def _who(key: str, ruled: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    rule = ruled.get(key)
    if isinstance(rule, dict) and not (rule.get("customizable") and isinstance(own.get(key), dict)):
        return "an administrator, who lets users change it" if rule.get("customizable") else "an administrator"
    return "the user"


def _titles(platform: str) -> dict[str, str]:
    manifest = registry.manifests().get(platform)
    found: dict[str, str] = {}
    waiting = list(manifest.client.get("settings") or ()) if manifest else []
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get("id") and item.get("name"):
                found[str(item["id"])] = str(item["name"])
            waiting += item.get("items") or ()
    return found


def _spelt(key: str) -> str:
    """``autoLogCall`` -> ``Auto log call``."""
    words = re.sub(r"[_-]+|(?<=[a-z0-9])(?=[A-Z])", " ", key).strip()
    return words[:1].upper() + words[1:].lower()


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if _SECRET.search(key) or isinstance(value, dict):
        return "set"
    if isinstance(value, list):
        texts = [str(item) for item in value if isinstance(item, str | int | float)]
        return ", ".join(texts)[:_LONGEST] or "set"
    return str(value)[:_LONGEST] or "empty"
