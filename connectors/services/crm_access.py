"""Opens the adapter of a connected user: fresh credentials, HTTP client, context."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from adapters import registry
from adapters.contract import (
    ConnectorError,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    CrmUnavailable,
    ErrorKind,
    Notice,
    Options,
    UserProfile,
    precondition,
)
from adapters.opening import construct
from audit.durability import keep_trying
from audit.fields import Undecipherable
from connectors.deliveries import clock
from connectors.models import CrmUser
from connectors.observation import metrics
from connectors.services.account_cache import SharedAccountCache
from connectors.services.leases import longest_renewal
from connectors.services.pasted import clean_fields
from connectors.services.settings import effective_options
from connectors.services.shares import share_of_threads

log = logging.getLogger("switchboard.crm_access")
Result = TypeVar("Result")
Keep = Callable[[Credentials], None]

_LOGIN_REFUSED = "login refused"
_WAIT_FOR_REFRESH = 20.0  # seconds


class SessionEnded(CredentialsRejected):
    """User session expired. Please connect again.

    The CRM refused the refresh token: only a new login helps.
    """


class AdapterMissing(CrmUnavailable):
    """The CRM is not available on this server: its adapter is not enabled, or cannot be loaded."""

    kind_if_not_applied = ErrorKind.MISCONFIGURED

    def __init__(self, platform: str) -> None:
        crm = registry.display_name(platform)
        super().__init__(f"{crm} is not available on this server.", advice="Please tell your administrator.")


class LoginUnreadable(CrmUnavailable):
    """The stored login cannot be read with the keys of this server; a new login helps, and so does the missing key."""

    kind_if_not_applied = ErrorKind.MISCONFIGURED

    def __init__(self, platform: str) -> None:
        crm = registry.display_name(platform)
        advice = f"Please Logout and then Connect your {crm} account again, or tell your administrator."
        super().__init__(f"Your login at {crm} cannot be read on this server.", advice=advice)


def require_adapter(platform: str) -> type[CrmAdapter]:
    """The adapter's class. Raises ``AdapterMissing``."""
    if platform not in registry.manifests():
        raise AdapterMissing(platform)
    try:
        return registry.adapter_class(platform)
    except ImproperlyConfigured:
        log.exception("adapter not loaded", extra={"platform": platform})
        raise AdapterMissing(platform) from None


def build_adapter(
    *,
    platform: str,
    user: UserProfile,
    credentials: Credentials,
    options: Options | None = None,
    owner: str = "",
    pace_key: str = "",
    read_anew: bool = False,
) -> CrmAdapter:
    """An adapter for these credentials; nothing is read or written, no request is made. Raises ``AdapterMissing``."""
    require_adapter(platform)
    return construct(
        platform=platform,
        user=user,
        credentials=credentials,
        cache=SharedAccountCache(platform=platform, owner=owner, read_anew=read_anew),
        options=options,
        pace_key=pace_key,
    )


@contextmanager
def _read_with_our_keys(platform: str) -> Iterator[None]:
    """Raises ``LoginUnreadable`` where a stored login was encrypted with a key that this process does not have."""
    try:
        yield
    except Undecipherable:
        log.error("a login cannot be read with CREDENTIAL_KEYS", extra={"platform": platform})
        raise LoginUnreadable(platform) from None


def _adapter_of(user: CrmUser, *, read_anew: bool = False) -> CrmAdapter:
    with _read_with_our_keys(user.platform):
        credentials = user.credentials()
    return build_adapter(
        platform=user.platform,
        user=user.profile(),
        credentials=credentials,
        options=effective_options(user),
        owner=user.owner,
        pace_key=pace_key_of(user),
        read_anew=read_anew,
    )


def pace_key_of(user: CrmUser) -> str:
    """Whom a CRM's request limit counts for. A new login begins anew: what shut the old one out may not concern it."""
    login = user.connected_at.timestamp() if user.connected_at else 0
    return f"{user.pk}:{login}"


def open_adapter(user: CrmUser, *, read_anew: bool = False) -> CrmAdapter:
    """The user's adapter, its credentials refreshed when they are about to expire."""
    if user.needs_refresh(timezone.now()):
        with _read_with_our_keys(user.platform):
            refresh_credentials(user, used=user.access_token)
    return _adapter_of(user, read_anew=read_anew)


def with_adapter(
    user: CrmUser,
    operation: Callable[[CrmAdapter], Result],
    *,
    may_repeat: Callable[[], bool] = lambda: True,
    read_anew: bool = False,
) -> Result:
    """Runs an operation; after a 401 once more with fresh credentials, if ``may_repeat()`` says so then.

    ``read_anew``: what the account's cache holds does not count as fresh.
    Raises ``CrmBusy`` where too many requests wait for that CRM already, ``SessionEnded`` when the CRM refused the
    refresh token, and any ``ConnectorError`` of the operation. A login that the CRM refuses is kept in mind until it is
    accepted again, see ``is_login_refused``.
    """
    with share_of_threads(crm=user.crm, user=str(user.pk)), _login_watched(user):
        adapter = open_adapter(user, read_anew=read_anew)
        used = adapter.credentials.access_token
        try:
            return operation(adapter)
        except CredentialsRejected:
            if not _can_refresh(adapter) or not may_repeat():
                raise
        refresh_credentials(user, used=used)
        return operation(_adapter_of(user, read_anew=read_anew))


def is_login_refused(user: CrmUser) -> bool:
    """Whether the CRM refused the user's login when it was used last: nothing kept may hide that."""
    return user.last_error == _LOGIN_REFUSED


@contextmanager
def _login_watched(user: CrmUser) -> Iterator[None]:
    connected_at = user.connected_at
    try:
        yield
    except SessionEnded:
        raise
    except CredentialsRejected:
        rows = CrmUser.objects.filter(pk=user.pk, connected_at=connected_at)
        rows.update(last_error=_LOGIN_REFUSED, last_error_at=timezone.now())
        raise
    if is_login_refused(user):
        CrmUser.objects.filter(pk=user.pk, connected_at=connected_at).update(last_error="")


def refuses_before_acting(platform: str) -> bool:
    """Whether the CRM refuses an expired token before it does anything, so that a write may be repeated."""
    return registry.manifests()[platform].server.auth.retry_writes_after_401


def _can_refresh(adapter: CrmAdapter) -> bool:
    return adapter.credentials.expires_at is not None or bool(adapter.credentials.refresh_token)


def refresh_credentials(user: CrmUser, *, used: str) -> None:
    """Replaces the access token ``used``, once over all processes; ``user`` is up to date afterwards.

    One process holds the lease and asks the CRM, the others wait and take what it stored. No transaction is open
    meanwhile. Raises ``SessionEnded`` where the CRM says that the login is over, or the user has connected to another
    account of the CRM since, ``LoginUnreadable``, ``ServerMisconfigured``, ``RateLimited``, and ``CrmUnavailable`` for
    everything else that the CRM may answer.
    """
    owner = user.owner
    with (
        _read_with_our_keys(user.platform),
        _renewing(user, is_done=lambda: user.access_token != used) as keep,
    ):
        if keep and user.owner == owner:
            adapter = _adapter_of(user)
            with _counted(user), precondition():
                keep(_refreshed(adapter, keep))
    # The renewal may have taken its time, and been refused since the user has another login by now.
    if user.owner != owner:  # what is to be done belongs to the account that the user has left
        raise SessionEnded(final=True)


@contextmanager
def _counted(user: CrmUser) -> Iterator[None]:
    outcome = "failure"
    try:
        yield
        outcome = "success"
    except CredentialsRejected:  # final: nothing else comes out of a renewal
        outcome = "ended"
        raise
    except ConnectorError as error:
        failed = {"refresh_error": type(error).__name__, "refresh_failed_at": timezone.now()}
        CrmUser.objects.filter(pk=user.pk).update(**failed)
        raise
    finally:
        metrics.login_renewed(user.platform, outcome)


def _refreshed(adapter: CrmAdapter, keep: Keep) -> Credentials:
    try:
        return adapter.refresh(adapter.credentials, keep=keep)
    except CredentialsRejected as error:
        if error.final:
            raise
        # Neither a token nor a word that the login is over: a status page, a gateway, a slip of the vendor's.
        raise CrmUnavailable(reason=error.reason, status=error.status) from error


def change_server_logging(user: CrmUser, fields: Mapping[str, str]) -> tuple[bool, Notice]:
    """Whether the CRM accepted an administrator's fields for logging on the server, and what to tell the user.

    Raises as ``refresh_credentials``, and ``UnsupportedOperation`` where there are no such fields.
    """
    with _renewing(user) as keep:
        assert keep is not None
        clean = clean_fields(registry.manifests()[user.platform], fields)
        credentials, notice = _adapter_of(user).save_server_logging_settings(clean, keep=keep)
        if credentials:
            keep(credentials)
        return credentials is not None, notice
    raise CrmUnavailable("The login was renewed meanwhile; please try again.")


@contextmanager
def _renewing(user: CrmUser, *, is_done: Callable[[], bool] = lambda: False) -> Iterator[Keep | None]:
    """The sole right to change a login, as the function that stores it; None when another process has done it."""
    give_up = time.monotonic() + _WAIT_FOR_REFRESH
    while True:
        user.refresh_from_db()
        if not user.is_connected:
            raise SessionEnded(final=True)
        if is_done():
            yield None
            return
        lease = user.take_refresh_lease(now=clock.now(), lifetime=longest_renewal(user.platform))
        if lease:
            break
        if time.monotonic() > give_up:
            raise CrmUnavailable("The login is being renewed; please try again in a moment.")
        time.sleep(0.05)
    mine = CrmUser.objects.filter(pk=user.pk, refresh_lease=lease)

    def keep(credentials: Credentials) -> None:
        renewed = {"refreshed_at": timezone.now(), "refresh_error": ""}
        columns = {**user.set_credentials(credentials), **renewed}
        # The CRM may have made the former tokens worthless: whoever was too slow stores new ones if those still stand.
        keep_trying(lambda: (mine | unchanged).update(**columns))

    try:
        user.refresh_from_db()
        stood = {"connected_at": user.connected_at, "refreshed_at": user.refreshed_at}
        unchanged = CrmUser.objects.filter(pk=user.pk, **stood).exclude(access_token="")
        yield None if is_done() else keep  # somebody may have finished between our read and the lease
    except CredentialsRejected as error:
        if not error.final:
            raise
        spent = user.refresh_token
        user.refresh_from_db()
        if user.refresh_token == spent:
            ended = {"last_error": "session ended", "last_error_at": timezone.now()}
            mine.update(**user.set_credentials(Credentials()), **ended)
            raise SessionEnded(final=True) from None
    except ConnectorError as error:
        error.maybe_applied = False  # what the token is for has not begun
        raise
    finally:
        mine.update(refresh_lease=None, refresh_lease_until=None)
