"""The load generator: ``python -m bench.load PORT KIND CLIENTS SECONDS FIRST TOKENS``; prints one JSON object.

A closed loop: each client asks again as soon as it has its answer. FIRST numbers what is asked, so that nothing is
asked twice; TOKENS is a JSON file of the users' tokens, who take turns. An answer counts only if it is a success.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from bench.asked import SUCCESS, request


class Client(asyncio.Protocol):
    """One connection that is kept open."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._length = -1

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.next_request())

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        if self._length < 0:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            start = received.lower().find(b"content-length:", 0, end)
            self._length = end + 4 + int(received[start + 15 : received.find(b"\r\n", start)])
        if len(received) < self._length:
            return
        self._received, self._length = b"", -1
        if self._load.note(time.perf_counter() - self._sent_at, received):
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost(error)


class Load:
    """One run and what came of it; times are seconds."""

    def __init__(self, kind: str, clients: int, seconds: float, first: int, tokens: list[str]) -> None:
        self._kind, self._seconds, self._tokens = kind, seconds, tokens
        self._numbers = count(first)
        self._open = clients
        self._done = asyncio.get_running_loop().create_future()
        self._success = SUCCESS[kind]
        self.times: list[float] = []
        self.failures: list[bytes] = []
        self._stop_at = time.perf_counter() + seconds

    def next_request(self) -> bytes:
        number = next(self._numbers)
        return request(self._kind, number, self._tokens[number % len(self._tokens)])

    def note(self, seconds: float, answer: bytes) -> bool:
        """Whether the client goes on."""
        if answer.startswith(b"HTTP/1.1 200") and self._success in answer:
            self.times.append(seconds)
        else:
            self.failures.append(answer[-300:])
        return time.perf_counter() < self._stop_at

    def lost(self, error: Exception | None) -> None:
        if error or time.perf_counter() < self._stop_at:
            self.failures.append(b"connection lost")
        self._open -= 1
        if not self._open and not self._done.done():
            self._done.set_result(None)

    async def run(self, port: int, clients: int) -> dict[str, Any]:
        began, cpu = time.perf_counter(), time.process_time()
        self._stop_at = began + self._seconds
        loop = asyncio.get_running_loop()
        for _ in range(clients):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", port)
        await asyncio.wait_for(self._done, self._seconds + 120)
        wall = time.perf_counter() - began
        times = sorted(self.times) or [0.0]
        asked = len(self.times) + len(self.failures)
        return {
            "answers": len(self.times),
            "failures": len(self.failures),
            "failure": self.failures[0].decode("utf-8", "replace") if self.failures else "",
            "per_second": len(self.times) / wall,
            "p50": times[len(times) // 2] * 1000,
            "p99": times[min(len(times) - 1, len(times) * 99 // 100)] * 1000,
            "own_cpu": (time.process_time() - cpu) * 1000 / max(1, asked),
        }


async def main(port: str, kind: str, clients: str, seconds: str, first: str, tokens: str) -> None:
    load = Load(kind, int(clients), float(seconds), int(first), json.loads(Path(tokens).read_text()))
    print(json.dumps(await load.run(int(port), int(clients))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
