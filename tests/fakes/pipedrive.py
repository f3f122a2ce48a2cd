"""A Pipedrive company in memory: OAuth server, persons, deals, leads, activities; strict where v2 is strict."""

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses

HOST = "northwind-demo.pipedrive.com"
CLIENT = ("client-1", "secret-1")
_BASIC = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
_WRITABLE = {
    "owner_id": int,
    "subject": str,
    "type": str,
    "done": bool,
    "due_date": str,
    "due_time": str,
    "duration": str,
    "note": str,
    "participants": list,
    "deal_id": int,
    "lead_id": str,
    "org_id": int,
}


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class FakePipedrive:
    """Mount it with ``mounted()``; look at ``activities``, ``persons`` and ``requests`` afterwards."""

    def __init__(self) -> None:
        self.persons: dict[int, dict[str, Any]] = {}
        self.deals: list[dict[str, Any]] = []
        self.leads: list[dict[str, Any]] = []
        self.activities: dict[int, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self.codes = {"code-1"}
        self.scope = "base,users:read,contacts:full,deals:read,leads:read,activities:full,search:read"
        self._ids = itertools.count(1000)

    def mounted(self) -> responses.RequestsMock:
        """Answers for every host but loopback, as a context manager."""
        mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        mock.add_passthru("http://127.0.0.1")
        mock.add_passthru("http://localhost")
        for method in ("GET", "POST", "PATCH"):
            mock.add_callback(method, re.compile(r"https://.*"), callback=self._answer)
        return mock

    def add_person(self, name: str, phone: str, org_id: int | None = None) -> int:
        person = next(self._ids)
        self.persons[person] = {
            "id": person,
            "name": name,
            "phones": [{"value": phone, "primary": True, "label": "work"}],
            "org_id": org_id,
            "add_time": "2025-11-02T08:30:00Z",
            "update_time": "2026-01-09T10:00:00Z",
        }
        return person

    def _answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urlsplit(request.url)
        text = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        self.requests.append(f"{request.method} {re.sub(r'/[0-9]+', '/{id}', url.path)}")
        try:
            if url.hostname == "oauth.pipedrive.com":
                return self._oauth(url.path, dict(parse_qsl(text)), request.headers)
            if url.hostname != HOST:
                raise Refused(404, "unknown company")
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.access:
                raise Refused(401, "unauthorized access")
            body = json.loads(text) if text else {}
            status, data = self._api(request.method, url.path, dict(parse_qsl(url.query)), body)
            return status, {"Content-Type": "application/json"}, json.dumps({"success": True, "data": data})
        except Refused as refused:
            reply = {"success": False, "error": refused.error}
            return refused.status, {"Content-Type": "application/json"}, json.dumps(reply)

    def _oauth(self, path: str, form: dict[str, str], headers: Any) -> tuple[int, dict[str, str], str]:
        if headers.get("Authorization") != _BASIC:
            raise Refused(400, "invalid_client")
        if path == "/oauth/revoke":
            self.refresh.discard(form["token"])
            self.access.clear()
            return 200, {}, ""
        known = self.codes if form["grant_type"] == "authorization_code" else self.refresh
        given = form.get("code") or form.get("refresh_token", "")
        if given not in known or (form.get("code") and not form["redirect_uri"].endswith("/pipedrive-redirect")):
            raise Refused(400, "invalid_grant")
        known.discard(given)  # a code works once, a refresh token is exchanged for the next
        number = next(self._ids)
        token = {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "token_type": "Bearer",
            "scope": self.scope,
            "expires_in": 3599,
            "api_domain": f"https://{HOST}",
        }
        self.access.add(token["access_token"])
        self.refresh.add(token["refresh_token"])
        return 200, {"Content-Type": "application/json"}, json.dumps(token)

    def _api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("GET", "/v1/users/me"):
            return 200, {
                "id": 7001,
                "name": "Robin Vale",
                "email": "robin@northwind.example",
                "timezone_name": "America/New_York",
                "timezone_offset": "-05:00",
                "company_id": 880,
                "company_name": "Northwind Demo",
                "company_domain": "northwind-demo",
            }
        if (method, path) == ("GET", "/v1/activityTypes"):
            return 200, [
                {"name": name, "key_string": key, "active_flag": True}
                for name, key in (("Call", "call"), ("SMS", "sms"), ("Meeting", "meeting"))
            ]
        if (method, path) == ("GET", "/api/v2/itemSearch"):
            return 200, self._search(query)
        if (method, path) == ("GET", "/api/v2/persons"):
            return 200, self._by_ids(self.persons, query)
        if (method, path) == ("POST", "/api/v2/persons"):
            if "phone" in body or not body.get("name"):
                raise Refused(400, "invalid person")
            person = self.add_person(body["name"], body["phones"][0]["value"])
            return 201, self.persons[person]
        if method == "GET" and (match := re.fullmatch(r"/api/v2/persons/(\d+)", path)):
            return 200, self._one(self.persons, match[1])
        if (method, path) == ("POST", "/api/v2/activities"):
            activity = next(self._ids)
            record = {"deal_id": None, "lead_id": None, "org_id": None, "is_deleted": False, "id": activity}
            self.activities[activity] = {**record, **self._checked(body)}
            return 201, self.activities[activity]
        if (method, path) == ("GET", "/api/v2/activities"):
            return 200, self._by_ids(self.activities, query)
        if match := re.fullmatch(r"/api/v2/activities/(\d+)", path):
            record = self._one(self.activities, match[1])
            if method == "PATCH":
                record.update(self._checked(body))
            return 200, record
        raise Refused(404, "unknown path")

    def _search(self, query: dict[str, str]) -> dict[str, Any]:
        term = query["term"].lower()
        if len(term) < 2:
            raise Refused(400, "term is too short")
        hits = []
        for person in self.persons.values():
            phones = [phone["value"] for phone in person["phones"]]
            digits = [re.sub(r"\D", "", phone) for phone in phones]
            where = [person["name"].lower()] if query["fields"] == "name" else digits
            if any(term in text for text in where):
                hits.append({"item": {"id": person["id"], "name": person["name"], "phones": phones, "emails": []}})
        found = {hit["item"]["id"] for hit in hits}
        related = [
            {"item": {**item, "type": kind}}
            for kind, items in (("deal", self.deals), ("lead", self.leads))
            for item in items
            if item["person"]["id"] in found
        ]
        return {"items": hits, "related_items": related}

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        for key, value in body.items():
            kind = _WRITABLE.get(key)
            if kind is None or not (type(value) is kind or (value is None and key in ("deal_id", "lead_id"))):
                raise Refused(400, f"{key} is not valid")
        if "participants" in body:
            [primary] = [item["person_id"] for item in body["participants"] if item["primary"]]
            return {**body, "person_id": self._one(self.persons, primary)["id"]}
        return body

    @staticmethod
    def _one(records: dict[int, dict[str, Any]], number: str | int) -> dict[str, Any]:
        if int(number) not in records:
            raise Refused(404, "not found")
        return records[int(number)]

    @staticmethod
    def _by_ids(records: dict[int, dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        ids = [int(text) for text in query["ids"].split(",")] if "ids" in query else []
        return [records[number] for number in ids if number in records]
