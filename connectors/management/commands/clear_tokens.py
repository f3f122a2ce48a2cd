"""Removes expired sessions, dead refresh tokens, stale look-ups and note drafts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from connectors.services.cleaning import clear_tokens


class Command(BaseCommand):
    help = (
        "Signs out users whose session tokens have all expired (revoking at the CRM), forgets credentials that can "
        "never be refreshed again, and deletes stale look-ups, note drafts and what is remembered of contacts just "
        "created. Prints counts for each platform."
    )
    requires_system_checks = []  # one CRM's broken adapter must not keep the others' sessions

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only; change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        counts = clear_tokens(dry_run=dry_run, progress=self._progress)
        if not counts:
            self.stdout.write("Nothing to clear.")
        for platform, row in sorted(counts.items()):
            self.stdout.write(f"{platform}: " + ", ".join(f"{name} {number}" for name, number in row.items()))
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")

    def _progress(self, done: int, total: int) -> None:
        if self.stdout.isatty():
            self.stderr.write(f"\r{done}/{total} sessions", ending="\n" if done == total else "")
