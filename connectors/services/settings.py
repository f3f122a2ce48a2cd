"""The user's effective settings: an administrator's values over the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Options
from connectors.models import AccountSettings, CrmUser
from connectors.services.identity import hashed

Settings = dict[str, Any]


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
