"""Removes what this server holds about a person."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.progress import Progress
from connectors.services.persons import Person, erase, find

SUBJECT = (
    "The person is named by a phone number, a contact's id in a CRM, or both. It is about hashes and last digits of "
    "the number beside logs, what a CRM said about those, traces of look-ups, call-back entries, cached contacts, "
    "drafts of notes, and changes that wait for a CRM, with their texts. "
)


def add_person(parser: CommandParser) -> None:
    """The options that name a person."""
    parser.add_argument("--phone", default="", help="the number, with its country code: +14155550100")
    parser.add_argument("--contact", default="", help="the contact's id in the CRM")
    parser.add_argument("--platform", default="", help="the CRM that the contact's id is of; default: any")


def person_of(options: dict[str, Any]) -> Person:
    """Raises ``CommandError`` where nobody is named."""
    if not options["phone"] and not options["contact"]:
        raise CommandError("Name the person: --phone +14155550100, or --contact with an id of the CRM.")
    try:
        return Person.of(phone=options["phone"], contact_id=options["contact"], platform=options["platform"])
    except ValueError as error:
        raise CommandError(str(error)) from None


class Command(BaseCommand):
    help = (
        f"Removes what this server holds about a person. {SUBJECT}What is erased before it reached the CRM never will. "
        "Logs stay, with the contact's id, and so do events of the audit trail, which hold ids only. Records in the "
        "CRM and back-ups are not touched."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_person(parser)
        parser.add_argument("--dry-run", action="store_true", help="count only; change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        found = find(person_of(options), Progress(self.stderr, "read"))
        kept = len(found.kept_changes)
        counts = found.counts() if options["dry_run"] else erase(found)
        for name, number in counts.items():
            self.stdout.write(f"{name}: {number}")
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")
        elif counts["kept changes"] < kept:
            raise CommandError(f"{kept - counts['kept changes']} kept changes are being sent now; run it once more.")
