"""Runs the compatibility checklist against a real account of a CRM and prints a table."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from adapters import registry
from adapters.capabilities import columns
from adapters.contract import Credentials, CrmAdapter, LoginForm, Manifest, OAuthCallback, parse_phone
from adapters.opening import construct
from adapters.readiness import FAILED, Checklist, MemoryCache, Step


class Command(BaseCommand):
    help = (
        "Does with a real account of a CRM what users do: login, current user, look-up in each notation, contact, call "
        "log, SMS log, logout. Writes one contact, one call and one conversation, and says what is left to delete. "
        "Exit status 1 if a step failed."
    )
    requires_system_checks = []  # one CRM's trouble is no reason not to try another

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("platform", help="platform key, see list_adapters")
        parser.add_argument("--hostname", default="", help="host of the account's CRM, where the CRM has several")
        parser.add_argument("--phone", default="+16505550142", help="of the new contact (default: %(default)s)")
        parser.add_argument("--formats", default="", help='further notations to look up, such as "(###) ###-####"')
        parser.add_argument("--contact-type", default="", help="type of the new contact, where the CRM has several")
        parser.add_argument("--patience", type=float, default=30, help="seconds until a new record must be found")
        parser.add_argument(
            "--field",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="field of the login form, or of the address after an OAuth login; what is missing is asked for "
            "(better so for secrets: arguments are visible to others on this machine)",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before writing into the CRM")

    def handle(self, *args: Any, **options: Any) -> None:
        platform = registry.find_platform(options["platform"])
        if platform is None:
            raise CommandError(f"There is no adapter for {options['platform']}; see list_adapters.")
        manifest = registry.manifests()[platform]
        if missing := registry.missing_secrets(manifest):
            raise CommandError(f"{manifest.display_name} is not configured: {', '.join(missing)} missing.")
        phone = parse_phone(options["phone"], formats=options["formats"])
        if not phone.is_valid:
            raise CommandError(f"{options['phone']} is not a valid telephone number.")
        fields = dict(part.partition("=")[::2] for part in options["field"])
        if not options["yes"] and input(f"Write test records into {manifest.display_name}? [y/N] ").lower() != "y":
            raise CommandError("Nothing was done.")
        cache = MemoryCache()
        checklist = Checklist(
            manifest=manifest,
            open=lambda user, credentials: construct(
                platform=platform, user=user, credentials=credentials, cache=cache
            ),
            hostname=options["hostname"],
            phone=phone,
            contact_type=options["contact_type"],
            now=timezone.now().replace(microsecond=0),
            patience=options["patience"],
        )
        self._report(checklist, self._login(manifest, options["hostname"], fields))

    def _report(self, checklist: Checklist, login: Callable[[CrmAdapter], Credentials]) -> None:
        steps: list[Step] = []
        for step in checklist.run(login):
            if self.stderr.isatty():
                self.stderr.write(f"{step.name}: {step.outcome}")
            steps.append(step)
        head = ("Step", "Outcome", "Requests", "ms", "Detail")
        lines = [(step.name, step.outcome, str(step.requests), str(step.milliseconds), step.detail) for step in steps]
        self.stdout.write(columns([head, *lines]))
        if checklist.left:
            self.stdout.write(f"Left in the CRM, to be deleted there: {', '.join(checklist.left)}.")
        if failed := [step.name for step in steps if step.outcome == FAILED]:
            raise CommandError(f"{len(failed)} of {len(steps)} steps failed: {', '.join(failed)}.")

    def _login(self, manifest: Manifest, hostname: str, fields: dict[str, str]) -> Callable[[CrmAdapter], Credentials]:
        if manifest.server.auth.type == "oauth":
            callback = self._callback(manifest, hostname, fields)
            return lambda adapter: adapter.exchange_code(callback)
        form = LoginForm(fields={**fields, **self._asked(manifest, fields)}, hostname=hostname)
        return lambda adapter: adapter.login(form)

    def _asked(self, manifest: Manifest, fields: dict[str, str]) -> dict[str, str]:
        """The fields of the login page that were not given as arguments; typed without being shown."""
        page = manifest.client["auth"]["apiKey"]["page"]
        return {
            item["const"]: getpass.getpass(f"{item['title']}: ")
            for item in page.get("content", [])
            if item.get("const") and item["const"] not in fields
        }

    def _callback(self, manifest: Manifest, hostname: str, fields: dict[str, str]) -> OAuthCallback:
        """Sends the person to the CRM's authorisation page, as the extension does; takes the address they end at."""
        variables = {**registry.secrets_for(manifest), "APP_SERVER": settings.APP_SERVER}
        oauth = manifest.client_half(variables)["auth"]["oauth"]
        state = oauth.get("customState") or f"platform={manifest.name}"
        scope = f"&{oauth['scope']}" if oauth.get("scope") else ""
        self.stdout.write(
            "Open this address, log in, and paste the address that the browser ends at:\n"
            f"{oauth['authUrl']}?response_type=code&client_id={quote(oauth['clientId'])}{scope}"
            f"&state={quote(state)}&redirect_uri={quote(oauth['redirectUri'], safe='')}"
        )
        parts = urlsplit(input("> ").strip())
        query = dict(parse_qsl(parts.query))
        if query.get("state") != state:
            raise CommandError("The address does not carry the state of this login.")
        if not query.get("code"):
            raise CommandError("The address holds no code: the CRM did not agree.")
        further = {name: value for name, value in query.items() if name not in ("code", "state")}
        return OAuthCallback(
            code=query["code"],
            redirect_uri=f"{parts.scheme}://{parts.netloc}{parts.path}",
            hostname=hostname or query.get("hostname", ""),
            fields={**further, **fields},
        )
