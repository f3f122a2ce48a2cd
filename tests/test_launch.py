"""What `make run` starts its processes with, and how they end."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters import registry
from config import environment as variables
from config import launch
from config.settings import env
from tests.live_server import ROOT, free_port
from tests.services import redis_is_there

EXAMPLE = (ROOT / ".env.example").read_text()
OFFERED = dict(re.findall(r"^# ?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.fixture
def started_with(monkeypatch, tmp_path):
    """The environment for a .env file and some variables of the shell."""
    monkeypatch.setattr(launch, "ENV_FILE", tmp_path / ".env")

    def environment(file="", **shell):
        (tmp_path / ".env").write_text(file)
        return launch.full_environment({"VAR_DIR": str(tmp_path / "var"), **shell})[0]

    return environment


def test_secrets_are_made_once_and_kept(started_with, tmp_path):
    first = started_with()
    assert len(first["APP_SERVER_SECRET_KEY"]) >= 32
    assert started_with()["APP_SERVER_SECRET_KEY"] == first["APP_SERVER_SECRET_KEY"]
    assert (tmp_path / "var" / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_secret_whose_value_was_lost_is_made_again_and_the_others_stay(started_with, tmp_path):
    first = started_with()
    file = tmp_path / "var" / "secrets.env"
    file.write_text(re.sub("HASH_KEY=.*", "HASH_KEY=", file.read_text()).rstrip("\n"))
    second = started_with()
    assert len(second["HASH_KEY"]) >= 32
    assert second["HASH_KEY"] != first["HASH_KEY"]
    assert second["CREDENTIAL_KEYS"] == first["CREDENTIAL_KEYS"]
    assert started_with() == second


def test_two_installations_make_keys_under_different_ids(started_with):
    """So that a key from a backup can stand behind a new one."""
    from connectors.secrets_file import make

    assert len({make("CREDENTIAL_KEYS").partition(":")[0] for _ in range(20)}) > 15


def test_the_env_file_wins_over_what_is_made_up_here(started_with):
    file = "APP_SERVER=https://crm.example\nSANDBOX=off\nPORT=9000\nAPP_SERVER_SECRET_KEY=mine\n"
    found = started_with(file)
    wanted = {"APP_SERVER": "https://crm.example", "SANDBOX": "off", "PORT": "9000", "APP_SERVER_SECRET_KEY": "mine"}
    assert wanted.items() <= found.items()


def test_the_shell_wins_over_the_env_file_unless_it_is_empty(started_with):
    found = started_with("PORT=9000\nHOST=0.0.0.0\n", PORT="9001", HOST="")
    assert (found["PORT"], found["HOST"], found["APP_SERVER"]) == ("9001", "0.0.0.0", "http://127.0.0.1:9001")


@pytest.mark.enable_socket
def test_a_port_that_cannot_be_had_ends_the_start_with_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for host, text, sentence in [
            ("127.0.0.1", port, f"127.0.0.1:{port} is in use. Choose another one: make run PORT=<port>"),
            ("127.0.0.1", "eighty", "PORT must be a whole number from 1 to 65535, not 'eighty'."),
            ("127.0.0.1", "70000", "PORT must be a whole number from 1 to 65535, not '70000'."),
            ("192.0.2.1", port, f"Cannot listen on 192.0.2.1:{port}: "),
            ("no such host", port, f"Cannot listen on no such host:{port}: "),
        ]:
            with pytest.raises(SystemExit) as stopped:
                launch.refuse_unusable_ports({"HOST": host, "PORT": text})
            assert str(stopped.value).startswith(sentence)


def test_every_variable_stands_in_the_example(settings):
    settings.ENABLED_ADAPTERS = []
    of_adapters = {name for manifest in registry.manifests().values() for name in manifest.variables}
    assert len(env.names) > 30
    assert {*env.names, "SANDBOX_PORT", "SANDBOX_DATABASE", *of_adapters} - OFFERED.keys() == set()


def test_a_line_of_the_example_can_be_taken_as_it_stands(tmp_path):
    assert all(" " not in value for value in OFFERED.values())
    file = tmp_path / ".env"
    file.write_text(EXAMPLE + "".join(f"{name}={value}\n" for name, value in OFFERED.items()))
    assert variables.file_values(file) == OFFERED


@pytest.mark.parametrize(("variables", "is_named"), [({}, True), ({"CONSOLE": "off"}, False)])
def test_the_banner_says_where_everything_is(capsys, variables, is_named):
    environment = {"APP_SERVER": "http://127.0.0.1:8000", "SANDBOX": "on", "TEST_CRM_URL": "http://127.0.0.1:8070"}
    launch._announce({**environment, **variables}, [], "Administrator: admin")
    text = capsys.readouterr().out
    for place in ("crmManifest", "api/docs/", "admin/"):
        assert f"http://127.0.0.1:8000/{place}\n" in text
    assert "http://127.0.0.1:8070/\n" in text
    assert ("http://127.0.0.1:8000/\n" in text) is is_named


class Terminal:
    """`make run` in a terminal of its own, without make."""

    def __init__(self, folder: Path, **more: str) -> None:
        own, theirs = pty.openpty()
        self._terminal = own
        self._read = ""
        environment = {
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(folder),
            "PORT": str(free_port()),
            "SANDBOX_PORT": str(free_port()),
            "WEB_WORKERS": "1",
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL],
            env=environment, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.marker = f"VAR_DIR={folder}"

    def read_until(self, text: str, seconds: float = 120) -> str:
        give_up = time.monotonic() + seconds
        while text not in self._read and time.monotonic() < give_up and self._read_more():
            pass
        return self._read

    def _read_more(self) -> bool:
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return True
        try:
            self._read += os.read(self._terminal, 65536).decode(errors="replace")
        except OSError:  # the last process of the terminal has ended
            return False
        return True

    def press_ctrl_c(self) -> float:
        """Seconds until the launcher has ended."""
        started = time.monotonic()
        os.write(self._terminal, b"\x03")
        while self.process.poll() is None and time.monotonic() < started + 60:
            self._read_more()
        return time.monotonic() - started

    def rest(self) -> str:
        while self._read_more() and self.process.poll() is None:
            pass
        return self._read

    def left_over(self) -> list[str]:
        """Command lines of processes of this start that still run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.marker in (folder / "environ").read_text(errors="replace").split("\0"):
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return [line for line in found if line]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        os.close(self._terminal)


#: Takes the pty as the controlling terminal, as a shell's child has it: only then Ctrl-C makes a signal.
_IN_TERMINAL = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("config.launch", run_name="__main__")
"""


@pytest.fixture
def terminal(tmp_path):
    started: list[Terminal] = []

    def start(**more):
        started.append(Terminal(tmp_path, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("seen", "process", "web_workers"),
    [("Ctrl-C stops everything.", "", "2"), ("", " prepare ", "1"), ("", "granian", "1"), ("", "testcrm", "1")],
    ids=["up", "preparing", "web server starts", "worker and sandbox start"],  # the worker begins just before
)
def test_one_ctrl_c_stops_everything_without_a_traceback(terminal, seen, process, web_workers):
    started = terminal(WEB_WORKERS=web_workers)
    started.read_until(seen)
    give_up = time.monotonic() + 120
    while not any(process in line for line in started.left_over()) and time.monotonic() < give_up:
        time.sleep(0.05)  # the launcher has its handlers as soon as its first child is there
    assert any(process in line for line in started.left_over())
    took = started.press_ctrl_c()
    said = started.rest()
    assert (started.process.returncode, started.left_over()) == (0, []), said
    assert "Traceback" not in said
    assert took < 30  # three seconds on a quiet machine: see the launcher's own limit


def test_what_does_not_stop_by_itself_is_killed_within_three_seconds():
    assert launch._STOP_WITHIN < 3
    processes = launch.Processes(dict(os.environ))
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    stubborn = processes.start("stubborn", "-c", code, output=subprocess.PIPE)
    assert stubborn.stdout.readline() == "up\n"
    processes.stop()
    assert stubborn.returncode == -signal.SIGKILL


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"WEB_WORKERS": "abc"}, "WEB_WORKERS must be a whole number from 1 to 512, not 'abc'."),
        ({"APP_SERVER_SECRET_KEY": "short"}, "APP_SERVER_SECRET_KEY is shorter than 32 bytes. (connectors.E001)"),
        ({"ENABLED_ADAPTERS": "nocrm"}, "ENABLED_ADAPTERS names 'nocrm', which is not there; there are: "),
        ({"DATABASE_URL": "postgres://u:secret@127.0.0.1:1/n"},
         "DATABASE_URL: PostgreSQL at 127.0.0.1:1 refuses the connection; is it running, and is the port right."),
        ({"REDIS_URL": "redis://u:secret@127.0.0.1:1/0"},
         "REDIS_URL: Redis at 127.0.0.1:1 refuses the connection; is it running, and is the port right."),
        ({"VAR_DIR": "/proc/switchboard"}, "VAR_DIR: /proc/switchboard cannot be written ("),
        ({"DATABASE_URL": "sqlite:////proc/x.sqlite3"}, "DATABASE_URL: the SQLite file /proc/x.sqlite3 cannot be used"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_stops_the_start_is_one_sentence_and_nothing_stays_behind(terminal, variables, sentence):
    started = terminal(**variables)
    text = started.rest()
    assert started.process.wait(120) == 1
    assert started.left_over() == []
    assert sentence in text
    assert "Traceback" not in text
    assert "secret" not in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.enable_socket
@pytest.mark.skipif(not redis_is_there(), reason="needs Redis")
def test_a_process_that_ends_by_itself_is_named_and_ends_the_others(terminal):
    started = terminal(REDIS_URL="redis://127.0.0.1:6379/0")
    started.read_until("Ctrl-C stops everything.")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                started.marker in (folder / "environ").read_text(errors="replace").split("\0")
                and b"celery" in (folder / "cmdline").read_bytes()
            ):
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue
    assert "The delivery worker does not run; see the lines above." in started.read_until("does not run")
    assert started.process.wait(60) == 1
    assert started.left_over() == []
