"""Clio's fake and Switchboard beside it, as the tests of both see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.extension import Extension
from tests.fakes.clio import REDIRECT, US
from tests.switchboard import Switchboard


class Clio:
    """``vendor``: the fake. ``server``: Switchboard, which knows the application of every region."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.vendor = switchboard.vendors["clio"]
        self.server = switchboard.server

    def connect(self, host: str = US, **values: Any) -> tuple[Extension, int]:
        """Logs a new user in: the limit counts per token, so each test has its own."""
        user, code = self.vendor.call("add_user", "Dana Whitlock", host, **values)
        me = Extension(self.server.url, "clio")
        self.welcome = me.login_with_code(f"{REDIRECT}?code={code}", state="platform=clio", hostname=host)
        assert self.welcome["returnMessage"]["message"] == "Connected to Clio.", self.welcome
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

    def settle(self) -> None:
        """Takes back what a test ordered."""
        self.vendor.fail()
        self.vendor.call("configure", page_size=200, requests_a_minute=50, token_seconds=2592000, rotation="none")


@pytest.fixture
def clio(switchboard: Switchboard) -> Clio:
    clio = Clio(switchboard)
    clio.settle()
    return clio
