"""Stores settings so that what two windows, or two administrators, change at the same time is merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connectors.models import AccountSettings, CrmUser, ShownSettings
from connectors.services import mapping_rules
from connectors.services.identity import RingCentralIdentity, hashed
from connectors.services.settings import Settings

#: The extension reads the settings, changes some, and sends all of them back in the same breath.
SHOWN_FOR = timedelta(minutes=1)
_MOST_SHOWN = 8
_SEEN_FOR = 24 * 3600  # seconds that an administrator may look at the settings before they save
_ABSENT = object()


def change_own_settings(user: CrmUser, change: Callable[[Settings], Settings]) -> Settings:
    """Replaces the user's own settings by ``change(present ones)``, one change at a time; returns the result.

    ``select_for_update`` orders the changes on PostgreSQL, the immediate transaction on SQLite.
    """
    with transaction.atomic():
        row = CrmUser.objects.select_for_update().get(pk=user.pk)
        user.settings = change(dict(row.settings or {}))
        CrmUser.objects.filter(pk=user.pk).update(settings=user.settings)
    return dict(user.settings)


def remember_shown(user: CrmUser, shown: Mapping[str, Any]) -> None:
    """Keeps for a minute what a window of the user got: the base of what it sends next."""
    now = timezone.now()
    rows = ShownSettings.objects.filter(user=user).order_by("-shown_at", "-pk").values_list("pk", "shown_at")
    stale = [pk for place, (pk, at) in enumerate(rows, 2) if place > _MOST_SHOWN or at < now - SHOWN_FOR]
    if stale:  # by name: another window's may have come since they were read
        ShownSettings.objects.filter(pk__in=stale).delete()
    ShownSettings.objects.create(user=user, shown=dict(shown), own=user.settings or {}, shown_at=now)


def save_user_settings(
    *,
    user: CrmUser,
    given: Mapping[str, Any],
    remove: list[str],
    check: Callable[[Settings], None] = lambda settings: None,
) -> Settings:
    """Stores the given entries and removes others; returns the user's own settings as they are then.

    The extension sends every entry that it knows. One that is as it was shown, and that another window has changed
    since, stays as that window left it. ``check`` may refuse the result by raising.
    """

    def change(own: Settings) -> Settings:
        base = _take_base(user, given)
        kept = {key for key in given if base and key in own and _is_overtaken(key, given[key], base, own)}
        entries = {key: entry for key, entry in given.items() if isinstance(entry, dict) and key not in kept}
        merged = {key: entry for key, entry in {**own, **entries}.items() if key not in remove}
        check(merged)
        return merged

    return change_own_settings(user, change)


def _is_overtaken(key: str, entry: Any, base: ShownSettings, own: Settings) -> bool:
    return _is_same(entry, base.shown.get(key)) and own[key] != base.own.get(key)


def _is_same(entry: Any, shown: Any) -> bool:
    """Whether an entry is as it was shown; what is shown says ``customizable`` besides, which some clients drop."""
    both = [{**one, "customizable": None} if isinstance(one, dict) else one for one in (entry, shown)]
    return bool(both[0] == both[1])


def _take_base(user: CrmUser, given: Mapping[str, Any]) -> ShownSettings | None:
    """What the sending window was shown: the newest, unless an older one explains what is sent by fewer changes.

    One that is sent back unchanged is no explanation: a user may undo what they just did. What is found serves one
    change only.
    """
    rows = ShownSettings.objects.filter(user=user, shown_at__gte=timezone.now() - SHOWN_FOR)
    best, fewest = None, 0
    for row in rows.order_by("-shown_at", "-pk"):
        changes = sum(not _is_same(entry, row.shown.get(key)) for key, entry in given.items())
        if best is None or 0 < changes < fewest:
            best, fewest = row, changes
    if best:
        rows.filter(pk=best.pk).delete()
    return best


def read_account_settings(administrator: RingCentralIdentity, *, window: str = "") -> AccountSettings | None:
    """The settings of the administrator's account; what they see now is the base of what they save next.

    ``window``: tells the administrator's browsers apart, where it is known.
    """
    account = AccountSettings.objects.filter(pk=hashed(administrator.account_id)).first()
    seen = {name: getattr(account, name) for name in ("settings", "user_mappings", "custom_adapter")} if account else {}
    _remember_seen(administrator, window, seen)
    return account


def save_account_settings(administrator: RingCentralIdentity, given: Mapping[str, Any], *, window: str = "") -> None:
    """Stores columns of the account. The extension sends all it has seen, with the changes in it: only those count.

    What another administrator, or another window, changed meanwhile stays. If nothing is known of what this one has
    seen, all counts.
    """
    account_id = hashed(administrator.account_id)
    seen = _seen(administrator, window)
    AccountSettings.objects.get_or_create(pk=account_id)
    while True:
        account = AccountSettings.objects.get(pk=account_id)
        columns = {name: _merged(name, value, seen.get(name), getattr(account, name)) for name, value in given.items()}
        unchanged = AccountSettings.objects.filter(pk=account_id, version=account.version)
        if unchanged.update(**columns, version=F("version") + 1):
            break
    _remember_seen(administrator, window, {**seen, **given})


def remember_seen_mappings(administrator: RingCentralIdentity, window: str, mappings: list[dict[str, Any]]) -> None:
    """The window's own mappings from now on are these, as its client keeps what it was told of each CRM user."""
    _remember_seen(administrator, window, {**_seen(administrator, window), "user_mappings": mappings})


def _merged(column: str, given: Any, seen: Any, stored: Any) -> Any:
    return mapping_rules.merged(given, seen, stored) if column == "user_mappings" else _rebased(given, seen, stored)


def _seen(administrator: RingCentralIdentity, window: str) -> dict[str, Any]:
    """What this window saw; of one that never asked, what the administrator saw last."""
    found: dict[str, Any] | None = cache.get(_seen_key(administrator, window))
    return found if found is not None else cache.get(_seen_key(administrator, ""), {})


def _remember_seen(administrator: RingCentralIdentity, window: str, seen: Mapping[str, Any]) -> None:
    cache.set_many({_seen_key(administrator, name): dict(seen) for name in {window, ""}}, _SEEN_FOR)


def _seen_key(administrator: RingCentralIdentity, window: str) -> str:
    return f"seen-settings:{hashed(administrator.account_id)}:{hashed(administrator.extension_id)}:{window}"


def _rebased(given: Any, seen: Any, stored: Any) -> Any:
    """``stored`` with what differs between ``seen`` and ``given``, member by member."""
    parts = [value for value in (given, seen, stored) if isinstance(value, dict)]
    if len(parts) < 3:
        return stored if seen is not None and given == seen else given
    new, old, result = (dict(part) for part in parts)
    for key in [*new, *(key for key in old if key not in new)]:
        if new.get(key, _ABSENT) == old.get(key, _ABSENT):
            continue
        if key in new:
            result[key] = new[key]
        else:
            result.pop(key, None)
    return result
