"""A bounded run of the chaos scenario: whatever dies, nothing accepted is lost or written twice."""

from __future__ import annotations

import contextlib

import pytest
from django.conf import settings

from tests.chaos import run, unexplained
from tests.live_server import postgres_database
from tests.services import URL as POSTGRES

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket, pytest.mark.either_database]


def test_nothing_is_lost_or_doubled_while_processes_die_and_the_crm_misbehaves(tmp_path):
    on_postgres = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    with postgres_database(POSTGRES, prepared=True) if on_postgres else contextlib.nullcontext("") as database_url:
        figures = run(tmp_path, kills=8, calls=40, conversations=12, processes=1, database_url=database_url)
    assert figures.is_sound, figures
    assert figures.accepted_calls == 40
    assert figures.accepted_messages == 60
    assert sum(figures.kills.values()) == 8
    assert sum(figures.faults.values()) >= 5
    assert unexplained((tmp_path / "chaos.log").read_text()) == []
