"""A company at the fake Pipedrive for each test."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.extension import Extension
from tests.fakes.pipedrive import SCOPES
from tests.switchboard import Switchboard

_numbers = itertools.count(1)


class Company:
    """A company of its own at the fake, with one user; nothing that is cached for another reaches it."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.vendor = vendor = switchboard.vendors["pipedrive"]
        self.server = switchboard.server
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
        self.log_in(me, user=user, scope=scope, hostname=hostname)
        return me

    def log_in(self, me: Extension, *, user: int = 0, scope: str = SCOPES, hostname: str = "temp") -> None:
        code = self.vendor.call("grant", self.domain, user or self.user, scope)
        uri = f"{self.server.url}/pipedrive-redirect?code={code}"
        self.welcome = me.login_with_code(uri, state="platform=pipedrive", hostname=hostname)
        assert self.welcome["returnMessage"]["message"] == "Connected to Pipedrive.", self.welcome
        self.vendor.requests()

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

    def another(self) -> Company:
        """A second company; what was ordered of the fake is taken back."""
        return Company(self.switchboard)


@pytest.fixture
def company(switchboard: Switchboard) -> Company:
    return Company(switchboard)
