"""Starts everything for `make run`, from the secrets to the sandbox CRM; one Ctrl-C stops all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO

from config.environment import BASE_DIR, ENV_FILE, SECRETS_FILE, Environment, WrongFile, file_values, take_missing
from config.environment import var_folder as folder_of
from connectors import secrets_file, web_server
from connectors.listening import problem_with_address, reachable_host

#: Seconds in which everything has stopped; what has not by then is killed.
_STOP_WITHIN = 2.5
_ALIVE_WITHIN = 60


class Stopped(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class Signals:
    """Notes that we shall stop. It is asked for, not raised: an exception might come between a fork and its note."""

    def __init__(self) -> None:
        self._came = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self._came = True

    def wait(self, seconds: float) -> None:
        """Raises ``Stopped``."""
        give_up = time.monotonic() + seconds
        while not self._came and (left := give_up - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
        if self._came:
            raise Stopped


def ensure_secrets(environment: dict[str, str], path: Path) -> list[str]:
    """Adds the secrets that are missing, and keeps those that are made here in the file; the names of these."""
    made = {name: secrets_file.make(name) for name in secrets_file.SECRETS if not environment.get(name)}
    if made:
        secrets_file.add(path, made)
        environment.update(made)
    return list(made)


def full_environment(given: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """What the processes are started with: ``given``, then ``.env``, then secrets and addresses made here.

    And the names of the secrets that were made. An empty variable counts as unset: make exports the names it knows
    whether they have a value or not. Raises ``WrongFile``, and ``OSError`` where secrets cannot be kept.
    """
    environment = {name: value for name, value in given.items() if value}
    take_missing(environment, file_values(ENV_FILE))
    secrets_path = folder_of(environment) / SECRETS_FILE
    take_missing(environment, file_values(secrets_path))
    made = ensure_secrets(environment, secrets_path)
    host, port = environment.setdefault("HOST", "127.0.0.1"), environment.setdefault("PORT", "8000")
    environment.setdefault("APP_SERVER", f"http://{reachable_host(host)}:{port}")
    environment.setdefault("SANDBOX", "on")
    environment.setdefault("SANDBOX_PORT", "8070")
    environment.setdefault("SANDBOX_DATABASE", str(folder_of(environment) / "sandbox-crm.sqlite3"))
    environment.setdefault("TEST_CRM_URL", f"http://127.0.0.1:{environment['SANDBOX_PORT']}")
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    return environment, made


def refuse_unusable_ports(environment: dict[str, str]) -> None:
    """Ends the start with a sentence where a variable holds no port, or one that nobody can listen on."""
    reader = Environment(environment)
    ports = {"PORT": reader.whole("PORT", 8000, least=1, most=65535)}
    if reader.switch("SANDBOX", False):
        ports["SANDBOX_PORT"] = reader.whole("SANDBOX_PORT", 8070, least=1, most=65535)
    if reader.problems:
        sys.exit("\n".join(reader.problems))
    for name, port in ports.items():
        host = environment["HOST"] if name == "PORT" else "127.0.0.1"
        if problem := problem_with_address(host, port):
            sys.exit(f"{problem} Choose another one: make run {name}=<port>")


class Processes:
    """The processes of one start, each in a group of its own: Ctrl-C reaches only us, and none outlives us."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, *command: str, output: IO[str] | None = None) -> subprocess.Popen[str]:
        self._running[name] = process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command],
            env=self._environment,
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=output,
            text=True,
            process_group=0,
        )
        return process

    def output_of(self, name: str, *command: str, signals: Signals) -> str:
        """Runs a command to its end; what it printed. One that fails has said why, and ends the start."""
        with tempfile.TemporaryFile("w+") as output:
            process = self.start(name, *command, output=output)
            while process.poll() is None:
                signals.wait(0.05)
            if process.returncode:
                sys.exit(1)
            del self._running[name]
            output.seek(0)
            return output.read().strip()

    def ended(self) -> str:
        """The name of a process that is not running any more; empty while all are."""
        return next((name for name, process in self._running.items() if process.poll() is not None), "")

    def stop(self) -> None:
        """Asks all to stop, and kills what is left of them after a while."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.terminate()
        give_up = time.monotonic() + _STOP_WITHIN
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.01, give_up - time.monotonic()))
        for process in self._running.values():
            with suppress(ProcessLookupError, PermissionError):  # children that the process left behind, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start_server(processes: Processes, environment: dict[str, str]) -> None:
    reader = Environment(environment)
    server = web_server.command(
        host=environment["HOST"],
        port=int(environment["PORT"]),
        workers=reader.whole("WEB_WORKERS", 2, most=512),
        grace=2,
        reload="--reload" in sys.argv,
    )
    web_server.allow_connections()
    processes.start("web server", *server[1:])


def _start_others(processes: Processes, environment: dict[str, str]) -> None:
    """The worker and the sandbox CRM: later than the web server, which answers sooner so."""
    if Environment(environment).switch("WEB_DELIVERS", False):
        pass  # the web server does the worker's work
    elif environment.get("REDIS_URL"):
        celery = ["-m", "celery", "-A", "config.celery", "worker", "--beat", "--pool", "threads"]
        processes.start("delivery worker", *celery, "--concurrency", "8", "--loglevel", "WARNING")
    else:
        processes.start("delivery worker", "manage.py", "deliver", "--watch")
    if _has_sandbox(environment):
        sandbox = ["-m", "adapters.testcrm.server", "--port", environment["SANDBOX_PORT"]]
        processes.start("sandbox CRM", *sandbox, "--database", environment["SANDBOX_DATABASE"])


def _has_sandbox(environment: dict[str, str]) -> bool:
    return Environment(environment).switch("SANDBOX", False)


def _has_console(environment: dict[str, str]) -> bool:
    return Environment(environment).switch("CONSOLE", _has_sandbox(environment))


def _wait_until_alive(url: str, processes: Processes, signals: Signals) -> bool:
    give_up = time.monotonic() + _ALIVE_WITHIN
    while time.monotonic() < give_up and not processes.ended():
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own addresses
                return bool(reply.status == 200)
        except OSError:
            signals.wait(0.1)
    return False


def run(signals: Signals) -> None:
    """Runs until one of the processes ends, which it should not. Raises ``Stopped``."""
    try:
        environment, made = full_environment(dict(os.environ))
    except WrongFile as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"VAR_DIR: {error.filename} cannot be written ({error.strerror}); give it to the user who runs this.")
    refuse_unusable_ports(environment)
    processes = Processes(environment)
    try:
        prepared = processes.output_of("prepare", "manage.py", "prepare", "--show-password", signals=signals)
        _start_server(processes, environment)
        server = f"http://{reachable_host(environment['HOST'])}:{environment['PORT']}/isAlive"
        if _wait_until_alive(server, processes, signals):
            _start_others(processes, environment)
            if _has_sandbox(environment):
                _wait_until_alive(f"http://127.0.0.1:{environment['SANDBOX_PORT']}/", processes, signals)
            _announce(environment, made, prepared)
            while not processes.ended():
                signals.wait(0.2)
        sys.exit(f"The {processes.ended() or 'web server'} does not run; see the lines above.")
    finally:
        processes.stop()


def _announce(environment: dict[str, str], made: list[str], prepared: str) -> None:
    url = environment["APP_SERVER"].rstrip("/")
    lines = ["", f"Switchboard is running at {url}"]
    if _has_console(environment):
        lines.append(f"  Console: log a call here     {url}/")
    lines += [
        f"  Manifest for the extension   {url}/crmManifest",
        f"  API reference                {url}/api/docs/",
        f"  Support desk                 {url}/admin/",
    ]
    if _has_sandbox(environment):
        lines.append(f"  Sandbox CRM                  {environment['TEST_CRM_URL']}/")
    lines.append("")
    if made:
        file = folder_of(environment) / SECRETS_FILE
        lines.append(f"Made {', '.join(made)}; kept in {file}. Keep a copy: stored logins cannot be opened without it.")
    print("\n".join([*lines, *prepared.splitlines(), "", "Ctrl-C stops everything."]), flush=True)  # noqa: T201


def main() -> None:
    """Exit status 0 when it was told to stop, 1 when it could not start or go on."""
    with suppress(Stopped):
        run(Signals())


if __name__ == "__main__":
    main()
