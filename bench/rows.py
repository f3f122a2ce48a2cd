"""The rows of the report: what is asked, by how many, of a CRM how fast; and how a server fares."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.machine import busy_seconds, cpu_seconds
from bench.servers import ROOT, Crm, Server

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """``rtt``: seconds that the CRM takes; ``goal``: in words; ``reference`` and ``bare``: what the reference server,
    1.7.42, and the bare view were measured to take in one run, in turns: per second, p50 in ms, CPU in ms a request.
    """

    kind: str
    clients: int
    rtt: float
    name: str
    goal: str
    reference: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bare: tuple[float, float, float] = (1.0, 1.0, 1.0)


#: When and where the reference server was measured beside the bare view.
MEASURED = "on 2026-11-30 on two quiet cores"

ROWS = (
    Row(
        kind="contact",
        clients=1,
        rtt=0.05,
        name="GET /contact, CRM 50 ms, 1 client",
        goal="p50 ≤ 72.5 ms (1.15 RTT + 15)",
        reference=(4.7, 214.2, 13.16),
        bare=(17.1, 57.7, 9.13),
    ),
    Row(
        kind="contact3",
        clients=1,
        rtt=0.05,
        name="the same with three formats",
        goal="p50 ≤ 72.5 ms",
        reference=(1.6, 631.4, 28.57),
        bare=(15.9, 62.7, 15.94),
    ),
    Row(
        kind="call",
        clients=1,
        rtt=0.05,
        name="POST /callLog, CRM 50 ms, 1 client",
        goal="p50 ≤ 62 ms (1 RTT + 12)",
        reference=(8.8, 113.4, 12.5),
        bare=(18.1, 55.0, 3.97),
    ),
    Row(
        kind="messages",
        clients=1,
        rtt=0.05,
        name="POST /messageLog, ten texts, CRM 50 ms",
        goal="p50 ≤ 65 ms (1 RTT + 15)",
        reference=(0.6, 1626.2, 106.67),
        bare=(17.8, 55.9, 4.58),
    ),
    Row(
        kind="logs",
        clients=16,
        rtt=0.0,
        name="GET /callLog, database only, 16 clients",
        goal="3 × throughput, 0.45 × CPU",
        reference=(273.5, 55.2, 3.94),
        bare=(2201.1, 5.6, 0.76),
    ),
    Row(
        kind="contact",
        clients=16,
        rtt=0.0,
        name="GET /contact, CRM 0 ms, 16 clients",
        goal="1.3 × throughput",
        reference=(207.2, 74.1, 5.02),
        bare=(207.4, 47.3, 6.98),
    ),
    Row(
        kind="call",
        clients=16,
        rtt=0.0,
        name="POST /callLog, CRM 0 ms, 16 clients",
        goal="2 × throughput, 0.9 × CPU",
        reference=(162.5, 95.4, 6.33),
        bare=(424.5, 13.5, 2.95),
    ),
    Row(
        kind="contact",
        clients=256,
        rtt=0.2,
        name="GET /contact, CRM 200 ms, 256 clients",
        goal="1.3 × throughput, p50 below",
        reference=(154.9, 1477.4, 5.86),
        bare=(73.9, 2898.7, 9.28),
    ),
    Row(
        kind="call",
        clients=256,
        rtt=0.05,
        name="POST /callLog, CRM 50 ms, 256 clients",
        goal="2 × throughput",
        reference=(164.7, 1491.2, 6.14),
        bare=(425.3, 470.7, 2.93),
    ),
)


@dataclass
class Figures:
    """The turns of one server in one row."""

    turns: list[dict[str, Any]] = field(default_factory=list)

    def of(self, name: str) -> float:
        """The median of the turns."""
        return median(turn[name] for turn in self.turns) if self.turns else 0.0


class Numbers:
    """Hands out numbers that nobody has had."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        self._next += 100_000
        return self._next


def turn(server: Server, crm: Crm, row: Row, *, seconds: float, numbers: Numbers) -> dict[str, Any]:
    """One server's turn; the load generator's figures, and CPU and CRM requests for each answer."""
    crm.wait_for(row.rtt)
    crm.count()
    pids = (server.process.pid, crm.process.pid)
    began = time.monotonic()
    cpu, all_cpu = [cpu_seconds(pid) for pid in pids], busy_seconds()
    arguments = [server.port, row.kind, row.clients, seconds, numbers.take(), server.tokens]
    command = [sys.executable, "-m", "bench.load", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    answers = max(1, found["answers"])
    spent = [cpu_seconds(pid) - before for pid, before in zip(pids, cpu, strict=True)]
    generator = found["own_cpu"] * (found["answers"] + found["failures"]) / 1000
    others = (busy_seconds() - all_cpu - sum(spent) - generator) / (time.monotonic() - began)
    return found | {"cpu": spent[0] * 1000 / answers, "calls": crm.count() / answers, "others": max(0.0, others)}


def measure(
    servers: dict[str, Server], crm: Crm, numbers: Numbers, *, seconds: float, turns: int, say: Say
) -> dict[Row, dict[str, Figures]]:
    """Every row, the servers in turns."""
    found: dict[Row, dict[str, Figures]] = {}
    for row in ROWS:
        found[row] = {name: Figures() for name in servers}
        for _ in range(turns):
            for name, server in servers.items():
                figures = turn(server, crm, row, seconds=seconds, numbers=numbers)
                found[row][name].turns.append(figures)
                say(
                    f"{row.name}: {name} {figures['per_second']:.1f}/s, p50 {figures['p50']:.1f} ms, "
                    f"p99 {figures['p99']:.1f} ms, CPU {figures['cpu']:.2f} ms, {figures['calls']:.1f} CRM requests, "
                    f"{figures['failures']} failures {figures['failure'][:200]}; generator {figures['own_cpu']:.2f} ms"
                )
    return found
