"""Each setting that cannot be used ends the start in a sentence that names it; see also test_launch, test_prepare."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment
from tests.live_server import ROOT

KEY = "BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY"
SOUND = {
    "APP_SERVER_SECRET_KEY": "kT7hq2ZsN0v-9fWcXb3eRyLg5uPaM1dJ8iQoVtEx",
    "CREDENTIAL_KEYS": f"k1:{KEY}",
    "HASH_KEY": "another-kT7hq2ZsN0v-9fWcXb3eRyLg5uPaM1dJ",
}
_WEB = "must be an address such as https://switchboard.example.com, not"
_KEYS = "must be <key id>:<base64url of 32 bytes>, comma-separated"
_DATABASE = "write postgres://user:password@host:5432/name, or sqlite:////absolute/path.sqlite3."
#: Variable, wrong value, the sentence after its name.
WRONG = [
    *[(name, "maybe", "must be on or off, not 'maybe'.") for name in (
        "DEBUG", "SANDBOX", "SERVERLESS", "CONSOLE", "DEBUG_REPLIES", "OUTBOUND_ALLOW_PRIVATE_ADDRESSES",
        "AUDIT_KEEP_BODIES", "WEB_DELIVERS",
    )],
    *[(name, value, f"{_WEB} {value!r}.")
      for name in ("APP_SERVER", "OVERRIDE_APP_SERVER", "SERVER_SIDE_LOGGING_URL")
      for value in (
          "switchboard.example.com", "ftp://switchboard.example.com", "https://", "https://a b", "https://a:http",
          "https://a?b", "https://a:0",
      )],
    ("APP_SERVER", "https://user:secret@host", f"{_WEB} what is there."),
    *[(f"PUBLIC_LINKS_{name}", "javascript:alert(1)", "must be an https:// address, not 'javascript:alert(1)'.")
      for name in ("AUTHOR", "FEEDBACK", "DOCUMENTATION", "RELEASE_NOTES", "REVIEW", "LOGO")],
    ("PUBLIC_LINKS_SUPPORT", "acme.example", "must be an https:// address or mailto:, not 'acme.example'."),
    ("RINGCENTRAL_SERVER", "ringcentral", "must be an address such as https://platform.ringcentral.com, not"),
    ("ALLOWED_HOSTS", "https://a.example", "must be host names without scheme or port, comma-separated, not 'https:"),
    ("ALLOWED_HOSTS", "a.example,b.example:80", "must be host names without scheme or port, comma-separated, not 'b"),
    ("PORT", "http", "must be a whole number from 1 to 65535, not 'http'."),
    ("PORT", "65536", "must be a whole number from 1 to 65535, not '65536'."),
    ("WEB_WORKERS", "abc", "must be a whole number from 1 to 512, not 'abc'."),
    ("WEB_WORKERS", "0", "must be a whole number from 1 to 512, not '0'."),
    ("WEB_QUEUE_SECONDS", "0", "must be a number from 0.1 to 60, not '0'."),
    ("WEB_THREADS", "1.5", "must be a whole number from 1 to 4096, not '1.5'."),
    ("TRUSTED_PROXIES", "-1", "must be a whole number from 0 to 20, not '-1'."),
    ("TRUSTED_PROXIES", "10.0.0.1", "must be a whole number from 0 to 20, not '10.0.0.1'."),
    *[(f"THROTTLE_{scope}", value, f"must look like 30/min, not {value!r}.")
      for scope in ("USER", "LOGIN", "ADDRESS", "HASH", "WRONG_TOKEN")
      for value in ("30", "0/min", "30/year")],
    ("JWT_LIFETIME_DAYS", "1e300", "must be a number from 1 to 3650, not '1e300'."),
    ("JWT_LIFETIME_DAYS", "nan", "must be a number from 1 to 3650, not 'nan'."),
    ("JWT_GRACE_DAYS", "inf", "must be a number from 0 to 3650, not 'inf'."),
    ("PHONE_REGION", "UK", "must be an ISO country of two letters, such as US or GB, not 'UK'."),
    ("CONTACT_CACHE_SECONDS", "-5", "must be a number from 0 to 604800, not '-5'."),
    ("OUTBOUND_CONNECT_TIMEOUT", "0", "must be a number from 0.1 to 60, not '0'."),
    ("OUTBOUND_READ_TIMEOUT", "ten", "must be a number from 0.1 to 300, not 'ten'."),
    ("DELIVERY_MAX_AGE_HOURS", "3 days", "must be a number from 0 to 8760, not '3 days'."),
    ("DELIVERY_SETTLING_SECONDS", "soon", "must be a number from "),
    ("AUDIT_RETENTION_DAYS", "0", "must be a number from 1 to "),
    ("DELIVERY_KEEP_DAYS", "two", "must be a number from 0 to "),
    ("DELIVERY_RETRY_SECONDS", "0", "must be a number from 0.1 to 3600, not '0'."),
    ("CREDENTIAL_KEYS", KEY, f"{_KEYS}; number 1 is not."),
    ("CREDENTIAL_KEYS", f"k1:{KEY},k2:abc", f"{_KEYS}; number 2 is not."),
    ("CREDENTIAL_KEYS", f"k1:{KEY},k1:{KEY}", "names the key id k1 twice; each key needs an id of its own."),
    ("REFERENCE_DATABASE_URL", "garbage", f"must name a PostgreSQL or SQLite database; {_DATABASE}"),
    ("DATABASE_URL", " ", f"is empty; {_DATABASE.removesuffix('.')}, or leave it out for a SQLite file in VAR_DIR."),
    ("SENTRY_DSN", "https://sentry.example.com/2", "must be the DSN of a Sentry project, such as"),
    ("DATABASE_URL", "garbage", f"must name a PostgreSQL or SQLite database; {_DATABASE}"),
    ("DATABASE_URL", "mysql://u:secret@host/name", f"must name a PostgreSQL or SQLite database; {_DATABASE}"),
    ("DATABASE_URL", "postgres://u:secret@host", f"names no database; {_DATABASE}"),
    ("DATABASE_URL", "postgres://u:secret@host:54x/name", "cannot be read: signs such as @ : / # in a password are"),
    ("DATABASE_URL", "postgres://u:secret@host/name?sslmode=yes", f"has the unknown sslmode 'yes'; {_DATABASE}"),
    ("DATABASE_URL", "sqlite://var/a.sqlite3", "needs three slashes before the path of a SQLite file, and a fourth"),
    ("DATABASE_URL", "sqlite://:memory:", "needs three slashes before"),
    *[("REDIS_URL", value, "must be an address such as redis://host:6379/0.")
      for value in ("localhost:6379", "http://:secret@host", "redis://", "redis://host:63790000", "redis://host/db")],
    ("ADAPTER_FOLDERS", "/nowhere", "names '/nowhere', which is no folder."),
    ("OUTBOUND_CA_BUNDLE", "/nowhere.pem", "names '/nowhere.pem', which cannot be read: No such file or directory."),
    ("OUTBOUND_CA_BUNDLE", __file__, "which holds no certificate in PEM form."),
    ("OUTBOUND_PROXY", "proxy:3128", "must be an address such as http://proxy.example.com:3128."),
    ("OUTBOUND_PROXY", "socks5://u:secret@proxy:1080", "must be an address such as http://proxy.example.com:3128."),
    ("LOG_FORMAT", "xml", "must be json or console, not 'xml'."),
    ("METRICS_TOKEN", "short", "must be 16 to 256 letters, digits and signs, without spaces."),
    ("METRICS_TOKEN", "a secret with spaces in it", "must be 16 to 256 letters, digits and signs, without spaces."),
]  # fmt: skip
#: Any text may stand there; or what is wrong with it is found later, by ``connectors.checks`` and ``prepare``.
FREE = {
    "VAR_DIR", "METRICS_DIR", "HOST", "APP_SERVER_SECRET_KEY", "APP_SERVER_SECRET_KEY_FALLBACKS", "HASH_KEY",
    "DJANGO_SECRET_KEY", "ADMIN_EXTENSION_ID_DEV_PASS_LIST", "ENABLED_ADAPTERS", "PUBLIC_LINKS_AUTHOR_NAME",
    "RINGCENTRAL_CLIENT_ID", "RINGCENTRAL_CLIENT_SECRET",
}  # fmt: skip


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Reads the settings anew, with nothing but what is given; their namespace."""

    def load(file="", **variables):
        monkeypatch.setattr(environment, "ENV_FILE", tmp_path / ".env")
        (tmp_path / ".env").write_text(file)
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in {**SOUND, "VAR_DIR": str(tmp_path / "var"), **variables}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "config" / "settings.py"))

    return load


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_value_is_one_sentence_that_names_its_variable(load, name, value, sentence):
    with pytest.raises(ImproperlyConfigured) as stopped:
        load(**{name: value})
    (line,) = str(stopped.value).splitlines()
    assert line.startswith(f"{name} ")
    assert sentence in line
    assert line.endswith(".")
    assert "secret" not in line


def test_every_variable_has_a_wrong_value_above(load):
    assert load()["env"].names - {name for name, _, _ in WRONG} == FREE


def test_all_mistakes_are_told_at_once(load):
    with pytest.raises(ImproperlyConfigured) as stopped:
        load(DEBUG="maybe", LOG_FORMAT="xml", WEB_WORKERS="abc")
    assert [line.split()[0] for line in str(stopped.value).splitlines()] == ["DEBUG", "WEB_WORKERS", "LOG_FORMAT"]


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_variable_counts_as_unset(load, value):
    names = {name for name, _, _ in WRONG} - {"CREDENTIAL_KEYS", "DATABASE_URL"}
    found = load(**dict.fromkeys(names, value))
    assert found["DATABASES"]["default"]["NAME"].endswith("var/switchboard.sqlite3")
    assert (found["APP_SERVER"], found["WEB_WORKERS"]) == ("http://127.0.0.1:8000", 2)


def test_secrets_that_are_missing_are_named_together_with_what_makes_them(load):
    with pytest.raises(ImproperlyConfigured) as stopped:
        load(**dict.fromkeys(SOUND, ""))
    assert str(stopped.value) == (
        "APP_SERVER_SECRET_KEY, CREDENTIAL_KEYS, HASH_KEY must be set when DEBUG is off; "
        "`manage.py make_secrets` makes what is missing."
    )


def test_the_host_of_the_servers_address_is_allowed_without_a_word(load):
    assert "switchboard.example.com" in load(APP_SERVER="https://switchboard.example.com:8443")["ALLOWED_HOSTS"]
    assert "[2001:db8::1]" in load(APP_SERVER="http://[2001:db8::1]:8000")["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgres://u:p%40ss@host:5433/name", ("host", 5433, "u", "p@ss", "name")),
        ("postgresql://u:a#b@host/name", ("host", "", "u", "a#b", "name")),
        ("postgres:////run/postgresql/name", ("/run/postgresql", "", "", "", "name")),
    ],
)
def test_addresses_of_databases_are_read(load, url, found):
    database = load(DATABASE_URL=url)["DATABASES"]["default"]
    assert tuple(database[key] for key in ("HOST", "PORT", "USER", "PASSWORD", "NAME")) == found


def test_a_relative_sqlite_file_does_not_depend_on_where_a_command_is_started(load):
    assert load(DATABASE_URL="sqlite:///var/x.sqlite3")["DATABASES"]["default"]["NAME"] == str(ROOT / "var/x.sqlite3")


@pytest.mark.parametrize("line", ["FOO", "FOO secret", " FOO=secret", "FOO = secret", "1FOO=secret", "export FOO"])
def test_a_line_of_the_env_file_that_is_none_is_told_by_its_number(load, line):
    with pytest.raises(ImproperlyConfigured) as stopped:
        load(f"# a comment\n\nexport LOG_FORMAT=console\n{line}\n")
    (text,) = str(stopped.value).splitlines()
    assert text.endswith("/.env line 4 must be NAME=value without spaces before the =, a comment, or empty.")
    assert "secret" not in text


def test_an_env_file_that_cannot_be_read_is_told(tmp_path):
    file = tmp_path / "odd"
    file.write_bytes(b"LOG_FORMAT=\xff\xfe\n")
    for path, reason in [(file, "it is not UTF-8"), (tmp_path, "Is a directory")]:
        with pytest.raises(environment.WrongFile) as stopped:
            environment.file_values(path)
        assert str(stopped.value) == f"{path} cannot be read: {reason}."


def test_the_files_are_read_in_order_and_the_environment_wins(load, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secrets.env").write_text("HASH_KEY=of-the-secrets-file\nLOG_FORMAT=xml\n")
    found = load("HASH_KEY=\nLOG_FORMAT=console\nPORT=9000\nWEB_THREADS=\n", HASH_KEY="", PORT="9001")
    assert (found["HASH_KEY"], found["PORT"], found["WEB_THREADS"]) == ("of-the-secrets-file", 9001, 48)


def _manage(tmp_path, *arguments, **variables):
    variables = {"VAR_DIR": str(tmp_path), "PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, *arguments], env=variables, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "command",
    [["manage.py", "check", "--deploy"], ["manage.py", "serve"], ["manage.py", "deliver"], ["-c", "import config.wsgi"],
     ["-m", "celery", "-A", "config.celery", "worker"]],
    ids=lambda command: command[-1],
)  # fmt: skip
def test_every_process_ends_with_the_sentence_and_status_1(tmp_path, command):
    done = _manage(tmp_path, *command, **{**SOUND, "LOG_FORMAT": "xml"})
    assert (done.returncode, done.stderr) == (1, "LOG_FORMAT must be json or console, not 'xml'.\n")


def test_secrets_are_made_by_a_command_that_needs_none(tmp_path):
    first = _manage(tmp_path, "manage.py", "make_secrets", HASH_KEY="mine")
    file = tmp_path / "secrets.env"
    assert first.stdout == f"Made APP_SERVER_SECRET_KEY, CREDENTIAL_KEYS; kept in {file}. Keep a copy of it.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = file.read_text()
    second = _manage(tmp_path, "manage.py", "make_secrets")
    assert second.stdout == f"Made HASH_KEY; kept in {file}. Keep a copy of it.\n"
    assert file.read_text().startswith(kept)
    assert "nothing was made" in _manage(tmp_path, "manage.py", "make_secrets").stdout
    assert _manage(tmp_path, "manage.py", "check", DEBUG="off").returncode == 0
    printed = _manage(tmp_path / "other", "manage.py", "make_secrets", "--print").stdout
    assert [line.split("=")[0] for line in printed.splitlines()] == list(SOUND)
    assert not (tmp_path / "other" / "secrets.env").exists()
