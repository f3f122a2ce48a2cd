"""Takes over users, logs and settings of a reference server."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.progress import Progress
from audit.recorder import audited
from connectors.reference.accounts import take_accounts, take_call_down_lists
from connectors.reference.logs import take_calls, take_messages
from connectors.reference.report import Report
from connectors.reference.source import NotAReferenceDatabase, Source, opened
from connectors.reference.users import Takeover, take_users


class Command(BaseCommand):
    help = (
        "Takes over connected users, call and message logs, administrators' settings and call-down lists from the "
        "database of a reference server, which REFERENCE_DATABASE_URL names (SQLite or PostgreSQL; it is only read). "
        "Nobody has to connect again whose login can be used here, and no call that was logged there is logged twice. "
        "What is here already stays as it is, so the command can be stopped and run again. Set the same "
        "APP_SERVER_SECRET_KEY as there: it keeps the extension signed in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would be taken over; write nothing")
        parser.add_argument(
            "--same-hash-key",
            action="store_true",
            help="HASH_KEY here is the reference server's, so its hashed account and extension ids are taken over, too",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REFERENCE_DATABASE:
            raise CommandError("Set REFERENCE_DATABASE_URL to the address of the reference server's database.")
        report = Report()
        try:
            with opened(settings.REFERENCE_DATABASE) as source:
                self._take(source, report, writes=not options["dry_run"], same_hash_key=options["same_hash_key"])
        except NotAReferenceDatabase as error:
            raise CommandError(f"REFERENCE_DATABASE_URL: {error}") from None
        for line in report.lines():
            self.stdout.write(line)
        if options["dry_run"]:
            self.stdout.write("Nothing was written.")

    def _take(self, source: Source, report: Report, *, writes: bool, same_hash_key: bool) -> None:
        takeover = Takeover(
            source=source,
            report=report,
            writes=writes,
            same_hash_key=same_hash_key,
            progress=lambda what: Progress(self.stderr, what),
        )
        steps = (take_users, take_calls, take_messages, take_accounts, take_call_down_lists)
        if not writes:
            for step in steps:
                step(takeover)
            return
        with audited("reference.import", actor="operator") as event:
            for step in steps:
                step(takeover)
            event.detail["counts"] = list(report.lines())
