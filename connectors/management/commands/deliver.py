"""Sends what the CRMs could not take before: once, or as a worker that goes on until it is stopped."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from audit.models import Delivery
from connectors.services import delivery_worker
from connectors.services.deliveries import Outcome

log = logging.getLogger("switchboard.deliveries")


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
        self._sent = self._waiting = 0
        self._lock = threading.Lock()
        self._places = options["threads"]
        stop = threading.Event()
        if options["watch"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        with ThreadPoolExecutor(options["threads"], thread_name_prefix="deliver") as pool:
            if options["watch"]:
                delivery_worker.watch(
                    stop=stop.is_set, run=lambda item: self._start(pool, item), free=lambda: self._places
                )
            else:
                delivery_worker.clear_up()
                while taken := delivery_worker.take_due(limit=options["threads"]):
                    list(pool.map(self._deliver, taken))
                    if self.stdout.isatty():
                        self.stderr.write(f"\r{self._sent} sent, {self._waiting} wait", ending="")
        self.stdout.write(f"{self._sent} sent, {self._waiting} still wait.")

    def _start(self, pool: ThreadPoolExecutor, delivery: Delivery) -> None:
        with self._lock:
            self._places -= 1
        pool.submit(self._deliver, delivery).add_done_callback(self._leave)

    def _leave(self, _: Any) -> None:
        with self._lock:
            self._places += 1

    def _deliver(self, delivery: Delivery) -> None:
        outcome = Outcome(waits=True)
        try:
            outcome = delivery_worker.deliver(delivery)
        except Exception:  # the database, most likely: the delivery is free again when its lease has run out
            log.exception("delivery broke off", extra={"kind": delivery.kind, "platform": delivery.platform})
        finally:
            connections.close_all()
        with self._lock:
            if outcome.waits:
                self._waiting += 1
            else:
                self._sent += 1
