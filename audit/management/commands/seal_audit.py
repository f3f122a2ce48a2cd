"""Seals the audit events that are not sealed yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.progress import Progress
from audit.sealing import NotClosed, seal_all


class Command(BaseCommand):
    help = (
        "Seals the audit events that are not sealed yet, so that verify_audit finds whoever changes them. Workers do "
        "the same every few minutes; use it before a back-up, and after CREDENTIAL_KEYS were changed. It may run while "
        "the server works."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealed = seal_all(Progress(self.stderr, "sealed"))
        except NotClosed:
            raise CommandError("Events are being written without a pause. Nothing was sealed; try again.") from None
        self.stdout.write(f"{sealed} event{'' if sealed == 1 else 's'} sealed." if sealed else "Nothing to seal.")
