"""What the sandbox CRM answers: its JSON API under ``/api``, OAuth under ``/oauth``, pages everywhere else."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from adapters.testcrm import server_pages as pages
from adapters.testcrm.server_store import CATEGORIES, CONTACT_TYPES, TIME_ZONE, Refused, Row, Store, Tokens, User

_TEXT_LIMIT = 100_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Where RingCentral's clients finish an OAuth login.
RINGCENTRAL_REDIRECT = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """The one application that is registered with the sandbox."""

    client_id: str
    client_secret: str
    #: Besides RingCentral's own page and any address on this machine.
    redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The decoded JSON object, or the form fields.
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The reply to it."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(store: Store, client: OAuthClient, request: Request) -> Answer:
    """The reply to any request; never raises ``Refused``."""
    try:
        if request.path.startswith("/api/"):
            return _api(store, request)
        if request.path.startswith("/oauth/"):
            return _oauth(store, client, request)
        return _page(store, request)
    except Refused as refused:
        if request.path.startswith("/oauth/"):  # RFC 6749 section 5.2 has its own form
            return reply({"error": refused.code, "error_description": refused.message}, refused.status)
        return refusal(refused.status, refused.code, refused.message)


def reply(value: Any, status: int = 200, **headers: str) -> Answer:
    """``value`` as JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status=status, body=json.dumps(value).encode(), headers=named)


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error in the form that all of the API uses."""
    if status == 401:
        headers["WWW_Authenticate"] = 'Bearer realm="sandbox"'
    return reply({"code": code, "message": message}, status, **headers)


# --- /api ----------------------------------------------------------------------------------------


def _api(store: Store, request: Request) -> Answer:
    user = authenticated(store, request.headers.get("authorization", ""))
    allowed = []
    for method, pattern, handler in _ROUTES:
        if match := pattern.fullmatch(request.path):
            if method == request.method:
                if user.read_only and method != "GET":
                    raise Refused(403, "read_only", "This user may read but not change anything.")
                return handler(store, user, request, *match.groups())
            allowed.append(method)
    if allowed:
        return refusal(405, "method_not_allowed", "This address does not take that method.", Allow=", ".join(allowed))
    raise Refused(404, "not_found", "There is nothing at this address.")


def authenticated(store: Store, header: str) -> User:
    """Whose request it is; raises ``Refused``.

    API keys come as Basic with the key as user name and no password, OAuth tokens as Bearer.
    """
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value:
        return store.user_of_access_token(value.strip())
    if scheme.lower() == "basic":
        return store.user_of_key(_basic(value)[0])
    raise Refused(401, "unauthorized", "Authentication is required.")


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(401, "unauthorized", "The Authorization header is malformed.") from None
    return name, password


def _me(store: Store, user: User, request: Request) -> Answer:
    return reply(
        {"id": user.id, "name": user.name, "email": user.email, "company": user.company, "time_zone": TIME_ZONE}
    )


def _users(store: Store, user: User, request: Request) -> Answer:
    return reply({"users": store.users_of(user.tenant)})


def _license(store: Store, user: User, request: Request) -> Answer:
    return reply({"valid": True, "status": "Active", "description": "The sandbox is free of charge."})


def _categories(store: Store, user: User, request: Request) -> Answer:
    return reply({"categories": CATEGORIES})


def _list_contacts(store: Store, user: User, request: Request) -> Answer:
    found = store.contacts(user.tenant, phone=request.query.get("phone", ""), name=request.query.get("name", ""))
    return reply({"contacts": found})


def _add_contact(store: Store, user: User, request: Request) -> Answer:
    values = _checked(request.body, _CONTACT_FIELDS)
    if not str(values.get("name") or "").strip():
        raise Refused(422, "invalid", "A contact needs a name.")
    if values.get("type") not in CONTACT_TYPES:
        raise Refused(422, "invalid", f"A contact's type is one of: {', '.join(CONTACT_TYPES)}.")
    blank = {"title": "", "company": "", "email": "", "phones": []}
    return reply({"contact": store.add_contact(user.tenant, {**blank, **values})}, 201)


def _get_contact(store: Store, user: User, request: Request, contact_id: str) -> Answer:
    return reply({"contact": store.contact(user.tenant, contact_id)})


def _delete_contact(store: Store, user: User, request: Request, contact_id: str) -> Answer:
    store.delete_contact(user.tenant, contact_id)
    return Answer(status=204)


def _list_deals(store: Store, user: User, request: Request) -> Answer:
    return reply({"deals": store.deals(user.tenant)})


def _list_activities(store: Store, user: User, request: Request) -> Answer:
    filters: dict[str, Any] = {
        key: request.query[key] for key in ("external_id", "kind", "owner_id", "contact_id") if key in request.query
    }
    return reply({"activities": store.activities(user.tenant, **filters)})


def _add_activity(store: Store, user: User, request: Request) -> Answer:
    values = _checked(request.body, _ACTIVITY_FIELDS)
    if values.get("kind") is None:
        raise Refused(422, "invalid", "An activity needs a kind.")
    return reply({"activity": store.add_activity(user, values)}, 201)


def _get_activity(store: Store, user: User, request: Request, activity_id: str) -> Answer:
    return reply({"activity": store.activity(user.tenant, activity_id)})


def _change_activity(store: Store, user: User, request: Request, activity_id: str) -> Answer:
    values = _checked(request.body, _ACTIVITY_FIELDS)
    if "kind" in values:
        raise Refused(422, "invalid", "The kind of an activity cannot be changed.")
    return reply({"activity": store.change_activity(user, activity_id, values)})


def _delete_activity(store: Store, user: User, request: Request, activity_id: str) -> Answer:
    store.delete_activity(user.tenant, activity_id)
    return Answer(status=204)


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Answer]], ...] = tuple(
    (method, re.compile(f"/api/{path}"), handler)
    for method, path, handler in (
        ("GET", "me", _me),
        ("GET", "users", _users),
        ("GET", "license", _license),
        ("GET", "categories", _categories),
        ("GET", "contacts", _list_contacts),
        ("POST", "contacts", _add_contact),
        ("GET", "contacts/([^/]+)", _get_contact),
        ("DELETE", "contacts/([^/]+)", _delete_contact),
        ("GET", "deals", _list_deals),
        ("GET", "activities", _list_activities),
        ("POST", "activities", _add_activity),
        ("GET", "activities/([^/]+)", _get_activity),
        ("PATCH", "activities/([^/]+)", _change_activity),
        ("DELETE", "activities/([^/]+)", _delete_activity),
    )
)


# --- what may stand in a body --------------------------------------------------------------------


def _checked(body: Mapping[str, Any], fields: Mapping[str, Callable[[str, Any], Any]]) -> Row:
    """The body's values, each of its field's type; 422 for a field that does not exist."""
    if unknown := sorted(set(body) - set(fields)):
        raise Refused(422, "invalid", f"There is no field '{unknown[0]}'.")
    return {name: None if value is None else fields[name](name, value) for name, value in body.items()}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT:
        raise Refused(422, "invalid", f"'{name}' must be a text of at most {_TEXT_LIMIT} characters.")
    return value


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise Refused(422, "invalid", f"'{name}' must be a list of texts.")
    return [_text(name, item) for item in value]


def _id(name: str, value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Refused(422, "invalid", f"'{name}' must be an id.")
    return value


def _seconds(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1_000_000_000:
        raise Refused(422, "invalid", f"'{name}' must be a whole number of seconds.")
    return value


def _time(name: str, value: Any) -> str:
    try:
        moment = datetime.fromisoformat(_text(name, value))
    except ValueError:
        raise Refused(422, "invalid", f"'{name}' must be a time in ISO 8601.") from None
    if moment.tzinfo is None:
        raise Refused(422, "invalid", f"'{name}' must name its time zone.")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _one_of(*values: str) -> Callable[[str, Any], str]:
    def check(name: str, value: Any) -> str:
        if value not in values:
            raise Refused(422, "invalid", f"'{name}' must be one of: {', '.join(values)}.")
        return str(value)

    return check


def _category(name: str, value: Any) -> str:
    if value not in [category["id"] for category in CATEGORIES]:
        raise Refused(422, "unknown_category", "The category does not exist.")
    return str(value)


_CONTACT_FIELDS = {"name": _text, "type": _text, "title": _text, "company": _text, "email": _text, "phones": _texts}
_ACTIVITY_FIELDS: Mapping[str, Callable[[str, Any], Any]] = {
    "kind": _one_of("call", "conversation"),
    "subject": _text,
    "body": _text,
    "contact_id": _id,
    "deal_id": _text,
    "started_at": _time,
    "duration_seconds": _seconds,
    "direction": _one_of("inbound", "outbound"),
    "external_id": _text,
    "owner_id": _text,
    "disposition": _text,
    "category": _category,
    "address": _text,
    "department": _text,
}


# --- /oauth --------------------------------------------------------------------------------------


def _oauth(store: Store, client: OAuthClient, request: Request) -> Answer:
    match request.method, request.path:
        case "GET", "/oauth/authorize":
            return _ask(client, request.query)
        case "POST", "/oauth/authorize":
            return _decide(store, client, request.body)
        case "POST", "/oauth/token":
            return _token(store, client, request)
        case "POST", "/oauth/revoke":
            _check_client(client, request)
            store.revoke(str(request.body.get("token", "")))
            return reply({})
        case _:
            raise Refused(404, "not_found", "There is nothing at this address.")


def _ask(client: OAuthClient, query: Mapping[str, Any]) -> Answer:
    if problem := _problem(client, query):
        return _html(pages.message("This login cannot go on", problem), 400)
    if query.get("response_type") != "code":
        return _send_back(query, error="unsupported_response_type")
    return _html(pages.consent(query))


def _decide(store: Store, client: OAuthClient, form: Mapping[str, Any]) -> Answer:
    if problem := _problem(client, form):
        return _html(pages.message("This login cannot go on", problem), 400)
    if form.get("decision") != "allow":
        return _send_back(form, error="access_denied")
    if not str(form.get("user", "")).strip():
        return _html(pages.consent(form, hint="Please give a user name."), 400)
    return _send_back(form, code=store.new_code(str(form["user"]), str(form["redirect_uri"])))


def _problem(client: OAuthClient, asked: Mapping[str, Any]) -> str:
    """Why the browser must not be sent back: an unregistered address could be an attacker's."""
    if asked.get("client_id") != client.client_id:
        return "The application is not registered here (client_id)."
    redirect_uri = str(asked.get("redirect_uri", ""))
    address = urlsplit(redirect_uri)
    on_this_machine = address.scheme in ("http", "https") and address.hostname in _LOOPBACK
    if not on_this_machine and redirect_uri not in (RINGCENTRAL_REDIRECT, *client.redirect_uris):
        return "The application may not ask to be sent back to that address (redirect_uri)."
    return ""


def _send_back(asked: Mapping[str, Any], **result: str) -> Answer:
    if asked.get("state"):
        result["state"] = str(asked["state"])
    target = str(asked["redirect_uri"])
    location = f"{target}{'&' if urlsplit(target).query else '?'}{urlencode(result)}"
    return Answer(status=303, headers={"Location": location}, content_type="text/plain")


def _token(store: Store, client: OAuthClient, request: Request) -> Answer:
    _check_client(client, request)
    form = {name: str(value) for name, value in request.body.items()}
    tokens: Tokens | None
    match form.get("grant_type"):
        case "authorization_code":
            tokens = store.exchange_code(form.get("code", ""), form.get("redirect_uri", ""))
        case "refresh_token":
            tokens = store.rotate(form.get("refresh_token", ""))
        case _:
            return reply({"error": "unsupported_grant_type"}, 400)
    if tokens is None:
        return reply({"error": "invalid_grant", "error_description": "Used before, expired or revoked."}, 400)
    members = {"access_token": tokens.access, "refresh_token": tokens.refresh, "expires_in": tokens.expires_in}
    return reply({**members, "token_type": "Bearer"}, Cache_Control="no-store")


def _check_client(client: OAuthClient, request: Request) -> None:
    """The secret comes as Basic or among the form fields."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        given = _basic(value)
    else:
        given = (str(request.body.get("client_id", "")), str(request.body.get("client_secret", "")))
    expected = (client.client_id, client.client_secret)
    if not all(hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, expected, strict=True)):
        raise Refused(401, "invalid_client", "The application's id or secret is wrong.")


# --- pages ---------------------------------------------------------------------------------------


def _page(store: Store, request: Request) -> Answer:
    if request.method != "GET":
        return refusal(405, "method_not_allowed", "Pages can only be read.", Allow="GET")
    section, _, record = request.path.strip("/").partition("/")
    try:
        if section == "":
            return _html(_home(store, request.query.get("user", "")))
        if section == "contacts" and record:
            contact = store.contact(None, record) if record.isascii() and record.isdigit() else None
            if contact:
                return _html(pages.contact(contact, store.activities(None, contact_id=contact["id"])))
        if section == "activities" and record:
            return _html(pages.activity(store.activity(None, record)))
    except Refused as refused:
        return _html(pages.message("Not found", refused.message), refused.status)
    return _html(pages.message("Not found", "There is no such page."), 404)


def _home(store: Store, user_id: str) -> str:
    logins = store.logins()
    chosen = next((login for login in logins if login["id"] == user_id), None)
    tenant = chosen["tenant"] if chosen else None
    return pages.home(
        logins=logins, chosen=chosen, activities=store.activities(tenant), contacts=store.contacts(tenant)
    )


def _html(text: str, status: int = 200) -> Answer:
    return Answer(
        status=status,
        body=text.encode(),
        content_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )
