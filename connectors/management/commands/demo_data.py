"""Makes a month of made-up data, to try the support desk on."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from audit.models import CallLog
from audit.progress import Progress
from audit.sealing import seal_all
from connectors.demo import trouble
from connectors.demo.month import DAYS, Month
from connectors.demo.people import COMPANY, companies
from connectors.models import CrmUser


class Command(BaseCommand):
    help = (
        f"Makes {DAYS} days of made-up calls, texts and look-ups at four CRMs, with all kinds of trouble, to try the "
        "support desk on. Use a database of its own, and let no worker run on it: it would try to send what waits with "
        "logins that no CRM knows. What it made cannot be removed again from the audit trail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--beside-real-logs", action="store_true", help="also where there are logs of real users")
        parser.add_argument("--seed", type=int, default=1, help="another number, other data (default 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if CrmUser.objects.filter(crm_account_id__startswith=COMPANY).exists():
            raise CommandError("This database holds the demonstration already.")
        if CallLog.objects.exists() and not options["beside_real_logs"]:
            raise CommandError(
                "This database holds logs of real users. Name another one in DATABASE_URL, or write "
                "--beside-real-logs if they may be mixed."
            )
        dice, now = random.Random(options["seed"]), timezone.now()  # noqa: S311 - the same data again
        with transaction.atomic():
            found = companies(dice, now - timedelta(days=DAYS))
            Month(dice=dice, companies=found, now=now).write(Progress(self.stderr, "days"))
            trouble.write(dice=dice, companies=found, now=now)
        seal_all(Progress(self.stderr, "sealed"))
        calls, agents = CallLog.objects.count(), sum(len(company.agents) for company in found)
        self.stdout.write(f"{calls} calls of {agents} agents at {len(found)} CRMs in {DAYS} days, and what waits now.")
