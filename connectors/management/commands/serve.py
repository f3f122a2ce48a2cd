"""Starts the web server."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors import web_server
from connectors.checks import refuse_if_unsafe
from connectors.listening import problem_with_address


class Command(BaseCommand):
    help = (
        "Serves with Granian until SIGTERM or Ctrl-C: HOST and PORT say where, WEB_WORKERS how many processes, "
        "WEB_THREADS how many requests each answers at the same time. Run manage.py prepare before. SIGTERM lets "
        "requests that are being answered end, for --grace seconds at most."
    )
    requires_system_checks = []  # what must stop it is asked below; one CRM's fault does not keep others from serving

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help=f"default {settings.HOST}")
        parser.add_argument("--port", type=int, default=settings.PORT, help=f"default {settings.PORT}")
        parser.add_argument("--grace", type=int, default=30, metavar="SECONDS", help="default 30")
        parser.add_argument("--reload", action="store_true", help="start anew when a source file changes")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            refuse_if_unsafe()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if problem := problem_with_address(options["host"], options["port"]):
            raise CommandError(f"{problem} HOST and PORT choose another address.")
        command = web_server.command(
            host=options["host"],
            port=options["port"],
            workers=settings.WEB_WORKERS,
            grace=options["grace"],
            reload=options["reload"],
        )
        web_server.allow_connections()
        os.chdir(settings.BASE_DIR)
        os.execv(command[0], command)  # noqa: S606 - the server takes the place of this process  # nosec
