"""Connected users: rows that exist here win; of others the login is taken over where the adapter understands it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError

from adapters import registry
from adapters.contract import AdoptedLogin, ConnectorError, Credentials, FormerLogin
from connectors.api.settings import UserSettingsBody
from connectors.models import CrmUser
from connectors.reference.report import HERE, LEFT, TAKEN, Report
from connectors.reference.source import Row, Source, document, moment, text

KIND = "users"


@dataclass
class Takeover:
    """What an import has been told, and what it knows by now."""

    source: Source
    report: Report
    writes: bool
    #: Whether HASH_KEY is the reference server's: only then its hashed ids mean something here.
    same_hash_key: bool
    progress: Callable[[str], Callable[[int, int], None]]
    #: The user of each wire id: whose the logs are.
    users: dict[str, CrmUser] = field(default_factory=dict)


def take_users(takeover: Takeover) -> None:
    """Takes over the table ``users``."""
    total, done = takeover.source.count("users"), 0
    show = takeover.progress(KIND)
    for page in takeover.source.pages("users"):
        with transaction.atomic():
            for row in page:
                _take(takeover, row)
        done += len(page)
        show(done, total)


def _take(takeover: Takeover, row: Row) -> None:
    wire_id, report = text(row, "id"), takeover.report
    platform = registry.find_platform(text(row, "platform")) or ""
    user_id = wire_id.removesuffix(f"-{text(row, 'platform')}")
    if not platform or not user_id or user_id == wire_id:
        report.add(KIND, LEFT, "of a CRM that this server does not have")
        return
    manifest = registry.manifests()[platform]
    facts = document(row, "platformAdditionalInfo")
    former = FormerLogin(
        user_id=user_id,
        credentials=Credentials(
            access_token=text(row, "accessToken"),
            refresh_token=text(row, "refreshToken"),
            expires_at=moment(row, "tokenExpiry"),
        ),
        hostname=text(row, "hostname").strip().lower(),
        timezone=text(row, "timezoneName")[:64],
        facts=facts if isinstance(facts, dict) else {},
    )
    try:
        login = registry.adapter_class(platform).adopt(former, manifest=manifest, allowed=registry.hosts_for(manifest))
    except ConnectorError as error:
        report.add(KIND, LEFT, f"the login is not one of this CRM: {error.message or type(error).__name__}")
        return
    user, is_new = _row_for(platform, f"{user_id}-{platform}", login)
    takeover.users[wire_id] = user
    if not is_new:
        report.add(KIND, HERE)
        return
    _fill(takeover, user, row, former, login)
    if takeover.writes:
        user.save(force_insert=True)


def _row_for(platform: str, wire_id: str, login: AdoptedLogin) -> tuple[CrmUser, bool]:
    """The user's row, found as a login finds it, or a new one that is not stored yet."""
    manifest, profile = registry.manifests()[platform], login.profile
    host = (profile.identity_host or profile.hostname) if manifest.server.host_in_identity else ""
    rows = CrmUser.objects.filter(platform=platform, identity_host=host)
    found = rows.filter(**{"wire_id__iexact" if profile.id_ignores_case else "wire_id": wire_id}).first()
    return (found, False) if found else (CrmUser(platform=platform, wire_id=wire_id, identity_host=host), True)


def _fill(takeover: Takeover, user: CrmUser, row: Row, former: FormerLogin, login: AdoptedLogin) -> None:
    profile, report = login.profile, takeover.report
    user.crm_user_id, user.crm_user_id_is_number = str(profile.id), isinstance(profile.id, int)
    user.host, user.crm_account_id = profile.hostname[:255], profile.account_id[:255]
    user.tenant_is_unknown = not profile.account_id
    for column, value in CrmUser.facts_of(profile).items():
        setattr(user, column, value)
    user.settings = _settings(takeover, row)
    if takeover.same_hash_key:
        user.claimed_rc_account_hash = text(row, "rcAccountId")[:64]
        user.hashed_rc_extension_id = text(row, "hashedRcExtensionId")[:128]
    was_connected = bool(former.credentials.access_token)
    if login.credentials.access_token:
        user.set_credentials(login.credentials)
        user.connected_at = moment(row, "updatedAt")
    report.add(KIND, TAKEN, _restriction(was_connected, user.is_connected))
    report.add("users' further facts", LEFT, "not needed here", len(former.facts.keys() - login.used))


def _restriction(was_connected: bool, is_connected: bool) -> str:
    if is_connected:
        return ""
    return "have to connect again: the stored login is not one of this CRM" if was_connected else "logged out"


def _settings(takeover: Takeover, row: Row) -> dict[str, Any]:
    stored = document(row, "userSettings")
    body = UserSettingsBody(data={"userSettings": stored if isinstance(stored, dict) else {}})
    try:
        body.is_valid(raise_exception=True)
    except ValidationError:
        takeover.report.add("users' settings", LEFT, "not in the form that the API takes")
        return {}
    given = body.validated_data["userSettings"] or {}
    return {key: entry for key, entry in given.items() if isinstance(entry, dict)}
