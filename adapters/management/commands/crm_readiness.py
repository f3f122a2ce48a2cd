"""Runs the compatibility checklist against a real account of a CRM and prints a table."""

from __future__ import annotations

import getpass
import json
import logging
import sys
import warnings
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from adapters import registry
from adapters.capabilities import columns
from adapters.contract import Manifest, parse_phone
from adapters.opening import construct
from adapters.readiness.checklist import FAILED, Checklist, MemoryCache, Step
from adapters.readiness.login import (
    Login,
    LoginMistake,
    asks_for_host,
    authorisation,
    fields_of,
    hosts_of,
    login_with,
    uses_oauth,
)
from adapters.readiness.recording import Recording

_HEAD = ("Step", "Outcome", "Requests", "ms", "Detail")


class Command(BaseCommand):
    help = (
        "Does with a real account of a CRM what users do: login, current user, look-up in each notation, contact, call "
        "log, SMS log, logout; says how strict the CRM's search is. Writes a few contacts, one call and one "
        "conversation, and says what is left to delete. Without a terminal give --yes, and the login with --field, "
        "--fields-from or --callback. Exit status 1 if a step failed, 2 if the arguments are wrong."
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
        parser.add_argument(
            "--fields-from", metavar="FILE", default="", help="a JSON object of such fields; - is the standard input"
        )
        parser.add_argument(
            "--callback", metavar="ADDRESS", default="", help="of an OAuth login: the address the browser ended at"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before writing into the CRM")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print JSON instead of a table")
        form.add_argument("--markdown", action="store_true", help="print a table for an issue or a page")
        parser.add_argument(
            "--record", metavar="DIR", default="", help="write fixtures there, scrubbed, from the real exchanges"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        platform = registry.find_platform(options["platform"])
        if platform is None:
            raise CommandError(f"There is no adapter for {options['platform']}; see list_adapters.", returncode=2)
        manifest = registry.manifests()[platform]
        if missing := registry.missing_secrets(manifest):
            names = ", ".join(missing)
            raise CommandError(f"{manifest.display_name} is not configured: {names} missing.", returncode=2)
        phone = parse_phone(options["phone"], formats=options["formats"])
        if not phone.is_valid:
            raise CommandError(f"{options['phone']} is not a valid telephone number.", returncode=2)
        fields = _given(options)
        if not options["yes"]:
            answer = _asked(f"Write test records into {manifest.display_name}? [y/N] ", "--yes")
            if answer.lower() != "y":
                raise CommandError("Nothing was done.")
        login = self._login(manifest, options, fields)
        cache = MemoryCache()
        recording = Recording(cache)
        checklist = Checklist(
            manifest=manifest,
            open=lambda user, credentials: construct(
                platform=platform, user=user, credentials=credentials, cache=cache, now=recording.now
            ),
            hostname=options["hostname"],
            phone=phone,
            contact_type=options["contact_type"],
            now=timezone.now().replace(microsecond=0),
            patience=options["patience"],
        )
        with _without_log_lines():
            if directory := options["record"]:
                typed = {**fields, "code": _code_in(options["callback"])}
                run = recording.run(checklist, login, typed=typed, folder=Path(directory))
            else:
                run = checklist.run(login)
            steps = list(self._told(run))
        self._report(manifest, checklist, steps, options)

    def _told(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            if self.stderr.isatty():
                self.stderr.write(f"{step.name}: {step.outcome}")
            yield step

    def _report(self, manifest: Manifest, checklist: Checklist, steps: list[Step], options: dict[str, Any]) -> None:
        failed = [step.name for step in steps if step.outcome == FAILED]
        if options["json"]:
            document = {"platform": manifest.name, "steps": [vars(step) for step in steps], "left": checklist.left}
            self.stdout.write(json.dumps({**document, "failed": failed}, indent=2, ensure_ascii=False))
        else:
            lines = [
                (item.name, item.outcome, str(item.requests), str(item.milliseconds), item.detail) for item in steps
            ]
            self.stdout.write(_as_markdown([_HEAD, *lines]) if options["markdown"] else columns([_HEAD, *lines]))
            if checklist.left:
                self.stdout.write(f"Left in the CRM, to be deleted there: {', '.join(checklist.left)}.")
        if failed:
            raise CommandError(f"{len(failed)} of {len(steps)} steps failed: {', '.join(failed)}.")

    def _login(self, manifest: Manifest, options: dict[str, Any], fields: dict[str, str]) -> Login:
        """Asks for what was not given. Fields are typed without being shown."""
        if asks_for_host(manifest) and not options["hostname"]:
            options["hostname"] = _asked(f"Host of the {manifest.display_name} account: ", "--hostname")
        elif (hosts := hosts_of(manifest)) and not options["hostname"]:
            options["hostname"] = hosts[0][0]
        try:
            if not uses_oauth(manifest):
                for field in fields_of(manifest):
                    if field.name not in fields:
                        fields[field.name] = _typed(f"{field.title}: ", f"--field {field.name}=... or --fields-from")
            elif not options["callback"]:
                address, _, _ = authorisation(manifest, options["hostname"])
                self.stderr.write(
                    f"Open this address, log in, and paste the address that the browser ends at:\n{address}"
                )
                options["callback"] = _asked("> ", "--callback")
            return login_with(manifest, hostname=options["hostname"], fields=fields, address=options["callback"])
        except LoginMistake as mistake:
            raise CommandError(str(mistake), returncode=2) from None


def _given(options: dict[str, Any]) -> dict[str, str]:
    fields = dict(part.partition("=")[::2] for part in options["field"])
    source = options["fields_from"]
    if not source:
        return fields
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        more = json.loads(text)
        return {**{str(name): str(value) for name, value in more.items()}, **fields}
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}.", returncode=2) from None
    except (ValueError, AttributeError):
        raise CommandError(f"{source} does not hold a JSON object.", returncode=2) from None


def _code_in(address: str) -> str:
    return dict(parse_qsl(address.partition("?")[2])).get("code", "")


def _asked(prompt: str, instead: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        raise CommandError(f"There is no terminal to ask at: give {instead}.", returncode=2) from None


def _typed(prompt: str, instead: str) -> str:
    """Without a terminal ``getpass`` would show what is typed: it only warns of that."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (getpass.GetPassWarning, EOFError):
        raise CommandError(f"There is no terminal to ask at: give {instead}.", returncode=2) from None


def _as_markdown(lines: list[tuple[str, ...]]) -> str:
    head, *rest = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
    return "\n".join([head, "|---|---|---:|---:|---|", *rest])


@contextmanager
def _without_log_lines() -> Iterator[None]:
    """The table stands alone; what goes wrong is in it."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
