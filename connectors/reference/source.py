"""Reads the reference server's database, SQLite or PostgreSQL, and writes nothing there.

Its tables and columns have names in mixed case, so they are quoted. Not every release has every table and column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

#: Rows at a time: so many are read, looked up and written together.
PAGE = 1000

Row = dict[str, Any]


class NotAReferenceDatabase(Exception):
    """The database cannot be read, or is no reference server's; the text says why."""


@dataclass(frozen=True)
class Source:
    """An open database."""

    connection: BaseDatabaseWrapper
    tables: frozenset[str]

    def count(self, table: str) -> int:
        """How many rows a table has; 0 where there is no such table."""
        if table not in self.tables:
            return 0
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self._quoted(table)}")  # noqa: S608 - a name of ours  # nosec
            return int(cursor.fetchone()[0])

    def pages(self, table: str) -> Iterator[list[Row]]:
        """The rows of a table, the oldest first, ``PAGE`` at a time."""
        if table not in self.tables:
            return
        # Rows of one moment come in the same order on every run.
        order = f"{self._quoted('createdAt')}, {self._quoted('id')}"
        with self.connection.chunked_cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._quoted(table)} ORDER BY {order}")  # noqa: S608  # nosec
            names: list[str] = []
            while rows := cursor.fetchmany(PAGE):
                names = names or [column[0] for column in cursor.description]
                yield [dict(zip(names, row, strict=True)) for row in rows]

    def _quoted(self, name: str) -> str:
        return self.connection.ops.quote_name(name)


@contextmanager
def opened(database: dict[str, Any]) -> Iterator[Source]:
    """Opens a database for reading only. ``database``: Django's settings of one. Raises ``NotAReferenceDatabase``."""
    connection = ConnectionHandler({"default": _read_only(database)})["default"]
    try:
        tables = frozenset(connection.introspection.table_names())
        if "users" not in tables or "callLogs" not in tables:
            raise NotAReferenceDatabase("It has no tables users and callLogs: no reference server wrote it.")
        yield Source(connection, tables)
    except DatabaseError as error:
        raise NotAReferenceDatabase(f"It cannot be read: {type(error).__name__}.") from error
    finally:
        connection.close()


def _read_only(database: dict[str, Any]) -> dict[str, Any]:
    if database["ENGINE"].endswith("sqlite3"):
        path = quote(str(database["NAME"]))
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"file:{path}?mode=ro", "OPTIONS": {"uri": True}}
    options = {"connect_timeout": 4, **database.get("OPTIONS", {}), "options": "-c default_transaction_read_only=on"}
    return {**database, "OPTIONS": options, "CONN_MAX_AGE": 0}


# --- values of a row -------------------------------------------------------------------------------


def text(row: Row, name: str) -> str:
    """The text of a column, without what no column of ours takes; "" where there is none."""
    value = row.get(name)
    return "" if value is None else str(value).replace("\x00", "")


def document(row: Row, name: str) -> Any:
    """The JSON of a column; None where there is none that can be read."""
    value = row.get(name)
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def moment(row: Row, name: str) -> datetime | None:
    """The time of a column. SQLite has a text there: ``2026-01-14 17:31:07.000 +00:00``."""
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace(" +", "+"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
