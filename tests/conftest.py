"""Fixtures for all tests: no socket but loopback, an API client, a connected user of the sandbox CRM."""

from __future__ import annotations

import gc
import os
from collections import Counter

import pytest
from django.core.cache import cache
from django.core.signals import setting_changed
from django.test import TransactionTestCase
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from pytest_socket import socket_allow_hosts

from adapters import registry
from connectors.deliveries import circuit, clock
from connectors.deliveries.models import Restoration
from connectors.services.request_counts import forget_counts
from tests.breaking import acme, broken
from tests.emptying import Beginning
from tests.extension import Extension
from tests.made_once import shared_folder
from tests.sandbox import start_sandbox

__all__ = ["acme", "broken"]

pytest.register_assert_rewrite("tests.session_script")

# The same examples on every CI run: a run there answers for the change, not for luck.
hypothesis_settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis_settings.register_profile("local", deadline=None, max_examples=50)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def _loopback_only():
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def _adapters_of_the_settings():
    """What the registry has read goes with the settings it was read under: whoever asks next may be another test."""

    def forget(*, setting, **_):
        if setting in ("SANDBOX", "ENABLED_ADAPTERS", "ADAPTER_FOLDERS", "OUTBOUND_ALLOW_PRIVATE_ADDRESSES"):
            registry.forget()

    setting_changed.connect(forget)
    yield
    setting_changed.disconnect(forget)


@pytest.fixture(autouse=True)
def _empty_cache(request):
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        cache.clear()
    forget_counts()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The database, and how it is made empty again after a transactional test."""
    with django_db_blocker.unblock():
        beginning = Beginning.of_database()
    original = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda case: beginning.restore()
    yield
    TransactionTestCase._fixture_teardown = original


@pytest.fixture(autouse=True)
def _database_time_is_ours(monkeypatch):
    """Tests move this machine's clock; PostgreSQL's does not move with it, so leases follow ours here."""
    monkeypatch.setattr(clock, "now", timezone.now)
    monkeypatch.setattr(Restoration, "_read_at", None)


@pytest.fixture(scope="module")
def sandbox_process(tmp_path_factory):
    """The sandbox CRM as a process of its own; what one test writes there the next one finds."""
    process = start_sandbox(tmp_path_factory.mktemp("crm"))
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process, settings):
    """The sandbox CRM, behaving well and thought well of."""
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": sandbox_process.url}
    sandbox_process.reset()
    circuit._fine_until.clear()
    return sandbox_process


@pytest.fixture
def key():
    """The login at the sandbox CRM; each has records of its own."""
    return "demo-key"


@pytest.fixture
def me(sandbox, live_server, key):
    """The extension of a connected user, with the server in a thread of this process."""
    me = Extension(live_server.url, "testCRM")
    me.login_with_key(key)
    return me


@pytest.fixture
def luke(me):
    """A contact that every login has."""
    return me.look_up("+16505551212")["contact"][0]


#: Fixtures and marks by which a test reaches the database of the run. Most processes that tests start have a SQLite
#: file of their own, or a PostgreSQL database, whatever the run's is.
_DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "admin_client", "django_db_setup"}
_DATABASE_MARKS = ("django_db", "either_database")


def pytest_collection_modifyitems(config, items):
    """With ``--only-database``: what touches no database is the same on every one, and has run on SQLite.

    Files with the most slow tests come first: a worker that begins such a file last keeps the others waiting for it.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    if not config.getoption("only_database"):
        return
    kept, others = [], []
    for item in items:
        touches = _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
        (kept if touches or any(item.get_closest_marker(name) for name in _DATABASE_MARKS) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


def pytest_configure():
    shared_folder()  # made by this process, for all workers of this run


def pytest_collection_finish():
    """Garbage is collected from here on, among what the tests make."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser):
    parser.addoption("--only-database", action="store_true", help="leave out the tests that touch no database")
