"""Whether what an installation is made of is there and fits together: database, Redis, folder, keys.

Problems are sentences that name the variable to change. None of them holds a password.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from audit.fields import Undecipherable, unseal
from connectors.models import CrmUser
from connectors.services.key_rotation import encrypted_columns

_SECONDS = 4
_SAMPLE = 200
#: A sign in the text of a driver's error -> what it means, after the server's name.
_MEANING = {
    "refused": "refuses the connection; is it running, and is the port right",
    "authentication failed": "refuses user name or password",
    "no password supplied": "asks for a password, and there is none",
    "pg_hba.conf": "lets this user in from here by no rule of its pg_hba.conf",
    "does not exist": "has no such database or user; createdb and createuser make them",
    "permission denied for database": "lets this user not connect",
    "too many": "takes no more connections",
    "starting up": "is still starting",
    "timeout": "does not answer",
    "timed out": "does not answer",
    "not known": "is not known by that name",
    "resol": "is not known by that name",
    "No such file": "has no socket there; is it running",
    "certificate": "shows a certificate that is not trusted",
    "SSL": "does not encrypt as sslmode demands",
}


def problems_of_services() -> Iterator[str]:
    """What keeps the server from starting: its database or Redis cannot be used."""
    problem = _problem_of_sqlite() if connection.vendor == "sqlite" else _problem_of_postgresql()
    if problem:
        yield f"DATABASE_URL: {problem}."
    if settings.REDIS_URL and (problem := _problem_of_redis()):
        yield f"REDIS_URL: {problem}."


def database_address() -> str:
    """Where the database is, without user and password."""
    database = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        return str(database["NAME"])
    return f"{_postgresql_server(database)}, database {database['NAME']}"


def _postgresql_server(database: dict[str, Any]) -> str:
    host = database["HOST"] or "the local socket"
    return f"{host}:{database['PORT'] or 5432}"


def _problem_of_sqlite() -> str:
    path = str(settings.DATABASES["default"]["NAME"])
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        try:
            os.makedirs(folder, mode=0o700)
        except OSError as error:
            return f"the folder {folder} of the SQLite file cannot be made: {error.strerror}"
    if not os.access(folder, os.W_OK):
        return f"the folder {folder} of the SQLite file cannot be written to; give it to the user who runs this"
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0.1)) as file:
            file.execute("BEGIN IMMEDIATE")
            file.rollback()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:  # in use, which is as it should be
            return f"the SQLite file {path} cannot be used ({error}); it and its folder must be writable"
    return ""


def _problem_of_postgresql() -> str:
    database = settings.DATABASES["default"]
    wrapper: Any = connection
    parameters = {**wrapper.get_connection_params(), "connect_timeout": _SECONDS}
    try:
        wrapper.Database.connect(**parameters).close()
    except wrapper.Database.Error as error:  # not through the pool, which says only that it got none
        return f"PostgreSQL at {_postgresql_server(database)} {_meaning_of(error)}"
    return ""


def _problem_of_redis() -> str:
    import redis  # takes long, and most installations have none

    parts = urlsplit(settings.REDIS_URL)
    server = f"Redis at {parts.hostname}:{parts.port or 6379}" if parts.hostname else f"Redis at {parts.path}"
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS
        ) as client:
            client.ping()
    except redis.AuthenticationError:
        return f"{server} refuses user name or password"
    except redis.RedisError as error:
        return f"{server} {_meaning_of(error)}"
    return ""


def _meaning_of(error: Exception) -> str:
    found = (meaning for sign, meaning in _MEANING.items() if sign.lower() in str(error).lower())
    return next(found, f"cannot be used ({type(error).__name__})")


def missing_migrations() -> list[str]:
    """Migrations of this version that the database lacks, as ``app.name``. Raises ``DatabaseError``."""
    applied = MigrationRecorder(connection).applied_migrations()
    return [f"{app}.{name}" for app, name in sorted(migrations_on_disk()) if (app, name) not in applied]


@cache
def migrations_on_disk() -> frozenset[tuple[str, str]]:
    """App and name of every migration of this version."""
    return frozenset(MigrationLoader(None).disk_migrations)


def unreadable_secrets(*, sample: int = _SAMPLE) -> tuple[int, int]:
    """How many of a sample of stored secrets no key of CREDENTIAL_KEYS opens, and how many there are in the sample.

    Stored secrets are logins, kept changes and notes. Raises ``DatabaseError``.
    """
    unreadable = seen = 0
    for model, field in encrypted_columns():
        rows = model._base_manager.exclude(**{field.attname: ""}).order_by("-pk")
        for pk, sealed in rows.values_list("pk", field.attname)[:sample]:
            seen += 1
            try:
                unseal(sealed, place=field.place(model(pk=pk)))
            except Undecipherable:
                unreadable += 1
    return unreadable, seen


def unreadable_logins(*, sample: int = 20) -> tuple[int, int]:
    """The same of the users seen last, as cheaply as a health check wants it. Raises ``DatabaseError``."""
    users = CrmUser.objects.exclude(access_token="").order_by("-last_seen_at").only("pk", "access_token")
    unreadable = seen = 0
    for user in users[:sample]:
        seen += 1
        try:
            user.access_token  # noqa: B018 - decrypts
        except Undecipherable:
            unreadable += 1
    return unreadable, seen


def problem_of_keys() -> str:
    """A sentence where stored secrets cannot be opened with the present keys; empty also where there are no tables."""
    try:
        unreadable, seen = unreadable_secrets()
    except DatabaseError:
        return ""
    if not unreadable:
        return ""
    return (
        f"{unreadable} of {seen} stored secrets (logins, kept changes, notes) cannot be opened with CREDENTIAL_KEYS: "
        "add the key they were made with, from the backup of the secrets, behind the present one; without it their "
        "users have to connect again."
    )
