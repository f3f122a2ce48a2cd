"""Plays the published extension: the requests it sends, as it sends them, over real HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import requests

FORMATS = "(###) ###-####,###-###-####"


class Extension:
    """One connected user of the extension (first generation: token in the query, `+` not encoded)."""

    def __init__(self, url: str, platform: str) -> None:
        self.url = url
        self.platform = platform
        self.token = ""
        self.http = requests.Session()
        self.http.headers.update(
            {"Origin": "chrome-extension://kkhkjhaf", "rc-extension-id": "hash-ext", "rc-account-id": "hash-acc"}
        )

    def send(self, method: str, target: str, body: Any = None) -> requests.Response:
        """``target`` goes on the request line as it stands, except that the token is put in."""
        separator = "&" if "?" in target else "?"
        token = f"{separator}jwtToken={self.token}" if self.token else ""
        return self.http.request(method, f"{self.url}{target}{token}", json=body, timeout=40, allow_redirects=False)

    def json(self, method: str, target: str, body: Any = None) -> dict[str, Any]:
        reply = self.send(method, target, body)
        assert reply.status_code == 200, (method, target, reply.status_code, reply.text[:500])
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        found: dict[str, Any] = reply.json()
        return found

    def login_with_key(self, key: str, hostname: str = "", **fields: str) -> dict[str, Any]:
        body = {
            "platform": self.platform,
            "apiKey": key,
            "hostname": hostname,
            "additionalInfo": {"apiKey": key, **fields},
        }
        found = self.json("POST", f"/apiKeyLogin?state=platform={self.platform}", body)
        self.token = found["jwtToken"]
        return found

    def login_with_code(self, callback_uri: str, **query: str) -> dict[str, Any]:
        """``callback_uri`` is not encoded by this client: its own parameters spill into the query."""
        rest = "".join(f"&{key}={quote(value, safe='')}" for key, value in query.items())
        found = self.json("GET", f"/oauth-callback?callbackUri={callback_uri}{rest}")
        self.token = found.get("jwtToken", "")
        return found

    def look_up(self, number: str, formats: str = FORMATS) -> dict[str, Any]:
        return self.json("GET", f"/contact?phoneNumber={number}&overridingFormat={quote(formats)}&isExtension=false")

    def search(self, name: str) -> dict[str, Any]:
        return self.json("GET", f"/custom/contact/search?name={quote(name)}")

    def create_contact(self, number: str, name: str, kind: str = "", **fields: Any) -> dict[str, Any]:
        body = {
            "phoneNumber": number,
            "newContactName": name,
            "newContactType": kind,
            "additionalSubmission": fields,
        }
        return self.json("POST", "/contact", body)

    def log_call(self, call: dict[str, Any]) -> dict[str, Any]:
        return self.json("POST", "/callLog", call)

    def logged(self, *session_ids: str, details: bool = False) -> list[dict[str, Any]]:
        ids = ",".join(session_ids)
        found = self.json("GET", f"/callLog?sessionIds={ids}&requireDetails={str(details).lower()}")
        assert found["successful"], found
        logs: list[dict[str, Any]] = found["logs"]
        return logs

    def edit_call(self, session_id: str, **members: Any) -> dict[str, Any]:
        return self.json("PATCH", "/callLog", {"sessionId": session_id, **members})

    def dispose(self, session_id: str, **choices: Any) -> dict[str, Any]:
        return self.json("PUT", "/callDisposition", {"sessionId": session_id, "dispositions": choices})

    def log_messages(self, conversation: dict[str, Any]) -> dict[str, Any]:
        return self.json("POST", "/messageLog", conversation)

    def logout(self) -> dict[str, Any]:
        return self.json("POST", "/unAuthorize")


def call(session_id: str, contact: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Body of ``POST /callLog``: an inbound call of 187 seconds with a recording."""
    info = {
        "id": f"id-{session_id}",
        "sessionId": session_id,
        "telephonySessionId": f"s-{session_id}",
        "startTime": "2026-05-04T16:31:07.000Z",
        "duration": 187,
        "type": "Voice",
        "direction": "Inbound",
        "result": "Accepted",
        "from": {"name": "WIRELESS CALLER", "phoneNumber": contact.get("phone", "+16505551212")},
        "to": {"name": "Agent Kim", "phoneNumber": "+16505550100", "extensionId": "1"},
        "recording": {
            "link": "https://media.ringcentral.com/rec/9",
            "downloadUrl": "https://media.ringcentral.com/rec/9/content?accessToken=rc-secret-token",
        },
        "customSubject": f"Inbound Call from {contact['name']}",
        **changes.pop("info", {}),
    }
    return {
        "logInfo": info,
        "note": "Wants a <b>quote</b> & café",
        "additionalSubmission": {},
        "overridingFormat": FORMATS.split(","),
        "contactId": contact["id"],
        "contactType": contact.get("type", ""),
        "contactName": contact["name"],
        **changes,
    }


def conversation(name: str, contact: dict[str, Any], count: int, **changes: Any) -> dict[str, Any]:
    """Body of ``POST /messageLog``: ``count`` messages of one day, newest first, as the client sends them."""
    number = contact.get("phone", "+16505551212")
    messages = [
        {
            "id": 54000400 + index,
            "type": "SMS",
            "direction": "Inbound" if index % 2 else "Outbound",
            "subject": f"text number {index} <i>&</i> ñ",
            "creationTime": f"2026-05-04T17:{index:02d}:00.000Z",
            "from": {"phoneNumber": number if index % 2 else "+16505550100"},
            "to": [{"phoneNumber": "+16505550100" if index % 2 else number}],
            "attachments": [{"id": index, "type": "Text", "contentType": "text/plain"}],
            "messageStatus": "Sent",
        }
        for index in reversed(range(count))
    ]
    info = {
        "conversationId": name,
        "conversationLogId": f"{name}/2026-05-04",
        "type": "SMS",
        "correspondents": [{"phoneNumber": number, "name": contact["name"]}],
        "messages": messages,
        **changes.pop("info", {}),
    }
    return {
        "logInfo": info,
        "additionalSubmission": {},
        "contactId": contact["id"],
        "contactType": contact.get("type", ""),
        "contactName": contact["name"],
        **changes,
    }
