"""Starts everything for `make run`, from the secrets to the sandbox CRM; Ctrl-C stops all of it."""

from __future__ import annotations

import base64
import errno
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
ENV_FILE = BASE_DIR / ".env"
SECRETS_FILE = VAR_DIR / "secrets.env"
_STOP_WITHIN = 10  # seconds


def _made_secrets() -> dict[str, str]:
    return {
        "APP_SERVER_SECRET_KEY": secrets.token_urlsafe(48),
        "CREDENTIAL_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        "HASH_KEY": secrets.token_urlsafe(32),
    }


def ensure_secrets(path: Path) -> dict[str, str]:
    """The secrets kept in ``path``, made where missing; only the owner can read the file."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    kept = {}
    if path.exists():
        kept = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    missing = {name: value for name, value in _made_secrets().items() if name not in kept}
    if missing:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.writelines(f"{name}={value}\n" for name, value in missing.items())
    return {**kept, **missing}


def _of_env_file() -> dict[str, str]:
    class File(environ.Env):  # type: ignore[misc] # untyped; by itself it writes into our own environment
        ENVIRON: dict[str, str] = {}

    if ENV_FILE.exists():
        File.read_env(ENV_FILE)
    return File.ENVIRON


def full_environment() -> dict[str, str]:
    """What the processes are started with: the environment, then ``.env``, then secrets and addresses made here."""
    environment = ensure_secrets(SECRETS_FILE)
    for given in (_of_env_file(), os.environ):
        # An empty variable counts as unset: make exports the names it knows whether they have a value or not.
        environment.update({name: value for name, value in given.items() if value})
    host, port = environment.setdefault("HOST", "127.0.0.1"), environment.setdefault("PORT", "8000")
    environment.setdefault("APP_SERVER", f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}")  # noqa: S104
    environment.setdefault("SANDBOX", "on")
    environment.setdefault("SANDBOX_PORT", "8070")
    environment.setdefault("TEST_CRM_URL", f"http://127.0.0.1:{environment['SANDBOX_PORT']}")
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    return environment


def _has_sandbox(environment: dict[str, str]) -> bool:
    return environment["SANDBOX"].lower() in ("on", "true", "yes", "1")


def refuse_unusable_port(name: str, environment: dict[str, str]) -> None:
    """Ends the start with a sentence where the variable holds no port, or one that nobody can listen on."""
    text, host = environment[name], environment["HOST"]
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > 65535:
        sys.exit(f"{name} must be a port number, not {text!r}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(text)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                sys.exit(f"{host}:{text} is in use. Choose another one: make run {name}=<port>")
            sys.exit(f"Cannot listen on {host}:{text}: {error.strerror}.")


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment, cwd=BASE_DIR, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{arguments[0]} failed")
    return done.stdout.strip()


def _processes(environment: dict[str, str]) -> list[list[str]]:
    server = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    server += ["--host", environment["HOST"], "--port", environment["PORT"], "--no-ws"]
    server += ["--workers", environment.get("WEB_WORKERS", "2")]
    server += ["--blocking-threads", environment.get("WEB_THREADS", "32")]
    # A worker that is told to stop while it starts misses that, and would serve on for ever.
    server += ["--workers-kill-timeout", str(_STOP_WITHIN - 2)]
    server += ["--log-level", "warning", "--log-config", str(BASE_DIR / "config" / "server_log.json")]
    if "--reload" in sys.argv:
        server.append("--reload")
    commands = [server, _worker(environment)]
    if _has_sandbox(environment):
        sandbox = [sys.executable, "-m", "adapters.testcrm.server", "--port", environment["SANDBOX_PORT"]]
        commands.append(
            [*sandbox, "--database", environment.get("SANDBOX_DATABASE", str(VAR_DIR / "sandbox-crm.sqlite3"))]
        )
    return commands


def _worker(environment: dict[str, str]) -> list[str]:
    """What sends kept changes: Celery where Redis carries its messages, else the worker on the database alone."""
    if environment.get("REDIS_URL"):
        celery = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--beat"]
        return [*celery, "--pool", "threads", "--concurrency", "8", "--loglevel", "WARNING"]
    return [sys.executable, str(BASE_DIR / "manage.py"), "deliver", "--watch"]


def _wait_until_alive(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/isAlive", timeout=2) as reply:  # noqa: S310 - our own address
                return bool(reply.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def main() -> None:
    """Runs until Ctrl-C, SIGTERM, or until one of the processes ends."""
    environment = full_environment()
    host, port = environment["HOST"], environment["PORT"]
    for name in ("PORT", "SANDBOX_PORT") if _has_sandbox(environment) else ("PORT",):
        refuse_unusable_port(name, environment)
    prepared = _manage(environment, "prepare")
    running = [subprocess.Popen(command, env=environment, cwd=BASE_DIR) for command in _processes(environment)]  # noqa: S603

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        reachable = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
        if not _wait_until_alive(f"http://{reachable}:{port}", running[0]):
            print("The server did not start; see the lines above.", file=sys.stderr)  # noqa: T201
            return
        _announce(environment, prepared)
        while all(process.poll() is None for process in running):
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
        give_up = time.monotonic() + _STOP_WITHIN
        for process in running:
            try:
                process.wait(max(0.1, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _announce(environment: dict[str, str], prepared: str) -> None:
    url = environment["APP_SERVER"].rstrip("/")
    lines = [
        "",
        f"Switchboard is running at {url}",
        f"  Manifest for the extension   {url}/crmManifest",
        f"  Support desk                 {url}/admin/",
    ]
    if _has_sandbox(environment):
        lines.append(f"  Sandbox CRM                  {environment['TEST_CRM_URL']}/")
    print("\n".join([*lines, "", *prepared.splitlines(), "", "Ctrl-C stops everything."]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
