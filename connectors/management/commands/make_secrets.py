"""Makes the secrets that are missing."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors import secrets_file


class Command(BaseCommand):
    help = (
        "Makes APP_SERVER_SECRET_KEY, CREDENTIAL_KEYS and HASH_KEY where they are not set yet, and keeps them in "
        "secrets.env in the folder VAR_DIR (default var/), which every command reads. Keep a copy of that file with "
        "each backup of the database: without CREDENTIAL_KEYS no stored login can be opened. Needs no other settings."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--print", action="store_true", help="print NAME=value lines instead, for a secret store")

    def handle(self, *args: Any, **options: Any) -> None:
        made = {name: secrets_file.make(name) for name in secrets_file.SECRETS if not os.environ.get(name)}
        path = settings.VAR_DIR / "secrets.env"
        if options["print"]:
            for name, value in made.items():
                self.stdout.write(f"{name}={value}")
            return
        if not made:
            self.stdout.write("All secrets are set already; nothing was made.")
            return
        try:
            secrets_file.add(path, made)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}. --print prints the secrets.") from None
        self.stdout.write(f"Made {', '.join(made)}; kept in {path}. Keep a copy of it.")
