"""Scaffolds the folder of a new adapter, which passes the conformance kit at once."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from adapters import registry, schemas

SCAFFOLD = Path(__file__).resolve().parent.parent / "scaffold"
#: Stands in the scaffold's manifest for the way to the schema.
_SCHEMA = "path-to/manifest.schema.json"
#: The name in the scaffold's files that the new one replaces.
_NAME = "ScaffoldCRM"
#: What is left to do, in the order that costs least; ``{folder}``: the new one, ``{name}``: its name.
_STEPS = """\
{folder} is ready. It passes the conformance kit with the requests of an invented API. What is left to do:

 1. {folder}/manifest.json: hosts, login, pages. Lists its faults: manage.py check_adapters
 2. .env.example: a line for each variable that the manifest names under server.secrets and server.settings
 3. {folder}/fixtures/: the vendor's own exchanges, from its documentation; once the login works, from a real account:
    manage.py crm_readiness {key} --record {folder}/fixtures
 4. {folder}/adapter.py, until this passes: pytest tests/test_conformance.py -k {name}
 5. server.capabilities: each optional operation that the adapter offers, then manage.py list_adapters --write
 6. tests/fakes/{name}.py: the CRM as a server (tests/fakes/vendor.py has its frame), and
    {folder}/test_session.py: the session of the extension (tests/session_script.py) against it
 7. docs/{name}.md: what to register where, the lines for .env, what differs; name it in mkdocs.yml and in
    docs/connecting.md
 8. CHANGELOG.md: a line under CRMs
 9. manage.py crm_readiness {key}: everything once more with a real account

adapters/README.md says what each of them is about."""
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
            text = source.read_text(encoding="utf-8").replace(_SCHEMA, schemas.reference("manifest", folder))
            target.write_text(text.replace(_NAME, name).replace(_NAME.lower(), name.lower()), encoding="utf-8")
        self.stdout.write(_STEPS.format(folder=_shown(folder), key=name, name=name.lower()))


def _shown(folder: Path) -> Path:
    """The folder as one types it here."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
