"""What `make run` starts its processes with."""

from __future__ import annotations

import re
import socket

import pytest

from adapters import registry
from config import launch
from tests.live_server import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
OFFERED = dict(re.findall(r"^# ?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
READ = re.compile(
    r"""(?:env\.(?:str|db_url)|number|switch|rate|folders|environment\.(?:get|setdefault))\(\s*"([A-Z_]+)\""""
)


@pytest.fixture
def started_with(monkeypatch, tmp_path):
    """The environment for a .env file and some variables of the shell."""
    for name in OFFERED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(launch, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(launch, "SECRETS_FILE", tmp_path / "var" / "secrets.env")

    def environment(file="", **shell):
        (tmp_path / ".env").write_text(file)
        for name, value in shell.items():
            monkeypatch.setenv(name, value)
        return launch.full_environment()

    return environment


def test_secrets_are_made_once_and_kept(started_with, tmp_path):
    first = started_with()
    assert len(first["APP_SERVER_SECRET_KEY"]) >= 32
    assert started_with()["APP_SERVER_SECRET_KEY"] == first["APP_SERVER_SECRET_KEY"]
    assert (tmp_path / "var" / "secrets.env").stat().st_mode & 0o777 == 0o600


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
            ("127.0.0.1", "eighty", "PORT must be a port number, not 'eighty'."),
            ("127.0.0.1", "70000", "PORT must be a port number, not '70000'."),
            ("192.0.2.1", port, f"Cannot listen on 192.0.2.1:{port}: "),
        ]:
            with pytest.raises(SystemExit) as stopped:
                launch.refuse_unusable_port("PORT", {"HOST": host, "PORT": text})
            assert str(stopped.value).startswith(sentence)


def test_every_variable_stands_in_the_example(settings):
    settings.ENABLED_ADAPTERS = []
    read = {
        name for path in ("config/settings.py", "config/launch.py") for name in READ.findall((ROOT / path).read_text())
    }
    assert len(read) > 30
    of_adapters = {name for manifest in registry.manifests().values() for name in manifest.variables}
    assert {*read, *of_adapters} - OFFERED.keys() == set()


def test_a_line_of_the_example_can_be_taken_as_it_stands():
    assert all(" " not in value for value in OFFERED.values())
