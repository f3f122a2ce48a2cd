"""Connects a CRM user, keeps the row, and disconnects it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from adapters import registry
from adapters.contract import (
    ConnectorError,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    LoginForm,
    Notice,
    OAuthCallback,
    UserProfile,
)
from adapters.contract.http import count_calls
from audit.fields import Undecipherable
from audit.recorder import Recording, audited
from connectors.deliveries.accepting import accept
from connectors.deliveries.logins import drop_revocations, given_up, wake
from connectors.deliveries.policy import Kind
from connectors.deliveries.sending import send_now
from connectors.models import ContactMatch, CrmUser, NoteDraft
from connectors.services import ringcentral_login
from connectors.services.crm_access import build_adapter, with_adapter
from connectors.services.pasted import clean_fields, clean_host
from connectors.services.tenant import move_to_tenant

log = logging.getLogger("switchboard.sessions")


def connect_by_code(
    *, platform: str, callback: OAuthCallback, rc_account_id: str, hashed_extension_id: str
) -> tuple[CrmUser, Notice]:
    """Completes an OAuth login.

    Raises ``ConnectorError`` when the code or the user is refused; nothing is stored then.
    """
    with _audited_login(platform) as event:
        callback = replace(callback, hostname=clean_host(callback.hostname))
        adapter = _blank_adapter(platform, callback.hostname)
        credentials = adapter.exchange_code(callback)
        user, notice = _connected(platform, credentials, callback.hostname, rc_account_id, False, hashed_extension_id)
        event.target = user.wire_id
        return user, notice


def connect_by_form(
    *, platform: str, form: LoginForm, rc_account_id: str, rc_account_verified: bool, hashed_extension_id: str
) -> tuple[CrmUser, Notice]:
    """Logs in with an API key or name and password. Raises ``ConnectorError`` when refused; nothing is stored then."""
    with _audited_login(platform) as event:
        fields = clean_fields(registry.manifests()[platform], form.fields)
        form = LoginForm(fields=fields, hostname=clean_host(form.hostname))
        credentials = _blank_adapter(platform, form.hostname).login(form)
        user, notice = _connected(
            platform, credentials, form.hostname, rc_account_id, rc_account_verified, hashed_extension_id
        )
        event.target = user.wire_id
        return user, notice


@contextmanager
def _audited_login(platform: str) -> Iterator[Recording]:
    """One event, with the requests to the CRM; nobody is known yet whose it could be."""
    with audited("session.connect", actor="anonymous", platform=platform) as event, count_calls() as calls:
        try:
            yield event
        finally:
            event.crm_calls = calls.value
            event.detail["requests"] = [list(exchange) for exchange in calls.exchanges]


def _blank_adapter(platform: str, hostname: str, credentials: Credentials | None = None) -> CrmAdapter:
    return build_adapter(
        platform=platform,
        user=UserProfile(id="", name="", hostname=hostname),
        credentials=credentials or Credentials(),
        owner="login",
    )


def _connected(
    platform: str,
    credentials: Credentials,
    hostname: str,
    rc_account_id: str,
    rc_account_verified: bool,
    hashed_extension_id: str,
) -> tuple[CrmUser, Notice]:
    adapter = _blank_adapter(platform, credentials.hostname or hostname, credentials)
    profile = adapter.user_profile()
    if not str(profile.id):
        raise CredentialsRejected("The CRM did not say who you are.")
    user = _row_of(platform, profile)
    previous, owner = _previous_login(user), user.owner
    was_unknown, user.tenant_is_unknown = user.tenant_is_unknown, False
    if user.crm_account_id != profile.account_id:  # one person in two companies has one wire id
        _drop_what_was_kept(user)
        previous = Credentials()
    credentials = adapter.after_login(credentials, previous)
    user.crm_user_id, user.crm_user_id_is_number = str(profile.id), isinstance(profile.id, int)
    user.host, user.crm_account_id = profile.hostname, profile.account_id
    for column, value in CrmUser.facts_of(profile).items():
        setattr(user, column, value)
    # A login without RingCentral data keeps what an earlier one told.
    if rc_account_id and not (user.rc_account_verified and not rc_account_verified):
        user.rc_account_id, user.rc_account_verified = rc_account_id, rc_account_verified
    user.hashed_rc_extension_id = user.hashed_rc_extension_id or hashed_extension_id
    user.set_credentials(credentials)
    user.connected_at = user.last_seen_at = timezone.now()
    user.last_error = ""
    user.refresh_lease = user.refresh_lease_until = None  # a renewal of the old login must not replace this one
    # The epoch counts logouts, also one that happened since the row was read; a window may just change the settings.
    others = ("id", "session_epoch", "settings")
    with transaction.atomic():
        user.save(update_fields=[field.name for field in user._meta.fields if field.name not in others])
        drop_revocations(user)
        if was_unknown and user.owner != owner:
            move_to_tenant(user, former=owner)
        waiting = wake(user)
    return user, _with_waiting(adapter.connected_notice(), waiting, given_up(user))


def _previous_login(user: CrmUser) -> Credentials:
    try:
        return user.credentials()
    except Undecipherable:  # keys that are gone must not keep anybody from logging in again
        return Credentials()


def _with_waiting(notice: Notice, waiting: int, lost: int) -> Notice:
    """The welcome, with what was kept for this login, and what could not be sent without help."""
    lines = []
    if waiting:
        lines.append("1 saved change is sent now." if waiting == 1 else f"{waiting} saved changes are sent now.")
    if lost:
        what = "1 saved change could not be sent" if lost == 1 else f"{lost} saved changes could not be sent"
        lines.append(f"{what}. Your administrator sees what, and can send it again.")
    if not lines:
        return notice
    return replace(notice, details=(*notice.details, *lines), ttl=max(notice.ttl, 5000))


def _row_of(platform: str, profile: UserProfile) -> CrmUser:
    manifest = registry.manifests()[platform]
    wire_id = f"{profile.id}-{platform}"
    host = (profile.identity_host or profile.hostname) if manifest.server.host_in_identity else ""
    rows = CrmUser.objects.filter(platform=platform, identity_host=host)
    existing = rows.filter(**{"wire_id__iexact" if profile.id_ignores_case else "wire_id": wire_id}).first()
    if existing:
        return existing
    try:
        with transaction.atomic():
            return CrmUser.objects.create(platform=platform, wire_id=wire_id, identity_host=host)
    except IntegrityError:  # two logins of one person at once
        return rows.get(wire_id=wire_id)


def disconnect(*, user: CrmUser, actor: str) -> Notice:
    """Forgets the credentials, ends every session of the user, and only then revokes them at the CRM.

    A revoke that fails changes nothing for the user: the credentials are gone here, and it is tried again.
    """
    with audited("session.disconnect", actor=actor, platform=user.platform, owner=user.owner) as event:
        event.target = user.wire_id
        credentials = _to_be_revoked(user)
        with transaction.atomic():
            _end_login(user)
            revocation = credentials and accept(kind=Kind.REVOKE, user=user, change=credentials, leased=True)
    if revocation:
        try:
            send_now(revocation, credentials)
        except ConnectorError as error:
            log.info("revocation refused", extra={"platform": user.platform, "error": type(error).__name__})
    ringcentral_login.end_login(user)
    return Notice(message=f"Logged out of {registry.display_name(user.platform)}", ttl=1000)


def _end_login(user: CrmUser) -> None:
    """Blanks the credentials, and makes every token of the user worthless."""
    CrmUser.objects.filter(pk=user.pk).update(
        **user.set_credentials(Credentials()),
        session_epoch=F("session_epoch") + 1,
        refresh_lease=None,
        refresh_lease_until=None,
    )
    _drop_what_was_kept(user)


def _to_be_revoked(user: CrmUser) -> Credentials | None:
    """None where there is nothing, or nobody can: a CRM not offered here any more, a login that cannot be read."""
    if not user.is_connected or user.platform not in registry.manifests():
        return None
    try:
        return user.credentials()
    except Undecipherable:
        log.error("a login that cannot be read is not revoked", extra={"platform": user.platform})
        return None


def _drop_what_was_kept(user: CrmUser) -> None:
    ContactMatch.objects.filter(user=user).delete()
    NoteDraft.objects.filter(user=user).delete()


def forget(*, platform: str, crm_user_id: str, account_id: str) -> bool:
    """A user has uninstalled the app at the CRM, which names them by bare or wire id: the login ends, if it has.

    The vendor's message may be older than a login made since, so the login is tried first. What waits to be sent waits
    for the next login; logs and audit trail stay.
    """
    wire_ids = {crm_user_id, f"{crm_user_id}-{platform}"}
    for user in CrmUser.objects.filter(platform=platform, wire_id__in=wire_ids):
        if account_id and user.crm_account_id and user.crm_account_id != account_id:
            continue
        if user.is_connected and _is_accepted(user):
            log.info("an uninstall message is older than the login", extra={"platform": platform})
            return True
        with audited("session.forget", actor=f"crm:{platform}", platform=platform, owner=user.owner) as event:
            event.target = user.wire_id
            _end_login(user)
        ringcentral_login.end_login(user)
        return True
    return False


def _is_accepted(user: CrmUser) -> bool:
    """Whether the CRM takes the login. One that cannot be asked counts as accepting it: an error would end it later."""
    try:
        with_adapter(user, lambda adapter: adapter.user_profile())
    except CredentialsRejected:
        return False
    except ConnectorError:
        return True
    return True
