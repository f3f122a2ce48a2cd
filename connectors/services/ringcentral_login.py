"""The RingCentral login of an administrator: got by a code, refreshed by one process at a time, revoked at logout."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from adapters.contract import (
    ConnectorError,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    HttpClient,
    OAuthApp,
    OAuthClient,
)
from audit.fields import Undecipherable
from connectors.deliveries import clock
from connectors.models import CrmUser, RingCentralLogin
from connectors.services.identity import RingCentralIdentity, identify, ringcentral_client

log = logging.getLogger("switchboard.ringcentral")
Result = TypeVar("Result")

_WAIT_FOR_REFRESH = 15.0  # seconds
#: A refresh token of RingCentral's lives for seven days: after that there is nothing to revoke.
_REVOCABLE_FOR = timedelta(days=7)


class NotAdministrator(Exception):
    """Nobody who may see reports: no login of theirs, or RingCentral does not call them administrator any more."""


def is_configured() -> bool:
    return bool(settings.RINGCENTRAL_CLIENT_ID and settings.RINGCENTRAL_CLIENT_SECRET)


def _oauth() -> OAuthClient:
    server = settings.RINGCENTRAL_SERVER
    app = OAuthApp(
        client_id=settings.RINGCENTRAL_CLIENT_ID,
        client_secret=settings.RINGCENTRAL_CLIENT_SECRET,
        token_url=f"{server}/restapi/oauth/token",
        revoke_url=f"{server}/restapi/oauth/revoke",
        redirect_uri=f"{settings.APP_SERVER}/ringcentral/oauth/callback",
    )
    return ringcentral_client().oauth(app)


def connect_administrator(*, user: CrmUser, code: str) -> bool:
    """Keeps the login that the code stands for, if its owner is an administrator of the user's verified account.

    False for everybody else, whose tokens are revoked again. A claimed account proves nothing: without a verified one
    the code is not even spent. Raises ``ConnectorError`` where RingCentral refuses the code or cannot be reached.
    """
    if not user.rc_account_verified:
        return False
    credentials = _oauth().exchange(code=code)
    identity = identify(ringcentral_client(credentials.access_token))
    login = _stored(user, identity, credentials) if _may_see_reports(user, identity) else None
    if login is None:
        _revoke(credentials)
    revoke_ended(RingCentralLogin.objects.filter(user=user))
    return login is not None


def _may_see_reports(user: CrmUser, identity: RingCentralIdentity) -> bool:
    return identity.is_admin and user.rc_account_verified and identity.account_id == user.rc_account_id


def _stored(user: CrmUser, identity: RingCentralIdentity, credentials: Credentials) -> RingCentralLogin | None:
    """The new login in place of an older one; None where the user has logged out, or changed accounts, meanwhile."""
    with transaction.atomic():
        same = CrmUser.objects.select_for_update().filter(
            pk=user.pk,
            session_epoch=user.session_epoch,
            rc_account_verified=True,
            rc_account_id=identity.account_id,
        )
        if not same.exclude(access_token="").exists():
            return None
        _end(RingCentralLogin.objects.filter(user=user))
        return RingCentralLogin.objects.create(
            user=user,
            account_id=identity.account_id,
            access_token=credentials.access_token,
            refresh_token=credentials.refresh_token,
            token_expires_at=credentials.expires_at,
        )


def _end(logins: Iterable[RingCentralLogin]) -> None:
    RingCentralLogin.objects.filter(pk__in=[login.pk for login in logins], ended_at=None).update(
        ended_at=timezone.now()
    )


def end_login(user: CrmUser) -> None:
    """Nobody uses the user's login from now on; it is revoked at RingCentral at once, or later by ``clear_tokens``."""
    mine = RingCentralLogin.objects.filter(user=user)
    if mine.exists():
        _end(mine)
        revoke_ended(mine)


def revoke_ended(logins: Iterable[RingCentralLogin] | None = None) -> int:
    """Revokes and forgets logins that have ended, of ``logins`` or of all; returns how many are gone.

    One that RingCentral could not be asked for stays for the next time, as long as it is worth anything.
    """
    ended = RingCentralLogin.objects.filter(Q(ended_at__isnull=False) | Q(user=None))
    if logins is not None:
        ended = ended.filter(pk__in=[login.pk for login in logins])
    gone = 0
    for login in ended:
        is_old = login.ended_at is not None and login.ended_at < timezone.now() - _REVOCABLE_FOR
        if is_old or _revoke(_credentials_of(login)):
            gone += RingCentralLogin.objects.filter(pk=login.pk).delete()[0]
    return gone


def _credentials_of(login: RingCentralLogin) -> Credentials:
    """Empty where they cannot be read: there is nothing to do with them then."""
    try:
        return Credentials(access_token=login.access_token, refresh_token=login.refresh_token)
    except Undecipherable:
        log.error("a RingCentral login cannot be read with CREDENTIAL_KEYS")
        return Credentials()


def _revoke(credentials: Credentials) -> bool:
    """Whether the tokens are dead now. Either token ends both (RingCentral API reference, "Revoke Token")."""
    token = credentials.refresh_token or credentials.access_token
    try:
        if token and is_configured():
            _oauth().revoke(token)
    except ConnectorError as error:
        log.info("RingCentral login not revoked", extra={"error": type(error).__name__})
        return not error.try_later
    return True


def as_administrator(user: CrmUser, operation: Callable[[HttpClient], Result]) -> Result:
    """Runs ``operation`` with the user's own RingCentral login, once RingCentral has said again who they are.

    Raises ``NotAdministrator``; any ``ConnectorError`` of RingCentral's.
    """
    token = _token(user, used="")
    try:
        return _checked(user, token, operation)
    except CredentialsRejected:  # revoked before its time
        token = _token(user, used=token)
    try:
        return _checked(user, token, operation)
    except CredentialsRejected:
        end_login(user)
        raise NotAdministrator from None


def _checked(user: CrmUser, token: str, operation: Callable[[HttpClient], Result]) -> Result:
    client = ringcentral_client(token)
    if not _may_see_reports(user, identify(client)):
        end_login(user)
        raise NotAdministrator
    return operation(client)


def _token(user: CrmUser, *, used: str) -> str:
    """A token that is good for some time and is not ``used``, refreshed once over all processes."""
    give_up = time.monotonic() + _WAIT_FOR_REFRESH
    while True:
        login = RingCentralLogin.objects.filter(user=user, ended_at=None).first()
        if login is None:
            raise NotAdministrator
        known = _credentials_of(login)
        if not known.access_token:
            end_login(user)
            raise NotAdministrator
        if known.access_token != used and not login.needs_refresh(timezone.now()):
            return known.access_token
        if lease := _take_lease(login):
            try:
                return _refreshed(user, login, lease, known)
            finally:
                RingCentralLogin.objects.filter(pk=login.pk, refresh_lease=lease).update(
                    refresh_lease=None, refresh_lease_until=None
                )
        if time.monotonic() > give_up:
            raise CrmUnavailable("The RingCentral login is being renewed; please try again in a moment.")
        time.sleep(0.05)


def _take_lease(login: RingCentralLogin) -> uuid.UUID | None:
    """The right to refresh, for one process at a time, and only if the tokens are still those that were read."""
    lease, now = uuid.uuid4(), clock.now()
    lifetime = timedelta(seconds=2 * (settings.OUTBOUND_CONNECT_TIMEOUT + settings.OUTBOUND_READ_TIMEOUT))
    free = RingCentralLogin.objects.filter(Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=now))
    same = free.filter(pk=login.pk, ended_at=None, token_expires_at=login.token_expires_at)
    return lease if same.update(refresh_lease=lease, refresh_lease_until=now + lifetime) else None


def _refreshed(user: CrmUser, login: RingCentralLogin, lease: uuid.UUID, known: Credentials) -> str:
    try:
        fresh = _oauth().refresh(known)
    except CredentialsRejected:
        end_login(user)
        raise NotAdministrator from None
    mine = RingCentralLogin.objects.filter(pk=login.pk, refresh_lease=lease)
    mine.update(**login.columns_of(fresh))
    return fresh.access_token
