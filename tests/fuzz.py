"""Fuzzes a running server through the description of its own API: ``python -m tests.fuzz [seconds]``, ``make fuzz``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.live_server import live_server
from tests.sandbox import start_sandbox

#: Besides "no 5xx": replies have a content type and a shape that the description names.
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,response_headers_conformance"
#: How Python 3.11 now and then fails to parse source in one of several threads (python/cpython#106905).
_CRASHED = "SystemError: AST constructor recursion depth mismatch"
#: Would end the session that all other requests use; fuzzed by themselves at the end.
LAST = ["/unAuthorize"]


@dataclass(frozen=True)
class Findings:
    """``statuses``: path and method -> status -> how often."""

    cases: int
    statuses: dict[str, Counter[int]]
    failed: bool
    output: str

    @property
    def server_errors(self) -> dict[str, int]:
        found = {name: sum(n for status, n in row.items() if status >= 500) for name, row in self.statuses.items()}
        return {name: number for name, number in found.items() if number}


def fuzz(folder: Path, *, seconds: int | None = None, examples: int = 100_000, seed: int | None = None) -> Findings:
    """Runs server, sandbox CRM and schemathesis; a connected user's token goes with every request.

    It ends after ``seconds``, or with ``examples`` of each operation, however long they take.
    """
    sandbox = start_sandbox(folder)
    try:
        with (
            _ringcentral() as ringcentral,
            live_server(
                folder,
                SANDBOX="on",
                TEST_CRM_URL=sandbox.url,
                RINGCENTRAL_SERVER=ringcentral,
                OUTBOUND_ALLOW_PRIVATE_ADDRESSES="on",
                **dict.fromkeys(
                    [f"THROTTLE_{scope}" for scope in ("USER", "LOGIN", "ADDRESS", "HASH", "WRONG_TOKEN")],
                    "1000000/min",
                ),
            ) as server,
        ):
            body = {"platform": "testCRM", "apiKey": "demo-key", "hostname": "", "additionalInfo": {}}
            token = requests.post(f"{server.url}/apiKeyLogin", json=body, timeout=20).json()["jwtToken"]
            report = folder / "fuzz.ndjson"
            command = [str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run"]
            command += [f"{server.url}/api/schema/", "--checks", CHECKS, "--max-examples", str(examples)]
            command += ["--max-time", str(seconds)] if seconds is not None else []
            command += ["--header", f"Authorization: Bearer {token}", "--header", "X-RC-Access-Token: any"]
            command += ["--report-ndjson-path", str(report)]
            command += ["--continue-on-failure", "--suppress-health-check", "all", "--workers", "2"]
            command += ["--request-timeout", "30"]
            command += [part for path in LAST for part in ("--exclude-path", path)]
            command += ["--seed", str(seed)] if seed is not None else []
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            for path in LAST:
                assert (
                    requests.post(f"{server.url}{path}?jwtToken={token}", data=b"\xff{", timeout=20).status_code < 500
                )
            statuses = _statuses(report)
    finally:
        sandbox.stop()
    cases = sum(sum(row.values()) for row in statuses.values())
    output = done.stdout + done.stderr
    failed = done.returncode != 0 and ("= FAILURES =" in output or _CRASHED not in output)
    return Findings(cases=cases, statuses=statuses, failed=failed, output=output)


@contextmanager
def _ringcentral() -> Iterator[str]:
    """RingCentral's answer to "who is this", for which every token is an administrator's."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"id": 1, "account": {"id": 2}, "permissions": {"admin": {"enabled": true}}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _statuses(report: Path) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for line in report.read_text().splitlines():
        event = json.loads(line).get("ScenarioFinished")
        if not event:
            continue
        for interaction in event["recorder"].get("interactions", {}).values():
            request, response = interaction["request"], interaction.get("response")
            path = "/" + request["uri"].split("/", 3)[3].split("?")[0]
            row = found.setdefault(f"{request['method']} {path}", Counter())
            row[response["status_code"] if response else 0] += 1
    return found


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        findings = fuzz(Path(folder), seconds=seconds)
    print(findings.output[-6000:])
    for name, row in sorted(findings.statuses.items()):
        if set(row) <= {405} or name.startswith("OPTIONS"):  # methods that the path does not know
            continue
        print(f"{name[:60]:60}", dict(sorted(row.items())))
    print(f"{findings.cases} requests; server errors: {findings.server_errors or 'none'}")
    return 1 if findings.failed or findings.server_errors else 0


if __name__ == "__main__":
    sys.exit(main())
