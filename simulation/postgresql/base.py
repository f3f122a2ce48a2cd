"""Django's database backend of the simulation: see the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as Postgresql

from simulation.statements import switched
from simulation.threads import Killed
from simulation.world import world


class DatabaseWrapper(Postgresql):
    """A connection of one simulated thread."""

    def init_connection_state(self) -> None:
        super().init_connection_state()
        for wrapper in (switched, self._watched):
            if wrapper not in self.execute_wrappers:
                self.execute_wrappers.append(wrapper)

    def _watched(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        return world.execute(self.connection, lambda: execute(sql, params, many, context))

    def _commit(self) -> None:
        try:
            world.switch("COMMIT")
        except Killed:
            self.connection.rollback()  # as the server does when a client is gone
            raise
        super()._commit()  # type: ignore[misc] # missing in the stubs
