"""An unsafe installation is named by ``manage.py check``, and does not start."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from adapters import registry
from connectors.checks import check_security, refuse_if_unsafe
from connectors.key_strength import DEVELOPMENT_KEY, DEVELOPMENT_SECRET, weakness_of_key, weakness_of_secret
from tests.live_server import ROOT

GOOD = "kT7hq2ZsN0v-9fWcXb3eRyLg5uPaM1dJ8iQoVtEx"
GOOD_KEY = bytes(range(7, 39))


@pytest.fixture
def production(settings):
    """Settings that are clean; a test then spoils one."""
    settings.DEBUG = settings.SANDBOX = False
    settings.APP_SERVER_SECRET_KEY = settings.SECRET_KEY = GOOD
    settings.APP_SERVER_SECRET_KEY_FALLBACKS = []
    settings.CREDENTIAL_KEYS = {"k1": GOOD_KEY}
    settings.HASH_KEY = GOOD
    settings.APP_SERVER = "https://switchboard.example.com"
    settings.ALLOWED_HOSTS = ["switchboard.example.com"]
    settings.TRUSTED_PROXIES = 1
    return settings


def _ids():
    return [message.id for message in check_security()]


def test_a_sound_production_is_clean_and_starts(production):
    assert check_security() == []
    refuse_if_unsafe()


REMOTE_DATABASE = {"ENGINE": "django.db.backends.postgresql", "HOST": "db.example.com", "OPTIONS": {}}
SPOILT = [
    ("connectors.E001", "APP_SERVER_SECRET_KEY", DEVELOPMENT_SECRET),
    ("connectors.E001", "APP_SERVER_SECRET_KEY", "too-short"),
    ("connectors.E001", "APP_SERVER_SECRET_KEY", "ab" * 32),
    ("connectors.E001", "APP_SERVER_SECRET_KEY", "please-changeme-" * 4),
    ("connectors.E002", "APP_SERVER_SECRET_KEY_FALLBACKS", [GOOD, DEVELOPMENT_SECRET]),
    ("connectors.E003", "SECRET_KEY", "django-insecure-" + GOOD),
    ("connectors.E004", "CREDENTIAL_KEYS", {"development": DEVELOPMENT_KEY}),
    ("connectors.E004", "CREDENTIAL_KEYS", {"k1": b"\0" * 32}),
    ("connectors.E005", "HASH_KEY", ""),
    ("connectors.E006", "APP_SERVER", "http://switchboard.example.com"),
    ("connectors.E007", "RINGCENTRAL_SERVER", "http://platform.example.com"),
    ("connectors.W001", "CREDENTIAL_KEYS", {"k1": GOOD_KEY, "development": DEVELOPMENT_KEY}),
    ("connectors.W002", "HASH_KEY", "short"),
    ("connectors.W003", "SANDBOX", True),
    ("connectors.W004", "TRUSTED_PROXIES", 0),
    ("connectors.W005", "OUTBOUND_ALLOW_PRIVATE_ADDRESSES", True),
    ("connectors.W006", "ALLOWED_HOSTS", ["*"]),
    ("connectors.W008", "ALLOWED_HOSTS", ["127.0.0.1"]),
    ("connectors.W010", "RINGCENTRAL_CLIENT_ID", "an-id"),
]


@pytest.mark.parametrize(("check", "name", "value"), SPOILT)
def test_each_mistake_has_its_id_and_errors_stop_the_start(production, check, name, value):
    setattr(production, name, value)
    assert _ids() == [check]
    if ".E" in check:
        with pytest.raises(ImproperlyConfigured, match=check):
            refuse_if_unsafe()
    else:
        refuse_if_unsafe()


@pytest.mark.parametrize(("check", "name", "value"), SPOILT)
def test_no_message_repeats_a_secret(production, check, name, value):
    setattr(production, name, value)
    (message,) = check_security()
    for secret in (value if isinstance(value, list) else [value]) if "KEY" in name else []:
        if isinstance(secret, str) and secret and secret != "short":
            assert secret not in f"{message.msg} {message.hint}"


def test_development_is_left_in_peace(production):
    production.DEBUG = True
    production.APP_SERVER_SECRET_KEY = DEVELOPMENT_SECRET
    production.HASH_KEY = ""
    production.APP_SERVER = "http://127.0.0.1:8000"
    assert _ids() == []
    refuse_if_unsafe()


def test_debug_at_an_address_for_others_does_not_excuse_keys_that_anybody_knows(production):
    production.DEBUG = True
    assert _ids() == []
    production.APP_SERVER_SECRET_KEY = DEVELOPMENT_SECRET
    production.CREDENTIAL_KEYS = {"development": DEVELOPMENT_KEY}
    assert _ids() == ["connectors.E001", "connectors.E004"]
    with pytest.raises(ImproperlyConfigured, match="known placeholder"):
        refuse_if_unsafe()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_plain_http_is_fine_on_this_machine(production, url):
    production.APP_SERVER = url
    production.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    assert _ids() == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ["connectors.W007"]),
        ({"OPTIONS": {"sslmode": "require"}}, ["connectors.W007"]),
        ({"OPTIONS": {"sslmode": "verify-full"}}, []),
        ({"HOST": "127.0.0.1"}, []),
        ({"HOST": "/run/postgresql"}, []),
        ({"ENGINE": "django.db.backends.sqlite3", "HOST": ""}, []),
    ],
)
def test_a_remote_database_must_prove_its_identity(production, monkeypatch, changes, found):
    monkeypatch.setitem(production.DATABASES, "default", {**REMOTE_DATABASE, **changes})
    assert _ids() == found


def test_random_secrets_and_keys_are_never_called_weak():
    import os
    import secrets

    for _ in range(300):
        assert not weakness_of_key(os.urandom(32))
        assert not weakness_of_secret(secrets.token_hex(32))


def _environment(tmp_path, **changes):
    return {
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "off",
        "SANDBOX": "off",
        "APP_SERVER_SECRET_KEY": GOOD,
        "CREDENTIAL_KEYS": "k1:BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY",
        "HASH_KEY": GOOD,
        "APP_SERVER": "https://switchboard.example.com",
        "ALLOWED_HOSTS": "switchboard.example.com",
        "TRUSTED_PROXIES": "1",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'database.sqlite3'}",
        **changes,
    }


def _python(environment, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_check_deploy_is_clean_in_a_production_like_environment(tmp_path):
    secrets = {name: GOOD for manifest in registry.manifests().values() for name in manifest.server.secrets}
    environment = _environment(tmp_path, **secrets)
    done = _python(environment, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "System check identified no issues" in done.stdout


def test_check_deploy_names_the_crms_that_are_not_set_up_and_nothing_else(tmp_path):
    done = _python(_environment(tmp_path), "manage.py", "check", "--deploy")
    warnings = [line for line in done.stderr.splitlines() if line.startswith("?:")]
    assert warnings
    assert all("(adapters.W001)" in line for line in warnings), done.stderr


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"APP_SERVER_SECRET_KEY": "short"}, "APP_SERVER_SECRET_KEY is shorter than 32 bytes. (connectors.E001)"),
        ({"HASH_KEY": ""}, "HASH_KEY must be set"),
        ({"APP_SERVER": "http://switchboard.example.com"}, "APP_SERVER must be https"),
    ],
)
def test_neither_server_nor_command_starts_on_an_unsafe_environment(tmp_path, changes, told):
    environment = _environment(tmp_path, **changes)
    served = _python(environment, "-c", "import config.wsgi")
    assert served.returncode != 0
    assert told in served.stderr
    migrated = _python(environment, "manage.py", "migrate")
    assert migrated.returncode != 0
    assert told.split(" (")[0] in migrated.stderr


def test_a_sound_environment_is_served(tmp_path):
    done = _python(_environment(tmp_path), "-c", "import config.wsgi; print('served')")
    assert done.stdout == "served\n", done.stderr
