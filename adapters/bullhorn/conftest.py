"""Bullhorn's fake and Switchboard beside it, as the tests of both see them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.extension import Extension, conversation
from tests.switchboard import Switchboard
from tests.vendor import Vendor

CALLBACK = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"
CENTRE = {
    "tokenUrl": "https://auth-west.bullhornstaffing.com/oauth/token",
    "apiUrl": "https://rest-west.bullhornstaffing.com/rest-services",
}
_numbers = itertools.count(1)


class Agent(Extension):
    """A user of the extension with a Bullhorn user of their own."""

    def __init__(self, url: str, vendor: Vendor) -> None:
        super().__init__(url, "bullhorn")
        self.vendor = vendor
        self.username = f"agent.{next(_numbers)}"
        self.code = vendor.call("add_user", self.username, "Agent Kim")

    def login(self, *, code: str = "", username: str = "", **urls: str) -> dict[str, Any]:
        query = {
            "hostname": "app.bullhornstaffing.com",
            "username": username or self.username,
            **(urls or CENTRE),
        }
        return self.login_with_code(f"{CALLBACK}?code={code or self.code}&state=platform=bullhorn", **query)

    def sign_ins(self) -> list[str]:
        return [what for who, what in self.vendor.state()["sign_ins"] if who == self.username]


class Bullhorn:
    """``vendor``: the fake, ``server``: Switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.vendor = switchboard.vendors["bullhorn"]
        self.server = switchboard.server

    def agent(self) -> Agent:
        return Agent(self.server.url, self.vendor)

    def person(self, entity: str, name: str, **fields: str) -> dict[str, Any]:
        """A new person, as the extension names them."""
        kind = "Contact" if entity == "ClientContact" else entity
        number = self.vendor.call("add_person", entity, name, **fields)
        phone = next((value for value in fields.values() if value.startswith("+")), "+16505550112")
        return {"id": number, "name": name, "type": kind, "phone": phone}

    def notes(self, contact: dict[str, Any]) -> list[dict[str, Any]]:
        """The notes of a person, oldest first."""
        return [
            note for note in self.vendor.state()["notes"].values() if note["personReference"]["id"] == contact["id"]
        ]

    @staticmethod
    def messages(name: str, contact: dict[str, Any], count: int, **changes: Any) -> dict[str, Any]:
        """A conversation whose message ids no other conversation has."""
        body = conversation(name, contact, count, **changes)
        for message in body["logInfo"]["messages"]:
            message["id"] += 1000 * int(name)
        return body

    @staticmethod
    def texts(contact: dict[str, Any], count: int) -> str:
        """Messages as they stand in the note: the even ones are the agent's, eight hours behind UTC."""
        theirs = f"{contact['name']} ({contact['phone']})"
        return "".join(
            f"<li>{theirs if index % 2 else 'Agent Kim'} 09:{index:02d} AM<br>"
            f"<b>text number {index} &lt;i&gt;&amp;&lt;/i&gt; ñ</b></li>"
            for index in range(count)
        )

    @staticmethod
    def day(contact: dict[str, Any], items: str, count: int, *others: str) -> str:
        """The body of a note of texts."""
        people = "".join(f"<li><b>{name}</b></li>" for name in (contact["name"], *others))
        return (
            f"<br><b>SMS conversation with {contact['name']} - 26/05/04</b><br><b>Conversation summary</b><br>"
            "Monday, May 04, 2026<br>Participants<br><ul><li><b>Agent Kim</b><br></li>"
            f"{people}</ul><br>Conversation({count} messages)<br>BEGIN<br>------------<br><ul>{items}</ul>------------"
            "<br>END<br><br>--- Created via RingCentral App Connect"
        )


@pytest.fixture
def bullhorn(switchboard: Switchboard) -> Bullhorn:
    return Bullhorn(switchboard)


@pytest.fixture
def vendor(bullhorn: Bullhorn) -> Vendor:
    return bullhorn.vendor


@pytest.fixture
def server(bullhorn: Bullhorn) -> Any:
    return bullhorn.server


@pytest.fixture
def agent(bullhorn: Bullhorn) -> Agent:
    return bullhorn.agent()


@pytest.fixture
def me(agent: Agent) -> Agent:
    agent.login()
    agent.vendor.requests()
    return agent
