"""The administrator's mapping of CRM users to RingCentral users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F

from adapters.contract import DirectoryUser, UnsupportedOperation
from connectors.models import AccountSettings, CrmUser
from connectors.services.identity import RingCentralIdentity, hashed
from connectors.services.looking import look
from connectors.services.mapping_rules import NOBODY, Extension, by_crm_user, matched
from connectors.services.settings_changes import remember_seen_mappings


@dataclass(frozen=True, kw_only=True)
class MappedUser:
    """One CRM user with their extensions, the first being the one that old clients show."""

    user: DirectoryUser
    extensions: tuple[Extension, ...]


def map_users(
    *,
    user: CrmUser,
    administrator: RingCentralIdentity,
    extensions: Sequence[Extension],
    anew: bool,
    window: str = "",
) -> list[MappedUser]:
    """Every active CRM user with the extensions mapped to them, as stored or else matched by e-mail and name.

    New matches are stored at once, since calls are logged by them. ``anew``: what is stored is dropped first. Raises
    any ``ConnectorError`` of the CRM's list of users, before anything is changed; a CRM without such a list has nobody.
    """
    try:
        users = look(user, lambda adapter: adapter.list_users())
    except UnsupportedOperation:
        return []
    account_id = hashed(administrator.account_id)
    AccountSettings.objects.get_or_create(pk=account_id)
    while True:
        account = AccountSettings.objects.get(pk=account_id)
        entries = [] if anew else list(account.user_mappings)
        mapping = by_crm_user(entries)
        unknown = [one for one in users if str(one.id) not in mapping]
        taken = {extension for mapped in mapping.values() for extension in mapped}
        found = matched(unknown, extensions, taken=taken)
        entries += [{"crmUserId": key, "rcExtensionId": [str(extension.id)]} for key, extension in found.items()]
        if entries == account.user_mappings:
            break
        unchanged = AccountSettings.objects.filter(pk=account_id, version=account.version)
        if unchanged.update(user_mappings=entries, version=F("version") + 1):
            break
    result = _with_names(users, by_crm_user(entries), extensions)
    remember_seen_mappings(administrator, window, [
        {"crmUserId": one.user.id, "rcExtensionId": one.extensions[0].id if one.extensions else NOBODY}
        for one in result
    ])  # fmt: skip
    return result


def _with_names(
    users: Sequence[DirectoryUser], mapping: dict[str, list[str]], extensions: Sequence[Extension]
) -> list[MappedUser]:
    """An extension that the client did not list keeps its place, without a name: it would be unmapped otherwise."""
    known = {str(extension.id): extension for extension in extensions}
    return [
        MappedUser(
            user=one,
            extensions=tuple(known.get(item) or Extension(id=item) for item in mapping.get(str(one.id), [])),
        )
        for one in users
    ]
