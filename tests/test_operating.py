"""docs/operating.md, tried: its commands for backup and restore, and what does not fit together afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config.environment import SECRETS_FILE
from connectors import secrets_file
from connectors.verification import verify
from tests.commands import Commands
from tests.factories import CrmUserFactory
from tests.live_server import ROOT, postgres_database
from tests.services import URL, postgres_is_there

PAGE = (ROOT / "docs" / "operating.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SQLITE_BACKUP, POSTGRES_BACKUP, SQLITE_RESTORE, POSTGRES_RESTORE, AFTERWARDS = BLOCKS

_FILL = """
from audit.models import *
from connectors.models import *
from adapters.contract import Credentials
from audit.recorder import record
from connectors.services.identity import hashed
user = CrmUser(platform="testCRM", wire_id="1-testCRM", crm_user_id="1", rc_account_id="rc-1")
user.set_credentials(Credentials(access_token="the token"))
user.save()
AccountSettings.objects.create(hashed_account_id=hashed("rc-1"), settings={"a": 1})
CallLog.objects.create(platform="testCRM", owner=user.owner, user=user, session_id="s-1", state="logged")
record("call_log.create", actor="worker", platform="testCRM")
"""


class Installation:
    """One folder with its database, used by commands alone."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "VAR_DIR": str(folder),
            "SANDBOX": "on",
            **({"DATABASE_URL": database_url} if database_url else {}),
        }
        self.commands = Commands(self.variables)

    def shell(self, block: str, **more: str) -> None:
        subprocess.run(["bash", "-euc", block], cwd=ROOT, env={**self.variables, **more}, check=True)

    def filled(self) -> Installation:
        secrets_file.add(self.folder / SECRETS_FILE, {name: secrets_file.make(name) for name in secrets_file.SECRETS})
        self.commands.run("prepare")
        self.commands.run("shell", "--no-imports", "-c", _FILL)
        return self

    def query(self, statement: str) -> str:
        code = f"from django.db import connection as c\nk = c.cursor(); k.execute({statement!r})\nprint(k.fetchall())"
        return self.commands.run("shell", "--no-imports", "-c", code).strip()

    def change(self, statement: str) -> None:
        code = f"from django.db import connection\nconnection.cursor().execute({statement!r})"
        self.commands.run("shell", "--no-imports", "-c", code)

    def misfits(self) -> list[str]:
        done = self.commands.done("verify_installation")
        found = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
        assert (done.returncode == 0) is (not found), done.stdout + done.stderr
        return found


@pytest.fixture
def installation():
    """Makes one, whose commands end with the test."""
    made: list[Installation] = []

    def make(folder, database_url=""):
        made.append(Installation(folder, database_url))
        return made[-1]

    yield make
    for one in made:
        one.commands.close()


@pytest.fixture(scope="module")
def filled_folder(tmp_path_factory):
    """The folder of an installation on SQLite, to be copied."""
    made = Installation(tmp_path_factory.mktemp("installation")).filled()
    made.commands.close()
    return made.folder


@pytest.fixture
def sqlite(tmp_path, filled_folder, installation):
    if not shutil.which("sqlite3"):
        pytest.skip("sqlite3 is not installed")
    return installation(shutil.copytree(filled_folder, tmp_path / "old"))


@pytest.fixture
def postgres(tmp_path, installation):
    if not postgres_is_there() or not shutil.which("pg_dump"):
        pytest.skip("no PostgreSQL server, or no pg_dump")
    with postgres_database(URL, prepared=True) as url:
        yield installation(tmp_path / "old", url).filled()


def _backup(installation, block):
    folder = installation.folder.parent / "backup"
    folder.mkdir()
    installation.shell(block, BACKUP=str(folder))
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
    return str(folder)


@pytest.mark.slow
@pytest.mark.enable_socket
def test_a_backup_of_sqlite_is_restored(sqlite, installation, tmp_path):
    assert sqlite.misfits() == []
    new = installation(tmp_path / "new")
    new.shell(SQLITE_RESTORE + AFTERWARDS, BACKUP=_backup(sqlite, SQLITE_BACKUP))
    assert new.misfits() == []
    assert new.query("SELECT session_id FROM audit_calllog") == "[('s-1',)]"


@pytest.mark.slow
@pytest.mark.enable_socket
def test_a_backup_of_postgresql_is_restored(postgres, installation, tmp_path):
    assert postgres.misfits() == []
    backup = _backup(postgres, POSTGRES_BACKUP)
    with postgres_database(URL) as url:
        new = installation(tmp_path / "new", url)
        new.shell(POSTGRES_RESTORE + AFTERWARDS, BACKUP=backup)
        assert new.misfits() == []
        assert new.query("SELECT session_id FROM audit_calllog") == "[('s-1',)]"
        new.change("SELECT setval(pg_get_serial_sequence('audit_auditevent', 'id'), 1)")
        new.change("ALTER TABLE audit_auditevent DISABLE TRIGGER ALL; UPDATE audit_auditevent SET id = 77")
        triggers, counter = new.misfits()
        assert triggers.startswith("The triggers that keep audit events from being changed are missing")
        assert counter.startswith("The counter of audit_auditevent is behind its rows")


def _misfits():
    return {name: problems for name, problems in verify() if problems}


@pytest.mark.django_db
def test_stored_logins_and_settings_that_do_not_belong_to_the_keys_are_found(settings):
    exec(_FILL, {})  # the rows that the backups hold
    assert _misfits() == {}
    (kept,) = settings.CREDENTIAL_KEYS.values()
    settings.CREDENTIAL_KEYS = {"other": bytes(range(7, 39))}
    found = _misfits()["CREDENTIAL_KEYS"]
    assert found[0].startswith("connectors.CrmUser.access_token: CREDENTIAL_KEYS open 0 of 1 values. Add the key")
    settings.CREDENTIAL_KEYS = {"other": bytes(range(7, 39)), "test": kept}
    assert _misfits() == {}
    settings.HASH_KEY = "another-kT7hq2ZsN0v-9fWcXb3eRyLg5uPaM1dJ"
    assert list(_misfits()) == ["HASH_KEY"]
    assert _misfits()["HASH_KEY"][0].startswith(
        "The settings of 1 RingCentral accounts belong to none of the 1 account"
    )


@pytest.mark.django_db
def test_settings_that_stop_the_start_and_users_of_a_crm_that_is_not_offered_are_found(settings):
    CrmUserFactory()
    settings.SANDBOX = False
    assert _misfits()["platforms"][0].startswith("There are users of testCRM, which is not offered: name it in ENABLED")
    settings.APP_SERVER_SECRET_KEY = "short"
    assert _misfits()["settings"][0].startswith("APP_SERVER_SECRET_KEY is shorter than 32 bytes.")


@pytest.mark.django_db
def test_a_database_of_another_version_is_found():
    recorder = MigrationRecorder(connection)
    recorder.record_applied("connectors", "9999_later")
    (newer,) = _misfits()["migrations"]
    assert newer.startswith("The database was made by a newer version (connectors.9999_later is unknown here)")
    recorder.record_unapplied("connectors", "9999_later")
    recorder.record_unapplied("connectors", "0001_initial")
    (missing,) = _misfits()["migrations"]
    assert missing.endswith("first connectors.0001_initial: run manage.py prepare.")
    assert "CREDENTIAL_KEYS" not in dict(verify())  # they cannot be looked at


@pytest.mark.django_db
def test_a_clock_that_goes_wrong_is_found(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clock of its own")
    monkeypatch.setattr("connectors.verification.time.time", lambda: 0.0)
    assert _misfits()["clock"][0].startswith("The clocks of this machine and of the database differ by ")


@pytest.mark.slow
def test_a_damaged_file_and_a_lost_table_are_found(sqlite):
    sqlite.change("DROP TABLE cache")
    assert sqlite.misfits() == ["The table cache is missing: run manage.py prepare."]
    sqlite.change("DROP TRIGGER audit_event_no_update")
    file = sqlite.folder / "switchboard.sqlite3"
    with sqlite.folder.joinpath("switchboard.sqlite3").open("r+b") as damaged:
        damaged.seek(file.stat().st_size // 2)
        damaged.write(b"\xff" * 20_000)
    done = sqlite.commands.done("verify_installation")
    assert done.returncode == 1
    assert "SQLite file" in done.stdout


def test_every_command_of_the_page_exists():
    named = set(re.findall(r"manage\.py (\w+)", PAGE))
    assert {"prepare", "serve", "deliver", "verify_installation"} <= named
    assert named <= get_commands().keys()


def test_every_file_of_the_page_exists():
    files = re.findall(r"`([\w-]+\.(?:yaml|service|conf|py)|Dockerfile|Caddyfile)`", PAGE)
    assert len(files) > 5
    assert [name for name in files if not (ROOT / "deploy" / name).exists()] == []
    assert [name for name in re.findall(r"docs/[\w-]+\.md", PAGE) if not (ROOT / name).exists()] == []


def test_the_figures_of_the_scale_page_follow_from_its_assumptions():
    page = (ROOT / "docs" / "scale.md").read_text()
    rows = [
        [float(cell.strip().split()[0].replace(",", "")) for cell in line.strip("|\n").split("|")]
        for line in page.splitlines()
        if re.match(r"\| [\d,]+ \| [\d.,]+( MB)? \|", line) and "WEB" not in line and "SQL" not in line
    ]
    load, growth = rows[:4], rows[4:]
    for agents, mean, peak, waiting, sign_in in load:
        per_second = agents * (22 + 8 * 6 + 4) / 3600
        assert (mean, peak) == (round(per_second, 1), round(3 * per_second, 1))
        assert waiting == round(3 * agents * 28 * 0.5 / 3600)
        assert sign_in == round(agents * 7 / 900, 1)
    for agents, a_day, a_year in growth:
        megabytes = agents * (40 * 1.7 + 20 * 0.8) / 1000
        assert (a_day, a_year) == (round(megabytes), round(megabytes * 250 / 1000))


def test_the_cores_of_the_scale_page_follow_from_what_requests_cost():
    page = (ROOT / "docs" / "scale.md").read_text()
    assert round((46 * 2.7 + 8 * 19 + 16 * 16 + 4 * 20) / 74) == 8
    cores = {
        int(agents.replace(",", "")): int(found)
        for agents, found in re.findall(r"\| ([\d,]+) \| (\d+) \| \d+ \| 48", page)
    }
    assert cores == {agents: max(1, round(agents * 74 / 3600 * 3 * 0.008 / 0.5)) for agents in cores}
    assert len(cores) == 4
