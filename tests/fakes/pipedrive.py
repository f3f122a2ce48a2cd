"""Pipedrive in memory: its OAuth server and any number of companies, strict where API v2 is strict.

Sources: developers.pipedrive.com, API reference v1 and v2, "OAuth authorization", "Rate limiting".
"""

from __future__ import annotations

import base64
import itertools
import re
import time
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

from tests.fakes import pipedrive_schema as schema
from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

CLIENT = ("client-1", "secret-1")
REDIRECT_PATH = "/pipedrive-redirect"
SCOPES = "base,users:read,contacts:full,deals:read,leads:read,activities:full,search:read"
_BASIC = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
_HELP = "Please check developers.pipedrive.com"
_WINDOW = 2.0
_BLOCKED = "<html><head><title>Access denied</title></head><body>You have been blocked.</body></html>"
#: Path -> scopes of which one is needed, cost in tokens of the daily budget.
_READS = {
    "/v1/users/me": ({"base"}, 2),
    "/v1/users": ({"users:read", "admin"}, 20),
    "/v1/activityTypes": ({"activities:full", "activities:read", "admin"}, 20),
    "/v1/leads": ({"leads:read", "leads:full"}, 20),
    "/api/v2/itemSearch": ({"search:read"}, 20),
    "/api/v2/persons/search": ({"contacts:read", "contacts:full", "search:read"}, 20),
    "/api/v2/persons": ({"contacts:read", "contacts:full"}, 10),
    "/api/v2/deals": ({"deals:read", "deals:full"}, 10),
    "/api/v2/activities": ({"activities:read", "activities:full"}, 10),
}
_WRITES = {"/api/v2/persons": {"contacts:full"}, "/api/v2/activities": {"activities:full"}}
_SEARCHES = ("/api/v2/itemSearch", "/api/v2/persons/search")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakePipedrive(FakeVendor):
    """``add_company``, ``add_user``, ``grant`` make a login possible; ``companies`` holds what was written."""

    hosts = ("*.pipedrive.com",)

    def __init__(self) -> None:
        self.companies: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.access: dict[str, dict[str, Any]] = {}
        self.refresh: dict[str, dict[str, Any]] = {}
        self.uninstalled: list[int] = []
        self.signed_in = ("", 0)
        #: Whether each refresh exchanges the refresh token too; the vendor's rules allow both.
        self.rotates = True
        self.lifetime = 3599
        #: Seconds until a new person is found by a search.
        self.search_lag = 0.0
        self.searches_per_window = 10
        self.requests_per_window = 80
        self.daily_budget = 30_000
        #: Refusals of one token until the gateway answers with its page.
        self.patience = 5
        self._windows: dict[tuple[str, bool], list[float]] = {}
        self._refusals: dict[str, int] = {}
        self._ids = itertools.count(1000)

    # --- what a test arranges ----------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        vars(self).update(values)

    def end_the_lag(self) -> None:
        """Searches show all that has been created."""
        for company in self.companies.values():
            for person in company["persons"].values():
                person["searchable_from"] = 0.0

    def add_company(self, domain: str) -> int:
        number = next(self._ids)
        types = [("Call", "call", True), ("Meeting", "meeting", True), ("Old SMS", "old_sms", False)]
        self.companies[domain] = {
            "id": number,
            "users": {},
            "persons": {},
            "deals": {},
            "leads": {},
            "activities": {},
            "types": [{"name": n, "key_string": k, "active_flag": a} for n, k, a in types],
        }
        self.add_type(domain, "SMS", "sms")
        return number

    def add_type(self, domain: str, name: str, key: str) -> None:
        self.companies[domain]["types"].append({"name": name, "key_string": key, "active_flag": True})

    def drop_type(self, domain: str, key: str) -> None:
        for row in self.companies[domain]["types"]:
            row["active_flag"] = row["active_flag"] and row["key_string"] != key

    def add_user(self, domain: str, name: str, *, user: int = 0, zone: str = "America/New_York") -> int:
        user = user or next(self._ids)
        self.companies[domain]["users"][user] = {"id": user, "name": name, "timezone_name": zone}
        return user

    def grant(self, domain: str, user: int, scope: str = SCOPES) -> str:
        """An authorisation code: the user pressed Allow."""
        code = f"code-{next(self._ids)}"
        self.codes[code] = {"domain": domain, "user": user, "scope": scope}
        return code

    def add_person(
        self, domain: str, name: str, phone: str, *, org: int | None = None, org_name: str = "", number: int = 0
    ) -> int:
        number = number or next(self._ids)  # numbers are a company's own: another has the same ones
        self.companies[domain]["persons"][number] = {
            "id": number,
            "name": name,
            "phones": [{"value": phone, "primary": True, "label": "work"}],
            "emails": [],
            "org_id": org,
            "org_name": org_name,
            "add_time": "2025-11-02T08:30:00Z",
            "update_time": "2026-01-09T10:00:00Z",
            "is_deleted": False,
            "searchable_from": 0.0,
        }
        return number

    def add_deal(self, domain: str, title: str, person: int, status: str = "open", is_archived: bool = False) -> int:
        number = next(self._ids)
        row = {"id": number, "title": title, "person_id": person, "status": status, "is_archived": is_archived}
        self.companies[domain]["deals"][number] = row
        return number

    def add_lead(self, domain: str, title: str, person: int, is_archived: bool = False) -> str:
        number = f"adf21080-0e10-11eb-879b-{next(self._ids):012d}"
        row = {"id": number, "title": title, "person_id": person, "is_archived": is_archived}
        self.companies[domain]["leads"][number] = row
        return number

    def change(self, domain: str, kind: str, number: int, **values: Any) -> None:
        """A person's edit in Pipedrive."""
        self.companies[domain][kind][number].update(values)

    def end_access(self, user: int) -> None:
        """The access tokens of a user lose their validity before their time."""
        self.access = {token: grant for token, grant in self.access.items() if grant["user"] != user}

    def end_refresh(self, user: int) -> None:
        self.refresh = {token: grant for token, grant in self.refresh.items() if grant["user"] != user}

    # --- OAuth ---------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        if request.host == "oauth.pipedrive.com":
            return self._oauth(request)
        path = re.sub(r"^/api/v1(?=/)", "/v1", request.path)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        grant = self.access.get(token)
        if grant is None or request.host not in ("api.pipedrive.com", f"{grant['domain']}.pipedrive.com"):
            raise Refused(401, _gateway("unauthorized access", 401))
        headers = self._counted(token, request.method, path, grant["scope"])
        try:
            answer = self._api(request, path, self.companies[grant["domain"]], grant)
        except Refused as refused:
            answer = refused.answer
        return Answer(status=answer.status, json=answer.json, headers=headers)

    def _authorize_page(self, request: Request) -> Answer:
        """What a person sees who is signed in as the one that ``sign_in`` named; the links are the two buttons."""
        asked = request.query
        back = asked.get("redirect_uri", "")
        if asked.get("client_id") != CLIENT[0] or not back.endswith(REDIRECT_PATH):
            return Answer(status=400, text="<h1>Application is not found</h1>")
        domain, user = self.signed_in
        state = f"&state={quote(asked['state'], safe='')}" if asked.get("state") else ""
        code = self.grant(domain, user, SCOPES)
        page = (
            "<!doctype html><title>Allow access?</title><h1>Pipedrive: allow access?</h1>"
            f'<a id="allow" href="{escape(f"{back}?code={code}{state}")}">Allow and install</a> '
            f'<a id="cancel" href="{escape(f"{back}?error=user_denied{state}")}">Cancel</a>'
        )
        return Answer(text=page)

    def sign_in(self, domain: str, user: int) -> None:
        """The browser's session at Pipedrive."""
        self.signed_in = (domain, user)

    def _oauth(self, request: Request) -> Answer:
        if request.method == "GET" and request.path == "/oauth/authorize":
            return self._authorize_page(request)
        if request.method != "POST" or "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
            raise Refused(400, _oauth_error("invalid_request", "The content type is not supported"))
        if request.headers.get("authorization") != _BASIC:
            raise Refused(400, _oauth_error("invalid_client", "Client is invalid"))
        form = request.form
        if request.path == "/oauth/revoke":
            return self._revoked(form)
        if request.path != "/oauth/token":
            raise Refused(404, _oauth_error("invalid_request", "Not found"))
        if form.get("grant_type") == "authorization_code":
            if not form.get("redirect_uri", "").endswith(REDIRECT_PATH):
                raise Refused(400, _oauth_error("invalid_request", "`redirect_uri` is invalid"))
            grant = self.codes.pop(form.get("code", ""), None)  # works once
            if grant is None:
                raise Refused(400, _oauth_error("invalid_grant", "Invalid grant: authorization code is invalid"))
        elif form.get("grant_type") == "refresh_token":
            grant = self.refresh.get(form.get("refresh_token", ""))
            if grant is None:
                message = "Invalid grant: refresh token is invalid or was already exchanged"
                raise Refused(400, _oauth_error("invalid_grant", message))
        else:
            raise Refused(400, _oauth_error("invalid_request", "Missing parameter: `grant_type`"))
        return Answer(json=self._tokens(grant, form.get("refresh_token", "")))

    def _tokens(self, grant: dict[str, Any], spent: str) -> dict[str, Any]:
        number = next(self._ids)
        refresh = f"refresh-{number}"
        if spent and self.rotates:
            del self.refresh[spent]
        elif spent:
            refresh = spent
        self.access[f"access-{number}"] = self.refresh[refresh] = grant
        return {
            "access_token": f"access-{number}",
            "token_type": "Bearer",
            "refresh_token": refresh,
            "scope": grant["scope"],
            "expires_in": self.lifetime,
            "api_domain": f"https://{grant['domain']}.pipedrive.com",
        }

    def _revoked(self, form: dict[str, str]) -> Answer:
        if not form.get("token"):
            raise Refused(400, _oauth_error("invalid_request", "Missing parameter: `token`"))
        if grant := self.refresh.get(form["token"]):  # uninstalls the app for the user
            self.uninstalled.append(grant["user"])
            self.end_access(grant["user"])
            self.end_refresh(grant["user"])
        self.access.pop(form["token"], None)
        return Answer(text="")

    # --- limits ----------------------------------------------------------------------------------------

    def _counted(self, token: str, method: str, path: str, scope: str) -> dict[str, str]:
        """The rate headers of an answer. Raises ``Refused`` beyond a limit or without the scope."""
        is_search = path in _SEARCHES
        collection = re.sub(r"/\d+$", "", path)
        limit = self.searches_per_window if is_search else self.requests_per_window
        now, starts = time.monotonic(), self._windows.setdefault((token, is_search), [])
        starts[:] = [start for start in starts if start > now - _WINDOW]
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(limit - len(starts) - 1, 0)),
            "x-ratelimit-reset": str(round(_WINDOW)),
            "x-daily-ratelimit-token-limit": "30000",
            "x-daily-ratelimit-token-remaining": str(max(self.daily_budget, 0)),
        }
        if len(starts) >= limit or self.daily_budget <= 0:
            raise self._over_limit(token, headers)
        self._refusals.pop(token, None)
        starts.append(now)
        needed, cost = _READS.get(collection, (set(), 1))
        if method == "GET":
            cost = 1 if collection != path else cost
        else:
            needed, cost = _WRITES.get(collection, set()), 5
        self.daily_budget -= cost
        if needed and not needed & set(scope.split(",")):
            raise Refused(403, _gateway("Scope and URL mismatch", 403), **headers)
        return headers

    def _over_limit(self, token: str, headers: dict[str, str]) -> Refused:
        """A 429; for those who go on after several of them the gateway's page."""
        self._refusals[token] = self._refusals.get(token, 0) + 1
        if self._refusals[token] <= self.patience:
            return Refused(429, _gateway("request over limit", 429), **headers)
        blocked = Refused(403, None)
        blocked.answer = Answer(status=403, text=_BLOCKED)
        return blocked

    # --- API -------------------------------------------------------------------------------------------

    def _api(self, request: Request, path: str, company: dict[str, Any], grant: dict[str, Any]) -> Answer:
        method, query = request.method, request.query
        record = re.fullmatch(r"/api/v2/(persons|activities)/(\d+)", path)
        if record:
            found = company[record[1]].get(int(record[2]))
            if found is None:
                raise Refused(404, schema.error("Entity not found", "ERR_NOT_FOUND"))
            if method == "PATCH" and record[1] == "activities":
                found.update(schema.activity(request.json, company, found), update_time=_now())
            elif method != "GET":
                raise Refused(405, schema.error("Method not allowed", "ERR_METHOD_NOT_ALLOWED"))
            return _v2(schema.shown(found))
        if method == "POST" and path == "/api/v2/activities":
            number = next(self._ids)
            given = schema.activity(request.json, company, {})
            row = {**schema.BLANK_ACTIVITY, "owner_id": grant["user"], **given, "id": number}
            company["activities"][number] = {**row, "add_time": _now(), "update_time": _now()}
            return _v2(company["activities"][number], status=201)
        if method == "POST" and path == "/api/v2/persons":
            given = schema.person(request.json)
            number = next(self._ids)
            company["persons"][number] = {
                **{"phones": [], "emails": [], "org_id": None, "org_name": "", "is_deleted": False},
                **given,
                **{"id": number, "add_time": _now(), "update_time": _now()},
                "searchable_from": time.monotonic() + self.search_lag,
            }
            return _v2(schema.shown(company["persons"][number]), status=201)
        if method != "GET" or path not in _READS:
            raise Refused(404, schema.error("Unknown method.", "ERR_NOT_FOUND"))
        schema.check_query(path, request.queries)
        if path.startswith("/v1/"):
            return _v1(self._old_list(path, query, company, grant))
        if path in _SEARCHES:
            return schema.page(schema.search(company, query, path, time.monotonic()), query, key="items")
        return schema.page({"items": schema.listed(path.rsplit("/", 1)[1], query, company), "related_items": []}, query)

    def _old_list(self, path: str, query: dict[str, str], company: dict[str, Any], grant: dict[str, Any]) -> Any:
        users = [self._user(company, user, grant["domain"]) for user in company["users"]]
        if path == "/v1/users/me":
            return next(user for user in users if user["id"] == grant["user"])
        if path == "/v1/users":
            return users
        if path == "/v1/activityTypes":
            return company["types"]
        leads = [row for row in company["leads"].values() if not row["is_archived"]]
        return [row for row in leads if str(row["person_id"]) == query.get("person_id", str(row["person_id"]))] or None

    def _user(self, company: dict[str, Any], user: int, domain: str) -> dict[str, Any]:
        return {
            **company["users"][user],
            "email": f"user{user}@{domain}.example",
            "timezone_offset": "-05:00",
            "company_id": company["id"],
            "company_name": domain.replace("-", " ").title(),
            "company_domain": domain,
            "is_deleted": False,
            "active_flag": True,
        }


def _gateway(error: str, status: int) -> dict[str, Any]:
    return {"success": False, "error": error, "errorCode": status, "error_info": _HELP}


def _oauth_error(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "message": message, "error": code}


def _v1(data: Any) -> Answer:
    more = {"pagination": {"start": 0, "limit": 100, "more_items_in_collection": False}}
    return Answer(json={"success": True, "data": data, "additional_data": more})


def _v2(data: Any, status: int = 200) -> Answer:
    return Answer(status=status, json={"success": True, "data": data})


FAKE = FakePipedrive
#: What Switchboard knows of its application.
ENVIRONMENT = {"PIPEDRIVE_CLIENT_ID": CLIENT[0], "PIPEDRIVE_CLIENT_SECRET": CLIENT[1]}
