"""Starts what is measured, on loopback, with a database of its own each."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import trustme

from bench.asked import LOGGED
from connectors import web_server

ROOT = Path(__file__).resolve().parent.parent
USERS = 400
#: Of each process, of both servers.
THREADS = 48
SECRET = "a-secret-key-for-the-bench-only-0123456789"

_SEED = f"""
import json, os
from adapters.contract import Credentials
from audit.models import CallLog
from connectors.api.authentication import issue_token
from connectors.models import CrmUser
from django.utils import timezone
users = []
for number in range({USERS}):
    user = CrmUser(platform="insightly", crm_user_id=str(number), wire_id=f"{{number}}-insightly", name="Agent",
                   host="api.na1.insightly.com", crm_account_id="bench", connected_at=timezone.now(),
                   last_seen_at=timezone.now())
    api_url = "https://localhost:" + os.environ["BENCH_CRM_PORT"]
    user.set_credentials(Credentials(access_token=f"key-{{number}}", extra={{"apiUrl": api_url}}))
    users.append(user)
CrmUser.objects.bulk_create(users)
CallLog.objects.bulk_create(CallLog(platform="insightly", owner=users[0].owner, session_id=f"logged-{{number}}",
    crm_log_id="1", state="logged", user=users[0]) for number in range({LOGGED}))
print("=>" + json.dumps([issue_token(user) for user in users]))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Crm:
    """The CRM's process."""

    def __init__(self, folder: Path) -> None:
        authority, self.port = trustme.CA(), free_port()
        issued = authority.issue_cert("localhost", "api.na1.insightly.com")
        self.bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        for position, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(str(folder / "certificate.pem"), append=position > 0)
        command = [sys.executable, "-m", "bench.crm", str(self.port), folder / "certificate.pem", folder / "key.pem"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def _tell(self, line: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        return self._answer()

    def wait_for(self, seconds: float) -> None:
        self._tell(f"latency {seconds}")

    def count(self) -> int:
        """Requests since the last call."""
        return int(self._tell("count"))


class Server:
    """A server that is measured; ``tokens``: a file of its users' tokens."""

    def __init__(self, command: list[str], environment: dict[str, str], port: int, log: Path, tokens: Path) -> None:
        self.port, self.tokens, self.environment, self._command, self._log = port, tokens, environment, command, log
        self.start()

    def start(self) -> float:
        """Seconds until it answers."""
        began = time.monotonic()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        while self.process.poll() is None and time.monotonic() < began + 120:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/isAlive", timeout=5).close()
                return time.monotonic() - began
            except urllib.error.HTTPError:
                return time.monotonic() - began
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(self._log.read_text()[-2000:])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def ours(folder: Path, crm: Crm, *, workers: int, database_url: str = "", small: bool = False) -> Server:
    """This server, prepared, with users who are connected and calls that are logged."""
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": str(folder),
        "APP_SERVER": f"http://127.0.0.1:{port}",
        "APP_SERVER_SECRET_KEY": SECRET,
        "CREDENTIAL_KEYS": "bench:bGl2ZS1zZXJ2ZXItdGVzdHMtb25seS0wMTIzNDU2Nzg",
        "HASH_KEY": "a-hash-key-for-the-bench",
        "DATABASE_URL": database_url or f"sqlite:///{folder / 'ours.sqlite3'}",
        "WEB_WORKERS": str(workers),
        "WEB_THREADS": str(THREADS),
        "WEB_DELIVERS": "on" if small else "off",
        "OUTBOUND_CA_BUNDLE": str(crm.bundle),
        "OUTBOUND_ALLOW_PRIVATE_ADDRESSES": "on",
        "BENCH_CRM_PORT": str(crm.port),
        **dict.fromkeys(("THROTTLE_USER", "THROTTLE_ADDRESS"), "10000000/min"),
    }
    for command in (["migrate", "-v0"], ["createcachetable", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], env=environment, cwd=ROOT, check=True)
    shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", _SEED]
    seeded = subprocess.run(shell, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    tokens = folder / "tokens.json"
    tokens.write_text(seeded.split("=>", 1)[1])
    command = web_server.command(host="127.0.0.1", port=port, workers=workers)
    command[command.index("config.rsgi:application")] = "bench.served:application"
    return Server(command, environment, port, folder / "ours.log", tokens)


def baseline(folder: Path, crm: Crm, tokens: Path, calls: dict[str, int]) -> Server:
    """The bare view, with as many processes and threads."""
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "BENCH_DATABASE": str(folder / "baseline.sqlite3"),
        "BENCH_CALLS": json.dumps(calls),
        "BENCH_CRM_PORT": str(crm.port),
        "OUTBOUND_CA_BUNDLE": str(crm.bundle),
        "APP_SERVER_SECRET_KEY": SECRET,
    }
    ids: list[Any] = [f"{number}-insightly" for number in range(USERS)]
    code = f"from bench.baseline import prepare; prepare({ids}, [f'logged-{{n}}' for n in range({LOGGED})])"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "bench.baseline:application", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--blocking-threads", str(THREADS)]
    command += ["--log-level", "warning"]
    return Server(command, environment, port, folder / "baseline.log", tokens)
