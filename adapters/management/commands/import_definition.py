"""Makes a folder out of a connector document of a reference server: a CRM that is described by data."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters import registry, schemas
from adapters.proxy.importing.connector import Imported, NoConnector, imported, key_in


class Command(BaseCommand):
    help = (
        "Takes over a connector document of a reference server, as it is: the document alone, or the connector's "
        "record with document and manifest. Writes manifest.json and definition.json, says what was changed and which "
        "variables to set, and lists what is left to mend; exit status 1 if there is something. Secrets in the "
        "document are neither written nor shown."
    )
    requires_system_checks = []  # they are about the adapters that are there already

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the JSON; - is the standard input")
        parser.add_argument("--key", default="", help="platform key, [a-z][a-z0-9]{1,31}; default: the document's name")
        parser.add_argument(
            "--manifest", default="", help="the connector's manifest, where the record does not hold it"
        )
        parser.add_argument(
            "--host", action="append", default=[], help="a further host of the CRM, such as '*.orchard.example'"
        )
        parser.add_argument(
            "--into", type=Path, default=registry.FOLDER, help="the folder to make it in; default: where the others are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        record = self._json(options["file"])
        try:
            key = options["key"] or key_in(record)
            folder = self._folder(key, Path(options["into"]))
            manifest = self._json(options["manifest"]) if options["manifest"] else None
            found = imported(record, key, manifest=manifest, hosts=options["host"])
        except NoConnector as error:
            raise CommandError(f"{options['file']}: {error}.") from None
        folder.mkdir(parents=True)
        for name, document in (("manifest", found.manifest), ("definition", found.definition)):
            described = {"$schema": schemas.reference(name, folder), **document}
            text = json.dumps(described, indent=2, ensure_ascii=False)
            (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
        self._report(folder, found)

    def _json(self, source: str) -> Any:
        try:
            return json.loads(self._text(source))
        except OSError as error:
            raise CommandError(f"{source} cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError):
            raise CommandError(f"{source} does not hold JSON.") from None

    def _text(self, source: str) -> str:
        return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")

    def _folder(self, key: str, parent: Path) -> Path:
        """Where the files go; a key that is taken, by an adapter or by any folder beside them, is refused."""
        if not registry.KEY.fullmatch(key):
            raise CommandError(f"The key {key!r} must be 2 to 32 small letters and digits, a letter first: give --key.")
        taken = {name.lower() for name in (*registry.manifests(), *registry.shipped(), *registry.broken())}
        folder = parent / key
        if key in taken or folder.exists() or (registry.FOLDER / key).exists():
            raise CommandError(f"There is {key} already: give another --key.")
        return folder

    def _report(self, folder: Path, found: Imported) -> None:
        self.stdout.write(f"{folder} is written.")
        if found.notes:
            self.stdout.write("Changed:")
            self.stdout.writelines(f"  {line}" for line in found.notes)
        if names := found.manifest["server"].get("secrets"):
            self.stdout.write("To be set in the environment (.env):")
            self.stdout.writelines(f"  {name}=" for name in names)
        if found.mistakes:
            self.stdout.write("To be mended:")
            self.stdout.writelines(f"  {line}" for line in found.mistakes)
            raise CommandError(f"{len(found.mistakes)} thing(s) to mend, then: manage.py check_adapters")
        self.stdout.write("It is in order. Next: docs/declarative-adapters.md, step 4.")
