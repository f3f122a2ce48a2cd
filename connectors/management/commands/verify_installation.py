"""Tells whether code, settings, keys and database fit together."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.verification import verify


class Command(BaseCommand):
    help = (
        "Tells whether code, settings, keys and database fit together; run it after a backup was restored, after an "
        "update, and after keys were changed. It reads every stored secret and changes nothing. Exit status 1 when "
        "something does not fit: the line says what it is, and what to do."
    )
    requires_system_checks = []  # they are among what is told

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for name, problems in verify():
            count += len(problems)
            self.stdout.write(f"{name}: {'ok' if not problems else ''}".rstrip())
            for problem in problems:
                self.stdout.write(f"  {problem}")
        if count:
            raise CommandError(f"{count} thing{'s' * (count > 1)} to mend; see above.")
        self.stdout.write("Everything fits together.")
