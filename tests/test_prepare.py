"""What `manage.py prepare` makes, keeps, and says of an installation that does not fit together."""

from __future__ import annotations

import io
import re

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from connectors import installation
from connectors.checks import check_keys
from connectors.models import CrmUser
from tests.factories import CrmUserFactory
from tests.live_server import postgres_database
from tests.services import URL, postgres_is_there

GOOD_KEY = bytes(range(7, 39))


@pytest.fixture
def folder(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    return tmp_path


def _prepare(*arguments):
    output = io.StringIO()
    call_command("prepare", *arguments, stdout=output)
    return output.getvalue()


@pytest.mark.django_db
def test_the_first_administrator_is_made_once_and_the_password_kept_and_shown_only_if_asked(folder):
    first = _prepare()
    kept = dict(line.split(" ", 1) for line in (folder / "administrator.txt").read_text().splitlines())
    assert (folder / "administrator.txt").stat().st_mode & 0o777 == 0o600
    assert f"Administrator: admin (the password is in {folder}/administrator.txt)" in first
    assert kept["password"] not in first
    assert User.objects.get().check_password(kept["password"])
    assert f"Administrator: admin; the first password is in {folder}/administrator.txt" in _prepare()
    User.objects.all().delete()
    assert f"Administrator: admin, password {kept['password']} (" in _prepare("--show-password")
    assert User.objects.get().check_password(kept["password"])


@pytest.mark.django_db
def test_a_lost_password_file_gets_a_line(folder):
    _prepare()
    (folder / "administrator.txt").unlink()
    assert "Administrator: admin (manage.py changepassword admin sets a new password)" in _prepare()


@pytest.mark.django_db
def test_a_second_database_leaves_the_first_ones_password_file_alone(folder, monkeypatch):
    _prepare()
    kept = (folder / "administrator.txt").read_text()
    User.objects.all().delete()
    monkeypatch.setattr("connectors.management.commands.prepare.database_address", lambda: "elsewhere")
    assert f"(the password is in {folder}/administrator-2.txt)" in _prepare()
    assert (folder / "administrator.txt").read_text() == kept
    assert "database elsewhere" in (folder / "administrator-2.txt").read_text()
    assert f"the first password is in {folder}/administrator-2.txt" in _prepare()


@pytest.mark.django_db
def test_a_folder_that_keeps_no_password_makes_no_administrator_whom_nobody_knows(settings):
    from pathlib import Path

    settings.VAR_DIR = Path("/proc")
    assert "No administrator yet: manage.py createsuperuser makes one" in _prepare()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_logins_that_the_keys_do_not_open_are_told(folder, settings):
    CrmUserFactory.create_batch(2)
    assert "cannot be opened" not in _prepare()
    settings.CREDENTIAL_KEYS = {"test": GOOD_KEY}
    CrmUserFactory()
    (line,) = [line for line in _prepare().splitlines() if "cannot be opened" in line]
    counts = re.match(r"(\d+) of (\d+) stored secrets \(logins, kept changes, notes\) cannot be opened with CRED", line)
    assert counts
    assert int(counts[1]) < int(counts[2])
    told = {"include_deployment_checks": True}, {"databases": ["default"]}
    for options in (*told, {**told[0], **told[1]}, {}):  # the last must not look into any database
        found = [message.msg for message in run_checks(**options) if message.id == "connectors.W009"]
        assert found == ([line] if options else [])
    CrmUser.objects.all().delete()
    assert "cannot be opened" not in _prepare()


@pytest.mark.django_db
def test_a_database_without_tables_says_nothing_of_keys():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE connectors_crmuser RENAME TO gone")
    assert check_keys(databases=["default"]) == []


@pytest.mark.django_db
def test_unsafe_settings_stop_it_before_anything_is_made(folder, settings):
    settings.HASH_KEY = ""
    with pytest.raises(CommandError, match="HASH_KEY must be set"):
        _prepare()
    assert list(folder.iterdir()) == []


@pytest.mark.django_db
def test_an_adapter_that_is_not_there_stops_it(folder, settings):
    settings.ENABLED_ADAPTERS = ["testCRM", "nocrm"]
    with pytest.raises(CommandError, match="ENABLED_ADAPTERS names 'nocrm', which is not there; there are: bullhorn"):
        _prepare()


@pytest.mark.django_db
def test_a_database_of_a_version_before_is_told_in_one_sentence(folder):
    MigrationRecorder(connection).record_applied("audit", "0003_deliveries")
    with pytest.raises(CommandError, match="was made by a version before"):
        _prepare()


@pytest.mark.django_db
def test_missing_migrations_are_named():
    from django.db.migrations.recorder import MigrationRecorder

    assert installation.missing_migrations() == []
    MigrationRecorder(connection).record_unapplied("connectors", "0001_initial")
    assert installation.missing_migrations() == ["connectors.0001_initial"]


@pytest.fixture
def postgresql(settings, monkeypatch):
    """The settings of a PostgreSQL database for ``problems_of_services``; nothing else is asked of it."""
    from django.db.backends.postgresql.base import DatabaseWrapper

    def use(url):
        from config.settings import env

        env.values["DATABASE_URL"] = url
        database = {"TIME_ZONE": None, **env.database("DATABASE_URL", "")}
        settings.DATABASES["default"] = database
        monkeypatch.setattr(installation, "connection", DatabaseWrapper(database))
        return list(installation.problems_of_services())

    monkeypatch.setattr("config.settings.env.values", {})
    monkeypatch.setitem(settings.DATABASES, "default", settings.DATABASES["default"])
    return use


SERVER = URL.split("@")[-1].rsplit("/", 1)[0]


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgres://u:secret@127.0.0.1:1/n", "PostgreSQL at 127.0.0.1:1 refuses the connection; is it running, and"),
        ("postgres://u:secret@no-such-host.invalid/n", "PostgreSQL at no-such-host.invalid:5432 is not known by that"),
        ("postgres://u:secret@/n?host=/nowhere", "PostgreSQL at the local socket:5432 has no socket there; is it run"),
        pytest.param(f"postgres://postgres:secret@{SERVER}/nosuch", f"PostgreSQL at {SERVER} has no such database",
                     marks=pytest.mark.skipif(not postgres_is_there(), reason="needs PostgreSQL")),
    ],
)  # fmt: skip
def test_a_database_out_of_reach_is_told_by_its_host_without_the_password(postgresql, url, told):
    (problem,) = postgresql(url)
    assert problem.startswith(f"DATABASE_URL: {told}")
    assert problem.endswith(".")
    assert "secret" not in problem


@pytest.mark.enable_socket
@pytest.mark.skipif(not postgres_is_there(), reason="needs PostgreSQL")
def test_a_database_within_reach_is_no_problem(postgresql):
    with postgres_database(URL) as url:
        assert postgresql(url) == []


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "redis://u:secret@127.0.0.1:1/0",
            "Redis at 127.0.0.1:1 refuses the connection; is it running, and is the port",
        ),
        ("unix:///nowhere/redis.sock", "Redis at /nowhere/redis.sock has no socket there; is it running."),
    ],
)
def test_a_redis_out_of_reach_is_told_by_its_host_without_the_password(settings, url, told):
    settings.REDIS_URL = url
    (problem,) = installation.problems_of_services()
    assert problem.startswith(f"REDIS_URL: {told}")
    assert "secret" not in problem


def test_an_sqlite_file_that_cannot_be_used_is_named(settings, tmp_path, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("runs on SQLite")
    (tmp_path / "text").write_text("no database, but long enough to be taken for the head of one: " + "x" * 200)
    for path, told in [
        (tmp_path / "text", "(file is not a database); it and its folder must be writable."),
        (tmp_path, "(unable to open database file); it and its folder must be writable."),
    ]:
        monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(path))
        (problem,) = installation.problems_of_services()
        assert problem == f"DATABASE_URL: the SQLite file {path} cannot be used {told}"
