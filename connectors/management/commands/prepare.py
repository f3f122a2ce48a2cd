"""Makes an installation ready to serve: database, cache table, first administrator; says what is not configured."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand

from adapters import checks


class Command(BaseCommand):
    help = "Applies migrations, makes the cache table and the first administrator, and lists what is not configured."
    requires_system_checks = []  # they are listed below, and one CRM's fault does not keep the others from serving

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        self._first_administrator()
        for message in (*checks.check_adapters(), *checks.check_configuration()):
            self.stdout.write(message.msg)

    def _first_administrator(self) -> None:
        path = settings.VAR_DIR / "administrator.txt"
        if User.objects.filter(is_superuser=True).exists():
            if path.exists():
                self.stdout.write(f"Administrator: see {path.relative_to(settings.BASE_DIR)}")
            return
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser("admin", password=password)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"user admin\npassword {password}\n")
        self.stdout.write(
            f"Administrator: user admin, password {password} (kept in {path.relative_to(settings.BASE_DIR)})"
        )
