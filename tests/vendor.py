"""Fake vendors in a process of their own, as a test sees them: state, what was asked, and how to make one misbehave."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

_ROOT = Path(__file__).resolve().parents[1]


class Vendor:
    """A running fake; ``environment`` makes Switchboard reach it under the vendor's own host names."""

    def __init__(self, url: str, folder: Path, number: int = 0) -> None:
        self.url = f"{url}/{number}"
        self.environment = {"OUTBOUND_PROXY": url, "OUTBOUND_CA_BUNDLE": str(folder / "vendor-ca.pem")}
        self._http = requests.Session()
        self._http.trust_env = False

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self._http.request(method, self.url + path, json=body, timeout=60)
        reply.raise_for_status()
        return reply.json() if reply.content else None

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Calls a method of the fake in its process: ``vendor.call("add_contact", "Pia Ostrow", "+16505550112")``."""
        return self._ask("POST", "/call", {"name": name, "args": args, "kwargs": kwargs})

    def state(self) -> dict[str, Any]:
        """Its records as JSON: ids that are keys have become texts."""
        found: dict[str, Any] = self._ask("GET", "/state")
        return found

    def fail(self, *rules: dict[str, Any]) -> None:
        """Orders misbehaviour in place of what was ordered before; see ``tests.fakes.vendor.Fault``."""
        self._ask("POST", "/faults", rules)

    def requests(self) -> list[dict[str, Any]]:
        """What was asked since the last time, in the order of the answers."""
        found: list[dict[str, Any]] = self._ask("GET", "/requests")
        return found

    def spent(self) -> list[str]:
        """The same in short and in order of the alphabet: ``GET /api/v4/contacts/{id}.json``."""
        return sorted(short(row) for row in self.requests())

    def close(self) -> None:
        self._http.close()


def short(row: dict[str, Any]) -> str:
    """``GET /contacts/{id}`` of a row of ``Vendor.requests``."""
    parts = ["{id}" + part.lstrip("0123456789") if part[:1].isdigit() else part for part in row["path"].split("/")]
    return f"{row['method']} {'/'.join(parts)}"


def rounds(rows: list[dict[str, Any]]) -> int:
    """How many times requests went out together: one that starts after all before it have ended opens a new round.

    Let the fake answer slowly (``vendor.fail({"delay": 0.1})``), or requests of one round may not overlap.
    """
    count, end = 0, float("-inf")
    for row in sorted(rows, key=lambda row: row["started"]):
        if row["started"] >= end:
            count += 1
        end = max(end, row["ended"])
    return count


@contextmanager
def running_vendors(fakes: Sequence[str], folder: Path) -> Iterator[list[Vendor]]:
    """Runs each ``module:Class`` (say ``tests.fakes.clio:FakeClio``) until the block ends, all in one process."""
    command = [sys.executable, "-m", "tests.fakes.vendor", *fakes, "--folder", str(folder)]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    url = line.strip().rpartition(" ")[2]
    vendors = [Vendor(url, folder, number) for number in range(len(fakes))]
    try:
        assert line.startswith("Vendor on "), "the fake vendors did not start"
        yield vendors
    finally:
        for vendor in vendors:
            vendor.close()
        process.terminate()
        process.wait(60)
        process.stdout.close()


@contextmanager
def running_vendor(fake: str, folder: Path) -> Iterator[Vendor]:
    """The same for one."""
    with running_vendors([fake], folder) as [vendor]:
        yield vendor
