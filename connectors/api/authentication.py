"""Our token to the extension: a JWT that names a connected user and the epoch of its session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from audit.prepared import PreparedQuery
from connectors.models import CrmUser

_ALGORITHM = "HS256"
_LAST_EPOCH = 2**31 - 1  # what the column holds
_SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token that verified; ``refreshed`` is a new one to hand out when it is near its end, else ""."""

    refreshed: str = ""


def issue_token(user: CrmUser) -> str:
    """A token for this user's present session, valid for JWT_LIFETIME_DAYS."""
    now = timezone.now()
    claims: dict[str, Any] = {
        "id": user.wire_id,
        "platform": user.platform,
        "epoch": user.session_epoch,
        "iat": int(now.timestamp()),
        "exp": int((now + settings.JWT_LIFETIME).timestamp()),
    }
    if user.identity_host:
        claims["host"] = user.identity_host
    return jwt.encode(claims, settings.APP_SERVER_SECRET_KEY, algorithm=_ALGORITHM)


def _of_session(wire_id: str, platform: str, epoch: int) -> QuerySet[CrmUser]:
    return CrmUser.objects.filter(wire_id=wire_id, platform=platform, session_epoch=epoch)[:2]


def _of_session_at(wire_id: str, platform: str, epoch: int, host: str) -> QuerySet[CrmUser]:
    return CrmUser.objects.filter(wire_id=wire_id, platform=platform, session_epoch=epoch, identity_host=host)[:2]


_users, _users_at = PreparedQuery(_of_session), PreparedQuery(_of_session_at)


def _claims(token: str) -> dict[str, Any] | None:
    return _verified(token, (settings.APP_SERVER_SECRET_KEY, *settings.APP_SERVER_SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4096)  # a client shows the same token with every request
def _verified(token: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    for key in keys:
        try:
            # Expiry is judged below: a query-token client has a grace period.
            options = {"verify_exp": False, "verify_iat": False, "verify_aud": False, "verify_sub": False}
            return jwt.decode(token, key, algorithms=[_ALGORITHM], options=options)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            continue
    return None


def user_of_token(token: str, *, grace: timedelta = timedelta(0)) -> tuple[CrmUser, dict[str, Any]] | None:
    """The user and the claims of a valid token; None for a forged, expired, foreign or ended one."""
    claims = _claims(token)
    if claims is None:
        return None
    expires = claims.get("exp")
    if expires is not None:
        if not isinstance(expires, int | float) or isinstance(expires, bool):
            return None
        if timezone.now().timestamp() > expires + grace.total_seconds():
            return None
    wire_id, platform, epoch = str(claims.get("id") or ""), claims.get("platform"), claims.get("epoch", 0)
    if not wire_id or len(wire_id) > 255 or not isinstance(platform, str):
        return None
    if not isinstance(epoch, int) or not 0 <= epoch <= _LAST_EPOCH:
        return None
    if "host" in claims:
        found = _users_at(wire_id, platform, epoch, str(claims["host"])[:255])
    else:
        found = _users(wire_id, platform, epoch)
    return (found[0], claims) if len(found) == 1 else None


class AppTokenAuthentication(BaseAuthentication):
    """Bearer token first, then ``?jwtToken=``; an invalid bearer token is not mended by a query token.

    ``request.user`` is None without a valid token, and each viewset says whether it needs one.
    """

    def authenticate(self, request: Request) -> tuple[CrmUser, Token] | None:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            found, in_query = user_of_token(bearer.strip()), False
        else:
            text = request.query_params.get("jwtToken", "")
            found, in_query = (user_of_token(text, grace=settings.JWT_GRACE) if text else None), True
        if found is None:
            return None
        user, claims = found
        if in_query and _expired(claims) and not user.is_connected:
            return None
        _note_seen(user)
        return user, Token(refreshed=issue_token(user) if _near_end(claims) else "")


def _expired(claims: dict[str, Any]) -> bool:
    return "exp" in claims and timezone.now().timestamp() > float(claims["exp"])


def _near_end(claims: dict[str, Any]) -> bool:
    half = settings.JWT_LIFETIME.total_seconds() / 2
    return "exp" in claims and float(claims["exp"]) - timezone.now().timestamp() <= half


def _note_seen(user: CrmUser) -> None:
    now = timezone.now()
    if user.last_seen_at is None or now - user.last_seen_at > _SEEN_EVERY:  # not a write per request
        CrmUser.objects.filter(pk=user.pk).update(last_seen_at=now)
