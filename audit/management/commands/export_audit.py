"""Writes the audit trail as CSV or JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from audit.exporting import FORMATS, chosen
from audit.progress import Progress
from audit.recorder import record


class Command(BaseCommand):
    help = (
        "Writes events of the audit trail, oldest first, as CSV (cells that a spreadsheet would take for formulas "
        "begin with an apostrophe) or JSON Lines (unchanged), to a file or to the standard output. The export itself "
        "is recorded in the trail."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=sorted(FORMATS), default="csv", help="default csv")
        parser.add_argument("--user", default="", help="who did it: a user as in the lists, a staff name, worker")
        parser.add_argument("--platform", default="", help="only events of this CRM")
        parser.add_argument(
            "--since", metavar="DATE", help="2026-05-01 or 2026-05-01T14:30+02:00; that moment included"
        )
        parser.add_argument("--until", metavar="DATE", help="likewise; a day is included as a whole")
        parser.add_argument("--output", metavar="FILE", default="-", help="default: the standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        events = chosen(
            user=options["user"],
            platform=options["platform"],
            since=_moment("--since", options["since"]),
            before=_moment("--until", options["until"], end=True),
        )
        total, done = events.count(), 0
        progress = Progress(self.stderr, "exported")
        try:
            with _opened(options["output"], self.stdout) as target:
                for line in FORMATS[options["format"]](events):
                    target.write(line)
                    done += 1
                    if not target.isatty():
                        progress(min(done, total), total)
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}.") from None
        names = ("user", "platform", "since", "until", "format")
        record(
            "audit.export",
            actor="operator",
            detail={"events": total, **{name: str(options[name]) for name in names if options[name]}},
        )


@contextmanager
def _opened(output: str, stdout: Any) -> Iterator[Any]:
    if output == "-":
        yield getattr(stdout, "_out", stdout)  # without the line ends that a command's output adds
        return
    with Path(output).open("w", encoding="utf-8", newline="") as file:
        yield file


def _moment(option: str, text: str | None, *, end: bool = False) -> datetime | None:
    """The moment; of a day its beginning, or its end."""
    if not text:
        return None
    try:
        day, moment = parse_date(text), parse_datetime(text)
    except ValueError:
        day = moment = None
    if day is not None and len(text) <= 10:
        moment = datetime(day.year, day.month, day.day) + timedelta(days=end)  # noqa: DTZ001 - made aware below
    if moment is None:
        raise CommandError(f"{option} must be a day such as 2026-05-01 or a moment such as 2026-05-01T14:30+02:00.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
