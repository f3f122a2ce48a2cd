"""Insightly's fake and Switchboard beside it, as the tests of both see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.extension import Extension
from tests.fakes.insightly import API_URL, PAGES
from tests.switchboard import Switchboard


class Insightly:
    """``vendor``: the fake, with a new administrator, whose pace no other test has used up."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.vendor = switchboard.vendors["insightly"]
        self.server = switchboard.server
        self.key, self.user = self.vendor.call("start_over")
        self.vendor.requests()
        self.me = Extension(self.server.url, "insightly")

    def login(self) -> dict[str, Any]:
        return self.me.login_with_key(self.key, hostname=PAGES, apiUrl=API_URL)

    def person(self, first: str, last: str = "Fox", phone: str = "", kind: str = "Contact", **fields: Any) -> Any:
        """A person in the CRM, as the extension holds them."""
        person = self.vendor.call("add", f"{kind}s", FIRST_NAME=first, LAST_NAME=last, PHONE=phone, **fields)
        return {"id": person, "name": f"{first} {last}", "type": kind, "phone": phone}

    def event(self, log_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.vendor.state()["records"]["Events"][str(log_id)]
        return found

    def titled(self, title: str) -> list[dict[str, Any]]:
        return [event for event in self.vendor.state()["records"]["Events"].values() if event["TITLE"] == title]


@pytest.fixture
def insightly(switchboard: Switchboard) -> Insightly:
    return Insightly(switchboard)


@pytest.fixture
def me(insightly: Insightly) -> Extension:
    insightly.login()
    insightly.vendor.requests()
    return insightly.me


@pytest.fixture
def vendor(insightly: Insightly) -> Any:
    return insightly.vendor
