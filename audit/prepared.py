"""Statements whose SQL is made once: to compile one takes Django longer than the database needs to carry it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, connections, models
from django.db.models.sql.subqueries import DeleteQuery, UpdateQuery

Row = TypeVar("Row", bound=models.Model)

_STAND_INS: dict[type, Callable[[int], Any]] = {
    str: lambda position: f"parameter {position}",
    int: lambda position: 1_000_000 + position,
    UUID: lambda position: UUID(int=1_000_000 + position),
    datetime: lambda position: datetime(1001, 1, 1, tzinfo=UTC) + timedelta(days=position),
}
Value = str | int | UUID | datetime | Enum | None
#: These are part of a statement: none of them stands in the place of another.
_CONSTANTS = (type(None), bool, Enum)


def _as_stored(value: Any) -> Any:
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


#: Statements of one shape are kept for so many numbers of parameters.
_KEPT = 100


@dataclass(frozen=True, kw_only=True)
class _Statement:
    sql: str
    #: Parameters of the SQL: constants, and stand-ins in the places of values.
    parameters: tuple[Any, ...]
    #: The value's position by its stand-in.
    positions: Mapping[Any, int]

    def execute(self, cursor: Any, given: tuple[Value, ...]) -> None:
        values, places = [_as_stored(value) for value in given], self.positions
        cursor.execute(self.sql, [values[places[item]] if item in places else item for item in self.parameters])


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Which columns of a statement make a row of a model, and the rows that this refers to."""

    model: type[models.Model]
    places: tuple[int, ...]
    columns: tuple[str, ...]
    #: Of the primary key: without one there is no row.
    key: int
    #: Puts the row into its place in the one that refers to it.
    put: Callable[[models.Model, models.Model | None], None] | None
    related: tuple[_Part, ...]

    def row(self, values: Sequence[Any]) -> models.Model | None:
        if values[self.key] is None:
            return None
        row = self.model.from_db(connection.alias, self.columns, [values[place] for place in self.places])
        for part in self.related:
            assert part.put is not None
            part.put(row, part.row(values))
        return row


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What makes rows of what the database returns."""

    part: _Part
    #: Column number, what turns the database's value into Python's, and the expression that wants to know.
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]

    def row(self, found: Any) -> Any:
        values = list(found)
        for number, functions, expression in self.converters:
            for function in functions:
                values[number] = function(values[number], expression, connection)
        return self.part.row(values)


class _Kept:
    """What was prepared for each combination of types, and of constants, that a statement was called with."""

    def __init__(self, make: Callable[..., Any], prepare: Callable[[Any], Any]) -> None:
        self._make, self._prepare = make, prepare
        self._prepared: dict[tuple[Any, ...], tuple[_Statement, Any]] = {}

    def __call__(self, given: tuple[Value, ...]) -> tuple[_Statement, Any]:
        kinds = tuple(value if isinstance(value, _CONSTANTS) else type(value) for value in given)
        found = self._prepared.get(kinds)
        if found is None:
            if len(self._prepared) >= _KEPT:
                self._prepared.clear()
            stand_ins = [
                _STAND_INS[kind](position) if isinstance(kind, type) else kind for position, kind in enumerate(kinds)
            ]
            sql, parameters, rows = self._prepare(self._make(*stand_ins))
            positions = {
                _as_stored(stand_in): position
                for position, stand_in in enumerate(stand_ins)
                if isinstance(kinds[position], type)
            }
            assert positions.keys() <= set(parameters), "a parameter does not stand in the SQL as it was given"
            statement = _Statement(sql=sql, parameters=tuple(parameters), positions=positions)
            found = self._prepared[kinds] = statement, rows
        return found


class PreparedQuery(Generic[Row]):
    """A query of rows that differs from time to time in its parameters alone.

    ``make`` gets as many parameters as the call, and puts each into the queryset unseen: where the SQL is made, others
    stand in for them. They are texts, numbers within the range of their columns, UUIDs, and moments. None, truth values
    and members of enumerations have statements of their own.
    """

    def __init__(self, make: Callable[..., models.QuerySet[Row]]) -> None:
        self._prepared = _Kept(make, _selection)

    def __call__(self, *given: Value) -> list[Row]:
        statement, made = self._prepared(given)
        with connection.cursor() as cursor:
            statement.execute(cursor, given)
            found: list[Any] = cursor.fetchall()
        return [made.row(item) for item in found]


class _PreparedChange:
    """A statement that changes rows; returns how many it was."""

    _prepared: _Kept

    def __call__(self, *given: Value) -> int:
        statement, _ = self._prepared(given)
        with connection.cursor() as cursor:
            statement.execute(cursor, given)
            return int(cursor.rowcount)


class PreparedDeletion(_PreparedChange):
    """A deletion that differs in its parameters alone; returns how many rows it was.

    ``make`` as that of a ``PreparedQuery``. Only of rows to which no others refer: those would stay.
    """

    def __init__(self, make: Callable[..., models.QuerySet[Any]]) -> None:
        self._prepared = _Kept(make, _deletion)


class PreparedUpdate(_PreparedChange):
    """A change of rows that differs in its parameters alone; returns how many rows it was.

    ``make`` gets them as that of a ``PreparedQuery`` does, and returns the rows and the values of their columns.
    """

    def __init__(self, make: Callable[..., tuple[models.QuerySet[Any], Mapping[str, Any]]]) -> None:
        self._prepared = _Kept(make, _change)


def _selection(queryset: models.QuerySet[Any]) -> tuple[str, Any, _Rows]:
    compiler = queryset.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    columns = [item[0] for item in compiler.select]
    converters = tuple(
        (number, tuple(functions), expression)
        for number, (functions, expression) in compiler.get_converters(columns).items()
    )
    return sql, parameters, _Rows(part=_part(compiler.klass_info, columns), converters=converters)


def _part(places: Any, columns: Sequence[Any]) -> _Part:
    numbers, model = tuple(places["select_fields"]), places["model"]
    names = tuple(columns[number].target.attname for number in numbers)
    return _Part(
        model=model,
        places=numbers,
        columns=names,
        key=numbers[names.index(model._meta.pk.attname)],
        put=places.get("local_setter"),
        related=tuple(_part(related, columns) for related in places.get("related_klass_infos", ())),
    )


def _change(made: tuple[models.QuerySet[Any], Mapping[str, Any]]) -> tuple[str, Any, None]:
    queryset, values = made
    query: Any = queryset.query.chain(UpdateQuery)
    query.add_update_values(values)
    return *query.get_compiler(connection=connection).as_sql(), None


def _deletion(queryset: models.QuerySet[Any]) -> tuple[str, Any, None]:
    return *queryset.query.chain(DeleteQuery).get_compiler(connection=connection).as_sql(), None


def change(model: type[models.Model], which: Mapping[str, Any], columns: Mapping[str, Any]) -> int:
    """Changes columns of the rows that the lookups ``which`` find; returns how many rows it was.

    As a ``PreparedUpdate``, made once for each combination of names.
    """
    return _change_of(model, tuple(which), tuple(columns))(*which.values(), *columns.values())


@cache
def _change_of(model: type[models.Model], which: tuple[str, ...], columns: tuple[str, ...]) -> PreparedUpdate:
    def make(*values: Value) -> tuple[models.QuerySet[Any], Mapping[str, Any]]:
        wanted = dict(zip(which, values, strict=False))
        return model._default_manager.filter(**wanted), dict(zip(columns, values[len(which) :], strict=True))

    return PreparedUpdate(make)


def delete(model: type[models.Model], which: Mapping[str, Any]) -> int:
    """Deletes the rows that the lookups ``which`` find, as a ``PreparedDeletion``; returns how many it was."""
    return _deletion_of(model, tuple(which))(*which.values())


@cache
def _deletion_of(model: type[models.Model], which: tuple[str, ...]) -> PreparedDeletion:
    return PreparedDeletion(lambda *values: model._default_manager.filter(**dict(zip(which, values, strict=True))))


def insert(row: models.Model, *, or_update: tuple[str, ...] = (), where: tuple[str, ...] = ()) -> None:
    """Stores a new row. A key that the database makes is not read back, and no signal is sent.

    Where there is one already that has the same values in the columns ``where``, which are unique together, the columns
    ``or_update`` of that one are changed instead.
    """
    sql, fields = insertion(type(row), or_update, where)
    database = connections[connection.alias]  # by itself: each look through the proxy takes its time
    with database.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(field.pre_save(row, True), database) for field in fields])
    row._state.adding, row._state.db = False, database.alias


@cache
def insertion(
    model: type[models.Model], or_update: tuple[str, ...] = (), where: tuple[str, ...] = ()
) -> tuple[str, list[models.Field[Any, Any]]]:
    """The INSERT of one row with all columns, but for a key that the database makes, and their fields in its order.

    ``or_update``, ``where``: as ``insert`` has them, by the names of their attributes.
    """
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, models.AutoField)]
    table, *columns = map(connection.ops.quote_name, [model._meta.db_table, *(str(field.column) for field in fields)])
    places = ", ".join("%s" for _ in fields)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608  # nosec - no values
    if or_update:
        by_name = {field.attname: column for field, column in zip(fields, columns, strict=True)}
        unique = ", ".join(by_name[name] for name in where)
        changes = ", ".join(f"{by_name[name]} = EXCLUDED.{by_name[name]}" for name in or_update)
        sql += f" ON CONFLICT ({unique}) DO UPDATE SET {changes}"  # nosec - no values
    return sql, fields
