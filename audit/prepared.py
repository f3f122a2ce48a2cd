"""Statements whose SQL is made once: to compile one takes Django longer than the database needs to carry it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)

_STAND_INS: dict[type, Callable[[int], Any]] = {
    str: lambda position: f"parameter {position}",
    int: lambda position: 1_000_000 + position,
    UUID: lambda position: UUID(int=1_000_000 + position),
}


def _as_stored(value: Any) -> Any:
    return value.hex if isinstance(value, UUID) and not connection.features.has_native_uuid_field else value


#: Queries of one shape are kept for so many numbers of parameters.
_KEPT = 100


@dataclass(frozen=True, kw_only=True)
class _Prepared(Generic[Row]):
    model: type[Row]
    sql: str
    #: Parameters of the SQL: constants, and stand-ins in the places of values.
    parameters: tuple[Any, ...]
    #: The value's position by its stand-in.
    positions: dict[Any, int]
    columns: tuple[str, ...]
    #: Column number, what turns the database's value into Python's, and the expression that wants to know.
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]


class PreparedQuery(Generic[Row]):
    """A query of whole rows that differs from time to time in its parameters alone.

    ``make`` gets as many parameters as the call, and puts each into the queryset unseen: where the SQL is made, others
    stand in for them. They are texts, numbers within the range of their columns, and UUIDs.
    """

    def __init__(self, make: Callable[..., models.QuerySet[Row]]) -> None:
        self._make = make
        self._prepared: dict[tuple[type, ...], _Prepared[Row]] = {}

    def __call__(self, *given: str | int | UUID) -> list[Row]:
        values = [_as_stored(value) for value in given]
        kinds = tuple(type(value) for value in given)
        query = self._prepared.get(kinds)
        if query is None:
            if len(self._prepared) >= _KEPT:
                self._prepared.clear()
            query = self._prepared[kinds] = self._prepare(kinds)
        with connection.cursor() as cursor:
            places = query.positions
            cursor.execute(query.sql, [values[places[item]] if item in places else item for item in query.parameters])
            rows: list[Any] = cursor.fetchall()
        return [self._row(query, row) for row in rows]

    def _row(self, query: _Prepared[Row], row: Any) -> Row:
        values = list(row)
        for number, functions, expression in query.converters:
            for function in functions:
                values[number] = function(values[number], expression, connection)
        return query.model.from_db(connection.alias, query.columns, values)

    def _prepare(self, kinds: tuple[type, ...]) -> _Prepared[Row]:
        stand_ins = [_STAND_INS[kind](position) for position, kind in enumerate(kinds)]
        queryset = self._make(*stand_ins)
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [item[0] for item in compiler.select]
        return _Prepared(
            model=queryset.model,
            sql=sql,
            parameters=tuple(parameters),
            positions={_as_stored(stand_in): position for position, stand_in in enumerate(stand_ins)},
            columns=tuple(column.target.attname for column in columns),
            converters=tuple(
                (number, tuple(functions), expression)
                for number, (functions, expression) in compiler.get_converters(columns).items()
            ),
        )


def insert(row: models.Model) -> None:
    """Stores a new row. A key that the database makes is not read back, and no signal is sent."""
    sql, fields = insertion(type(row))
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields])
    row._state.adding, row._state.db = False, connection.alias


@cache
def insertion(model: type[models.Model]) -> tuple[str, list[models.Field[Any, Any]]]:
    """The INSERT of one row with all columns, but for a key that the database makes, and their fields in its order."""
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, models.AutoField)]
    table, *columns = map(connection.ops.quote_name, [model._meta.db_table, *(str(field.column) for field in fields)])
    places = ", ".join("%s" for _ in fields)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608  # nosec - no values
    return sql, fields
