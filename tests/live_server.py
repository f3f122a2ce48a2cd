"""Starts Switchboard as it runs in production: its own processes, a database of its own, real sockets."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import requests

from connectors import web_server
from tests.commands import Commands
from tests.made_once import made_once

ROOT = Path(__file__).resolve().parent.parent


#: Below those that the system gives to outgoing connections, of which one might take a port before it is listened on.
_PORTS = range(20_000, 32_000)
_chance = random.SystemRandom()


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    while True:
        port = _chance.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def postgres_database(server: str, *, prepared: bool = False) -> Iterator[str]:
    """A new database on that server, empty or with all tables; dropped afterwards."""
    template = _prepared_database(server) if prepared else "template1"
    name = _new_name()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield _on(server, name)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def _prepared_database(server: str) -> str:
    """The name of a database with all tables and without a row; made once in a run of tests, and dropped at its end."""

    def make(path: Path) -> None:
        name = _new_name()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        with tempfile.TemporaryDirectory() as folder:
            _migrate(server_environment(Path(folder), free_port(), database_url=_on(server, name)))
        path.write_text(f"{server}\n{name}")

    digest = sha256(server.encode()).hexdigest()[:12]
    return made_once(f"{digest}.postgresql", make).read_text().splitlines()[1]


def _new_name() -> str:
    return f"switchboard_{uuid.uuid4().hex[:12]}"


def _on(server: str, name: str) -> str:
    return f"{server.rsplit('/', 1)[0]}/{name}"


class LiveServer:
    """A running server: its address, and its environment for further commands."""

    def __init__(self, url: str, environment: dict[str, str], process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.environment = environment
        self.process = process
        self._commands = Commands(environment)

    def manage(self, *arguments: str) -> str:
        """What the command printed. Raises ``subprocess.CalledProcessError`` where it fails."""
        return self._commands.run(*arguments)

    def rows(self, expression: str) -> Any:
        """Evaluates a Python expression against the server's database, with the models at hand."""
        return rows_of(self.environment["DATABASE_URL"], expression)

    def tokens(self, platform: str, count: int = 1) -> list[str]:
        """Of so many users who are connected to the CRM, made here."""
        users = f"[CrmUserFactory(platform={platform!r}, crm_user_id=str(n)) for n in range({count})]"
        imports = "from connectors.api.authentication import issue_token\nfrom tests.factories import CrmUserFactory\n"
        tokens = f"[issue_token(user) for user in {users}]"
        found: list[str] = rows_of(self.environment["DATABASE_URL"], tokens, imports)
        return found

    def log(self) -> str:
        """What its processes have printed."""
        return (Path(self.environment["VAR_DIR"]) / "server.log").read_text()

    def stop(self) -> None:
        self._commands.close()
        self.process.terminate()
        self.process.wait(60)

    def again(self) -> LiveServer:
        """The same, started anew after ``stop``."""
        with (Path(self.environment["VAR_DIR"]) / "server.log").open("ab") as log:
            process = subprocess.Popen(self.process.args, env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        return LiveServer(url=self.url, environment=self.environment, process=process).wait_until_alive()

    def wait_until_alive(self) -> LiveServer:
        give_up = time.monotonic() + 240
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/isAlive", timeout=2).ok:
                    return self
            except requests.RequestException:
                time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"{self.url} does not answer")


def rows_of(database_url: str, expression: str, imports: str = "") -> Any:
    """Evaluates a Python expression against a database with the keys of ``server_environment``.

    It knows the models, and what ``imports`` brings.
    """
    code = (
        "import json\nfrom audit.models import *\nfrom connectors.deliveries.models import *\n"
        f"from connectors.models import *\n{imports}"
        f"print('=>' + json.dumps({expression}, default=str))"
    )
    if database_url.startswith("sqlite:///"):
        commands, name = _questions(""), database_url.removeprefix("sqlite:///")
    else:
        server, _, name = database_url.rpartition("/")
        commands = _questions(f"{server}/postgres")
    return json.loads(commands.run("shell", "--no-imports", "-c", code, database=name).split("=>", 1)[1])


@cache
def _questions(database_url: str) -> Commands:
    """One process answers for all SQLite files, and one for all databases of a server."""
    folder = Path(tempfile.mkdtemp(prefix="switchboard-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    commands = Commands(server_environment(folder, free_port(), database_url=database_url))
    atexit.register(commands.close)
    return commands


@contextmanager
def live_server(
    folder: Path, *, workers: int = 1, threads: int = 8, database_url: str = "", **environment: str
) -> Iterator[LiveServer]:
    """Serves from a database in ``folder``, or from ``database_url``, until the block ends."""
    server = start_server(folder, workers=workers, threads=threads, database_url=database_url, **environment)
    try:
        yield server
    finally:
        server.stop()


def server_environment(
    folder: Path, port: int, *, threads: int = 8, database_url: str = "", **more: str
) -> dict[str, str]:
    """The environment of a server at that port and of its workers, with a database in ``folder`` or at that URL."""
    return {
        **{key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")},
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": str(folder),
        "APP_SERVER_SECRET_KEY": "a-secret-key-for-live-tests-0123456789",
        "CREDENTIAL_KEYS": "test:bGl2ZS1zZXJ2ZXItdGVzdHMtb25seS0wMTIzNDU2Nzg",
        "HASH_KEY": "a-hash-key-for-live-tests",
        "APP_SERVER": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url or f"sqlite:///{folder / 'switchboard.sqlite3'}",
        "WEB_THREADS": str(threads),
        "WEB_QUEUE_SECONDS": "30",  # however slow this machine is
        **more,
    }


def prepare_database(variables: dict[str, str]) -> None:
    """Makes the tables that are not there; those of a SQLite file are made once and copied, in a tenth of the time."""
    url = variables["DATABASE_URL"]
    if url.startswith("sqlite:///") and not (own := Path(url.removeprefix("sqlite:///"))).exists():
        shutil.copyfile(_empty_database(), own)
    elif url.startswith("sqlite") or not _has_tables(url):
        _migrate(variables)


def _has_tables(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
    return bool(found and found[0])


def _empty_database() -> Path:
    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _migrate(server_environment(Path(folder), free_port(), database_url=f"sqlite:///{path}"))

    return made_once("empty.sqlite3", make)


def _migrate(variables: dict[str, str]) -> None:
    commands = Commands(variables)
    try:
        for command in ("migrate", "createcachetable"):
            commands.run(command, "-v0")
    finally:
        commands.close()


def server_command(port: int, *, workers: int) -> list[str]:
    """The command that serves at that port of loopback."""
    return web_server.command(host="127.0.0.1", port=port, workers=workers, grace=8)


def start_server(
    folder: Path, *, workers: int = 1, threads: int = 8, database_url: str = "", **environment: str
) -> LiveServer:
    """The same, for tests that stop and start it themselves."""
    port = free_port()
    variables = server_environment(folder, port, threads=threads, database_url=database_url, **environment)
    prepare_database(variables)
    log = (folder / "server.log").open("ab")
    command = server_command(port, workers=workers)
    process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=log, stderr=log)
    server = LiveServer(url=f"http://127.0.0.1:{port}", environment=variables, process=process)
    try:
        return server.wait_until_alive()
    except RuntimeError:
        raise RuntimeError((folder / "server.log").read_text()[-2000:]) from None
