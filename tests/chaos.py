"""Kills servers and workers at random while a client logs calls and texts at a vendor that fails, then counts.

``python -m tests.chaos --kills 60 --calls 400 --conversations 100`` prints the figures; exit status 1 unless whatever
was accepted is logged once, and edited. It runs against a fake Pipedrive of its own, on PostgreSQL where that is there,
else on SQLite. Two colleagues send, with their extension's identity and without; on PostgreSQL the database ends its
connections now and then, and one worker has a clock that is four minutes fast.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.extension import Extension, call, conversation
from tests.fakes.pipedrive import CLIENT, SCOPES
from tests.live_server import (
    ROOT,
    free_port,
    postgres_database,
    prepare_database,
    rows_of,
    server_command,
    server_environment,
)
from tests.services import URL as POSTGRES
from tests.services import postgres_is_there
from tests.vendor import Vendor, running_vendor

_DOMAIN = "northwind-chaos"
#: Read timeouts are short, so that an answer that is late is one that is lost.
_ENVIRONMENT = {
    "OUTBOUND_READ_TIMEOUT": "0.7",
    "OUTBOUND_CONNECT_TIMEOUT": "0.7",
    "DELIVERY_RETRY_SECONDS": "0.3",
    "DELIVERY_SETTLING_SECONDS": "4",  # longer than any answer of the vendor takes
    "THROTTLE_USER": "100000/min",
    "THROTTLE_LOGIN": "100000/min",
    "PIPEDRIVE_CLIENT_ID": CLIENT[0],
    "PIPEDRIVE_CLIENT_SECRET": CLIENT[1],
}
_WRITES = {"path": "/api/v2/activities.*"}
_FAULTS: list[dict[str, Any]] = [
    {"method": "POST|PATCH", **_WRITES, "drop": "after", "probability": 0.07},
    {"method": "POST|PATCH", **_WRITES, "drop": "before", "probability": 0.05},
    {"method": "POST|PATCH", **_WRITES, "status": 503, "probability": 0.05},
    {"method": "POST|PATCH", **_WRITES, "status": 429, "headers": {"Retry-After": "1"}, "probability": 0.04},
    {"method": "POST|PATCH", **_WRITES, "delay": 1.2, "probability": 0.04},  # it commits after our time-out
    {"method": "POST|PATCH", **_WRITES, "delay": 3, "probability": 0.02},
    {"method": "GET", **_WRITES, "status": 500, "probability": 0.05},
    {"method": "GET", **_WRITES, "delay": 1.2, "probability": 0.03},
    {"host": "oauth.pipedrive.com", "path": "/oauth/token", "status": 503, "probability": 0.3},
    {"delay": 0.03},
]


@dataclass
class Figures:
    """What happened. Whatever was accepted has to be logged, once, and edited: see ``is_sound``."""

    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    accepted_calls: int = 0
    accepted_messages: int = 0
    accepted_edits: int = 0
    edited: int = 0
    logged: int = 0
    waiting: int = 0
    uncertain: int = 0
    failed: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def is_sound(self) -> bool:
        """The vendor is well after the drain and can be asked, so nothing may be left over, or wait for a person."""
        accepted = self.accepted_calls + self.accepted_messages
        return (
            not self.lost
            and not self.doubled
            and self.logged == accepted > 0
            and self.edited == self.accepted_edits
            and self.waiting == 0
        )


class Processes:
    """The servers and workers, started again whenever they were killed."""

    def __init__(
        self, folder: Path, database_url: str, vendor: Vendor, *, servers: int, processes: int, workers: int
    ) -> None:
        self.folder = folder
        self.ports = [free_port() for _ in range(servers)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.environment = server_environment(
            folder, self.ports[0], database_url=database_url, **_ENVIRONMENT, **vendor.environment
        )
        prepare_database(self.environment)
        commands = [server_command(port, workers=processes) for port in self.ports]
        commands += [[sys.executable, "manage.py", "deliver", "--watch", "--threads", "4"]] * workers
        self.database_url = database_url
        self.commands = [*commands[:-1], _with_fast_clock(commands[-1])] if database_url and workers else commands
        self.running = [self._start(command) for command in commands]

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "chaos.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def kill_one(self, figures: Figures) -> None:
        """SIGKILL to a whole process group, and a new start; or the end of all connections to PostgreSQL."""
        index = random.randrange(len(self.running) + bool(self.database_url))
        if index == len(self.running):
            figures.kills["database"] += 1
            self._end_connections()
            return
        figures.kills["server" if index < len(self.ports) else "worker"] += 1
        _end(self.running[index], signal.SIGKILL)
        self.running[index] = self._start(self.commands[index])

    def _end_connections(self) -> None:
        server, _, name = self.database_url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def wait_until_alive(self) -> None:
        give_up = time.monotonic() + 300
        for url in self.urls:
            while True:
                with contextlib.suppress(requests.RequestException):
                    if requests.get(f"{url}/isAlive", timeout=2).ok:
                        break
                assert time.monotonic() < give_up, f"{url} did not start"
                time.sleep(0.1)

    def count(self, expression: str) -> Any:
        return rows_of(self.environment["DATABASE_URL"], expression)

    def stop(self) -> None:
        for process in self.running:
            _end(process, signal.SIGTERM)


def _with_fast_clock(command: list[str]) -> list[str]:
    """A command of ``manage.py`` on a machine whose clock, but not whose running time, is four minutes ahead."""
    code = (
        "import datetime, runpy, time_machine\n"
        "now = datetime.datetime.now(datetime.UTC)\n"
        "time_machine.travel(now + datetime.timedelta(minutes=4), tick=True).start()\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    return [command[0], "-c", code, *command[2:]]  # -c stands where the name of the file stood


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    """Ends the process group we started, children included."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(60)


class Client:
    """Sends a known set of calls and texts, each until it is accepted or refused by name."""

    def __init__(
        self, urls: list[str], logins: list[Callable[[], str]], contacts: list[dict[str, Any]], figures: Figures
    ) -> None:
        self.urls, self.logins, self.contacts, self.figures = urls, logins, contacts, figures
        self.tokens = [login() for login in logins]
        self.lock, self.at_login = threading.Lock(), threading.Lock()
        self.accepted_calls: set[str] = set()
        self.accepted_edits: set[str] = set()
        self.accepted_messages: dict[str, set[str]] = {}

    def _sent(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """The reply to a request that is repeated until a server lives to answer it."""
        while True:
            time.sleep(random.uniform(0, 0.6))
            one = Extension(random.choice(self.urls), "pipedrive")
            who = random.randrange(len(self.tokens))
            one.token = self.tokens[who]
            if random.random() < 0.3:
                del one.http.headers["rc-extension-id"]
            with self.lock:
                self.figures.requests += 1
            try:
                reply = one.send(method, path, body)
            except requests.RequestException:
                continue
            if reply.status_code == 200:
                found: dict[str, Any] = reply.json()
                message = (found.get("returnMessage") or {}).get("message", "")
                with self.lock:
                    self.figures.answers[message.rstrip("0123456789")] += 1
                return found
            with self.lock:
                self.figures.answers[f"HTTP {reply.status_code}"] += 1
            if reply.status_code == 401:
                self._log_in_again(who, one.token)

    def _log_in_again(self, who: int, token: str) -> None:
        """A process that is killed between the vendor's answer and our commit takes a rotated refresh token along."""
        with self.at_login:
            while self.tokens[who] == token:
                with contextlib.suppress(requests.RequestException, AssertionError):
                    self.tokens[who] = self.logins[who]()

    def log_call(self, session: str) -> None:
        started = datetime(2026, 5, 4, tzinfo=UTC) + timedelta(minutes=int(session.split("-")[1]))
        body = call(session, self.contacts[0], note=f"note of {session}", info={"startTime": started.isoformat()})
        for _ in range(40):
            reply = self._sent("POST", "/callLog", body)
            message = (reply.get("returnMessage") or {}).get("message", "")
            if reply["successful"] or message.startswith("Existing log"):
                with self.lock:
                    self.accepted_calls.add(session)
                break
        if random.random() < 0.7:
            reply = self._sent("PATCH", "/callLog", {"sessionId": session, "note": f"second note of {session}"})
            if reply["successful"]:
                with self.lock:
                    self.accepted_edits.add(session)

    def log_messages(self, name: str) -> None:
        for count in (2, 5):
            body = conversation(name, self.contacts[int(name.split("-")[1])], count)
            ids = {f"{name}-{message['id']}" for message in body["logInfo"]["messages"]}
            for message in body["logInfo"]["messages"]:
                message["id"] = f"{name}-{message['id']}"
                message["subject"] = f"text {message['id']}."
            for _ in range(40):
                if self._sent("POST", "/messageLog", body)["successful"]:
                    with self.lock:
                        self.accepted_messages.setdefault(name, set()).update(ids)
                    break


def run(
    folder: Path,
    *,
    kills: int,
    calls: int,
    conversations: int,
    servers: int = 2,
    processes: int = 2,
    workers: int = 2,
    database_url: str = "",
) -> Figures:
    """The whole scenario; ``kills`` processes die while the client sends its logs, of which there must be as many.

    ``processes``: of each server, which die together.
    """
    figures, started = Figures(), time.monotonic()
    with running_vendor("tests.fakes.pipedrive:FakePipedrive", folder) as vendor:
        vendor.call("set", requests_per_window=10**6, searches_per_window=10**6, daily_budget=10**9, patience=10**6)
        vendor.call("set", lifetime=130)  # a token is renewed two minutes before its end: here, all the time
        vendor.call("add_company", _DOMAIN)
        users = [vendor.call("add_user", _DOMAIN, name) for name in ("Robin Vale", "Kit Marsh")]
        contacts = [_contact(vendor, number) for number in range(conversations or 1)]
        running = Processes(folder, database_url, vendor, servers=servers, processes=processes, workers=workers)
        try:
            running.wait_until_alive()
            logins = [partial(_login, running.urls, vendor, user) for user in users]
            client = Client(running.urls, logins, contacts, figures)
            vendor.fail(*_FAULTS)
            _send_under_fire(client, running, figures, kills=kills, calls=calls, conversations=conversations)
            figures.faults = Counter(_fault_of(row) for row in vendor.requests() if _fault_of(row))
            vendor.fail()
            _drain(running)
            if running.count("Delivery.objects.filter(state='login').count()"):
                for login in logins:
                    login()
                _drain(running)
            _compare(figures, client, running, vendor)
        finally:
            running.stop()
    figures.seconds = round(time.monotonic() - started, 1)
    return figures


def _contact(vendor: Vendor, number: int) -> dict[str, Any]:
    name, phone = f"Dana Fox {number}", f"+1650555{number:04d}"
    person = vendor.call("add_person", _DOMAIN, name, phone)
    return {"id": person, "name": name, "type": "contact", "phone": phone}


def _login(urls: list[str], vendor: Vendor, user: int) -> str:
    url = random.choice(urls)
    me = Extension(url, "pipedrive")
    code = vendor.call("grant", _DOMAIN, user, SCOPES)
    me.login_with_code(f"{url}/pipedrive-redirect?code={code}", state="platform=pipedrive", hostname="temp")
    assert me.token
    return me.token


def _fault_of(row: dict[str, Any]) -> str:
    if row["status"] == 0:
        return "dropped"
    if row["status"] in (429, 500, 503):
        return str(row["status"])
    return "slow" if row["ended"] - row["started"] > 0.7 else ""


def _send_under_fire(
    client: Client, processes: Processes, figures: Figures, *, kills: int, calls: int, conversations: int
) -> None:
    """Kills by progress, not by the clock: a fast machine would be done before the first one."""
    jobs = [(client.log_call, f"chaos-{index}") for index in range(calls)]
    jobs += [(client.log_messages, f"talk-{index}") for index in range(conversations)]
    random.shuffle(jobs)
    kill_after = set(random.sample(range(len(jobs)), kills))
    with ThreadPoolExecutor(12) as pool:
        for finished, future in enumerate(as_completed(pool.submit(job, name) for job, name in jobs)):
            future.result()
            if finished in kill_after:
                time.sleep(random.uniform(0, 0.3))
                processes.kill_one(figures)


def _drain(processes: Processes, seconds: float = 600) -> None:
    """Until nothing waits but what waits for a person or a login."""
    processes.wait_until_alive()
    give_up = time.monotonic() + seconds
    while (
        processes.count("Delivery.objects.exclude(state__in=('person', 'login')).count()")
        and time.monotonic() < give_up
    ):
        time.sleep(1)


def _compare(figures: Figures, client: Client, processes: Processes, vendor: Vendor) -> None:
    states = processes.count("list(CallLog.objects.values_list('session_id', 'state', 'crm_log_id'))")
    state_of = {session: state for session, state, _ in states}
    unsure = processes.count("ConversationLog.objects.filter(state='uncertain').count()")
    notes = [row["note"] or "" for row in vendor.state()["companies"][_DOMAIN]["activities"].values()]
    figures.accepted_calls = len(client.accepted_calls)
    figures.accepted_messages = sum(map(len, client.accepted_messages.values()))
    figures.waiting = processes.count("Delivery.objects.count()")
    figures.uncertain = sum(state == "uncertain" for state in state_of.values()) + unsure
    figures.accepted_edits = len(client.accepted_edits)
    figures.edited = sum(
        any(
            f"second note of {session}" in note and "Duration" in note for note in notes
        )  # the rest of the body is there
        for session in client.accepted_edits
    )
    figures.failed = sum(state == "failed" for state in state_of.values())
    for session in sorted(client.accepted_calls):
        found = sum(bool(re.search(rf"note of {session}(?![0-9])", note)) for note in notes)
        _judge(figures, session, found)
    for ids in client.accepted_messages.values():
        for message in sorted(ids):
            found = sum(note.count(f"text {message}.") for note in notes)
            _judge(figures, message, found)


def _judge(figures: Figures, name: str, found: int) -> None:
    figures.logged += found == 1
    if found > 1:
        figures.doubled.append(name)
    if found == 0:
        figures.lost.append(name)


def unexplained(log: str) -> list[str]:
    """The lines with a traceback that does not come from a connection which the database ended."""
    ended = re.compile(r"OperationalError|InterfaceError|AdminShutdown")
    return [line for line in log.splitlines() if "Traceback" in line and not ended.search(line)]


@contextlib.contextmanager
def _database() -> Iterator[str]:
    if not postgres_is_there():
        yield ""
        return
    with postgres_database(POSTGRES, prepared=True) as url:
        yield url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--conversations", type=int, default=100)
    options = parser.parse_args()
    with _database() as url, tempfile.TemporaryDirectory() as folder:
        figures = run(
            Path(folder),
            kills=options.kills,
            calls=options.calls,
            conversations=options.conversations,
            database_url=url,
        )
        log = (Path(folder) / "chaos.log").read_text()
    sys.stdout.write(json.dumps(vars(figures), indent=2) + "\n")
    sys.stdout.write(f"unexplained tracebacks in the log: {len(unexplained(log))}\n")
    sys.exit(0 if figures.is_sound else 1)


if __name__ == "__main__":
    main()
