"""A Bullhorn corporation in memory: two data centres, single-use refresh tokens, sessions, persons, notes."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses

CLIENT = ("client-1", "secret-1")
HOME = "west"
_REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
_NOTE_FIELDS = {
    "comments": str,
    "action": str,
    "personReference": dict,
    "dateAdded": int,
    "externalID": str,
    "minutesSpent": int,
    "commentingPerson": dict,
}


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, body: dict[str, Any], location: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.location = location


class FakeBullhorn:
    """Mount it with ``mounted()``; look at ``people``, ``notes`` and ``requests`` afterwards."""

    def __init__(self) -> None:
        self.people: dict[str, dict[int, dict[str, Any]]] = {"ClientContact": {}, "Candidate": {}, "Lead": {}}
        self.companies: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.codes = {"code-1"}
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self.sessions: set[str] = set()
        self._ids = itertools.count(1000)

    def mounted(self) -> responses.RequestsMock:
        """Answers for every host but loopback, as a context manager."""
        mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        mock.add_passthru("http://127.0.0.1")
        mock.add_passthru("http://localhost")
        for method in ("GET", "POST", "PUT"):
            mock.add_callback(method, re.compile(r"https://.*"), callback=self._answer)
        return mock

    def add_person(self, entity: str, name: str, **fields: Any) -> int:
        person = next(self._ids)
        self.people[entity][person] = {"id": person, "name": name, "dateAdded": 1735689600000, **fields}
        return person

    def _answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        url = urlsplit(request.url)
        self.requests.append(f"{request.method} {re.sub(r'/[0-9]+', '/{id}', url.path)}")
        query = dict(parse_qsl(url.query))
        body = json.loads(request.body) if request.body else {}
        headers = {"Content-Type": "application/json"}
        try:
            return 200, headers, json.dumps(self._host(request, url, query, body))
        except Refused as refused:
            if refused.location:
                headers["Location"] = refused.location
            return refused.status, headers, json.dumps(refused.body)

    def _host(self, request: Any, url: Any, query: dict[str, str], body: dict[str, Any]) -> Any:
        host = str(url.hostname)
        if not host.endswith(".bullhornstaffing.com"):
            raise AssertionError("a request left Bullhorn")
        if url.path == "/rest-services/loginInfo":
            return {
                "oauthUrl": f"https://auth-{HOME}.bullhornstaffing.com/oauth",
                "restUrl": f"https://rest-{HOME}.bullhornstaffing.com/rest-services",
            }
        if url.path == "/oauth/token":
            return self._token(host, query)
        if url.path == "/rest-services/login":
            if host != f"rest-{HOME}.bullhornstaffing.com":
                raise Refused(307, {}, f"https://rest-{HOME}.bullhornstaffing.com{url.path}?{url.query}")
            if query.get("access_token") not in self.access:
                raise Refused(400, {"errorMessageKey": "errors.authentication.invalidOAuthToken"})
            session = f"session-{next(self._ids)}"
            self.sessions.add(session)
            return {"BhRestToken": session, "restUrl": "https://rest30.bullhornstaffing.com/rest-services/e999/"}
        token = request.headers.get("BhRestToken")
        if token not in self.sessions:
            raise Refused(401, {"errorMessageKey": "errors.authentication.invalidRestToken"})
        path = url.path.removeprefix("/rest-services/e999/")
        if path == "logout":
            self.sessions.discard(token)
            return {"logout": "OK"}
        return self._api(request.method, path, query, body)

    def _token(self, host: str, query: dict[str, str]) -> dict[str, Any]:
        if host != f"auth-{HOME}.bullhornstaffing.com":
            raise Refused(307, {}, f"https://auth-{HOME}.bullhornstaffing.com/oauth/token")
        if (query.get("client_id"), query.get("client_secret")) != CLIENT:
            raise Refused(401, {"error": "invalid_client"})
        is_code = query["grant_type"] == "authorization_code"
        known, given = (self.codes, query.get("code")) if is_code else (self.refresh, query.get("refresh_token"))
        if given not in known or (is_code and query.get("redirect_uri") != _REDIRECT):
            raise Refused(400, {"error": "invalid_grant"})
        known.discard(given)  # both work once
        number = next(self._ids)
        self.access.add(f"access-{number}")
        self.refresh.add(f"refresh-{number}")
        return {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": 600}

    def _api(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        kind, _, rest = path.partition("/")
        if path == "ping":
            return {"sessionExpires": 1893456000000}
        if path == "settings/userId":
            return {"userId": 77}
        if path == "settings/commentActionList":
            return {"commentActionList": ["Inbound Call", "Outbound Call"]}
        if kind == "meta":
            return {"fields": [{"name": "status", "options": [{"value": "New Lead", "label": "New Lead"}]}]}
        if kind == "query":
            users = [{"id": 77, "name": "Agent Kim", "masterUserID": 9001, "timeZoneOffsetEST": -180}]
            return {"start": 0, "count": 1, "data": users if query["where"] == "id=77" else []}
        if kind == "search":
            found = self._search(rest, body["query"])
            return {"total": len(found), "start": 0, "count": len(found), "data": found}
        entity, _, number = rest.partition("/")
        return self._entity(method, entity, number, body)

    def _search(self, entity: str, query: str) -> list[dict[str, Any]]:
        """The index compares the digits of a stored number as a whole, and words of a name."""
        if entity == "ClientCorporation":
            return [row for row in self.companies.values() if f'"{row["name"]}"' in query]
        words = re.findall(r'"([^"]*)"', query.split(" AND isDeleted")[0])
        digits = {re.sub("[^0-9]", "", word) for word in words} - {""}
        fields = set(re.findall(r"(\w+):\(", query))
        return [
            row
            for row in self.people[entity].values()
            if any(re.sub("[^0-9]", "", str(row.get(field, ""))) in digits for field in fields if row.get(field))
            or any(word.lower() in row["name"].lower().split() for word in words)
        ]

    def _entity(self, method: str, entity: str, number: str, body: dict[str, Any]) -> Any:
        if entity == "Note":
            return self._note(method, number, body)
        table = self.companies if entity == "ClientCorporation" else self.people[entity]
        if method == "PUT":
            if entity == "ClientContact" and body["clientCorporation"]["id"] not in self.companies:
                raise Refused(400, {"errors": [{"propertyName": "clientCorporation"}]})
            new = next(self._ids)
            table[new] = {"id": new, **body}
            return {"changedEntityType": entity, "changedEntityId": new, "changeType": "INSERT"}
        person, _, association = number.partition("/")
        if association == "notes":
            return {"data": [n for n in self.notes.values() if n["personReference"]["id"] == int(person)]}
        raise Refused(404, {"errorMessage": "not found"})

    def _note(self, method: str, number: str, body: dict[str, Any]) -> Any:
        for name, value in body.items():
            if name not in _NOTE_FIELDS or not isinstance(value, _NOTE_FIELDS[name]):
                raise Refused(400, {"errors": [{"propertyName": name}]})
        if method == "PUT":
            note = next(self._ids)
            self.notes[note] = {"id": note, **body}
            return {"changedEntityType": "Note", "changedEntityId": note, "changeType": "INSERT"}
        ids = [int(each) for each in number.split(",")]
        found = [self._shown(self.notes[note]) for note in ids if note in self.notes]
        if method == "POST":
            self.notes[ids[0]].update(body)
            return {"changedEntityType": "Note", "changedEntityId": ids[0], "changeType": "UPDATE"}
        if not found:
            raise Refused(404, {"errorMessage": "not found"})
        return {"data": found if len(ids) > 1 else found[0]}

    def _shown(self, note: dict[str, Any]) -> dict[str, Any]:
        reference = note["personReference"]
        key = {"ClientContact": "clientContacts", "Candidate": "candidates", "Lead": "leads"}
        first, _, last = self.people[reference["personSubtype"]][reference["id"]]["name"].partition(" ")
        person = {"id": reference["id"], "firstName": first, "lastName": last}
        return {**note, key[reference["personSubtype"]]: {"total": 1, "data": [person]}}
