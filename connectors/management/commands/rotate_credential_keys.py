"""Encrypts every stored secret anew with the first of CREDENTIAL_KEYS."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.services.key_rotation import rotate_keys

_LINE_EVERY = 5000  # values; only where no terminal shows a running count


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first of CREDENTIAL_KEYS. To change keys: put the new key first "
        "and keep the old one behind it, restart every process, run this until it says that all is done, then remove "
        "the old key and restart once more. It may run while the server works, be stopped, and be run again. Exit "
        "status 1 when a value could not be read or was not rotated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only; change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        found = rotate_keys(dry_run=dry_run, progress=self._progress)
        for item in found:
            verb = "to re-encrypt" if dry_run else "re-encrypted"
            self.stdout.write(
                f"{item.column}: {item.rotated} {verb}, {item.current} already under the first key, "
                f"{item.unreadable} unreadable" + (f", {item.contended} changed meanwhile" if item.contended else "")
            )
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")
        elif all(item.is_complete for item in found):
            first = next(iter(settings.CREDENTIAL_KEYS))
            self.stdout.write(f"Done: every stored secret is under key {first}; the other keys may be removed.")
        if not all(item.is_complete for item in found):
            raise CommandError(
                "Not done. Unreadable values need a key that is not in CREDENTIAL_KEYS, or their owner's new login; "
                "run the command again for those that changed meanwhile. Keep the old keys until then."
            )

    def _progress(self, column: str, done: int, total: int) -> None:
        if self.stdout.isatty():
            self.stderr.write(f"\r{column} {done}/{total}", ending="\n" if done >= total else "")
        elif done % _LINE_EVERY == 0:
            self.stdout.write(f"{column}: {done} of {total}")
