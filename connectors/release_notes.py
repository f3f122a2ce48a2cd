"""What is new, as the extension shows it: version -> ``global`` or platform -> entries."""

from __future__ import annotations

from typing import Any

_NEW_SERVER = [
    "Calls and messages are logged once, also when your CRM is slow or answers late.",
    "What your CRM cannot take at the moment is saved, and sent when it is back.",
    "What you and your colleagues wrote in the CRM stays when a log is updated.",
    "The call-back list keeps contact, number and note of each entry, for you only.",
]

RELEASE_NOTES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "2.0.0": {
        "global": [
            {"type": "New", "description": "Your extension is now connected to a Switchboard server."},
            *({"type": "Better", "description": text} for text in _NEW_SERVER),
        ]
    },
}
