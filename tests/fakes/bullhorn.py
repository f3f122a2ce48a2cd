"""A Bullhorn corporation in memory: two data centres, single-use refresh tokens, sessions, an index, notes."""

from __future__ import annotations

import itertools
import time
from typing import Any
from urllib.parse import urlencode

from tests.fakes.bullhorn_entities import FIELDS, Field, checked, selected
from tests.fakes.bullhorn_queries import BadQuery, jpql, lucene
from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

CLIENT = ("client-1", "secret-1")
DOMAIN = "bullhornstaffing.com"
HOME = "west"
CORPORATION = "e999"
_BASE = f"/rest-services/{CORPORATION}/"
_REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
_TOKEN_LIFE = 600
_TOKEN_PARAMETERS = {
    "authorization_code": {"grant_type", "code", "redirect_uri", "client_id", "client_secret"},
    "refresh_token": {"grant_type", "refresh_token", "client_id", "client_secret"},
}
_ACTIONS = ["Inbound Call", "Outbound Call", "Voicemail"]
_STATUSES = {"Lead": ["New Lead"], "Candidate": ["New", "Active"], "ClientContact": ["Prospect"]}
_NOTE_LISTS = {"ClientContact": "clientContacts", "Candidate": "candidates", "Lead": "leads"}


class FakeBullhorn(FakeVendor):
    """Every user belongs to one corporation, which lives in the western data centre."""

    hosts = (f"*.{DOMAIN}",)

    def __init__(self) -> None:
        self.users: dict[int, dict[str, Any]] = {}
        self.people: dict[str, dict[int, dict[str, Any]]] = {"ClientContact": {}, "Candidate": {}, "Lead": {}}
        self.companies: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        #: What happened to tokens and sessions, by user name: "code", "refresh", "refused", "login", "logout".
        self.sign_ins: list[tuple[str, str]] = []
        self._codes: dict[str, str] = {}
        self._passwords: dict[str, str] = {}
        self._access: dict[str, tuple[str, float]] = {}
        self._refresh: dict[str, tuple[str]] = {}
        self._spent: dict[str, str] = {}
        #: Token -> user name, host, end.
        self._sessions: dict[str, tuple[str, str, float]] = {}
        self._lagging: set[int] = set()
        self._lags = False
        self._ids = itertools.count(1000)

    # --- what a test orders ------------------------------------------------------------------------

    def empty(self) -> None:
        """Nobody is in the corporation's records any more."""
        for people in self.people.values():
            people.clear()

    def add_user(self, username: str, name: str) -> str:
        """A user, and the authorisation code that their browser brings back."""
        number = next(self._ids)
        first, _, last = name.partition(" ")
        self.users[number] = {
            "id": number, "masterUserID": number + 50_000, "username": username, "name": name, "firstName": first,
            "lastName": last, "email": f"{username}@example.com", "timeZoneOffsetEST": -180, "isDeleted": False,
            "enabled": True,
        }  # fmt: skip
        self._passwords[username] = f"password-{number}"
        return self.new_code(username)

    def new_code(self, username: str) -> str:
        code = f"code-{next(self._ids)}"
        self._codes[code] = username
        return code

    def password_of(self, username: str) -> str:
        return self._passwords[username]

    def add_person(self, entity: str, name: str, **fields: Any) -> int:
        first, _, last = name.partition(" ")
        if entity == "ClientContact":
            fields["clientCorporation"] = {"id": self._insert("ClientCorporation", {"name": f"Works of {name}"})}
        return self._insert(entity, {"name": name, "firstName": first, "lastName": last, **fields})

    def edit_note(self, note: int, comments: str) -> int:
        """A colleague changes the text in Bullhorn's own pages."""
        self.notes[note]["comments"] = comments
        return note

    def delete_note(self, note: int) -> int:
        del self.notes[note]
        return note

    def forget_companies(self) -> int:
        """No company is there yet; their contacts stay."""
        count = len(self.companies)
        self.companies.clear()
        return count

    def end(self, what: str, username: str) -> int:
        """Ends a user's "sessions", "access_tokens" (ten minutes pass) or "refresh_tokens"; how many there were."""
        table = {"sessions": self._sessions, "access_tokens": self._access, "refresh_tokens": self._refresh}[what]
        ended = [token for token, owner in table.items() if owner[0] == username]
        for token in ended:
            del table[token]
        return len(ended)

    def live_sessions(self, username: str) -> int:
        return sum(owner == username for owner, _, _ in self._sessions.values())

    def let_the_index_lag(self, lags: bool) -> bool:
        """While it lags, what is created is not found by a search."""
        self._lags = lags
        if not lags:
            self._lagging.clear()
        return lags

    # --- signing in --------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        if "cookie" in request.headers:
            raise _refused(400, "errors.cookie", "a shared client kept the cookie of somebody's login")
        name = request.host.removesuffix(f".{DOMAIN}")
        if request.path == "/rest-services/loginInfo" and request.method == "GET":
            return Answer(json=self._login_info(request.query))
        if request.path == "/oauth/token" and request.method == "POST":
            self._at_home(request, "auth", name)
            return Answer(json=self._token(request))
        if request.path == "/oauth/authorize" and request.method == "GET":
            self._at_home(request, "auth", name)
            return self._authorize(request.query)
        if request.path == "/rest-services/login" and request.method == "POST":
            self._at_home(request, "rest", name)
            found = self._login(request)
            return Answer(json=found, headers={"Set-Cookie": f"BhRestToken={found['BhRestToken']}; Secure"})
        if request.path.startswith(_BASE):
            return Answer(json=self._api(request, request.path.removeprefix(_BASE), self._session(request)))
        raise _refused(404, "errors.notFound", "no such service")

    def _login_info(self, query: dict[str, str]) -> dict[str, str]:
        if not any(user["username"] == query.get("username") for user in self.users.values()):
            raise _refused(400, "errors.authentication.invalidUsername", "Invalid username")
        return {
            "oauthUrl": f"https://auth-{HOME}.{DOMAIN}/oauth",
            "restUrl": f"https://rest-{HOME}.{DOMAIN}/rest-services",
            "atsUrl": f"https://app.{DOMAIN}",
        }

    def _at_home(self, request: Request, service: str, name: str) -> None:
        if name in (service, f"{service}-east"):
            url = f"https://{service}-{HOME}.{DOMAIN}{request.path}?{urlencode(request.queries)}"
            raise Refused(307, {}, Location=url)
        if name != f"{service}-{HOME}":
            raise _refused(404, "errors.notFound", "no such host")

    def _authorize(self, query: dict[str, str]) -> Answer:
        """The sign-in page; with name and password in the URL it is skipped, but for wrong ones it is shown."""
        known = {"client_id": CLIENT[0], "response_type": "code", "action": "Login", "redirect_uri": _REDIRECT}
        username = query.get("username", "")
        if {**known, "username": username, "password": self._passwords.get(username)} != query:
            return Answer(text='<html><p class="error">Invalid credentials or session expired</p></html>')
        location = f"{_REDIRECT}?code={self.new_code(username)}&client_id={CLIENT[0]}"
        return Answer(status=302, headers={"Location": location})

    def _token(self, request: Request) -> dict[str, Any]:
        query = request.query
        grant = query.get("grant_type", "")
        if set(query) != _TOKEN_PARAMETERS.get(grant) or request.body or "authorization" in request.headers:
            raise Refused(400, {"error": "invalid_request", "error_description": "parameters go into the query"})
        if (query["client_id"], query["client_secret"]) != CLIENT:
            raise Refused(401, {"error": "invalid_client", "error_description": "Bad client credentials"})
        if grant == "authorization_code":
            username = self._codes.pop(query["code"], "") if query["redirect_uri"] == _REDIRECT else ""
        else:
            (username,) = self._refresh.pop(query["refresh_token"], ("",))  # it works once
        if not username:
            self.sign_ins.append((self._spent.get(query.get("refresh_token", ""), ""), "refused"))
            raise Refused(400, {"error": "invalid_grant", "error_description": "Invalid, expired, or revoked token."})
        self._spent[query.get("refresh_token", "")] = username
        self.sign_ins.append((username, "code" if grant == "authorization_code" else "refresh"))
        number = next(self._ids)
        self._access[f"access-{number}"] = (username, time.time() + _TOKEN_LIFE)
        self._refresh[f"refresh-{number}"] = (username,)
        return {
            "access_token": f"access-{number}",
            "token_type": "Bearer",
            "expires_in": _TOKEN_LIFE,
            "refresh_token": f"refresh-{number}",
        }

    def _login(self, request: Request) -> dict[str, str]:
        query = request.query
        if set(query) - {"version", "access_token", "ttl"} or "version" not in query or request.body:
            raise _refused(400, "errors.badRequest", "unknown parameter")
        username, until = self._access.get(query.get("access_token", ""), ("", 0.0))
        if until < time.time():
            raise _refused(400, "errors.authentication.invalidOAuthToken", "Invalid or expired OAuth access token.")
        number = next(self._ids)
        host = f"rest3{number % 2}.{DOMAIN}"  # another one may serve the next session
        life = 60 * int(query.get("ttl", "10"))
        self._sessions[f"session-{number}"] = (username, host, time.time() + life)
        self.sign_ins.append((username, "login"))
        return {"BhRestToken": f"session-{number}", "restUrl": f"https://{host}{_BASE}"}

    def _session(self, request: Request) -> str:
        """The token of the session, if it is alive and belongs to this host."""
        token = request.headers.get("bhresttoken")
        if not token or "BhRestToken" in request.query:
            raise _refused(412, "errors.authentication.missingRestToken", "BhRestToken header missing")
        _, host, until = self._sessions.get(token, ("", "", 0.0))
        if until < time.time() or host != request.host:
            raise _refused(401, "errors.authentication.invalidRestToken", "Bad 'BhRestToken' or timed-out.")
        return token

    # --- the API -----------------------------------------------------------------------------------

    def _api(self, request: Request, path: str, token: str) -> Any:
        username, _, until = self._sessions[token]
        user = next(user for user in self.users.values() if user["username"] == username)
        kind, _, rest = path.partition("/")
        if path == "ping":
            return {"sessionExpires": int(until * 1000)}
        if path == "logout":
            del self._sessions[token]
            self.sign_ins.append((username, "logout"))
            return {"logout": "OK"}
        if path == "settings/userId":
            return {"userId": user["id"]}
        if path == "settings/commentActionList":
            return {"commentActionList": _ACTIONS}
        if kind == "meta" and rest in _STATUSES and request.query == {"fields": "status"}:
            options = [{"value": status, "label": status} for status in _STATUSES[rest]]
            return {"entity": rest, "fields": [{"name": "status", "options": options}]}
        if kind == "search" and request.method == "POST":
            return self._search(rest, request)
        if kind == "query" and request.method == "GET":
            return self._query(rest, request)
        if kind == "entity":
            return self._entity(request, *rest.split("/"), author=user["id"])
        raise _refused(404, "errors.notFound", "no such call")

    def _search(self, entity: str, request: Request) -> dict[str, Any]:
        if set(request.query) - {"fields", "count", "start", "sort"} or set(request.json) != {"query"}:
            raise _refused(400, "errors.badRequest", "the query goes into the body, the rest into the URL")
        try:
            fits = lucene(request.json["query"])
        except BadQuery as error:
            raise _refused(400, "errors.badSearch", f"Cannot parse '{error}'") from None
        table = self._table(entity)
        return _page(entity, [row for row in table.values() if row["id"] not in self._lagging and fits(row)], request)

    def _query(self, entity: str, request: Request) -> dict[str, Any]:
        if entity in ("Candidate", "Note"):
            raise _refused(400, "errors.queryIndexedEntity", f"{entity} is indexed: use search")
        if set(request.query) - {"fields", "where", "orderBy", "count", "start", "showTotalMatched"}:
            raise _refused(400, "errors.badRequest", "unknown parameter")
        try:
            fits = jpql(request.query["where"])
        except (BadQuery, KeyError) as error:
            raise _refused(400, "errors.badQuery", f"bad where clause: {error}") from None
        return _page(entity, [row for row in self._table(entity).values() if fits(row)], request)

    def _table(self, entity: str) -> dict[int, dict[str, Any]]:
        tables = {"CorporateUser": self.users, "ClientCorporation": self.companies, "Note": self.notes, **self.people}
        if entity not in tables:
            raise _refused(404, "errors.notFound", f"no entity {entity}")
        return tables[entity]

    def _entity(self, request: Request, entity: str, ids: str = "", association: str = "", *, author: int) -> Any:
        table = self._table(entity)
        if request.method == "PUT" and not ids:
            return _changed(entity, self._insert(entity, request.json, author=author), "INSERT")
        numbers = [int(number) for number in ids.split(",")]
        found = [table[number] for number in numbers if number in table]
        if request.method == "POST" and len(numbers) == 1 and found:
            found[0].update(checked(entity, request.json))
            return _changed(entity, numbers[0], "UPDATE")
        if request.method != "GET" or not found:
            raise _refused(404, "errors.entityNotFound", "entity not found")
        if association == "notes":
            mine = [note for note in self.notes.values() if note["personReference"]["id"] == numbers[0]]
            return _page("Note", [self._with_lists(note) for note in mine], request)
        wanted = request.query.get("fields", "")
        rows = [selected(entity, self._with_lists(row) if entity == "Note" else row, wanted) for row in found]
        return {"data": rows if len(numbers) > 1 else rows[0]}

    def _insert(self, entity: str, body: dict[str, Any], *, author: int = 0) -> int:
        fields = checked(entity, body, new=True)
        if entity == "ClientContact" and "clientCorporation" in fields:
            self._must_exist(entity, "clientCorporation", fields["clientCorporation"], "ClientCorporation")
        if entity == "Note":
            person = fields["personReference"]
            self._must_exist(entity, "personReference", person, person.get("personSubtype", ""))
            fields.setdefault("commentingPerson", {"id": author, "personSubtype": "CorporateUser"})
            self._must_exist(entity, "commentingPerson", fields["commentingPerson"], "CorporateUser")
        number = next(self._ids)
        now = int(time.time() * 1000)
        self._table(entity)[number] = {"id": number, "isDeleted": False, "dateAdded": now, **fields}
        if self._lags:
            self._lagging.add(number)
        return number

    def _must_exist(self, entity: str, field: str, reference: dict[str, Any], target: str) -> None:
        known = target in FIELDS and reference.get("id") in self._table(target)
        if not known or reference.get("personSubtype", target) != target:
            raise Field(entity, field, f"no {target} of this id").refused()

    def _with_lists(self, note: dict[str, Any]) -> dict[str, Any]:
        """The note with the people it is about, in the list of their kind."""
        reference = note["personReference"]
        lists: dict[str, Any] = {name: {"total": 0, "data": []} for name in _NOTE_LISTS.values()}
        person = self.people[reference["personSubtype"]][reference["id"]]
        lists[_NOTE_LISTS[reference["personSubtype"]]] = {"total": 1, "data": [person]}
        return {**note, **lists}


def _page(entity: str, rows: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    query = request.query
    if order := query.get("orderBy"):
        rows = sorted(rows, key=lambda row: row[order.lstrip("-")], reverse=order.startswith("-"))
    start, count = int(query.get("start", 0)), min(int(query.get("count", 20)), 500)
    shown = [selected(entity, row, query.get("fields", "id")) for row in rows[start : start + count]]
    return {"total": len(rows), "start": start, "count": len(shown), "data": shown}


def _changed(entity: str, number: int, change: str) -> dict[str, Any]:
    return {"changedEntityType": entity, "changedEntityId": number, "changeType": change, "data": {}}


def _refused(status: int, key: str, message: str) -> Refused:
    return Refused(status, {"errorMessage": message, "errorMessageKey": key, "errorCode": status})


FAKE = FakeBullhorn
#: What Switchboard knows of its application.
ENVIRONMENT = {"BULLHORN_CLIENT_ID": CLIENT[0], "BULLHORN_CLIENT_SECRET": CLIENT[1]}
