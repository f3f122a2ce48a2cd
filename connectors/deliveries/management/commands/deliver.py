"""Sends what the CRMs could not take before: once, or as a worker that goes on until it is stopped."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from connectors.deliveries.worker import Worker
from connectors.observation.metrics import WORKER
from connectors.observation.start_line import started


class Command(BaseCommand):
    help = (
        "Sends the changes that are kept because a CRM could not take them. Without --watch: those that are due now. "
        "Any number of workers may run, on any number of machines; SIGTERM ends one after the sending at hand."
    )
    requires_system_checks = []  # one CRM's broken adapter must not keep what waits for the others

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="go on until SIGTERM or Ctrl-C")
        parser.add_argument("--threads", type=int, default=8, help="changes sent at the same time (default 8)")

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker(threads=options["threads"])
        if options["watch"]:
            started(WORKER)
            stop = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            worker.watch(stop)
        else:
            worker.run_once(progress=lambda: self._show(worker))
        self.stdout.write(f"{worker.sent} sent, {worker.waiting} still wait.")

    def _show(self, worker: Worker) -> None:
        if self.stdout.isatty():
            self.stderr.write(f"\r{worker.sent} sent, {worker.waiting} wait", ending="")
