"""Removes audit events after their time of retention."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from audit.progress import Progress
from audit.pruning import prune


class Command(BaseCommand):
    help = (
        "Removes audit events older than AUDIT_RETENTION_DAYS: whole sealed batches, of which the seals stay, so that "
        "verify_audit goes on. Events that are not sealed are never removed. Run it once a day; it may run while the "
        "server works, be stopped, and be run again."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only; change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        number = prune(dry_run=dry_run, progress=Progress(self.stderr, "removed"))
        verb = "would be removed" if dry_run else "removed"
        self.stdout.write(f"{number} events older than {settings.AUDIT_RETENTION.days} days {verb}.")
