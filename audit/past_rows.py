"""Rows of the past: written with the times that they have, which the models would set to now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models

from audit.fields import EncryptedTextField
from audit.prepared import insertion

_AT_ONCE = 1000


def insert(rows: Sequence[Any]) -> None:
    """Writes new rows of one model as they are; encrypted columns are sealed on the way."""
    if not rows:
        return
    model: type[models.Model] = type(rows[0])
    sql, fields = insertion(model)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _AT_ONCE):
            page = rows[start : start + _AT_ONCE]
            cursor.executemany(sql, [[_value(field, row) for field in fields] for row in page])


def _value(field: Any, row: Any) -> Any:
    value = getattr(row, field.attname)
    if isinstance(field, EncryptedTextField):
        value = field.seal(row, value or "")
    return field.get_db_prep_save(value, connection=connection)
