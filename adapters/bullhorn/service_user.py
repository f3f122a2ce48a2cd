"""The API user of a customer, with whom calls are logged while nobody is signed in.

The password stands in the encrypted credentials and leaves them for Bullhorn's sign-in alone. The interactive user's
own login is kept beside it, and comes back when the settings are cleared.

Source: Bullhorn REST API documentation, "Get an authorization code" (sign-in with user name and password).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.bullhorn import sign_in
from adapters.contract import (
    Credentials,
    CredentialsRejected,
    HttpClient,
    OAuthApp,
    RequestRejected,
    UnexpectedResponse,
    dig,
)

#: Shown in place of the password; sent back unchanged it means: keep the one that is stored.
PLACEHOLDER = "********"
_OWN = "own_login"
_USERNAME, _PASSWORD = "api_username", "api_password"
_LOGIN_FACTS = ("oauth_access_token", "access_expires_at", "token_url", "login_url", "rest_url", "username")


class ForeignUser(RequestRejected):
    """This user belongs to another Bullhorn company."""


def stored_user(credentials: Credentials) -> tuple[str, str]:
    """User name and password; both empty where none are stored."""
    return dig(credentials.extra, _USERNAME, str, ""), dig(credentials.extra, _PASSWORD, str, "")


def login_as(
    http: HttpClient, app: OAuthApp, credentials: Credentials, user: tuple[str, str], *, now: datetime
) -> Credentials:
    """The credentials with a session of the API user. Raises ``CredentialsRejected`` for a wrong password."""
    code = _authorised(http, app, credentials, user)
    token_url = dig(credentials.extra, "token_url", str, "") or app.token_url
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}
    tokens = sign_in.request_tokens(http, app, token_url, grant, now=now)
    extra = {**with_user(_own_login_kept(credentials), user).extra, **tokens.extra}
    return sign_in.open_session(http, replace(tokens, hostname=credentials.hostname, extra=extra), now=now)


def with_user(credentials: Credentials, user: tuple[str, str]) -> Credentials:
    """The credentials with the API user's name and password, whoever's session they hold."""
    return replace(credentials, extra={**credentials.extra, _USERNAME: user[0], _PASSWORD: user[1]})


def _own_login_kept(credentials: Credentials) -> Credentials:
    """The credentials with the interactive user's login put aside in ``extra``."""
    if _OWN in credentials.extra:
        return credentials
    own = {key: credentials.extra[key] for key in _LOGIN_FACTS if key in credentials.extra}
    return replace(credentials, extra={**credentials.extra, _OWN: {**own, "refresh_token": credentials.refresh_token}})


def own_login(credentials: Credentials) -> Credentials:
    """The interactive user's login, which has yet to open a session; the API user is gone from it."""
    own: Mapping[str, Any] = _own_login_kept(credentials).extra[_OWN]
    return replace(
        credentials,
        refresh_token=dig(own, "refresh_token", str, ""),
        extra={key: value for key, value in own.items() if key != "refresh_token"},
    )


def _authorised(http: HttpClient, app: OAuthApp, credentials: Credentials, user: tuple[str, str]) -> str:
    """The authorisation code. A wrong password is answered with the login page once more, and status 200."""
    token_url = dig(credentials.extra, "token_url", str, "") or app.token_url
    params = {
        "client_id": app.client_id,
        "response_type": "code",
        "action": "Login",  # in this spelling
        "username": user[0],
        "password": user[1],
        "redirect_uri": app.redirect_uri,
    }
    location = sign_in.get_redirect(http, token_url.removesuffix("/token") + "/authorize", params)
    if location is None:
        raise CredentialsRejected()
    if urlsplit(location)._replace(query="", fragment="").geturl() != app.redirect_uri:
        raise UnexpectedResponse(reason="the sign-in leads to an unknown address")
    code = parse_qs(urlsplit(location).query).get("code", [""])[0]
    if not code:
        raise CredentialsRejected()
    return code
