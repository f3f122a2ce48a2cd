"""Scaffolds the folder of a new adapter, which passes the conformance kit at once."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters import registry

SCAFFOLD = Path(__file__).resolve().parent.parent / "scaffold"
#: The name in the scaffold's files that the new one replaces.
_NAME = "ExampleCRM"
_VALID = re.compile(r"[A-Za-z][A-Za-z0-9]{1,29}", re.ASCII)


class Command(BaseCommand):
    help = (
        "Makes a folder for a new CRM: manifest, adapter and fixtures of a plain JSON API with an API key. It passes "
        "check_adapters and the conformance kit as it is; put the vendor's own requests in place of the invented ones."
    )

    requires_system_checks = []  # they are about the adapters that are there already

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="platform key on the wire, such as acme or acmeCRM; the folder is lower case")
        parser.add_argument(
            "--into", type=Path, default=registry.FOLDER, help="the folder to make it in; default: where the others are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if not _VALID.fullmatch(name):
            raise CommandError("The name must be 2 to 30 letters and digits, a letter first.")
        if registry.find_platform(name):
            raise CommandError(f"There is an adapter for {name} already.")
        folder = Path(options["into"]) / name.lower()
        if folder.exists():
            raise CommandError(f"{folder} exists already.")
        for source in sorted(path for path in SCAFFOLD.rglob("*") if path.suffix in (".py", ".json")):
            target = folder / source.relative_to(SCAFFOLD)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text(encoding="utf-8")
            target.write_text(text.replace(_NAME, name).replace(_NAME.lower(), name.lower()), encoding="utf-8")
        self.stdout.write(f"{folder} is ready. Next: adapters/README.md, and pytest -k {name.lower()}")
