"""Lists the adapters: platform, login, optional operations, and whether their secrets are set."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters import registry
from adapters.capabilities import as_markdown, as_text, replace_in_readme


class Command(BaseCommand):
    help = "Lists the adapters that are switched on: platform, login, optional operations, state of the secrets."
    requires_system_checks = []  # what they would say about adapters is in the table

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--markdown", action="store_true", help="print the table of adapters/README.md, all adapters"
        )
        parser.add_argument("--write", action="store_true", help="put that table into adapters/README.md")

    def handle(self, *args: Any, **options: Any) -> None:
        table = as_markdown(registry.shipped().values())
        if options["write"]:
            try:
                replace_in_readme(table)
            except ValueError as error:
                raise CommandError(str(error)) from None
        elif options["markdown"]:
            self.stdout.write(table)
        else:
            enabled = registry.manifests().values()
            self.stdout.write(as_text([(manifest, registry.missing_secrets(manifest)) for manifest in enabled]))
