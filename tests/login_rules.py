"""The rules of the conformance kit for logins over OAuth, each listing its faults as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from adapters.contract import CredentialsRejected, Manifest
from connectors.api.sessions import take_apart
from tests.exchanges import Case, Outcome, run
from tests.played import Failure
from tests.private_values import private_values

_STATE_PARAMETERS = {"state", "code", "client_id", "response_type", "redirect_uri"}
_REFUSED = {"status": 400, "json": {"error": "invalid_grant"}}
_NO_TOKEN = {"status": 200, "json": {"token_type": "bearer", "expires_in": 3600}}


def state_faults(manifest: Manifest) -> Iterator[str]:
    """Whether the authorisation URL that the extension builds carries a state that leads back to this platform."""
    oauth = (manifest.client.get("auth") or {}).get("oauth") or {}
    for key in ("authUrl", "scope"):
        if set(parse_qs(urlsplit(str(oauth.get(key) or "")).query or str(oauth.get(key) or ""))) & _STATE_PARAMETERS:
            yield f"client.auth.oauth.{key} sets a parameter that the extension sets"
    redirect_uri = str(oauth.get("redirectUri") or "")
    if redirect_uri != manifest.server.auth.redirect_uri:
        yield "client.auth.oauth.redirectUri and server.auth.redirect_uri differ"
    state = oauth.get("customState") or f"platform={manifest.name}"
    query = {"callbackUri": f"https://switchboard.example/callback?code=code&state={state}"}
    if take_apart(query, server_url="https://switchboard.example")[0] != manifest.name:
        yield f"the state {state!r} does not lead back to {manifest.name}"


def token_index(document: Mapping[str, Any]) -> int | None:
    """The exchange of a case whose answer holds an access token."""
    return next(
        (
            index
            for index, exchange in enumerate(document["exchanges"])
            if isinstance(exchange["response"].get("json"), dict) and "access_token" in exchange["response"]["json"]
        ),
        None,
    )


def token_faults(case: Case, document: Mapping[str, Any]) -> Iterator[str]:
    """Whether a successful ``exchange_code`` or ``refresh`` ends the login when the token endpoint gives none."""
    index = token_index(document)
    if index is None:
        yield "no answer of the case holds an access_token"
        return
    for said, answer in (("invalid_grant", _REFUSED), ("no token", _NO_TOKEN)):
        error = run(case, document, Failure(said, lambda recorded, answer=answer: answer, index)).error
        if not isinstance(error, CredentialsRejected):
            yield f"{said} is answered by {type(error).__name__}, not CredentialsRejected"
        elif said == "invalid_grant" and case.operation == "refresh" and not error.final:
            yield "a refresh token that was refused is not final, so it is tried for ever"


def revoke_faults(document: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    """Whether a token of the login travels to the CRM when it is revoked."""
    tokens = private_values({"credentials": document.get("credentials", {})}).secrets
    if not any(
        token in unquote_plus(f"{sent.url} {sent.body} {dict(sent.headers)}")
        for sent in outcome.sent
        for token in tokens
    ):
        yield "no request carries a token to be revoked"
