"""What happens at each statement, whatever the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.utils import OperationalError

from simulation.world import world


def switched(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """A wrapper of Django's: others may run first, and the statement may fail."""
    if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
        world.switch(sql)
        if world.statement_fails():
            raise OperationalError("disk I/O error, as the schedule wants it")
    return execute(sql, params, many, context)
