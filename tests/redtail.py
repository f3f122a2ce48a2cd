"""A fake Redtail and Switchboard beside it as real processes, as the tests of both see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.extension import Extension
from tests.fakes.redtail import API_KEY, HOST, PASSWORD
from tests.live_server import LiveServer, live_server
from tests.vendor import Vendor, running_vendor

API = "/api/public/v1"


class Redtail:
    """``vendor``: the fake. ``server``: two workers of Switchboard. ``me``: an extension, connected by ``login``.

    ``start_over`` gives each test a database and a user of its own, so that one start of the processes serves all.
    """

    def __init__(self, vendor: Vendor, server: LiveServer, folder: Path) -> None:
        self.vendor = vendor
        self.server = server
        self._folder = folder
        self.start_over()

    def start_over(self) -> None:
        self.vendor.fail()
        self.username: str = self.vendor.call("start_over")
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

    def pass_the_lag(self) -> None:
        """Deliveries are due, and what an interrupted write left behind can be found."""
        past = "'2026-01-01T00:00:00Z'"
        self.server.rows(f"Delivery.objects.update(hold_until={past}, next_attempt_at={past})")
        self.server.rows(f"Delivery.objects.exclude(settles_at=None).update(settles_at={past})")

    def log_text(self) -> str:
        return (self._folder / "server.log").read_text()

    def everything_stored(self) -> bytes:
        """Database files and log."""
        paths = [path for path in self._folder.iterdir() if path.name.startswith(("switchboard", "server"))]
        return b"".join(path.read_bytes() for path in paths)


@contextmanager
def running_redtail(folder: Path) -> Iterator[Redtail]:
    """Until the block ends."""
    with (
        running_vendor("tests.fakes.redtail:FakeRedtail", folder) as vendor,
        live_server(folder, workers=2, REDTAIL_API_KEY=API_KEY, **vendor.environment) as server,
    ):
        yield Redtail(vendor, server, folder)
