"""A stateful fake of Redtail's public API: logins, contacts, activities, their notes, and the account's lists.

Strict where the vendor is: both authorisation headers with their scheme's word, ids and codes as numbers, times in UTC
with milliseconds, country codes apart from numbers, categories that exist, PUT and never PATCH.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable
from typing import Any

from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

HOST = "crm.redtailtechnology.com"
API_KEY = "0D0E5C4A-partner-key"
PASSWORD, USER_KEY = "s3cret:with:colons", "8C7B6A59-user-key"
USER_ID, COLLEAGUE_ID = 4101, 4102
API = "/api/public/v1"
_BASE = f"{API}/"
_TYPES = {f"Crm::Contact::{kind}" for kind in ("Individual", "Business", "Association", "Trust", "Union")}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ACTIVITY: dict[str, type] = {
    "subject": str,
    "description": str,
    "start_date": str,
    "end_date": str,
    "activity_code_id": int,
    "category_id": int,
    "repeats": str,
    "linked_contacts": list,
    "attendees": list,
    "completed": bool,
}


class FakeRedtail(FakeVendor):
    """One database with two users at a time; ``add_contact`` fills it."""

    hosts = (HOST,)

    def __init__(self) -> None:
        self._ids = itertools.count(5001)
        self._databases = itertools.count(77)
        self.start_over()

    def start_over(self) -> str:
        """A new, empty database; returns the name of its first user."""
        self.database_id = next(self._databases)
        self.users = {
            USER_ID: {"id": USER_ID, "first_name": "Jane", "last_name": "Doe-Smith"},
            COLLEAGUE_ID: {"id": COLLEAGUE_ID, "first_name": "Robin", "last_name": "Vu"},
        }
        self.categories = [
            {"id": 1, "name": "Client Service", "deleted": False},
            {"id": 2, "name": "General", "deleted": False},
            {"id": 9, "name": "Retired", "deleted": True},
        ]
        self.contacts: dict[int, dict[str, Any]] = {}
        self.activities: dict[int, dict[str, Any]] = {}
        self.notes: list[dict[str, Any]] = []
        jane, robin = f"jane-doe-{self.database_id}", f"robin-{self.database_id}"
        self._logins = {(jane, PASSWORD): (USER_ID, USER_KEY), (robin, PASSWORD): (COLLEAGUE_ID, "robins-user-key")}
        return jane

    def replace_category(self, old: int, new: int, name: str) -> None:
        """An administrator deletes one category and adds another."""
        for row in self.categories:
            row["deleted"] |= row["id"] == old
        self.categories.append({"id": new, "name": name, "deleted": False})

    def add_contact(
        self,
        first: str,
        last: str,
        number: str = "",
        country_code: int | None = 1,
        kind: str = "Individual",
        **more: Any,
    ) -> int:
        contact = next(self._ids)
        phone = {"number": number, "country_code": country_code, "phone_type": 6, "is_primary": True}
        self.contacts[contact] = {
            "id": contact,
            "type": f"Crm::Contact::{kind}",
            "first_name": first or None,
            "middle_name": None,
            "last_name": last or None,
            "full_name": f"{first} {last}".strip(),
            "company_name": None,
            "job_title": None,
            "deleted": False,
            "created_at": "2024-02-03T10:00:00.000-07:00",
            "updated_at": "2026-03-04T10:00:00.000-07:00",
            "phones": [phone] if number else [],
            **more,
        }
        return contact

    def edit_description(self, activity: int, text: str | None) -> int:
        """A person edits the activity in Redtail."""
        self.activities[activity]["description"] = text
        return activity

    def answer(self, request: Request) -> Answer:
        path = request.path.removeprefix(_BASE)
        header = request.headers.get("authorization", "")
        if not header:
            raise _refused(401, "Authorization header missing")
        scheme, _, text = header.partition(" ")
        parts = base64.b64decode(text).decode() if text else ""
        if path == "authentication" and request.method == "GET":
            return Answer(json=self._authenticated(scheme, parts))
        keys = {key: user for user, key in self._logins.values()}
        api_key, _, user_key = parts.partition(":")
        if scheme.lower() != "userkeyauth" or api_key != API_KEY or user_key not in keys:
            raise _refused(401, "Invalid credentials")
        return self._routed(request, path, keys[user_key])

    def _authenticated(self, scheme: str, parts: str) -> dict[str, Any]:
        api_key, _, rest = parts.partition(":")
        username, _, password = rest.partition(":")
        found = self._logins.get((username.lower(), password))
        if scheme != "Basic" or api_key != API_KEY or found is None:
            raise _refused(401, "Invalid username or password")
        user, key = found
        return {"authenticated_user": {**self.users[user], "user_key": key, "redtail_database_id": self.database_id}}

    def _routed(self, request: Request, path: str, user: int) -> Answer:
        routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"lists/categories", lambda: _page(request, "categories", self.categories)),
            ("GET", r"lists/database_users", lambda: _page(request, "database_users", [*self.users.values()])),
            ("GET", r"lists/database_users/(\d+)", lambda row: Answer(json={"database_users": self.users[row]})),
            ("GET", r"contacts/search_basic", lambda: self._search(request)),
            ("POST", r"contacts", lambda: self._new_contact(request.json)),
            ("GET", r"contacts/(\d+)/activities", lambda row: self._activities_of(request, row)),
            ("POST", r"activities", lambda: self._new_activity(request.json, user)),
            ("GET", r"activities/(\d+)", lambda row: self._activity(request, row)),
            ("PUT", r"activities/(\d+)", lambda row: self._change(row, request.json)),
            ("GET", r"activities/(\d+)/notes", lambda row: self._notes_of(request, row)),
            ("POST", r"activities/(\d+)/notes", lambda row: self._new_note(row, request.json)),
        ]
        for method, pattern, handler in routes:
            if request.method == method and (match := re.fullmatch(pattern, path)):
                try:
                    return handler(*map(int, match.groups()))
                except KeyError:
                    raise _refused(404, "Record not found") from None
        raise _refused(404, "Not found")

    # --- contacts ---

    def _search(self, request: Request) -> Answer:
        include = request.headers.get("include", "").split(",")
        number, name = request.query.get("phone_number"), request.query.get("name", "").lower()
        found = []
        for row in self.contacts.values():
            if number is not None:  # the text as it was typed, nothing more
                fits = any(phone["number"] == number for phone in row["phones"])
            else:
                fits = name in " ".join((row["full_name"] or "").lower().split())
            if fits:
                found.append(row if "phones" in include else {k: v for k, v in row.items() if k != "phones"})
        return _page(request, "contacts", found)

    def _new_contact(self, body: dict[str, Any]) -> Answer:
        _known(body, {"type", "first_name", "last_name", "phones", "category_id"})
        if body.get("type") not in _TYPES:
            raise _refused(422, "Validation failed: Type is invalid")
        if not body.get("last_name"):
            raise _refused(422, "Validation failed: Last name can't be blank")
        for phone in body.get("phones", []):
            if not re.fullmatch(r"\d+", phone["number"]) or type(phone.get("country_code", 0)) is not int:
                raise _refused(422, "Validation failed: Phones number is invalid")
        if "category_id" in body:
            self._check_category(body["category_id"])
        contact = self.add_contact(body.get("first_name", ""), body["last_name"])
        self.contacts[contact] |= {"phones": body.get("phones", []), "category_id": body.get("category_id")}
        return Answer(status=201, json={"contact": self.contacts[contact]})

    # --- activities ---

    def _new_activity(self, body: dict[str, Any], user: int) -> Answer:
        for key in ("subject", "start_date", "end_date", "activity_code_id", "category_id", "repeats"):
            if key not in body:
                raise _refused(422, f"Validation failed: {key} can't be blank")
        self._check(body)
        activity = next(self._ids)
        self.activities[activity] = {
            "id": activity,
            "completed": False,  # whatever was sent: it is created open
            "deleted": False,
            "added_by": user,
            "all_day": False,
            **{key: value for key, value in body.items() if key != "completed"},
        }
        return Answer(status=201, json={"activity": self.activities[activity]})

    def _activity(self, request: Request, activity: int) -> Answer:
        row = dict(self.activities[activity])
        linked = row.pop("linked_contacts")
        if "linked_contacts" in request.headers.get("include", ""):
            names = ("first_name", "middle_name", "last_name", "full_name", "company_name")
            row["linked_contacts"] = [
                {**link, **{name: self.contacts[link["contact_id"]][name] for name in names}} for link in linked
            ]
        return Answer(json={"activity": row})

    def _activities_of(self, request: Request, contact: int) -> Answer:
        self.contacts[contact]
        mine = [r for r in self.activities.values() if {"contact_id": contact} in r["linked_contacts"]]
        return _page(request, "activities", mine)

    def _change(self, activity: int, body: dict[str, Any]) -> Answer:
        row = self.activities[activity]
        self._check({**row, **body}, sent=body)
        row |= body
        return Answer(json={"activity": row})

    def _check(self, body: dict[str, Any], sent: dict[str, Any] | None = None) -> None:
        given = body if sent is None else sent
        _known(given, set(_ACTIVITY))
        for key, value in given.items():
            if type(value) is not _ACTIVITY[key]:
                raise _refused(422, f"Validation failed: {key} is invalid")
        for key in ("start_date", "end_date"):
            if not _TIME.fullmatch(body[key]):
                raise _refused(422, f"Validation failed: {key} is not a time")
        if body["end_date"] < body["start_date"]:
            raise _refused(422, "Validation failed: end_date is before start_date")
        self._check_category(body["category_id"])
        for link in body["linked_contacts"]:
            if type(link["contact_id"]) is not int or link["contact_id"] not in self.contacts:
                raise _refused(422, "Validation failed: Linked contacts contact must exist")
        for attendee in body.get("attendees", []):
            if attendee.get("type") != "Crm::Activity::Attendee::User" or attendee.get("user_id") not in self.users:
                raise _refused(422, "Validation failed: Attendees user must exist")

    def _check_category(self, category: Any) -> None:
        if not any(row["id"] == category and not row["deleted"] for row in self.categories):
            raise _refused(422, "Validation failed: Category must exist")

    def _notes_of(self, request: Request, activity: int) -> Answer:
        self.activities[activity]
        return _page(request, "notes", [row for row in self.notes if row["activity_id"] == activity])

    def _new_note(self, activity: int, body: dict[str, Any]) -> Answer:
        self.activities[activity]
        _known(body, {"category_id", "note_type", "body"})
        self._check_category(body.get("category_id"))
        if body.get("note_type") != 1 or not body.get("body"):
            raise _refused(422, "Validation failed: Body can't be blank")
        note = {"id": next(self._ids), "activity_id": activity, **body}
        self.notes.append(note)
        return Answer(status=201, json={"note": note})


def _refused(status: int, message: str) -> Refused:
    return Refused(status, {"message": message})


def _known(body: dict[str, Any], names: set[str]) -> None:
    if unknown := set(body) - names:
        raise _refused(422, f"Validation failed: unknown attribute {min(unknown)}")


def _page(request: Request, key: str, rows: list[dict[str, Any]]) -> Answer:
    size = int(request.headers.get("pagesize", "50"))
    number = int(request.query.get("page", "1"))
    total = -(-len(rows) // size)
    part = rows[(number - 1) * size : number * size]
    return Answer(json={key: part, "meta": {"total_records": len(rows), "total_pages": total}})


FAKE = FakeRedtail
#: What Switchboard knows of its application.
ENVIRONMENT = {"REDTAIL_API_KEY": API_KEY}
