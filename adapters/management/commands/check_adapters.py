"""Prints every fault of every adapter; exit status 1 if there is one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters import checks, registry


class Command(BaseCommand):
    help = "Checks the manifests and adapters of all CRMs."
    requires_system_checks = []  # they hold the same checks, and would say everything twice

    def handle(self, *args: Any, **options: Any) -> None:
        faults = checks.check_adapters()
        for fault in faults:
            self.stderr.write(f"{fault.msg} ({fault.id})")
        if faults:
            raise CommandError(f"{len(faults)} problem(s) found.")
        self.stdout.write(f"{len(registry.manifests())} adapters, no problems.")
