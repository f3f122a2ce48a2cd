"""Switchboard and a fake Pipedrive as real processes, and a company there for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.extension import Extension
from tests.fakes.pipedrive import CLIENT, SCOPES
from tests.live_server import LiveServer, live_server
from tests.vendor import Vendor, running_vendor

_numbers = itertools.count(1)


@contextmanager
def running_pipedrive(folder: Path) -> Iterator[tuple[Vendor, LiveServer]]:
    """Two server processes, so that what must happen once is decided in the database."""
    with (
        running_vendor("tests.fakes.pipedrive:FakePipedrive", folder) as vendor,
        live_server(
            folder,
            workers=2,
            PIPEDRIVE_CLIENT_ID=CLIENT[0],
            PIPEDRIVE_CLIENT_SECRET=CLIENT[1],
            THROTTLE_LOGIN="1000/min",
            DELIVERY_SETTLING_SECONDS="2",
            DELIVERY_RETRY_SECONDS="0.2",
            **vendor.environment,
        ) as server,
    ):
        yield vendor, server


class Company:
    """A company of its own at the fake, with one user; nothing that is cached for another reaches it."""

    def __init__(self, vendor: Vendor, server: LiveServer) -> None:
        self.vendor = vendor
        self.server = server
        self.domain = f"northwind-{next(_numbers)}"
        self.host = f"{self.domain}.pipedrive.com"
        self.id: int = vendor.call("add_company", self.domain)
        self.user: int = vendor.call("add_user", self.domain, "Robin Vale")
        vendor.fail()
        vendor.call("set", rotates=True, lifetime=3599, search_lag=0, daily_budget=30_000)
        vendor.call("set", requests_per_window=80, searches_per_window=10, patience=5)

    def login(self, *, user: int = 0, scope: str = SCOPES, hostname: str = "temp") -> Extension:
        """As the extension does it after an installation: the address of the install page, and no real host."""
        me = Extension(self.server.url, "pipedrive")
        code = self.vendor.call("grant", self.domain, user or self.user, scope)
        uri = f"{self.server.url}/pipedrive-redirect?code={code}"
        welcome = me.login_with_code(uri, state="platform=pipedrive", hostname=hostname)
        assert welcome["returnMessage"]["message"] == "Connected to Pipedrive.", welcome
        self.vendor.requests()
        return me

    def person(self, name: str, phone: str, **more: Any) -> dict[str, Any]:
        """A contact as the client sends it with a log."""
        number = self.vendor.call("add_person", self.domain, name, phone, **more)
        return {"id": number, "name": name, "type": "contact", "phone": phone}

    def records(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = list(self.vendor.state()["companies"][self.domain][kind].values())
        return found

    def activity(self) -> dict[str, Any]:
        """The only one there is."""
        [found] = self.records("activities")
        return found

    def wire_id(self) -> str:
        return f"{self.user}-pipedrive"
