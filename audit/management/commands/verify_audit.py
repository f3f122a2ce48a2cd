"""Tells whether the audit trail is what was written."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.progress import Progress
from audit.verifying import verify


class Command(BaseCommand):
    help = (
        "Compares the audit trail with its seals, and names every event that was changed, removed, added later or "
        "dated wrong, and every seal that does not fit. It needs the CREDENTIAL_KEYS of the server, reads only, and "
        "may run while the server works. Exit status 1 when something does not fit."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            metavar="MAC",
            default="",
            help="the mac of a seal that the log names: it has to be in the database, so that nobody cut off the end",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = verify(expected_mac=options["expect"], progress=Progress(self.stderr, "verified"))
        for problem in found.problems:
            self.stdout.write(problem)
        for note in found.notes:
            self.stdout.write(note)
        self.stdout.write(f"{found.events} events under {found.seals} seals, {found.unsealed} not sealed yet.")
        if found.pruned_to:
            self.stdout.write(f"Events up to {found.pruned_to} were removed by prune_audit; their seals fit together.")
        if found.last_mac:
            self.stdout.write(f"Last seal: {found.last_mac}")
        if found.problems:
            count = len(found.problems)
            raise CommandError(f"The audit trail was tampered with: {count} finding{'s' * (count > 1)}, see above.")
        self.stdout.write("The audit trail is as it was written.")
