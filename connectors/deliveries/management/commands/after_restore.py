"""Tells the server that its database was restored from a back-up."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from connectors.deliveries.restore import after_restore


class Command(BaseCommand):
    help = (
        "Run this once after the database was restored from a back-up, before server and workers start. What waited "
        "then, and what is sent again by extensions since, is looked for in the CRM before it is written, so that "
        "nothing is logged twice. Edits that waited are left to a decision of support."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        restored = after_restore()
        self.stdout.write(
            f"{restored.in_doubt} call logs and messages are looked for in their CRMs before they are sent; "
            f"{restored.for_support} edits wait for support in the admin. Start server and workers now."
        )
