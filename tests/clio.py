"""Clio's fake and Switchboard beside it, as the tests of both see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.extension import Extension
from tests.fakes.clio import ENVIRONMENT, REDIRECT, US
from tests.live_server import LiveServer, live_server
from tests.vendor import Vendor, running_vendor

COMMUNICATIONS, COMMUNICATION = "/api/v4/communications.json", "/api/v4/communications/{id}.json"
ACTIVITIES, ACTIVITY = "/api/v4/activities.json", "/api/v4/activities/{id}.json"
_SETTINGS = {"THROTTLE_LOGIN": "1000/min", "DELIVERY_RETRY_SECONDS": "0.1"}


class Clio:
    """``vendor``: the fake. ``server``: two workers of Switchboard that know the application of every region."""

    def __init__(self, vendor: Vendor, server: LiveServer, folder: Path) -> None:
        self.vendor = vendor
        self.server = server
        self._folder = folder

    def connect(self, host: str = US, **values: Any) -> tuple[Extension, int]:
        """Logs a new user in: the limit counts per token, so each test has its own."""
        user, code = self.vendor.call("add_user", "Dana Whitlock", host, **values)
        me = Extension(self.server.url, "clio")
        welcome = me.login_with_code(f"{REDIRECT}?code={code}", state="platform=clio", hostname=host)
        assert welcome["returnMessage"]["message"] == "Connected to Clio.", welcome
        self.vendor.requests()
        return me, user

    def pia(self, stored: str = "+16505550112", host: str = US) -> dict[str, Any]:
        """A new contact with this number, as the extension names it."""
        contact = self.vendor.call("add_contact", "Pia Ostrow", stored, host=host)
        return {"id": contact, "type": "Person", "name": "Pia Ostrow", "phone": "+16505550112"}

    def logs_of(self, contact: dict[str, Any]) -> list[dict[str, Any]]:
        """The communications with a contact, as they were written."""
        return [
            row
            for row in self._records("communications")
            if contact["id"] in [person["id"] for person in row["senders"] + row["receivers"]]
        ]

    def entries_of(self, log: dict[str, Any]) -> list[dict[str, Any]]:
        """The time entries of a communication, as they were written."""
        return [row for row in self._records("activities") if row["communication"] == {"id": log["id"]}]

    def _records(self, store: str) -> list[dict[str, Any]]:
        rows = self.vendor.state()[store].values()
        return [{name: value for name, value in row.items() if name != "host"} for row in rows]

    def log(self) -> str:
        """What the server's processes have printed."""
        return (self._folder / "server.log").read_text()

    def settle(self) -> None:
        """Takes back what a test ordered."""
        self.vendor.fail()
        self.vendor.call("configure", page_size=200, requests_a_minute=50, token_seconds=2592000, rotation="none")


@contextmanager
def running_clio(folder: Path) -> Iterator[Clio]:
    with (
        running_vendor("tests.fakes.clio:FakeClio", folder) as vendor,
        live_server(folder, workers=2, **_SETTINGS, **vendor.environment, **ENVIRONMENT) as server,
    ):
        yield Clio(vendor, server, folder)
