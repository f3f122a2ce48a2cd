"""The user's effective settings: an administrator's values over the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.db.models import F

from adapters.contract import Options
from connectors.models import AccountSettings, CrmUser
from connectors.services.identity import RingCentralIdentity, hashed

Settings = dict[str, Any]
_SEEN_FOR = 24 * 3600  # seconds that an administrator may look at the settings before they save
_ABSENT = object()


def account_settings(user: CrmUser) -> AccountSettings | None:
    """What an administrator set for the user's RingCentral account, if that account is known or claimed."""
    account_id = hashed(user.rc_account_id) if user.rc_account_id else user.claimed_rc_account_hash
    return AccountSettings.objects.filter(pk=account_id).first() if account_id else None


def claim_account(user: CrmUser, account_hash: str) -> None:
    """Keeps the hashed RingCentral account that the extension names, where the login named none.

    Anybody can name any account. What follows from it is only what an administrator ruled for everybody in it, and
    what ``/user/preloadSettings`` tells without a login; so old clients, whose logins with a key carry no account, get
    their settings, also for what is sent later without them.
    """
    if user.rc_account_id or not account_hash or len(account_hash) > 64 or "\x00" in account_hash:
        return
    if user.claimed_rc_account_hash != account_hash:
        user.claimed_rc_account_hash = account_hash
        CrmUser.objects.filter(pk=user.pk, rc_account_id="").update(claimed_rc_account_hash=account_hash)


def merged(account: Mapping[str, Any], own: Mapping[str, Any]) -> Settings:
    """One map of ``{key: {"value", "customizable", ...}}``.

    An administrator's entry wins unless it is ``customizable`` and the user has one; ``isRemoved`` hides it.
    """
    result: Settings = {}
    for key in [*account, *(key for key in own if key not in account)]:
        ruled, chosen = account.get(key), own.get(key)
        if isinstance(ruled, dict) and ruled.get("isRemoved"):
            continue
        if isinstance(chosen, dict) and (not isinstance(ruled, dict) or ruled.get("customizable")):
            result[key] = {"customizable": True, **{k: v for k, v in chosen.items() if k != "customizable"}}
        elif isinstance(ruled, dict):
            result[key] = dict(ruled)
        if key.startswith("plugin_") and isinstance(chosen, dict) and result.get(key, {}).get("customizable"):
            config = _plugin_config(ruled, chosen)
            if config:
                result[key]["value"] = {**_member(chosen, "value"), "config": config}
            else:
                del result[key]
    return result


def _plugin_config(ruled: Any, chosen: Any) -> Settings:
    """The configuration of a plugin: the administrator's entry wins unless it is customizable and the user has one."""
    rules, own = _member(ruled, "value", "config"), _member(chosen, "value", "config")
    if not own:
        return rules
    result = dict(rules)
    for key, entry in own.items():
        rule, mine = _member(rules, key), _member(own, key)
        may_differ = rule.get("customizable", True)
        if not rule or (may_differ and mine.get("value") not in (None, "")):
            result[key] = {**mine, "customizable": may_differ} if mine else entry
    return result


def _member(source: Any, *path: str) -> Settings:
    for key in path:
        source = source.get(key) if isinstance(source, dict) else None
    return source if isinstance(source, dict) else {}


def effective(user: CrmUser) -> Settings:
    """The settings map the extension shows to this user."""
    account = account_settings(user)
    return merged(account.settings if account else {}, user.settings or {})


def effective_options(user: CrmUser) -> Options:
    """The same as plain values, for adapters and log bodies."""
    return Options(values={key: entry.get("value") for key, entry in effective(user).items()})


def save_user_settings(*, user: CrmUser, changes: Mapping[str, Any], remove: list[str]) -> Settings:
    """Replaces the given keys of the user's own settings and removes others; returns what is stored."""
    stored = {**(user.settings or {}), **{key: value for key, value in changes.items() if isinstance(value, dict)}}
    user.settings = {key: value for key, value in stored.items() if key not in remove}
    CrmUser.objects.filter(pk=user.pk).update(settings=user.settings)
    return dict(user.settings)


def read_account_settings(administrator: RingCentralIdentity) -> AccountSettings | None:
    """The settings of the administrator's account; what they see now is the base of what they save next."""
    account = AccountSettings.objects.filter(pk=hashed(administrator.account_id)).first()
    seen = {name: getattr(account, name) for name in ("settings", "user_mappings", "custom_adapter")} if account else {}
    cache.set(_seen_key(administrator), seen, _SEEN_FOR)
    return account


def save_account_settings(administrator: RingCentralIdentity, given: Mapping[str, Any]) -> None:
    """Stores columns of the account. The extension sends all it has seen, with the changes in it: only those count.

    What another administrator changed meanwhile stays. If nothing is known of what this one has seen, all counts.
    """
    key, account_id = _seen_key(administrator), hashed(administrator.account_id)
    seen = cache.get(key, {})
    AccountSettings.objects.get_or_create(pk=account_id)
    while True:
        account = AccountSettings.objects.get(pk=account_id)
        columns = {name: _rebased(value, seen.get(name), getattr(account, name)) for name, value in given.items()}
        unchanged = AccountSettings.objects.filter(pk=account_id, version=account.version)
        if unchanged.update(**columns, version=F("version") + 1):
            break
    cache.set(key, {**seen, **given}, _SEEN_FOR)


def _seen_key(administrator: RingCentralIdentity) -> str:
    return f"seen-settings:{hashed(administrator.account_id)}:{hashed(administrator.extension_id)}"


def _rebased(given: Any, seen: Any, stored: Any) -> Any:
    """``stored`` with what differs between ``seen`` and ``given``, member by member."""
    parts = [_members(value) for value in (given, seen, stored)]
    if None in parts:
        return stored if seen is not None and given == seen else given
    new, old, result = (dict(part) for part in parts if part is not None)
    for key in [*new, *(key for key in old if key not in new)]:
        if new.get(key, _ABSENT) == old.get(key, _ABSENT):
            continue
        if key in new:
            result[key] = new[key]
        else:
            result.pop(key, None)
    return result if isinstance(given, dict) else list(result.values())


def _members(value: Any) -> Mapping[str, Any] | None:
    """An object's members, or a mapping's entries by CRM user; None for anything else."""
    if isinstance(value, list):
        members = {str(item.get("crmUserId")): item for item in value}
        return members if len(members) == len(value) else None
    return value if isinstance(value, dict) else None
