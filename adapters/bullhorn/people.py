"""Creating people in Bullhorn, and reading its users.

Source: Bullhorn REST API documentation, entity reference (Candidate, ClientContact, Lead, CorporateUser).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from adapters.bullhorn.search import PAGE, PersonKind, found_rows, phrase
from adapters.contract import (
    AccountCache,
    ContactDraft,
    DirectoryUser,
    HttpClient,
    Id,
    RecordNotFound,
    RequestRejected,
    dig,
    last_first,
    offset_name,
    precondition,
    readable,
    require_id,
)

#: Every client contact needs a company; those made here share one of this name.
PLACEHOLDER_COMPANY = "RingCentral_CRM_Extension_Placeholder_Company"
_COMPANY_DESCRIPTION = (
    "<p>This company was created automatically for contacts added from phone calls. "
    "It may be edited, and its contacts moved to their real companies.</p>"
)
_COMPANY_KEY = "bullhorn.placeholder_company"
_COMPANY_AGE = timedelta(days=30)
_LARGEST_OFFSET = 24 * 60
#: Of a list of users: an end to one that has none.
MAX_PAGES = 500
_NAME_LENGTH, _PART_LENGTH, _PHONE_LENGTH = 100, 50, 20


def new_person(draft: ContactDraft) -> dict[str, Any]:
    """The fields of a new person. All three names are sent, since Bullhorn derives none from the others."""
    phone = draft.phone.e164 or draft.phone.raw
    words = draft.name.split() or [phone]
    first, last = last_first(draft.name) or (words[0], " ".join(words[1:]))
    person: dict[str, Any] = {
        "name": f"{first} {last}".strip()[:_NAME_LENGTH],
        "firstName": first[:_PART_LENGTH],
        "lastName": last[:_PART_LENGTH],  # may be empty, but a candidate's must not be null
    }
    if phone:
        person["phone"] = phone[:_PHONE_LENGTH]
    status = dig(draft.submission, "status", str, "")
    if status and status != "none":
        person["status"] = status
    return person


def create(http: HttpClient, cache: AccountCache, kind: PersonKind, person: Mapping[str, Any]) -> Id:
    """Creates the person; a client contact in the placeholder company."""
    path = f"entity/{kind.entity}"
    if kind.entity != "ClientContact":
        return require_id(http.put(path, json=person), "changedEntityId")
    remembered = cache.get(_COMPANY_KEY, max_age=_COMPANY_AGE)
    company = remembered if remembered is not None else _placeholder_company(http, cache)
    try:
        reply = http.put(path, json={**person, "clientCorporation": {"id": company}})
    except (RequestRejected, RecordNotFound):
        found = _placeholder_company(http, cache, deleted=company) if remembered is not None else company
        if found == company:
            raise
        company = found  # the remembered company was deleted, and nothing has been created yet
        reply = http.put(path, json={**person, "clientCorporation": {"id": company}})
    return require_id(reply, "changedEntityId")


def _placeholder_company(http: HttpClient, cache: AccountCache, *, deleted: Any = None) -> Id:
    """The id of the placeholder company; made where there is none yet. ``deleted``: an id that is no good any more.

    One request at a time looks and makes it, and it is remembered at once, since the index does not know a new company
    for some seconds. Only the exact name counts. Of several the oldest is everyone's.
    """
    with cache.only_one(_COMPANY_KEY):
        known = cache.get(_COMPANY_KEY, max_age=_COMPANY_AGE)
        if known is not None and known != deleted:  # made while this request waited
            return known  # type: ignore[no-any-return]
        return _found_or_made_company(http, cache)


def _found_or_made_company(http: HttpClient, cache: AccountCache) -> Id:
    with precondition():
        reply = http.post(
            "search/ClientCorporation",
            params={"fields": "id,name", "count": str(PAGE)},
            json={"query": f"name:{phrase(PLACEHOLDER_COMPANY)} AND isDeleted:false"},
            read=True,
        )
        ids = [require_id(row, "id") for row in found_rows(reply) if row.get("name") == PLACEHOLDER_COMPANY]
    if ids:
        company = min(ids, key=int)
    else:
        fields = {"name": PLACEHOLDER_COMPANY, "companyDescription": _COMPANY_DESCRIPTION}
        company = require_id(http.put("entity/ClientCorporation", json=fields), "changedEntityId")
    cache.put(_COMPANY_KEY, company)
    return company


def zone_name(offset_from_est: float | None) -> str:
    """The zone for an offset from Eastern time; empty for one that no place on earth has.

    It is documented in hours and answered in minutes: 24 and less can only be hours.
    """
    if offset_from_est is None or abs(offset_from_est) > _LARGEST_OFFSET:
        return ""
    minutes = offset_from_est * 60 if abs(offset_from_est) <= 24 else offset_from_est
    return offset_name(minutes - 300)


def read_users(http: HttpClient) -> tuple[DirectoryUser, ...]:
    """All active users, page after page."""
    users: list[dict[str, Any]] = []
    for _ in range(MAX_PAGES):
        reply = http.get(
            "query/CorporateUser",
            params={
                "fields": "id,firstName,lastName,email",
                "where": "isDeleted=false AND enabled=true",
                "orderBy": "id",
                "count": str(PAGE),
                "start": str(len(users)),
                "showTotalMatched": "true",
            },
        )
        page = found_rows(reply)
        users += page
        if len(page) < PAGE or len(users) >= dig(reply, "total", int, len(users) + 1):
            break
    return tuple(readable(users, directory_user)[0])


def directory_user(row: Mapping[str, Any]) -> DirectoryUser:
    """One user for the administrator's mapping."""
    name = f"{dig(row, 'firstName', str, '').strip()} {dig(row, 'lastName', str, '').strip()}".strip()
    return DirectoryUser(id=require_id(row, "id"), name=name, email=dig(row, "email", str, ""))
