"""OAuth 2 token requests: exchange of a code, refresh, revocation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from authlib.common.urls import url_decode
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oauth2.rfc7009.parameters import prepare_revoke_token_request

from adapters.contract.errors import ConnectorError, CredentialsRejected, UnexpectedResponse
from adapters.contract.payload import dig
from adapters.contract.token_errors import token_error
from adapters.contract.types import Credentials, Reply

_FORM = "application/x-www-form-urlencoded"
_CLIENT_AUTH = {"basic": "client_secret_basic", "post": "client_secret_post", "query": "client_secret_post"}
#: A lifetime beyond this is a vendor's way of saying "for ever"; it also keeps the date within the calendar.
_LONGEST_LIFETIME = timedelta(days=3650).total_seconds()


@dataclass(frozen=True, kw_only=True)
class OAuthApp:
    """This server's registration at one CRM host."""

    client_id: str
    client_secret: str
    token_url: str
    revoke_url: str = ""
    redirect_uri: str = ""
    #: How id and secret travel: "basic" (header), "post" (form), "query" (all parameters in the URL).
    token_auth: str = "basic"  # noqa: S105

    def __repr__(self) -> str:
        return f"OAuthApp(token_url={self.token_url!r})"


class Transport(Protocol):
    """Sends one request and returns the answer, whatever its status; raises when there is none."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], data: str, params: Mapping[str, str]
    ) -> Reply: ...


class OAuthClient:
    """Speaks to a CRM's token endpoint. Made by ``HttpClient.oauth``.

    Authlib writes the requests. Sending and reading are ours: left to itself Authlib takes a 4xx without ``error`` for
    a token, and lets a 5xx and a reply that is not JSON out as foreign exceptions.
    """

    def __init__(
        self,
        app: OAuthApp,
        *,
        send: Transport,
        explain: Callable[[Reply], ConnectorError | None] | None = None,
        report: Callable[[ConnectorError], None] = lambda error: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``explain``: what the adapter makes of an answer. ``report``: told of each error before it is raised."""
        self._app = app
        self._send = send
        self._explain = explain
        self._report = report
        self._clock = clock

    def exchange(
        self, *, code: str, redirect_uri: str = "", hostname: str = "", extra: Mapping[str, str] | None = None
    ) -> Credentials:
        """Turns an authorisation code into credentials.

        ``redirect_uri``: default the application's. ``hostname`` is passed into the credentials. ``extra``: further
        parameters of the request. Raises as ``refresh``.
        """
        body = prepare_token_request(
            "authorization_code", "", redirect_uri or self._app.redirect_uri or None, code=code, **(extra or {})
        )
        return self._credentials(self._request(self._app.token_url, body, {}), Credentials(hostname=hostname))

    def refresh(self, credentials: Credentials) -> Credentials:
        """Fresh credentials; refresh token, hostname and extras are kept where the reply has none.

        Raises by ``token_error``: ``CredentialsRejected(final=True)`` when the login is over, ``ServerMisconfigured``,
        ``RateLimited``, ``CrmUnavailable``, ``RequestRejected`` with the error code as reason, ``UnexpectedResponse``.
        An error that says ``maybe_applied`` may have used the refresh token up.
        """
        if not credentials.refresh_token:
            raise CredentialsRejected(final=True, reason="no refresh token")
        body = prepare_token_request("refresh_token", "", refresh_token=credentials.refresh_token)
        return self._credentials(self._request(self._app.token_url, body, {}), credentials)

    def revoke(self, token: str, *, hint: str = "") -> None:
        """Asks the CRM to forget a token (RFC 7009); ``hint``: "access_token" or "refresh_token".

        Nothing happens where the application has no ``revoke_url``.
        """
        if not self._app.revoke_url or not token:
            return
        body, headers = prepare_revoke_token_request(token, hint or None, "", {})
        reply = self._request(self._app.revoke_url, body, headers)
        if not 200 <= reply.status < 300 or dig(reply.body, "error", object, None):  # "token revoked" is no error here
            self._raise_error_of(reply)

    def _request(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        auth = ClientAuth(self._app.client_id, self._app.client_secret, _CLIENT_AUTH[self._app.token_auth])
        url, sent_headers, body = auth.prepare("POST", url, {"Accept": "application/json", **headers}, body)
        if self._app.token_auth == "query":  # noqa: S105
            return self._send("POST", url, headers=sent_headers, data="", params=dict(url_decode(body)))
        sent_headers["Content-Type"] = _FORM
        return self._send("POST", url, headers=sent_headers, data=body, params={})

    def _credentials(self, reply: Reply, old: Credentials) -> Credentials:
        self._raise_error_of(reply)
        if not isinstance(reply.body, dict):
            raise UnexpectedResponse(reason="the token reply is not a JSON object", maybe_applied=True)
        token = reply.body
        access_token = token.get("access_token")
        if not isinstance(access_token, str) or not access_token:
            raise CredentialsRejected(reason="the token reply holds no access token", status=reply.status)
        refresh_token = token.get("refresh_token")
        known = old.extra.get("token_reply")
        further = {key: value for key, value in token.items() if "token" not in key and not key.startswith("expires_")}
        return replace(
            old,
            access_token=access_token,
            refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else old.refresh_token,
            expires_at=self._expiry(token.get("expires_in")),
            extra={**old.extra, "token_reply": {**(known if isinstance(known, dict) else {}), **further}},
        )

    def _expiry(self, expires_in: Any) -> datetime | None:
        """``expires_in`` as a moment: seconds, a number or (some vendors) a text of digits; None when there is none."""
        if isinstance(expires_in, str) and re.fullmatch(r"[0-9]{1,18}", expires_in.strip()):
            expires_in = int(expires_in)
        if not isinstance(expires_in, int | float) or isinstance(expires_in, bool):
            return None
        return self._clock() + timedelta(seconds=min(max(expires_in, 0), _LONGEST_LIFETIME))

    def _raise_error_of(self, reply: Reply) -> None:
        if error := token_error(reply, self._explain(reply) if self._explain else None):
            self._report(error)
            raise error
