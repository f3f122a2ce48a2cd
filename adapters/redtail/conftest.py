"""A fake Redtail and Switchboard beside it as real processes, as the tests of both see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.extension import Extension
from tests.fakes.redtail import HOST, PASSWORD
from tests.switchboard import Switchboard


class Redtail:
    """``vendor``: the fake, with an empty database. ``server``: Switchboard. ``me``: an extension, see ``login``."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.vendor = switchboard.vendors["redtail"]
        self.server = switchboard.server
        self.username: str = self.vendor.call("start_over")
        self.vendor.requests()
        self.me = Extension(self.server.url, "redtail")

    def login(self, username: str = "") -> dict[str, Any]:
        return self.me.login_with_key("apiKey", HOST, username=username or self.username, password=PASSWORD)

    def pia(self) -> dict[str, Any]:
        """A new contact, as the extension names it."""
        contact = self.vendor.call("add_contact", "Pia", "Ostrow", "6505550112")
        return {"id": contact, "type": "contact", "name": "Pia Ostrow", "phone": "+16505550112"}

    def activities(self) -> list[dict[str, Any]]:
        """In the order in which they were created."""
        return list(self.vendor.state()["activities"].values())

    def activity(self, log_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.vendor.state()["activities"][str(log_id)]
        return found

    def notes(self) -> list[tuple[int, str]]:
        """Activity and text of each activity note."""
        return [(note["activity_id"], note["body"]) for note in self.vendor.state()["notes"]]


@pytest.fixture
def redtail(switchboard: Switchboard) -> Redtail:
    return Redtail(switchboard)
