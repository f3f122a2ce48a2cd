"""What a process has of the release that it was started from: keys, and a version that may store changes otherwise."""

from __future__ import annotations

import json
from typing import Any

from simulation.world import Release

_KEYS = {f"key-{number}": bytes([number]) * 32 for number in (1, 2, 3)}


def keys(release: Release) -> dict[str, bytes]:
    """The configured keys, newest first."""
    return dict(reversed(list(_KEYS.items())[: release.keys]))


def notes(release: Release) -> dict[str, Any]:
    """Release notes, of which only the newest version counts here."""
    return {str(release.version): {}}


def converter(release: Release, original: Any) -> Any:
    """How changes are stored: the second version does so in a way that the first cannot read."""
    return original if release.version == 1 else _Newer(original)


class _Newer:
    """Reads what both versions store."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def unstructure(self, change: Any) -> Any:
        return {"second": self._original.unstructure(change)}

    def loads(self, text: str, kind: Any) -> Any:
        stored = json.loads(text)
        return self._original.structure(stored.get("second", stored), kind)
