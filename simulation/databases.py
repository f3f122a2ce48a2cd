"""The database of one (real) process: made, emptied before each schedule, saved and restored by the operator in one."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
_SAVED = "saved_"
#: Variable that names the file of a database whose tables a new process copies.
_KEPT = "SIMULATION_TABLES"


def folder() -> Path:
    """A folder that is removed at the end of the process."""
    made = Path(tempfile.mkdtemp(prefix="switchboard-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def create(kind: str, place: Path) -> str:
    """The URL of an empty database; with its tables, where the process that started this one has kept them."""
    if kind == "sqlite":
        file = place / "simulation.sqlite3"
        if kept := os.environ.get(_KEPT):
            shutil.copy(kept, file)
        return f"sqlite:///{file}"
    import psycopg

    server = os.environ.get("TEST_DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
    name = f"simulation_{os.getpid()}"
    with psycopg.connect(server.replace("postgres://", "postgresql://"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    atexit.register(_drop, server.replace("postgres://", "postgresql://"), name)
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _drop(server: str, name: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def fill() -> None:
    """Tables as the migrations make them, and for each another that takes what the operator saves."""
    from django.core.management import call_command
    from django.db import connection

    from audit import append_only

    if os.environ.get(_KEPT) and connection.vendor == "sqlite":
        return
    call_command("migrate", verbosity=0)
    append_only.remove(connection)  # schedules begin with empty tables
    for table in _tables():
        _do(f"CREATE TABLE {_SAVED}{table} AS SELECT * FROM {table} WHERE 1 = 0")
    connection.close()


def keep_tables(kind: str) -> None:
    """Has the processes that this one starts copy tables, since the migrations take seconds. Only of SQLite."""
    if kind != "sqlite":
        return
    file = folder() / "tables.sqlite3"
    program = (
        "import shutil, sys; from simulation import installation; installation.set_up(); "
        "from django.conf import settings; from django.db import connection; connection.close(); "
        "shutil.copy(settings.DATABASES['default']['NAME'], sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)
    os.environ[_KEPT] = str(file)


def empty() -> None:
    """No rows in any table."""
    from django.db import transaction

    with transaction.atomic():
        _do(*(f"DELETE FROM {table}" for table in reversed(_tables())))


def save() -> None:
    """What is committed by now is kept, in place of what was saved before."""
    for table in _tables():
        _do(f"DELETE FROM {_SAVED}{table}", f"INSERT INTO {_SAVED}{table} SELECT * FROM {table}")


def restore() -> None:
    """The tables are as they were saved."""
    empty()
    _do(*(f"INSERT INTO {table} SELECT * FROM {_SAVED}{table}" for table in _tables()))


def has_rows(table: str) -> bool:
    """Whether anything is committed there, for the simulation's own decisions: no switch, and no fault.

    ``table``: with a condition behind it, if need be.
    """
    from django.db import connection

    connection.ensure_connection()
    return connection.connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None


def blocking() -> Callable[[int], bool]:
    """Whether a server process of PostgreSQL waits for a lock; asked through a connection of its own."""
    import psycopg
    from django.db import connection

    own = psycopg.connect(autocommit=True, **_parameters(connection))

    def is_blocked(pid: int) -> bool:
        row = own.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
        return bool(row and row[0])

    return is_blocked


def _parameters(connection: Any) -> dict[str, Any]:
    wanted = connection.get_connection_params()
    return {name: wanted[name] for name in ("dbname", "user", "password", "host", "port") if wanted.get(name)}


@functools.cache
def _tables() -> list[str]:
    """Those that others refer to come first."""
    from django.apps import apps

    labels = ("connectors", "audit", "deliveries")
    return [model._meta.db_table for label in labels for model in apps.get_app_config(label).get_models()]


def _do(*statements: str) -> None:
    """Past Django, and the switches."""
    from django.db import connection

    connection.ensure_connection()
    for sql in statements:
        connection.connection.execute(sql)
