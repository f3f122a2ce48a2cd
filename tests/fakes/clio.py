"""Clio's four regions in memory: login, contacts, matters, communications, time entries, documents with their uploads.

A region has its own application, users, tokens and records; a token is worth nothing in another one.
"""

from __future__ import annotations

import base64
import itertools
import time
from typing import Any
from urllib.parse import urlencode

from tests.fakes.clio_records import FILTERS, asked_for, checked, refuse, shown
from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

US, EU, AU, CA = "app.clio.com", "eu.app.clio.com", "au.app.clio.com", "ca.app.clio.com"
UPLOADS = "clio-documents.s3.amazonaws.com"
MEDIA = "media.ringcentral.com"
COMMUNICATIONS, COMMUNICATION = "/api/v4/communications.json", "/api/v4/communications/{id}.json"
ACTIVITIES, ACTIVITY = "/api/v4/activities.json", "/api/v4/activities/{id}.json"
REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
#: The variables of a Switchboard that knows the application of every region.
ENVIRONMENT = {
    f"CLIO_{region}CLIENT_{kind}": f"{region.lower()}client-{kind.lower()}"
    for region in ("", "EU_", "AU_", "CA_")
    for kind in ("ID", "SECRET")
}
_PREFIXES = {US: "", EU: "eu_", AU: "au_", CA: "ca_"}
_MONTH = 2592000
_STORES = ("contacts", "matters", "relationships", "communications", "activities", "documents")
_PATHS = {"POST": {"contacts", "communications", "activities", "documents"}}
_PATHS["PATCH"] = _PATHS["POST"] - {"contacts"}


class FakeClio(FakeVendor):
    """Records are kept as they were written, beside ``id``, ``host`` and what Clio adds itself."""

    hosts = (US, EU, AU, CA, UPLOADS, MEDIA)

    def __init__(self) -> None:
        self.users: dict[int, dict[str, Any]] = {}
        self.contacts: dict[int, dict[str, Any]] = {}
        self.matters: dict[int, dict[str, Any]] = {}
        self.relationships: dict[int, dict[str, Any]] = {}
        self.communications: dict[int, dict[str, Any]] = {}
        self.activities: dict[int, dict[str, Any]] = {}
        self.documents: dict[int, dict[str, Any]] = {}
        #: uuid of a document version -> what was uploaded.
        self.files: dict[str, str] = {}
        self.page_size = 200
        self.requests_a_minute = 50
        self.rotation = "none"
        self.token_seconds = _MONTH
        self._codes: dict[str, int] = {}
        self._access: dict[str, dict[str, Any]] = {}
        self._refresh: dict[str, int] = {}
        self._starts: dict[str, list[float]] = {}
        self._ids = itertools.count(1001)

    # --- what a test arranges ------------------------------------------------------------------------

    def add_user(self, name: str, host: str = US, zone: str = "Pacific Time (US & Canada)", account: int = 0) -> Any:
        """A user who has just pressed Allow: ``[id, authorisation code]``. ``account`` 0: a firm of their own."""
        user = self._add("users", host, name=name, time_zone=zone, enabled=True, email="")
        self.users[user]["account"] = {"id": account or user}
        code = f"code-{user}"
        self._codes[code] = user
        return [user, code]

    def empty(self, host: str) -> None:
        """Nobody is in this region any more."""
        for store in (self.contacts, self.matters, self.relationships):
            for number in [number for number, row in store.items() if row["host"] == host]:
                del store[number]

    def add_contact(self, name: str, number: str, kind: str = "Person", host: str = US, email: str = "") -> int:
        numbers = [{"name": "Work", "number": number, "default_number": True}] if number else []
        return self._add("contacts", host, name=name, type=kind, phone_numbers=numbers, primary_email_address=email)

    def add_matter(self, client: int, title: str, status: str = "Open", description: str = "Lease") -> int:
        return self._add(
            "matters",
            self.contacts[client]["host"],
            display_number=title,
            description=description,
            status=status,
            client={"id": client},
        )

    def relate(self, contact: int, matter: int | None) -> int:
        """``matter`` None: one the user may not see."""
        return self._add(
            "relationships", self.contacts[contact]["host"], contact={"id": contact}, matter=matter and {"id": matter}
        )

    def configure(self, **values: Any) -> None:
        """``page_size``, ``requests_a_minute``, ``token_seconds``, ``rotation`` (none, same, new)."""
        for name, value in values.items():
            setattr(self, name, value)

    def expire_access(self, user: int) -> None:
        """The user's access tokens end now, before their time."""
        for token in self._access.values():
            if token["user"] == user:
                token["ends"] = 0

    def end_session(self, user: int) -> None:
        """As when the user takes the application's permission away."""
        self._forget(user)

    def bill(self, communication: int) -> None:
        """Puts the time entries of a communication on a bill."""
        for row in self.activities.values():
            if row.get("communication") == {"id": communication}:
                row["billed"] = True

    def edit(self, store: str, record: int, **values: Any) -> None:
        """What a person changes in Clio."""
        getattr(self, store)[record].update(values)

    def delete(self, store: str, record: int) -> None:
        del getattr(self, store)[record]

    def _add(self, store: str, host: str, **values: Any) -> int:
        record = next(self._ids)
        getattr(self, store)[record] = {"id": record, "host": host, **values}
        return record

    # --- login ---------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        if request.host == UPLOADS:
            return self._stored(request)
        if request.host == MEDIA:
            return self._media(request)
        if (request.method, request.path) == ("POST", "/oauth/token"):
            return Answer(json=self._token(request))
        token, user = self._login_of(request)
        if (request.method, request.path) == ("POST", "/oauth/deauthorize"):
            if request.form != {"token": token}:
                raise Refused(400, {"error": "invalid_request"})
            self._forget(user)
            return Answer(json={})
        left = self._counted(token)
        headers = {
            "X-RateLimit-Limit": str(self.requests_a_minute),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": str(int(time.time()) + 60),
        }
        try:
            if left < 0:
                raise refuse(429, "RateLimited", "Rate limit reached", Retry_After="37")
            answer = self._api(request, user)
        except Refused as refused:
            refused.answer.headers.update(headers)
            raise
        answer.headers.update(headers)
        return answer

    def _token(self, request: Request) -> dict[str, Any]:
        form, prefix = request.form, _PREFIXES[request.host]
        basic = base64.b64encode(f"{prefix}client-id:{prefix}client-secret".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            raise Refused(401, {"error": "invalid_client"})
        kind, old = form.get("grant_type"), ""
        if kind == "authorization_code" and set(form) == {"grant_type", "code", "redirect_uri"}:
            user = self._codes.get(form["code"]) if form["redirect_uri"] == REDIRECT else None
            self._codes.pop(form["code"], None)
        elif kind == "refresh_token" and set(form) == {"grant_type", "refresh_token"}:
            old = form["refresh_token"]
            user = self._refresh.get(old)
        else:
            raise Refused(400, {"error": "unsupported_grant_type"})
        if user is None or self.users[user]["host"] != request.host:
            raise Refused(400, {"error": "invalid_grant", "error_description": "The grant is invalid or revoked."})
        access = f"access-{next(self._ids)}"
        self._access[access] = {"user": user, "ends": time.time() + self.token_seconds}
        answer = {"access_token": access, "token_type": "bearer", "expires_in": self.token_seconds}
        if not old or self.rotation == "new":
            self._refresh.pop(old, None)
            answer["refresh_token"] = f"refresh-{next(self._ids)}"
            self._refresh[answer["refresh_token"]] = user
        elif self.rotation == "same":
            answer["refresh_token"] = old
        return answer

    def _login_of(self, request: Request) -> tuple[str, int]:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        known = self._access.get(token)
        if known is None or known["ends"] < time.time() or self.users[known["user"]]["host"] != request.host:
            raise Refused(401, {"error": "invalid_token", "error_description": "The access token expired"})
        return token, known["user"]

    def _forget(self, user: int) -> None:
        self._access = {token: row for token, row in self._access.items() if row["user"] != user}
        self._refresh = {token: owner for token, owner in self._refresh.items() if owner != user}

    def _counted(self, token: str) -> int:
        """Requests left in the minute; below 0: one too many."""
        now = time.time()
        starts = self._starts[token] = [moment for moment in self._starts.get(token, []) if moment > now - 60]
        if len(starts) < self.requests_a_minute:
            starts.append(now)
            return self.requests_a_minute - len(starts)
        return -1

    # --- records -------------------------------------------------------------------------------------

    def _api(self, request: Request, user: int) -> Answer:
        resource, _, record = request.path.removeprefix("/api/v4/").removesuffix(".json").partition("/")
        if resource not in FILTERS or not request.path.startswith("/api/v4/"):
            raise refuse(404, "RecordNotFound", "Not found")
        query = dict(request.query)
        wanted = asked_for(resource, query.pop("fields", "id,etag"))
        if request.method == "GET" and not record:
            rows = self._listed(resource, query, request.host)
            return self._page(request, [shown(row, wanted) for row in rows], int(query.get("limit", 200)))
        if query:
            raise refuse(400, "ArgumentError", f"Invalid parameters: {sorted(query)}")
        if request.method == "GET":
            number = user if (resource, record) == ("users", "who_am_i") else record
            return Answer(json={"data": shown(self._read(resource, number, request.host), wanted)})
        if resource not in _PATHS.get(request.method, ()) or bool(record) != (request.method == "PATCH"):
            raise refuse(404, "RecordNotFound", "Not found")
        if request.headers.get("content-type") != "application/json":
            raise refuse(400, "ArgumentError", "Content-Type must be application/json")
        found = self._written(request, resource, record, checked(resource, request.method, request.json))
        return Answer(status=201 if request.method == "POST" else 200, json={"data": shown(found, wanted)})

    def _listed(self, resource: str, query: dict[str, str], host: str) -> list[dict[str, Any]]:
        if unknown := set(query) - FILTERS[resource] - {"limit", "order", "page_token"}:
            raise refuse(400, "ArgumentError", f"Invalid parameters: {sorted(unknown)}")
        if not 0 < int(query.get("limit", 200)) <= (2000 if resource == "users" else 200):
            raise refuse(400, "ArgumentError", "Invalid limit")
        rows = [row for row in getattr(self, resource).values() if row["host"] == host]
        if query.get("order") == "name(asc)":
            rows.sort(key=lambda row: row["name"])
        return [self._resolved(resource, row) for row in rows if self._fits(row, query)]

    def _fits(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        """Whether a record passes the list's filters. A number is found only as it is stored, anything in any field."""
        numbers = [number["number"] for number in row.get("phone_numbers", [])]
        texts = " ".join([str(row.get("name", "")), *numbers]).lower()
        properties = [(item["name"], item["value"]) for item in row.get("external_properties", [])]
        wanted = (query.get("external_property_name"), query.get("external_property_value"))
        return (
            query.get("query", "").lower() in texts
            and row.get("status", "Open").lower() in query.get("status", "open,pending,closed").split(",")
            and all(
                query.get(f"{name}_id", "") in ("", str((row.get(name) or {}).get("id")))
                for name in ("client", "contact", "communication")
            )
            and (wanted == (None, None) or wanted in properties)
            and query.get("enabled", "true") == str(row.get("enabled", True)).lower()
        )

    def _page(self, request: Request, rows: list[dict[str, Any]], limit: int) -> Answer:
        size = min(limit, self.page_size)
        start = int(request.query.get("page_token", 0))
        paging = {}
        if start + size < len(rows):
            following = urlencode({**request.query, "page_token": start + size})
            paging["next"] = f"https://{request.host}{request.path}?{following}"
        return Answer(json={"data": rows[start : start + size], "meta": {"paging": paging, "records": len(rows)}})

    def _read(self, resource: str, record: Any, host: str) -> dict[str, Any]:
        row = getattr(self, resource).get(int(record)) if str(record).isdigit() else None
        if row is None or row["host"] != host:
            raise refuse(404, "RecordNotFound", f"{resource} {record} not found")
        return self._resolved(resource, row)

    def _resolved(self, resource: str, row: dict[str, Any]) -> dict[str, Any]:
        """The record as an answer shows it: references with names, and a participant's real type."""
        row = {
            "etag": f'"{row["id"]}"',
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-03T03:04:05Z",
            **row,
        }
        numbers = row.get("phone_numbers") or []
        if numbers:
            row["primary_phone_number"] = numbers[0]["number"]
        for end in ("senders", "receivers"):
            row[end] = [
                {**person, **self._person(person)} for person in row.get(end, []) if self._person(person) is not None
            ]
        if resource == "relationships":
            row["matter"] = row["matter"] and self.matters[row["matter"]["id"]]
        return row

    def _person(self, person: dict[str, Any]) -> Any:
        if person["type"] == "User":
            return {"name": self.users[person["id"]]["name"]}
        contact = self.contacts.get(person["id"])
        return contact and {"name": contact["name"], "type": contact["type"]}

    def _written(self, request: Request, resource: str, record: str, data: dict[str, Any]) -> dict[str, Any]:
        for kind, number in _references(data):
            self._read(kind, number, request.host)
        if request.method == "PATCH":
            row = getattr(self, resource)[self._read(resource, record, request.host)["id"]]
            if row.get("billed"):
                raise refuse(422, "ValidationError", "Activity is already billed")
            if resource == "documents":
                version = row["latest_document_version"]
                version["fully_uploaded"] = data.get("uuid") == version["uuid"] and version["uuid"] in self.files
            else:
                row.update(data)
            return self._resolved(resource, row)
        number = self._add(resource, request.host, **data)
        row = getattr(self, resource)[number]
        if resource == "documents":
            row["latest_document_version"] = {
                "id": number,
                "uuid": f"uuid-{number}",
                "put_url": f"https://{UPLOADS}/upload/uuid-{number}?X-Amz-Signature=s{number}&X-Amz-Expires=600",
                "put_headers": [{"name": "x-amz-server-side-encryption", "value": "AES256"}],
                "fully_uploaded": False,
            }
        return self._resolved(resource, row)

    # --- files ---------------------------------------------------------------------------------------

    def _stored(self, request: Request) -> Answer:
        """A signed URL takes exactly the signed headers and no login."""
        uuid = request.path.removeprefix("/upload/")
        signed = request.query.get("X-Amz-Signature") == uuid.replace("uuid-", "s")
        encrypted = request.headers.get("x-amz-server-side-encryption") == "AES256"
        if request.method != "PUT" or not signed or not encrypted or "authorization" in request.headers:
            return Answer(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        self.files[uuid] = request.body.decode()
        return Answer(status=200)

    def _media(self, request: Request) -> Answer:
        """RingCentral's media: for those who bring a token in the query, and no login of Clio's."""
        if request.query.get("access_token") != "rc-secret-token" or "authorization" in request.headers:
            return Answer(status=401, json={"message": "no"})
        return Answer(text=f"file at {request.path}", headers={"Content-Type": "application/octet-stream"})


def _references(data: dict[str, Any]) -> list[tuple[str, int]]:
    """The records a body refers to, by store and id."""
    plain = {"matter": "matters", "communication": "communications", "user": "users"}
    found = [(store, data[name]["id"]) for name, store in plain.items() if name in data]
    people = [*data.get("senders", []), *data.get("receivers", [])]
    found += [("users" if person["type"] == "User" else "contacts", person["id"]) for person in people]
    found += [("users", int(item["user_id"])) for item in data.get("notification_event_subscribers", [])]
    if "parent" in data:
        found.append(("matters" if data["parent"]["type"] == "Matter" else "contacts", data["parent"]["id"]))
    return found


FAKE = FakeClio
