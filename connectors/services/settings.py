"""The user's effective settings: an administrator's values over the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Options
from connectors.models import AccountSettings, CrmUser
from connectors.services.identity import hashed

Settings = dict[str, Any]


def account_settings(user: CrmUser) -> AccountSettings | None:
    """What an administrator set for the user's RingCentral account, if that account is known."""
    if not user.rc_account_id:
        return None
    return AccountSettings.objects.filter(pk=hashed(user.rc_account_id)).first()


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
    return result


def effective(user: CrmUser, account: AccountSettings | None = None) -> Settings:
    """The settings map the extension shows to this user."""
    account = account or account_settings(user)
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
