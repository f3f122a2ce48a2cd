"""Django's ``migrate``, which the fault of one adapter does not stop: the database serves them all."""

from __future__ import annotations

from typing import Any

from django.core.checks import registry
from django.core.management.commands import migrate


class Command(migrate.Command):
    def check(self, *args: Any, **options: Any) -> None:
        """Every check but those of adapters, which ``check``, ``check_adapters`` and ``prepare`` report."""
        tags = sorted(set(registry.registry.tags_available()) - {"adapters"})
        super().check(*args, **{**options, "tags": tags})
