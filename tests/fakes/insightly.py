"""An Insightly instance in memory: contacts, leads, what they are linked to, and events; strict where the API is."""

from __future__ import annotations

import base64
import itertools
import re
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

API_URL = "https://api.na1.insightly.com/v3.1/"
PAGES = "crm.na1.insightly.com"

#: Collection -> id field, required fields, and the fields a record may have besides.
_PERSON = {"FIRST_NAME", "LAST_NAME", "TITLE", "PHONE", "LINKS", "CUSTOMFIELDS", "OWNER_USER_ID"}
_TABLES: dict[str, tuple[str, set[str], set[str]]] = {
    "Contacts": (
        "CONTACT_ID",
        {"FIRST_NAME"},
        _PERSON | {"PHONE_MOBILE", "PHONE_HOME", "PHONE_OTHER", "EMAIL_ADDRESS", "ORGANISATION_ID"},
    ),
    "Leads": ("LEAD_ID", {"LAST_NAME"}, _PERSON | {"MOBILE", "EMAIL", "ORGANISATION_NAME"}),
    "Organisations": ("ORGANISATION_ID", {"ORGANISATION_NAME"}, set()),
    "Opportunities": ("OPPORTUNITY_ID", {"OPPORTUNITY_NAME"}, set()),
    "Projects": ("PROJECT_ID", {"PROJECT_NAME"}, set()),
    "Events": (
        "EVENT_ID",
        {"TITLE", "START_DATE_UTC", "END_DATE_UTC"},
        {"EVENT_ID", "DETAILS", "OWNER_USER_ID", "LINKS"},
    ),
}
_OBJECTS = {
    "Contact": "Contacts",
    "Lead": "Leads",
    "Organisation": "Organisations",
    "Opportunity": "Opportunities",
    "Project": "Projects",
}
_TIMES = ("START_DATE_UTC", "END_DATE_UTC")


class FakeInsightly(FakeVendor):
    """One instance; ``start_over`` makes an administrator for each test, which puts people in with ``add``."""

    hosts = ("api.na1.insightly.com", "api.eu1.insightly.com")
    at_once = 4

    def __init__(self) -> None:
        self.custom_fields = {"Reception__c"}
        #: Whether POST /Events keeps its LINKS; seconds until a search shows a record; the plan's limit of records.
        self.most_records = 1000
        self.daily_limit = 40_000
        self._born: dict[tuple[str, int], float] = {}
        #: Of each key: its user, and when its latest requests came.
        self._keys: dict[str, dict[str, Any]] = {}
        self._starts: dict[str, deque[float]] = {}
        self._ids = itertools.count(5001)
        self._administrators = itertools.count(9_200_001)
        self.start_over()

    # --- what a test does -----------------------------------------------------------------------------

    def start_over(self) -> tuple[str, int]:
        """A new administrator, who has sent nothing yet, of an empty instance: key and user id."""
        self.records: dict[str, dict[int, dict[str, Any]]] = {table: {} for table in _TABLES}
        number = next(self._administrators)
        self.users = [_user(number, "Robin", "Vale"), _user(9100002, "Kim", "Archer"), _user(9100003, "Old", "Hand")]
        self.users[2]["ACTIVE"] = False
        self.takes_links = True
        self.search_lag = 0.0
        #: Requests refused because four others were being answered.
        self.crowded_out = 0
        self.left_today = self.daily_limit
        key = f"8f2b7c1e-key-{number}"
        self._keys[key], self._starts[key] = self.users[0], deque()
        return key, number

    def add(self, table: str, links: list[tuple[str, int]] | None = None, **fields: Any) -> int:
        """Puts a record in, as somebody in Insightly would: ``add("Contacts", FIRST_NAME="Dana", PHONE="...")``."""
        record = self._insert(table, fields)
        self._born.clear()
        for name, object_id in links or ():
            self._add_link(table, record, {"LINK_OBJECT_NAME": name, "LINK_OBJECT_ID": object_id})
        return int(record[_TABLES[table][0]])

    def delete(self, table: str, record_id: int) -> dict[str, Any]:
        return self.records[table].pop(record_id)

    def configure(self, name: str, value: Any) -> Any:
        """Sets one of the attributes above; the value before."""
        before = getattr(self, name)
        setattr(self, name, value)
        return before

    # --- the API --------------------------------------------------------------------------------------

    def crowded(self, request: Request) -> Answer:
        self.crowded_out += 1
        return Answer(status=429, json={"Message": "Too many requests."}, headers={"Retry-After": "1"})

    def answer(self, request: Request) -> Answer:
        _, _, sent = request.headers.get("authorization", "").partition("Basic ")
        key = base64.b64decode(sent).decode().removesuffix(":")
        if key not in self._keys:
            raise Refused(401, {"Message": "Authorization has been denied for this request."})
        self._count(self._starts[key])
        if (request.method, request.path) == ("GET", "/v3.1/Users/Me"):
            return Answer(json=self._keys[key])
        parts = request.path.strip("/").split("/")
        if parts[0] != "v3.1":
            raise Refused(404, None)
        if request.body and not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, {"Message": "The request entity's media type is not supported."})
        status, found = self._route(request, parts[1:])
        headers = {"X-RateLimit-Limit": str(self.daily_limit), "X-RateLimit-Remaining": str(self.left_today)}
        return Answer(status=status, json=found, headers=headers)

    def _count(self, starts: deque[float]) -> None:
        now = time.monotonic()
        while starts and starts[0] <= now - 1:
            starts.popleft()
        if self.left_today <= 0:
            headers = {"Retry-After": "7200", "X_RateLimit_Remaining": "0"}
            raise Refused(429, {"Message": "Daily quota exceeded."}, **headers)
        if len(starts) >= 10:
            raise Refused(429, {"Message": "Rate limit exceeded."}, Retry_After="1")
        starts.append(now)
        self.left_today -= 1

    def _route(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        method, path = request.method, "/".join(parts)
        if (method, path) == ("GET", "Users"):
            return 200, self._page(self.users, request)
        table = parts[0] if parts[0] in _TABLES else ""
        if not table:
            raise Refused(404, None)
        if method == "GET" and parts[1:] == ["Search"]:
            return 200, self._page(self._search(table, request), request)
        if method == "POST" and len(parts) == 1:
            return 201, self._create(table, request.json)
        if method == "PUT" and path == "Events":
            return 200, self._update(request.json)
        if len(parts) == 2 and method == "GET":
            return 200, self._one(table, parts[1])
        if parts[2:] == ["Links"] and method == "POST":
            return 201, self._add_link(table, self._one(table, parts[1]), request.json)
        if len(parts) == 4 and parts[2] == "Links" and method == "DELETE":
            return 202, self._remove_link(self._one(table, parts[1]), parts[3])
        raise Refused(405, {"Message": "The requested resource does not support this method."})

    def _search(self, table: str, request: Request) -> list[dict[str, Any]]:
        name, value = request.query["field_name"], request.query.get("field_value", "")
        id_field, required, others = _TABLES[table]
        if name not in required | others | self.custom_fields | {id_field}:
            raise Refused(400, {"Message": f"Invalid field name: {name}"})
        brief = request.query.get("brief", "false") == "true"
        now = time.monotonic()
        return [
            {key: item for key, item in record.items() if not (brief and key in ("LINKS", "CUSTOMFIELDS"))}
            for number, record in self.records[table].items()
            if _value(record, name).lower() == value.lower() != ""
            and now - self._born.get((table, number), 0) >= self.search_lag
        ]

    def _create(self, table: str, body: dict[str, Any]) -> dict[str, Any]:
        if len(self.records[table]) >= self.most_records:
            raise Refused(402, {"Message": "The record limit of your plan is reached."})
        links = body.pop("LINKS", [])
        for link in links:
            self._checked_link(link)
        record = self._insert(table, body)
        if self.takes_links:
            for link in links:
                self._add_link(table, record, link)
        return record

    def _insert(self, table: str, body: dict[str, Any]) -> dict[str, Any]:
        id_field, required, others = _TABLES[table]
        if missing := [name for name in required if not body.get(name)]:
            raise Refused(400, {"Message": f"{sorted(missing)[0]} is required."})
        if unknown := set(body) - required - others - {"CONVERTED", "CONVERTED_CONTACT_ID", "DATE_CREATED_UTC"}:
            raise Refused(400, {"Message": f"Unknown field {sorted(unknown)[0]}."})
        number = next(self._ids)
        record = {
            id_field: number,
            "DATE_CREATED_UTC": "2026-01-09 10:00:00",
            "DATE_UPDATED_UTC": "2026-02-09 10:00:00",
            "LINKS": [],
            **({"DETAILS": None, "OWNER_USER_ID": self.users[0]["USER_ID"]} if table == "Events" else {}),
            **_read_times(body),
        }
        _check_span(record)
        self.records[table][number] = record
        self._born[table, number] = time.monotonic()
        return record

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        """A PUT is partial: what is absent stays, null clears."""
        record = self._one("Events", str(body["EVENT_ID"]))
        changed = {**record, **_read_times(body)}
        _check_span(changed)
        record.update(changed)
        return record

    def _one(self, table: str, number: str) -> dict[str, Any]:
        record = self.records[table].get(int(number)) if number.isdigit() else None
        if record is None:
            raise Refused(404, None)
        return record

    def _checked_link(self, link: dict[str, Any]) -> tuple[str, int]:
        name, number = str(link.get("LINK_OBJECT_NAME", "")).capitalize(), link.get("LINK_OBJECT_ID")
        if name not in _OBJECTS or not isinstance(number, int):
            raise Refused(400, {"Message": "Invalid link."})
        if number not in self.records[_OBJECTS[name]]:
            raise Refused(400, {"Message": f"{name} does not exist."})
        return name, number

    def _add_link(self, table: str, record: dict[str, Any], link: dict[str, Any]) -> dict[str, Any]:
        name, number = self._checked_link(link)
        if any((kept["LINK_OBJECT_NAME"], kept["LINK_OBJECT_ID"]) == (name, number) for kept in record["LINKS"]):
            raise Refused(400, {"Message": "The link exists already."})
        added = {
            "LINK_ID": next(self._ids),
            "OBJECT_NAME": table.removesuffix("s"),
            "OBJECT_ID": record[_TABLES[table][0]],
            "LINK_OBJECT_NAME": name,
            "LINK_OBJECT_ID": number,
            "ROLE": None,
        }
        record["LINKS"].append(added)
        return added

    def _remove_link(self, record: dict[str, Any], link_id: str) -> None:
        kept = [link for link in record["LINKS"] if str(link["LINK_ID"]) != link_id]
        if len(kept) == len(record["LINKS"]):
            raise Refused(404, None)
        record["LINKS"] = kept

    @staticmethod
    def _page(found: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        top, skip = int(request.query.get("top", 100)), int(request.query.get("skip", 0))
        if not 0 < top <= 500:
            raise Refused(400, {"Message": "top must be at most 500."})
        return found[skip : skip + top]


def _user(number: int, first: str, last: str) -> dict[str, Any]:
    return {
        "USER_ID": number,
        "FIRST_NAME": first,
        "LAST_NAME": last,
        "EMAIL_ADDRESS": f"{first.lower()}@harbour.example",
        "TIMEZONE_ID": "Pacific Standard Time",
        "ADMINISTRATOR": number > 9_200_000,
        "ACTIVE": True,
        "INSTANCE_ID": 660,
    }


def _value(record: dict[str, Any], name: str) -> str:
    custom = {row["FIELD_NAME"]: row["FIELD_VALUE"] for row in record.get("CUSTOMFIELDS") or ()}
    return str({**record, **custom}.get(name) or "")


def _read_times(body: dict[str, Any]) -> dict[str, Any]:
    """Times come in as ISO 8601 in UTC and go out as ``yyyy-MM-dd HH:mm:ss`` without a zone."""
    read = dict(body)
    for name in _TIMES:
        if name in body:
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(body[name])):
                raise Refused(400, {"Message": f"{name} is not a valid date."})
            read[name] = f"{datetime.fromisoformat(body[name]).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return read


def _check_span(record: dict[str, Any]) -> None:
    start, end = (datetime.fromisoformat(record[name]) if record.get(name) else None for name in _TIMES)
    if start and end and end - start < timedelta(0):
        raise Refused(400, {"Message": "END_DATE_UTC must not be before START_DATE_UTC."})


FAKE = FakeInsightly
#: Switchboard has no application there: each user brings a key.
ENVIRONMENT: dict[str, str] = {}
