"""What the fake Pipedrive's API v2 accepts and returns: parameters, bodies, pages, searches."""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.fakes.vendor import Answer, Refused

BLANK_ACTIVITY: dict[str, Any] = {
    "subject": "",
    "type": "call",
    "done": False,
    "due_date": None,
    "due_time": None,
    "duration": None,
    "note": None,
    "deal_id": None,
    "lead_id": None,
    "org_id": None,
    "person_id": None,
    "participants": [],
    "is_deleted": False,
}
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
_SHAPES = {
    "due_date": r"\d{4}-\d\d-\d\d",
    "due_time": r"([01]\d|2[0-3]):[0-5]\d",
    "duration": r"\d\d:[0-5]\d",
    "lead_id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "subject": r"(?s).{1,255}",
}
_PARAMETERS = {
    "/v1/users/me": set(),
    "/v1/users": set(),
    "/v1/activityTypes": set(),
    "/v1/leads": {"person_id", "start", "limit"},
    "/api/v2/itemSearch": {
        "term",
        "item_types",
        "fields",
        "search_for_related_items",
        "exact_match",
        "limit",
        "cursor",
    },
    "/api/v2/persons/search": {"term", "fields", "exact_match", "limit", "cursor"},
    "/api/v2/persons": {"ids", "limit", "cursor"},
    "/api/v2/deals": {"person_id", "status", "limit", "cursor"},
    "/api/v2/activities": {"ids", "person_id", "owner_id", "deal_id", "updated_since", "limit", "cursor"},
}


def error(text: str, code: str) -> dict[str, Any]:
    return {"success": False, "error": text, "code": code}


def _invalid(text: str) -> Refused:
    return Refused(400, error(f"Validation failed: {text}", "ERR_SCHEMA_VALIDATION_FAILED"))


def check_query(path: str, queries: list[tuple[str, str]]) -> None:
    """Raises ``Refused`` for parameters the endpoint does not know, and for values it does not take."""
    for name, value in queries:
        most = 100 if path == "/api/v2/itemSearch" else 500
        if name not in _PARAMETERS[path]:
            raise _invalid(f"{name} is unknown")
        if name == "limit" and not (value.isdigit() and 1 <= int(value) <= most):
            raise _invalid(f"limit: must be between 1 and {most}")
        if name == "ids" and not (re.fullmatch(r"\d+(,\d+)*", value) and value.count(",") < 100):
            raise _invalid("ids: must be up to 100 integers")
        if name.endswith("_id") and not value.isdigit():
            raise _invalid(f"{name}: must be an integer")
        if name == "updated_since" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", value):
            raise _invalid("updated_since: must be RFC 3339")
        if name == "search_for_related_items" and value not in ("true", "false"):
            raise _invalid(f"{name}: must be a boolean")
        if name == "term" and len(value) < 2:
            raise Refused(400, error("Search term must be at least 2 characters long", "ERR_BAD_REQUEST"))


def activity(body: Any, company: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    """The columns an activity's body sets; ``present``: the record as it stands, ``{}`` for a new one."""
    for key, value in body.items():
        kind = _WRITABLE.get(key)
        if kind is None:
            raise _invalid(f"{key} is {'read-only' if key == 'person_id' else 'unknown'}")
        if value is None and present and key in ("deal_id", "lead_id", "org_id", "note"):
            continue
        if type(value) is not kind or (key in _SHAPES and not re.fullmatch(_SHAPES[key], value)):
            raise _invalid(f"{key}: expected {kind.__name__}")
    _check_links(body, company)
    merged = {**present, **body}
    if merged.get("deal_id") and merged.get("lead_id"):
        raise _invalid("deal_id and lead_id cannot both be set")
    changed = dict(body)
    for key in ("due_time", "duration"):
        if key in changed:
            changed[key] += ":00"  # replies show seconds
    if "note" in changed:
        changed["note"] = re.sub(r"(?is)<script.*?</script>", "", changed["note"] or "") or None
    if "participants" in body:
        changed["person_id"] = _primary(body["participants"], company)
    return changed


def _check_links(body: dict[str, Any], company: dict[str, Any]) -> None:
    known = {
        "owner_id": set(company["users"]),
        "deal_id": set(company["deals"]),
        "lead_id": set(company["leads"]),
        "org_id": {person["org_id"] for person in company["persons"].values()},
        "type": {row["key_string"] for row in company["types"] if row["active_flag"]},
    }
    for key, values in known.items():
        if body.get(key) is not None and body[key] not in values:
            raise Refused(400, error(f"{key} does not exist", "ERR_BAD_REQUEST"))


def _primary(participants: list[Any], company: dict[str, Any]) -> int:
    for row in participants:
        if type(row.get("person_id")) is not int or type(row.get("primary")) is not bool:
            raise _invalid("participants: expected person_id and primary")
    primary = [row["person_id"] for row in participants if row["primary"]]
    if len(primary) != 1 or primary[0] not in company["persons"]:
        raise Refused(400, error("participants: exactly one existing primary", "ERR_BAD_REQUEST"))
    return int(primary[0])


def person(body: Any) -> dict[str, Any]:
    """The columns of a new person."""
    if unknown := set(body) - {"name", "phones", "emails", "org_id", "owner_id"}:
        raise _invalid(f"{min(unknown)} is unknown")
    if not isinstance(body.get("name"), str) or not body["name"]:
        raise _invalid("name is required")
    for phone in body.get("phones", []):
        if type(phone.get("value")) is not str or type(phone.get("primary")) is not bool:
            raise _invalid("phones: expected value and primary")
    return dict(body)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("searchable_from", "org_name")}


def listed(kind: str, query: dict[str, str], company: dict[str, Any]) -> list[dict[str, Any]]:
    """Persons, deals or activities by ids, person, owner, status or time of change; deleted ones only by id."""
    ids = query["ids"].split(",") if "ids" in query else None
    rows = [row for row in company[kind].values() if ids is None or str(row["id"]) in ids]
    for key in ("person_id", "owner_id", "deal_id"):
        rows = [row for row in rows if key not in query or str(row.get(key)) == query[key]]
    if "status" in query:
        rows = [row for row in rows if row["status"] in query["status"].split(",") and not row["is_archived"]]
    if "updated_since" in query:
        rows = [row for row in rows if row["update_time"] >= query["updated_since"]]
    return [shown(row) for row in rows if not row.get("is_deleted") or ids]


def search(company: dict[str, Any], query: dict[str, str], path: str, now: float) -> dict[str, Any]:
    """Persons with the term anywhere in a name, or its digits anywhere in a number, and what hangs on them."""
    hits = []
    for row in company["persons"].values():
        numbers = [phone["value"] for phone in row["phones"]]
        if query.get("fields") == "name":
            found = query["term"].lower() in row["name"].lower()
        else:
            digits = re.sub(r"\D", "", query["term"])
            found = bool(digits) and any(digits in re.sub(r"\D", "", number) for number in numbers)
        if found and row["searchable_from"] <= now and not row["is_deleted"]:
            organization = {"id": row["org_id"], "name": row["org_name"], "address": None} if row["org_id"] else None
            item = {"id": row["id"], "type": "person", "name": row["name"], "phones": numbers}
            item |= {"emails": row["emails"], "organization": organization, "custom_fields": [], "notes": []}
            hits.append({"result_score": 0.5, "item": item})
    related = []
    if query.get("search_for_related_items") == "true":
        people = {hit["item"]["id"] for hit in hits}
        for kind in ("deal", "lead"):
            for row in company[f"{kind}s"].values():
                if row["person_id"] in people:
                    item = {key: value for key, value in row.items() if key != "person_id"}
                    item |= {"type": kind, "person": {"id": row["person_id"], "name": ""}}
                    related.append({"result_score": 0, "item": item})
    return {"items": hits, "related_items": related}


def page(found: dict[str, Any], query: dict[str, str], *, key: str = "") -> Answer:
    """One page and an opaque cursor; ``key``: where a search puts its rows, its related items beside them."""
    start = int(base64.b64decode(query["cursor"])) if query.get("cursor") else 0
    end = start + int(query.get("limit", "100"))
    rows, total = found["items"][start:end], len(found["items"])
    cursor = base64.b64encode(str(end).encode()).decode() if end < total else None
    data: Any = rows
    if key:
        people = {row["item"]["id"] for row in rows}
        data = {key: rows}
        data["related_items"] = [row for row in found["related_items"] if row["item"]["person"]["id"] in people]
    return Answer(json={"success": True, "data": data, "additional_data": {"next_cursor": cursor}})
