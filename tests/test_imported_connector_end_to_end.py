"""A connector of a reference server, taken over unmodified, and the extension's session with it on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from tests.extension import Extension, call, conversation
from tests.fakes.orchard import PASSWORD
from tests.live_server import live_server
from tests.vendor import running_vendor

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

RECORD = Path(__file__).parent / "connectors" / "orchard.json"


@pytest.fixture
def vendor(tmp_path):
    with running_vendor("tests.fakes.orchard:Orchard", tmp_path) as vendor:
        yield vendor


@pytest.fixture
def me(tmp_path, vendor, capsys):
    call_command("import_definition", str(RECORD), into=tmp_path / "crms")
    assert "It is in order." in capsys.readouterr().out
    environment = {**vendor.environment, "ADAPTER_FOLDERS": str(tmp_path / "crms"), "ORCHARD_SECRET_KEY": "partner-7"}
    with live_server(tmp_path, **environment) as server:
        yield Extension(server.url, "orchard")


def test_somebody_logs_in_looks_up_logs_edits_and_texts(vendor, me):
    pia = vendor.call("add_person", "Pia", "Ostrow", "(650) 555-0112")
    assert me.login_with_key("", username="kim", password=PASSWORD, branch="North")["name"] == "Kim Alder"
    contact = me.look_up("+16505550112")["contact"][0]
    assert (contact["id"], contact["name"]) == (pia, "Pia")
    assert [row["id"] for row in me.search("pia")["contact"]] == [pia]

    logged = me.log_call(call("404430540004", contact))
    assert logged["successful"]
    (touch,) = vendor.state()["touches"].values()
    assert touch["span"] == {"from": "2026-05-04T16:31:07.000Z", "seconds": 187}
    assert touch["branch"] == "North"
    assert "zone" not in touch
    vendor.call("change_touch", logged["logId"], f"{touch['text']}\nCalled back at noon.")
    assert me.edit_call("404430540004", note="Second note")["successful"]
    (touch,) = vendor.state()["touches"].values()
    assert "Second note" in touch["text"]
    assert "Called back at noon." in touch["text"]

    vendor.requests()
    assert me.log_messages(conversation("conv1", contact, 1))["successful"]
    assert vendor.spent() == [f"POST /v3/people/{pia}/threads"]
    assert me.log_messages(conversation("conv1", contact, 3))["successful"]  # the day grows by two texts
    assert vendor.spent() == ["GET /v3/threads/{id}", "PUT /v3/threads/{id}"]
    (thread,) = vendor.state()["threads"].values()
    assert [thread["text"].count(f"text number {n}") for n in range(3)] == [1, 1, 1]

    assert me.logout()["returnMessage"]["message"].startswith("Logged out of Orchard CRM")
    assert vendor.state()["sessions"] == []
