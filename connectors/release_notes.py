"""What is new, as the extension shows it: version -> ``global`` or platform -> entries."""

from __future__ import annotations

RELEASE_NOTES: dict[str, dict[str, list[dict[str, str]]]] = {
    "0.1.0": {"global": [{"type": "New", "description": "First release of Switchboard."}]},
}
