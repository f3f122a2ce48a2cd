"""What the extension asks, as bytes."""

from __future__ import annotations

import json
from typing import Any

_FORMATS = "(***)%20***-****%2C***-***-****%2C%2B1**********"
#: Sessions that are logged before ``logs`` asks for them.
LOGGED = 1000
#: Part of each answer that is a success.
SUCCESS = {
    "contact": b'"Load Person',
    "contact3": b'"Load Person',
    "logs": b'"matched":true',
    "call": b'"successful":true',
    "messages": b'"successful":true',
}


def request(kind: str, number: int, token: str) -> bytes:
    """``contact``: a look-up of a number not asked before; ``contact3``: the same with three formats; ``logs``: whether
    a session is logged; ``call``: a new call; ``messages``: ten texts of a new conversation.
    """
    if kind in ("contact", "contact3"):
        formats = _FORMATS if kind == "contact3" else ""
        phone = f"+1415{2_000_000 + number % 7_900_000}"
        return _get(f"/contact?phoneNumber={phone}&overridingFormat={formats}&isExtension=false", token)
    if kind == "logs":
        return _get(f"/callLog?sessionIds=logged-{number % LOGGED}&requireDetails=false", token)
    if kind == "call":
        return _post("/callLog", call(f"call-{number}"), token)
    return _post("/messageLog", _messages(f"c{number}"), token)


def call(session: str) -> dict[str, Any]:
    """The body of ``POST /callLog``."""
    info = {
        "id": f"id-{session}",
        "sessionId": session,
        "telephonySessionId": f"s-{session}",
        "startTime": "2026-09-25T01:02:03.456Z",
        "duration": 65,
        "type": "Voice",
        "direction": "Outbound",
        "action": "VoIP Call",
        "result": "Call connected",
        "from": {"phoneNumber": "+14155550001", "name": "Bench Agent", "extensionNumber": "101"},
        "to": {"phoneNumber": "+14155550100", "name": "Load Person0100"},
        "customSubject": "Outbound Call to Load Person0100",
    }
    return {"logInfo": info, "note": "A short note", "aiNote": "", "transcript": "", **_CONTACT}


_CONTACT = {
    "additionalSubmission": {},
    "overridingFormat": [],
    "contactId": 155550100,
    "contactType": "Contact",
    "contactName": "Load Person0100",
}


def _messages(conversation: str) -> dict[str, Any]:
    here, there = {"phoneNumber": "+14155550001"}, {"phoneNumber": "+14155550100"}
    texts = [
        {
            "id": f"{conversation}-{number}",
            "type": "SMS",
            "direction": "Inbound" if number % 2 else "Outbound",
            "subject": f"Message number {number} of the conversation",
            "creationTime": f"2026-09-25T02:{number:02d}:00.000Z",
            "from": there if number % 2 else here,
            "to": [here if number % 2 else there],
            "conversationId": conversation,
            "attachments": [],
        }
        for number in range(10)
    ]
    info = {
        "type": "SMS",
        "conversationId": conversation,
        "conversationLogId": f"{conversation}-2026/09/25",
        "creationTime": "2026-09-25T02:00:00.000Z",
        "date": "2026-09-25",
        "self": {**here, "name": "Bench Agent"},
        "correspondents": [{**there, "name": "Load Person0100"}],
        "messages": texts,
    }
    return {"logInfo": info, **_CONTACT}


def _get(target: str, token: str) -> bytes:
    return f"GET {target}&jwtToken={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()


def _post(path: str, body: dict[str, Any], token: str) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path}?jwtToken={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
