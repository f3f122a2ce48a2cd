"""Prints the JSON Schema of manifests or definitions, or writes the files that the repository publishes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from adapters.schemas import FOLDER, SCHEMAS, text_of


class Command(BaseCommand):
    help = "Prints the JSON Schema of manifest.json or definition.json, by which editors complete these files."
    requires_system_checks = []  # they are about the adapters, not about the schemas

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = [name.partition(".")[0] for name in SCHEMAS]
        parser.add_argument("name", nargs="?", choices=names, default=names[0], help="which one; default: %(default)s")
        parser.add_argument("--write", action="store_true", help="write both files in adapters/schemas anew")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["write"]:
            self.stdout.write(text_of(f"{options['name']}.schema.json"), ending="")
            return
        for name in SCHEMAS:
            (FOLDER / name).write_text(text_of(name), encoding="utf-8")
            self.stdout.write(f"adapters/schemas/{name}")
