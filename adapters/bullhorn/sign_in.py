"""Bullhorn's two-step login: OAuth tokens from the user's data centre, then a REST session.

``Credentials.access_token`` is the session token, which is what opens Bullhorn and what others wait for while one
renews it; the OAuth access token only opens sessions and is kept as ``oauth_access_token`` in ``extra``.

Source: Bullhorn REST API documentation, "Getting started" (authorisation, login, data centres).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from adapters.bullhorn.search import found_rows, jpql_text
from adapters.contract import (
    AccessDenied,
    AdoptedLogin,
    Credentials,
    CredentialsRejected,
    FormerLogin,
    HttpClient,
    OAuthApp,
    OAuthCallback,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
    UserProfile,
    dig,
    id_of,
    require,
)

LOGIN_INFO_URL = "https://rest.bullhornstaffing.com/rest-services/loginInfo"
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
LOGIN_PATH = "/rest-services"
#: Answers 307 with the right host where the user lives in another data centre.
ANY_LOGIN_URL = "https://rest.bullhornstaffing.com/rest-services"
#: Asked for at login; the longer a session lives, the fewer of the strictly throttled logins are needed.
SESSION_MINUTES = 60
_USER_FIELDS = "id,name,timeZoneOffsetEST,masterUserID"
_MAX_HOPS = 2
#: Seconds; beyond the second a lifetime is a mistake, which must not cost the single-use pair that came with it.
_TOKEN_LIFE, _LONGEST_TOKEN_LIFE = 600.0, 86_400.0
_HOST = r"https://(?:[a-z0-9-]+\.)+bullhornstaffing\.com"
_REST_URL = re.compile(_HOST + r"/rest-services/([A-Za-z0-9_-]+)/", re.ASCII)


class Redirected(UnexpectedResponse):
    """307: the user lives in another data centre. 302: the sign-in ended at the application's address."""

    def __init__(self, location: str, *, status: int) -> None:
        super().__init__(status=status)
        self.location = location


@dataclass(frozen=True, kw_only=True)
class DataCentre:
    """Where one user's tokens and sessions come from."""

    token_url: str
    login_url: str


def is_service(url: str, path: str) -> bool:
    """Whether a URL is exactly this service of a Bullhorn data centre: https, no port, no user info, no query."""
    return re.fullmatch(_HOST + re.escape(path), url, re.ASCII) is not None


def corporation_of(rest_url: str) -> str:
    """The corporation token in a session's base URL; empty when the URL is not one."""
    match = _REST_URL.fullmatch(rest_url)
    return match[1] if match else ""


def corporation_of_session(credentials: Credentials) -> str:
    """The corporation token of the session that these credentials hold."""
    return corporation_of(dig(credentials.extra, "rest_url", str, ""))


def data_centre(http: HttpClient, callback: OAuthCallback) -> DataCentre:
    """The user's data centre. The caller's URLs are used only if they can be nobody's but Bullhorn's.

    The client secret is posted there, so anything else is replaced by what Bullhorn itself says for the user name.
    """
    token_url = dig(callback.fields, "tokenUrl", str, "")
    login_url = dig(callback.fields, "apiUrl", str, "")
    if is_service(token_url, TOKEN_PATH) and is_service(login_url, LOGIN_PATH):
        return DataCentre(token_url=token_url, login_url=login_url)
    username = dig(callback.fields, "username", str, "")
    if not username:
        raise RequestRejected("The Bullhorn data centre is not known. Open Bullhorn in the browser and connect again.")
    info = http.get(LOGIN_INFO_URL, params={"username": username}, authenticated=False)
    token_url = require(info, "oauthUrl", str) + "/token"
    login_url = require(info, "restUrl", str)
    if not (is_service(token_url, TOKEN_PATH) and is_service(login_url, LOGIN_PATH)):
        raise UnexpectedResponse(reason="loginInfo names hosts outside Bullhorn")
    return DataCentre(token_url=token_url, login_url=login_url)


def adopted(former: FormerLogin) -> AdoptedLogin:
    """A login of another server: OAuth tokens, and among the facts the session and the data centre's addresses.

    The tokens are posted to these, so they are used only if they are Bullhorn's.
    """
    rest_url, token_url, login_url = (dig(former.facts, name, str, "") for name in ("restUrl", "tokenUrl", "loginUrl"))
    tokens = former.credentials
    is_sound = (
        bool(corporation_of(rest_url)) and is_service(token_url, TOKEN_PATH) and is_service(login_url, LOGIN_PATH)
    )
    credentials = Credentials()
    if is_sound and tokens.refresh_token:
        credentials = replace(
            tokens,
            access_token=dig(former.facts, "bhRestToken", str, "") or tokens.access_token,
            hostname="",
            extra={"rest_url": rest_url, "token_url": token_url, "login_url": login_url},
        )
    user_id = dig(former.facts, "id", int, None)
    return AdoptedLogin(
        profile=UserProfile(
            id=id_of(former.user_id),
            name="",
            timezone=former.timezone,
            hostname=former.hostname if is_service(f"https://{former.hostname}", "") else "",
            account_id=corporation_of(rest_url),
            extra={} if user_id is None else {"corporate_user_id": user_id},
        ),
        credentials=credentials,
        used=frozenset({"restUrl", "tokenUrl", "loginUrl", "bhRestToken", "id"}),
    )


def request_tokens(
    http: HttpClient, app: OAuthApp, token_url: str, grant: Mapping[str, str], *, now: datetime
) -> Credentials:
    """A token pair without a session yet.

    ``extra`` holds ``oauth_access_token``, ``access_expires_at``, and ``token_url`` (after redirects).

    Bullhorn takes everything in the query string, the client secret included, and no ``Authorization`` header.
    Raises ``CredentialsRejected``; ``final`` where the code or refresh token is spent.
    """
    params = {**grant, "client_id": app.client_id, "client_secret": app.client_secret}
    reply, token_url = _send_following(http, "POST", token_url, params)
    if not reply.is_json:
        raise UnexpectedResponse(reason="the token reply is not JSON", status=reply.status)
    access_token = dig(reply.body, "access_token", str, "")
    if not access_token:
        raise CredentialsRejected(reason="the token reply holds no access token")
    lifetime = min(max(dig(reply.body, "expires_in", float, _TOKEN_LIFE), 0.0), _LONGEST_TOKEN_LIFE)
    return Credentials(
        # Single use: every refresh returns a new one; a reply without one leaves the old one valid.
        refresh_token=dig(reply.body, "refresh_token", str, "") or grant.get("refresh_token", ""),
        expires_at=now,  # no session yet, so whoever reads this has to finish the login first
        extra={
            "oauth_access_token": access_token,
            "access_expires_at": (now + timedelta(seconds=lifetime)).isoformat(),
            "token_url": token_url,
        },
    )


def open_session(http: HttpClient, credentials: Credentials, *, now: datetime) -> Credentials:
    """The credentials with a new REST session in them. An access token serves several logins while it lives."""
    login_url = dig(credentials.extra, "login_url", str, "") or ANY_LOGIN_URL
    access_token = require(credentials.extra, "oauth_access_token", str)
    params = {"version": "2.0", "access_token": access_token, "ttl": str(SESSION_MINUTES)}
    reply, login_page = _send_following(http, "POST", login_url + "/login", params)
    rest_url = require(reply.body, "restUrl", str)
    if not corporation_of(rest_url):
        raise UnexpectedResponse(reason="the login reply names a base URL outside Bullhorn")
    return replace(
        credentials,
        access_token=require(reply.body, "BhRestToken", str),
        expires_at=now + timedelta(minutes=SESSION_MINUTES),
        extra={**credentials.extra, "rest_url": rest_url, "login_url": login_page.removesuffix("/login")},
    )


def has_live_access_token(credentials: Credentials, *, now: datetime) -> bool:
    """Whether the access token can still open a session (it lives ten minutes; half a minute is kept in reserve)."""
    try:
        expires_at = datetime.fromisoformat(dig(credentials.extra, "access_expires_at", str, ""))
    except ValueError:
        return False
    return bool(dig(credentials.extra, "oauth_access_token", str, "")) and expires_at > now + timedelta(seconds=30)


def session_user(http: HttpClient, credentials: Credentials) -> dict[str, Any]:
    """The ``CorporateUser`` row of the session.

    Raises ``AccessDenied`` where there is none, ``UnexpectedResponse`` where a row contradicts the session.
    """
    try:
        # Not in the vendor's documentation, but answered for every session.
        user_id = require(http.get("settings/userId"), "userId", int)
    except (AccessDenied, RecordNotFound, RequestRejected):
        username = dig(credentials.extra, "username", str, "")
        if not username:
            raise
        user_id, where = None, f"username={jpql_text(username)}"
    else:
        where = f"id={user_id}"
    reply = http.get("query/CorporateUser", params={"fields": _USER_FIELDS, "where": where})
    row = next(iter(found_rows(reply)), None)
    if row is None:  # a user who may not read any is shown none
        raise AccessDenied("Could not load user information.")
    if user_id is not None and row.get("id") != user_id:
        raise UnexpectedResponse(reason="Bullhorn describes another user than the one who signed in")
    return row


def get_redirect(http: HttpClient, url: str, params: Mapping[str, Any]) -> str | None:
    """Where Bullhorn sends the browser; None where it answers with a page instead."""
    try:
        _send_following(http, "GET", url, params)
    except Redirected as sent:
        return sent.location
    return None


def _send_following(http: HttpClient, method: str, url: str, params: Mapping[str, Any]) -> tuple[Reply, str]:
    """The reply and the URL that gave it. Only a 307 to the same path of another Bullhorn host is followed.

    Our own parameters are sent again, whatever query the ``Location`` carries: they hold secrets.
    """
    path = urlsplit(url).path
    for _ in range(_MAX_HOPS + 1):
        try:
            return http.send(method, url, params=params, authenticated=False), url
        except Redirected as moved:
            if moved.status != 307:
                raise
            url = moved.location.split("?", 1)[0]
            if not is_service(url, path):
                raise UnexpectedResponse(reason="redirected outside Bullhorn", status=307) from None
    raise UnexpectedResponse(reason="too many redirects between data centres", status=307)
