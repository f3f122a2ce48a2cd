"""Fixtures: one sandbox CRM and one Switchboard for all tests of a module that imports them."""

from __future__ import annotations

import pytest

from tests.live_server import live_server
from tests.sandbox import start_sandbox


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """The sandbox CRM, and a server on SQLite; each test has a login of its own."""
    folder = tmp_path_factory.mktemp("processes")
    sandbox = start_sandbox(folder)
    try:
        with live_server(folder, threads=32, SANDBOX="on", TEST_CRM_URL=sandbox.url) as server:
            yield sandbox, server
    finally:
        sandbox.stop()


@pytest.fixture
def sandbox(processes):
    processes[0].reset()
    return processes[0]


@pytest.fixture
def server(processes):
    return processes[1]
