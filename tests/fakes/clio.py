"""A Clio account in memory: OAuth server of the EU region, contacts, matters, communications, activities."""

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses

HOST = "eu.app.clio.com"
CLIENT = ("eu-client", "eu-secret")
USER = 345001
REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
_BASIC = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeClio:
    """Mount it with ``mounted()``; look at the records and ``requests`` afterwards."""

    def __init__(self) -> None:
        self.contacts: dict[int, dict[str, Any]] = {}
        self.matters: list[dict[str, Any]] = []
        self.communications: dict[int, dict[str, Any]] = {}
        self.activities: dict[int, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.access: set[str] = set()
        self.codes = {"code-1"}
        self._ids = itertools.count(1000)

    def mounted(self) -> responses.RequestsMock:
        """Answers for every host but loopback, as a context manager."""
        mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        mock.add_passthru("http://127.0.0.1")
        mock.add_passthru("http://localhost")
        for method in ("GET", "POST", "PATCH"):
            mock.add_callback(method, re.compile(r"https://.*"), callback=self._answer)
        return mock

    def add_contact(self, name: str, number: str, kind: str = "Person") -> int:
        contact = next(self._ids)
        self.contacts[contact] = {
            "id": contact,
            "type": kind,
            "name": name,
            "phone_numbers": [{"number": number}],
            "primary_phone_number": number,
        }
        return contact

    def add_matter(self, client: int, title: str, status: str = "Open") -> int:
        matter = next(self._ids)
        self.matters.append(
            {"id": matter, "display_number": title, "description": "Lease", "status": status, "client": client}
        )
        return matter

    def _answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urlsplit(request.url)
        text = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        self.requests.append(f"{request.method} {re.sub(r'/[0-9]+', '/{id}', url.path)}")
        try:
            if url.hostname != HOST:
                raise Refused(404, "unknown region")
            if url.path == "/oauth/token":
                return _json(200, self._token(dict(parse_qsl(text)), request.headers))
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.access:
                raise Refused(401, "invalid token")
            if url.path == "/oauth/deauthorize":
                self.access.discard(dict(parse_qsl(text))["token"])
                return _json(200, {})
            path = url.path.removeprefix("/api/v4/").removesuffix(".json")
            body = json.loads(text)["data"] if text else {}
            data = self._api(request.method, path, dict(parse_qsl(url.query)), body)
            return _json(201 if request.method == "POST" else 200, {"data": data})
        except Refused as refused:
            return _json(refused.status, {"error": {"type": "Error", "message": str(refused)}})

    def _token(self, form: dict[str, str], headers: Any) -> dict[str, Any]:
        if headers.get("Authorization") != _BASIC:
            raise Refused(401, "invalid_client")
        if form.get("code") not in self.codes or form.get("redirect_uri") != REDIRECT:
            raise Refused(400, "invalid_grant")
        self.codes.discard(form["code"])
        token = f"access-{next(self._ids)}"
        self.access.add(token)
        return {"access_token": token, "token_type": "bearer", "expires_in": 2592000, "refresh_token": "refresh-1"}

    def _api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        kind, _, number = path.partition("/")
        if path == "users/who_am_i":
            return {"id": USER, "name": "Dana Whitlock", "time_zone": "Pacific Time (US & Canada)"}
        if kind == "contacts":
            return self._contacts(method, query, body)
        if kind == "matters":
            shown = query.get("status", "open,pending,closed").split(",")
            mine = [row for row in self.matters if row["client"] == int(query["client_id"])]
            return [row for row in mine if row["status"].lower() in shown]
        if kind == "relationships":
            return []
        records = {"communications": self.communications, "activities": self.activities}.get(kind)
        if records is None:
            raise Refused(404, "unknown path")
        if method == "GET" and not number:
            return [row for row in records.values() if str(row["communication"]["id"]) == query["communication_id"]]
        if method == "POST":
            record = next(self._ids)
            records[record] = {"id": record, **body}
            return {"id": record}
        if int(number) not in records:
            raise Refused(404, "not found")
        if method == "PATCH":
            records[int(number)].update(body)
        return records[int(number)]

    def _contacts(self, method: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        if method == "POST":
            contact = self.add_contact(body["name"], body["phone_numbers"][0]["number"], body["type"])
            return {"id": contact, "name": body["name"]}
        wanted = query["query"].lower()  # a number is found only as it was stored
        return [
            row for row in self.contacts.values() if wanted in f"{row['name'].lower()} {row['primary_phone_number']}"
        ]


def _json(status: int, body: Any) -> tuple[int, dict[str, str], str]:
    return status, {"Content-Type": "application/json"}, json.dumps(body)
