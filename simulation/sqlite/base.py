"""Django's database backend of the simulation: see the package."""

from __future__ import annotations

from connectors.sqlite.base import DatabaseWrapper as Sqlite
from simulation.statements import switched
from simulation.world import world


class DatabaseWrapper(Sqlite):
    """A connection of one simulated thread."""

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if switched not in self.execute_wrappers:
            self.execute_wrappers.append(switched)

    def _commit(self) -> None:
        world.switch("COMMIT")
        super()._commit()
