"""Conditions that are put into SQL once: Django needs milliseconds for those of the queue, asked for often."""

from __future__ import annotations

from typing import Any

from django.db.models import DateTimeField, Exists, Expression

from connectors.deliveries import clock

_MARK: Any = object()


class Now(Expression):
    """The time of the database when the statement is executed; within a ``PreparedExists`` only."""

    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (_MARK,)


class PreparedExists(Exists):
    """As ``Exists``, but keeps its SQL; nothing in it but ``Now`` may change from time to time."""

    _is_resolved = False
    _kept: tuple[str, tuple[Any, ...]] | None = None

    def resolve_expression(self, *args: Any, **options: Any) -> PreparedExists:
        """Django asks for it once more with each statement."""
        if self._is_resolved:
            return self
        resolved: PreparedExists = super().resolve_expression(*args, **options)
        resolved._is_resolved = True
        return resolved

    def copy(self) -> PreparedExists:
        """One that may become part of another query, in which tables have other names."""
        copied: PreparedExists = super().copy()
        copied._is_resolved, copied._kept = False, None
        return copied

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        if self._kept is None:
            sql, parameters = super().as_sql(compiler, connection, *args, **context)
            self._kept = sql, tuple(parameters)
        sql, parameters = self._kept
        now = connection.ops.adapt_datetimefield_value(clock.now())
        return sql, tuple(now if parameter is _MARK else parameter for parameter in parameters)
