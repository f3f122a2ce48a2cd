"""Empties the database between transactional tests: only what they filled, in one transaction.

Django's ``flush`` empties every table and makes permissions anew, which on PostgreSQL takes longer than most tests; and
the audit trail's triggers rightly refuse it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from audit import append_only


@dataclass(frozen=True)
class Beginning:
    """Tables, each with the highest id of the rows that migrations made; those rows stay."""

    tables: dict[str, int]

    @classmethod
    def of_database(cls) -> Beginning:
        """As the database is now: just made, before the first test."""
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        filled = _names(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {_quoted(name)})" for name in names)
        return cls({name: _highest_id(name) if name in filled else 0 for name in names})

    def restore(self) -> None:
        """Deletes every row that has come since."""
        filled = _names(
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {_quoted(name)}{self._newer(name)})" for name in self.tables
        )
        if not filled:
            return
        is_refused = any(name in append_only.TABLES for name in filled)
        with transaction.atomic(), connection.cursor() as cursor:
            if is_refused:
                append_only.remove(connection)
            for name in filled:
                cursor.execute(f"DELETE FROM {_quoted(name)}{self._newer(name)}")
            if is_refused:
                _check_references(cursor)
                append_only.extend(connection)

    def _newer(self, name: str) -> str:
        return f" WHERE id > {self.tables[name]}" if self.tables[name] else ""


def _check_references(cursor: Any) -> None:
    """Now instead of at the end: PostgreSQL changes no trigger of a table while checks of its rows are due."""
    if connection.vendor == "postgresql":
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _names(selects: Any) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(selects))
        return [name for (name,) in cursor.fetchall()]


def _highest_id(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT MAX(id) FROM {_quoted(name)}")
        return int(cursor.fetchone()[0])


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
