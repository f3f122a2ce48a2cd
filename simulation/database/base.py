"""Django's database backend of the simulation: see the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.utils import OperationalError

from connectors.sqlite.base import DatabaseWrapper as Sqlite
from simulation.world import world


class DatabaseWrapper(Sqlite):
    """A connection of one simulated thread."""

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if _switched not in self.execute_wrappers:
            self.execute_wrappers.append(_switched)

    def _commit(self) -> None:
        world.switch("COMMIT")
        super()._commit()


def _switched(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
        world.switch(sql)
        if world.statement_fails():
            raise OperationalError("disk I/O error, as the schedule wants it")
    return execute(sql, params, many, context)
