"""Fixtures of the tests in the folders of the CRMs: one Switchboard for all of them, and the fakes of the CRMs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from tests.switchboard import Switchboard, running_switchboard

pytest.register_assert_rewrite("tests.session_script")

#: Those with a session of the extension.
PLATFORMS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/test_session.py"))


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def _processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    with running_switchboard(PLATFORMS, tmp_path_factory.mktemp("switchboard")) as switchboard:
        yield switchboard


@pytest.fixture
def switchboard(_processes: Switchboard) -> Switchboard:
    _processes.forget_trouble()
    return _processes
