"""Shows what this server holds about a person."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.progress import Progress
from connectors.management.commands.erase_person import SUBJECT, add_person, person_of
from connectors.services.persons import find, shown


class Command(BaseCommand):
    help = (
        f"Prints what this server holds about a person, a JSON object a line, encrypted texts in clear. {SUBJECT}The "
        "export is recorded in the audit trail, with counts only."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_person(parser)
        parser.add_argument("--dry-run", action="store_true", help="print counts only")

    def handle(self, *args: Any, **options: Any) -> None:
        found = find(person_of(options), Progress(self.stderr, "read"))
        if options["dry_run"]:
            for name, number in found.counts().items():
                self.stdout.write(f"{name}: {number}")
            return
        for row in shown(found):
            self.stdout.write(json.dumps(row, ensure_ascii=False, default=str))
