"""The sandbox CRM as a real process on a free loopback port, for tests that need a CRM on the other side."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

_ROOT = Path(__file__).resolve().parents[1]
_READY = re.compile(r"Sandbox CRM on (http://\S+)")


class Sandbox:
    """A running sandbox CRM; ``url`` has no trailing slash. Its log is in ``log``."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: list[str]) -> None:
        self._process = process
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = url
        self.log = log

    def request(self, method: str, path: str, *, key: str = "", token: str = "", **options: Any) -> requests.Response:
        """One request, as the person of an API key or with an OAuth access token."""
        headers = dict(options.pop("headers", {}))
        if key:
            headers["Authorization"] = "Basic " + b64encode(f"{key}:".encode()).decode()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        options = {"timeout": 60, "allow_redirects": False, **options}
        return self._session.request(method, self.url + path, headers=headers, **options)

    def activities(self, key: str = "demo-key", **filters: str) -> list[dict[str, Any]]:
        """What is in the CRM of this person, newest first."""
        found: list[dict[str, Any]] = self.request("GET", "/api/activities", key=key, params=filters).json()[
            "activities"
        ]
        return found

    def fail(self, *rules: Mapping[str, Any]) -> None:
        """Orders misbehaviour, see ``adapters.testcrm.server``."""
        assert self.request("POST", "/__faults__", json={"rules": list(rules)}).status_code == 200

    def requests_seen(self) -> list[str]:
        """``"POST /api/activities"`` and so on, oldest first, since the last ``reset``."""
        seen = self.request("GET", "/__requests__").json()["requests"]
        return [f"{item['method']} {item['path']}" for item in seen]

    def reset(self) -> None:
        """Forgets ordered misbehaviour and the requests seen; rows stay."""
        assert self.request("POST", "/__reset__").status_code == 200

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """Ends the process and returns its exit status; may be called again."""
        self._session.close()
        if self._process.poll() is None:
            self._process.send_signal(sign)
        return self._process.wait(timeout=60)


def start_sandbox(tmp_path: Path, *, faults: bool = True, port: int = 0, arguments: tuple[str, ...] = ()) -> Sandbox:
    """Starts it with its database in ``tmp_path``; returns once it answers. The caller stops it."""
    command = [sys.executable, "-m", "adapters.testcrm.server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--database",
        str(tmp_path / "sandbox-crm.sqlite3"),
        *(["--allow-faults"] if faults else []),
        *arguments,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_CRM_")}
    process = subprocess.Popen(command, cwd=_ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log: list[str] = []
    for line in process.stderr:
        log.append(line)
        if match := _READY.search(line):
            threading.Thread(target=_drain, args=(process, log), daemon=True).start()
            return Sandbox(process, match[1], log)
    raise RuntimeError(f"the sandbox CRM did not start: {''.join(log)}")


def _drain(process: subprocess.Popen[str], log: list[str]) -> None:
    """Keeps the pipe from filling up; ends with the process."""
    assert process.stderr is not None
    with process.stderr as lines:
        log.extend(lines)
