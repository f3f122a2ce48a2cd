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
    """``rtt``: seconds that the CRM takes; ``goal``: in words; ``reference``: what the reference server was measured
    to take, on another day (per second, p50 in ms, CPU in ms a request; None: not measured).
    """

    kind: str
    clients: int
    rtt: float
    name: str
    goal: str
    reference: tuple[float | None, float | None, float | None]


ROWS = tuple(
    Row(kind=kind, clients=clients, rtt=rtt, name=name, goal=goal, reference=reference)
    for kind, clients, rtt, reference, name, goal in (
        ("contact", 1, 0.05, (None, 225, None), "GET /contact, CRM 50 ms, 1 client", "p50 ≤ 72.5 ms (1.15 RTT + 15)"),
        ("contact3", 1, 0.05, (None, 667, None), "the same with three formats", "p50 ≤ 72.5 ms"),
        ("call", 1, 0.05, (None, 121, None), "POST /callLog, CRM 50 ms, 1 client", "p50 ≤ 62 ms (1 RTT + 12)"),
        ("messages", 1, 0.05, (None, 1804, None), "POST /messageLog, ten texts, CRM 50 ms", "p50 ≤ 65 ms (1 RTT + 15)"),
        ("logs", 16, 0.0, (229, None, 4.5), "GET /callLog, database only, 16 clients", "3 × throughput, 0.45 × CPU"),
        ("contact", 16, 0.0, (96, None, 11.0), "GET /contact, CRM 0 ms, 16 clients", "1.3 × throughput"),
        ("call", 16, 0.0, (75, None, 12.8), "POST /callLog, CRM 0 ms, 16 clients", "2 × throughput, 0.9 × CPU"),
        (
            "contact",
            256,
            0.2,
            (103, 2200, None),
            "GET /contact, CRM 200 ms, 256 clients",
            "1.3 × throughput, p50 below",
        ),
        ("call", 256, 0.05, (32, None, None), "POST /callLog, CRM 50 ms, 256 clients", "2 × throughput"),
    )
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
