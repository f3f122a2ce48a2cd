"""Whether code, settings, keys and database of an installation fit together: asked after a restore or an update.

Each check yields a sentence for everything that does not fit: what it is, and what to do. It changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Max

from adapters import registry
from audit import append_only
from audit.models import AuditEvent
from connectors.checks import refuse_if_unsafe
from connectors.installation import migrations_on_disk, missing_migrations, problems_of_services
from connectors.models import AccountSettings, CrmUser
from connectors.services.identity import hashed
from connectors.services.key_rotation import rotate_keys

_CLOCK_MAY_DIFFER = 2.0  # seconds


def _settings() -> Iterator[str]:
    try:
        refuse_if_unsafe()
    except ImproperlyConfigured as error:
        yield from str(error).splitlines()


def _services() -> Iterator[str]:
    yield from problems_of_services()


def _migrations() -> Iterator[str]:
    if missing := missing_migrations():
        yield f"{len(missing)} migrations of this version are missing, first {missing[0]}: run manage.py prepare."
    ours = {app for app, _ in migrations_on_disk()}
    applied = MigrationRecorder(connection).applied_migrations()
    if newer := sorted(f"{app}.{name}" for app, name in set(applied) - migrations_on_disk() if app in ours):
        yield (
            f"The database was made by a newer version ({newer[-1]} is unknown here): install that version, or restore "
            "a backup that is older."
        )


def _cache() -> Iterator[str]:
    if not settings.REDIS_URL and settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache"):
        table = settings.CACHES["default"]["LOCATION"]
        if table not in connection.introspection.table_names():
            yield f"The table {table} is missing: run manage.py prepare."


def _credential_keys() -> Iterator[str]:
    for column in rotate_keys(dry_run=True):
        if column.unreadable:
            seen = column.unreadable + column.current + column.rotated
            yield (
                f"{column.column}: CREDENTIAL_KEYS open {seen - column.unreadable} of {seen} values. Add the key that "
                "was in use when the backup was made, behind the present one; without it these users connect again."
            )


def _hash_key() -> Iterator[str]:
    """Settings are kept under the hash of a RingCentral account's id; some users' rows hold the id itself."""
    kept = set(AccountSettings.objects.values_list("pk", flat=True))
    named = set(CrmUser.objects.exclude(rc_account_id="").values_list("rc_account_id", flat=True).distinct())
    if kept and named and not kept & {hashed(account_id) for account_id in named}:
        yield (
            f"The settings of {len(kept)} RingCentral accounts belong to none of the {len(named)} accounts that users "
            "named: HASH_KEY is probably not the one they were made with. Put that one back."
        )


def _audit_trail() -> Iterator[str]:
    if append_only.missing(connection):
        yield (
            "The triggers that keep audit events from being changed are missing: restore schema and data together, "
            "with triggers."
        )


def _counters() -> Iterator[str]:
    """After a restore of data alone the next row would get the number of one that is there."""
    if connection.vendor != "postgresql":
        return
    table, newest = AuditEvent._meta.db_table, AuditEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        cursor.execute(f"SELECT last_value FROM {cursor.fetchone()[0]}")  # noqa: S608  # nosec B608 - a name from the catalogue
        if cursor.fetchone()[0] < newest:
            yield f"The counter of {table} is behind its rows: restore schema and data together."


def _integrity() -> Iterator[str]:
    if connection.vendor != "sqlite":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA quick_check(1)")
            found = cursor.fetchone()[0]
    except DatabaseError as error:  # so badly that it cannot even be opened
        found = str(error)
    if found != "ok":
        yield f"The SQLite file is damaged ({found}): restore a backup."


def _platforms() -> Iterator[str]:
    for platform in CrmUser.objects.exclude(access_token="").values_list("platform", flat=True).distinct().order_by():
        if platform not in registry.manifests():
            yield (
                f"There are users of {platform}, which is not offered: name it in ENABLED_ADAPTERS, or put back its "
                "folder."
            )


def _clock() -> Iterator[str]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        found, after = float(cursor.fetchone()[0]), time.time()
    if not before - _CLOCK_MAY_DIFFER <= found <= after + _CLOCK_MAY_DIFFER:
        yield f"The clocks of this machine and of the database differ by {abs(found - after):.0f} s: set both by NTP."


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "settings": _settings,
    "services": _services,
    "database integrity": _integrity,
    "migrations": _migrations,
    "cache": _cache,
    "CREDENTIAL_KEYS": _credential_keys,
    "HASH_KEY": _hash_key,
    "audit trail": _audit_trail,
    "counters": _counters,
    "platforms": _platforms,
    "clock": _clock,
}
#: A problem here makes the checks after it impossible.
_STOPS = ("services", "database integrity", "migrations")


def verify() -> Iterator[tuple[str, list[str]]]:
    """Name and problems of each check, until one that those after it need has any."""
    for name, check in CHECKS.items():
        problems = list(check())
        yield name, problems
        if problems and name in _STOPS:
            return
