"""Switchboard as it runs in production, with the fakes of all CRMs beside it, as the sessions of the CRMs see them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.live_server import LiveServer, live_server
from tests.vendor import Vendor, running_vendors

_PAST = "2026-01-01 00:00:00"
_SETTINGS = {"THROTTLE_LOGIN": "10000/min", "DELIVERY_RETRY_SECONDS": "0.1"}


class Switchboard:
    """``server``: two processes, so that what must happen once has to happen once over both. ``vendors`` by CRM.

    It serves the sessions of all CRMs in turn; each test has users of its own, and finds nothing waiting.
    """

    def __init__(self, server: LiveServer, vendors: dict[str, Vendor], folder: Path) -> None:
        self.server = server
        self.vendors = vendors
        self._folder = folder

    def rows(self, expression: str) -> Any:
        return self.server.rows(expression)

    def deliver(self) -> str:
        """What a worker sends that begins now, and knows of no pauses but those that are written down."""
        return self.server.manage("deliver")

    def pass_the_lag(self) -> None:
        """So much time passes that deliveries are due, and that "not found" means that nothing was written."""
        self._change(f"UPDATE deliveries_delivery SET hold_until = '{_PAST}', next_attempt_at = '{_PAST}'")
        self._change(f"UPDATE deliveries_delivery SET settles_at = '{_PAST}' WHERE settles_at IS NOT NULL")
        self._change("UPDATE connectors_contactcreation SET changed_at = datetime(changed_at, '-100 seconds')")

    def end_the_pauses(self) -> None:
        """The time is over for which a vendor wanted to be left alone, as a process that starts now learns it."""
        self._change("DELETE FROM connectors_requestcount WHERE key LIKE 'closed:%'")

    def forget_trouble(self) -> None:
        """Nothing waits, and every CRM is thought well of."""
        for table in ("deliveries_delivery", "deliveries_circuit"):
            self._change(f"DELETE FROM {table}")
        for vendor in self.vendors.values():
            vendor.fail()

    def log(self) -> str:
        """What the server's processes have printed."""
        return self.server.log()

    def everything_stored(self) -> bytes:
        """Database files and log."""
        paths = [path for path in self._folder.iterdir() if path.name.startswith(("switchboard", "server"))]
        return b"".join(path.read_bytes() for path in paths)

    def _change(self, statement: str) -> None:
        with closing(sqlite3.connect(self._folder / "switchboard.sqlite3", timeout=60)) as database, database:
            database.execute(statement)


@contextmanager
def running_switchboard(platforms: list[str], folder: Path) -> Iterator[Switchboard]:
    """Until the block ends. The fake of a platform is the ``FAKE`` of its module in ``tests.fakes``.

    Its ``ENVIRONMENT`` is what Switchboard has to know of its application there.
    """
    modules = [import_module(f"tests.fakes.{platform}") for platform in platforms]
    fakes = [f"{module.__name__}:{module.FAKE.__name__}" for module in modules]
    variables = {name: value for module in modules for name, value in module.ENVIRONMENT.items()}
    with (
        running_vendors(fakes, folder) as vendors,
        live_server(folder, workers=2, **_SETTINGS, **variables, **vendors[0].environment) as server,
    ):
        yield Switchboard(server, dict(zip(platforms, vendors, strict=True)), folder)
