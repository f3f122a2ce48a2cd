"""A CRM with Insightly's API and a fixed latency, over TLS: ``python -m bench.crm PORT CERTIFICATE KEY``.

Lines on standard input set it: ``latency 0.05`` (seconds), ``count`` prints how many requests came since the last one.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Crm:
    """Its records, its latency, and how many requests it saw."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.requests = 0
        self.events: dict[int, dict[str, Any]] = {}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON. Whoever has the number in question is found as a contact, by the usual phone field."""
        self.requests += 1
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")[1:]
        sent = json.loads(body) if body else {}
        if parts[0] == "Users":
            return 200, {"USER_ID": 7, "FIRST_NAME": "Bench", "LAST_NAME": "Agent", "EMAIL_ADDRESS": "b@example.test"}
        if parts[-1] == "Search":
            query = dict(parse_qsl(url.query))
            digits = re.sub(r"\D", "", query.get("field_value", ""))
            is_there = parts[0] == "Contacts" and query.get("field_name") == "PHONE" and bool(digits)
            return 200, [_person(digits, query["field_value"])] if is_there else []
        if parts[0] == "Contacts":
            return 200, _person(parts[-1], parts[-1])
        if parts == ["Events"] and method == "POST":
            event = {**sent, "EVENT_ID": 1000 + len(self.events), "LINKS": sent.get("LINKS") or []}
            self.events[event["EVENT_ID"]] = event
            return 200, event
        if parts == ["Events"] and method == "GET":
            return 200, []
        if parts == ["Events"]:
            self.events[sent["EVENT_ID"]].update(sent)
            return 200, self.events[sent["EVENT_ID"]]
        if parts[0] == "Events" and parts[-1] == "Links":
            return 200, {**sent, "LINK_ID": self.requests}
        found = self.events.get(int(parts[1])) if parts[0] == "Events" and parts[1].isdigit() else None
        return (200, found) if found else (404, {"Message": "No such resource."})


def _person(digits: str, phone: str) -> dict[str, Any]:
    return {
        "CONTACT_ID": int(digits[-9:]),
        "FIRST_NAME": "Load",
        "LAST_NAME": f"Person{digits[-4:]}",
        "PHONE": phone,
        "LINKS": [],
        "CUSTOMFIELDS": [],
    }


class Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, crm: Crm) -> None:
        self._crm = crm
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        status, content = self._crm.answer(method, target, rest[:length])
        body = json.dumps(content).encode()
        reply = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        if self._crm.latency:
            asyncio.get_running_loop().call_later(self._crm.latency, self._transport.write, reply + body)
        else:
            self._transport.write(reply + body)


async def main(port: int, certificate: str, key: str) -> None:
    crm = Crm()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(crm), "127.0.0.1", port, ssl=context, backlog=1024)
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, _, value = line.strip().partition(" ")
        if word == "latency":
            crm.latency = float(value)
            print("set", flush=True)
        else:
            print(crm.requests, flush=True)
            crm.requests = 0


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
