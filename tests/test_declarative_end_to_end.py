"""A CRM that is a definition in a folder outside the project: the extension's session against its own process."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.orchard import KEY, PASSWORD
from tests.live_server import live_server
from tests.vendor import rounds, running_vendor

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]

DEFINITIONS = Path(__file__).parent / "definitions"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of an installation: the definition beside one that is broken."""
    folder = tmp_path_factory.mktemp("definitions") / "adapters-of-ours"
    shutil.copytree(DEFINITIONS / "orchard", folder / "orchard")
    shutil.copytree(DEFINITIONS / "orchard", folder / "broken")
    manifest = json.loads((folder / "broken" / "manifest.json").read_text())
    manifest["client"]["name"] = "broken"
    (folder / "broken" / "manifest.json").write_text(json.dumps(manifest))
    assert not list(folder.rglob("*.py"))
    return folder


@pytest.fixture(scope="module")
def processes(tmp_path_factory, folder):
    own = tmp_path_factory.mktemp("processes")
    with running_vendor("tests.fakes.orchard:Orchard", own) as vendor:
        environment = {**vendor.environment, "ADAPTER_FOLDERS": str(folder), "ORCHARD_SECRET_KEY": "partner-7"}
        with live_server(own, **environment) as server:
            yield vendor, server


@pytest.fixture
def employee(processes):
    """Of an empty CRM that behaves well: another one for each test, with nothing behind them."""
    vendor, server = processes
    vendor.fail()
    number = vendor.call("start_over")
    vendor.requests()
    server.rows("Circuit.objects.all().delete()[0]")
    return number


@pytest.fixture
def vendor(processes, employee):
    return processes[0]


@pytest.fixture
def server(processes, employee):
    return processes[1]


@pytest.fixture
def me(server):
    return Extension(server.url, "orchard")


def _login(me):
    return me.login_with_key("", username="kim", password=PASSWORD, branch="North")


def test_a_session_of_the_extension_from_login_to_logout(vendor, server, me, employee):
    pia = vendor.call("add_person", "Pia", "Ostrow", "(650) 555-0112", firm={"label": "Ostrow Tiles"})
    both = [vendor.call("add_person", "Ann", f"Pear {n}", "+16505550113", "+1 650 555 0114") for n in range(3)]
    welcome = _login(me)
    assert welcome["name"] == "Kim Alder"
    extra = f"CrmUser.objects.get(wire_id='{employee}-orchard').extra"
    assert server.rows(extra) == {"firm": "F-9", "branch": "North"}
    assert vendor.spent() == ["POST /v3/sessions"]

    found = me.look_up("+16505550112")["contact"]
    assert found[0] == {
        "id": pia,
        "name": "Pia Ostrow",
        "phone": "(650) 555-0112",
        "type": "Person",
        "additionalInfo": {},
        "company": "Ostrow Tiles",
        "organization": "Ostrow Tiles",
        "createdDate": "2026-01-01T00:00:00+00:00",
    }
    assert found[1]["id"] == "createNewContact"
    asked = vendor.requests()
    assert sorted(row["query"]["tel"] for row in asked) == sorted(
        ["+16505550112", "6505550112", "(650) 555-0112", "650-555-0112"]
    )
    assert {row["query"]["lang"] for row in asked} == {"en"}
    assert [row["id"] for row in me.look_up("+16505550113")["contact"]] == [*both, "createNewContact"]
    assert len(vendor.requests()) == 5  # one notation has a second page
    assert [row["id"] for row in me.look_up("+12125550199")["contact"]] == ["createNewContact"]
    assert [row["id"] for row in me.search("ann pear")["contact"]] == both
    assert me.search("Zzyzx")["contact"] == []

    created = me.create_contact("+12125550177", "Ada Mary Byron", "Person")["contact"]
    assert created["name"] == "Ada Mary Byron"
    person = vendor.state()["people"][created["id"]]
    assert (person["first"], person["last"]) == ("Ada Mary", "Byron")
    assert person["channels"] == [{"kind": "tel", "at": "(212) 555-0177"}]
    assert person["kind"] == "Person"
    assert me.look_up("+12125550177")["contact"][0]["id"] == created["id"]

    contact = {**found[0], "name": "Pia <Ostrow>"}
    vendor.requests()
    logged = me.log_call(call("404430540004", contact))
    assert isinstance(logged["logId"], int)
    assert me.log_call(call("404430540004", contact))["successful"] is False
    assert vendor.spent() == [f"POST /v3/people/{pia}/touches"]
    (touch,) = vendor.state()["touches"].values()
    text = touch.pop("text")
    assert touch == {
        "person": pia,
        "headline": "Inbound Call from Pia <Ostrow>",
        "way": "in",
        "span": {"from": "2026-05-04T16:31:07.000Z", "to": "2026-05-04T16:34:14.000Z", "seconds": 187},
        "label": "Lasted 187s",
        "branch": "North",
        "outside": "404430540004",
        "staff": employee,
        "tags": ["phone", "Accepted"],
        "done": True,
    }
    assert text.startswith("<p>Firm F-9, with Pia &lt;Ostrow&gt;</p>")
    assert "Wants a &lt;b&gt;quote&lt;/b&gt; &amp; café" in text
    assert "<li><b>Duration</b>" in text
    assert "rc-secret-token" not in text

    (detail,) = me.logged("404430540004", details=True)
    assert detail["logData"]["note"] == "Wants a <b>quote</b> & café"
    assert detail["logData"]["subject"] == "Inbound Call from Pia <Ostrow>"
    assert detail["logData"]["fullLogResponse"]["data"]["touch"]["outside"] == "404430540004"

    vendor.call("change_touch", logged["logId"], text + "<p>Called back at noon.</p>")
    vendor.requests()
    assert me.edit_call("404430540004", note="Second note")["successful"]
    assert vendor.spent() == ["GET /v3/touches/{id}", "PUT /v3/touches/{id}"]
    (touch,) = vendor.state()["touches"].values()
    assert "Second note" in touch["text"]
    assert "Wants a" not in touch["text"]
    assert "<p>Called back at noon.</p>" in touch["text"]
    assert touch["span"]["from"] == "2026-05-04T16:31:07.000Z"
    assert "result" not in touch
    assert me.dispose("404430540004", stage="won")["successful"]
    (detail,) = me.logged("404430540004", details=True)
    assert detail["logData"]["dispositions"] == {"stage": "won"}
    assert me.dispose("404430540004", stage="none")["successful"]
    assert next(iter(vendor.state()["touches"].values()))["stage"] is None

    vendor.requests()
    assert len(me.log_messages(conversation("conv1", contact, 3))["logIds"]) == 3
    assert vendor.spent() == [f"POST /v3/people/{pia}/threads"]
    assert len(me.log_messages(conversation("conv1", contact, 5))["logIds"]) == 2
    assert vendor.spent() == ["GET /v3/threads/{id}", "PUT /v3/threads/{id}"]
    assert me.log_messages(conversation("conv1", contact, 5))["logIds"] == []
    (thread,) = vendor.state()["threads"].values()
    body = thread.pop("text")
    assert thread == {
        "person": pia,
        "headline": "SMS conversation with Pia <Ostrow> - 26/05/04",
        "outside": "conv1/2026-05-04",
        "began": "2026-05-04T17:00:00.000Z",
        "count": "54000402",
        "last": "text number 4 <i>&</i> ñ",
    }
    assert [body.count(f"text number {n} &lt;i&gt;&amp;") for n in range(5)] == [1] * 5

    assert me.logout()["returnMessage"]["message"].startswith("Logged out of Orchard CRM")
    assert vendor.state()["sessions"] == []
    assert set(vendor.state()["keys_seen"]) == {KEY}
    log = (Path(server.environment["VAR_DIR"]) / "server.log").read_text()
    for secret in (PASSWORD, KEY, "partner-7", "rc-secret-token", "Ostrow", "5550112"):
        assert secret not in log
    assert "{contactInfo.id}" in log  # the shape of the path instead


def test_all_notations_of_a_number_go_out_together(vendor, me):
    _login(me)
    vendor.requests()
    vendor.fail({"delay": 0.2})
    me.look_up("+16505550112")
    asked = vendor.requests()
    assert (len(asked), rounds(asked)) == (4, 1)


def test_a_write_whose_answer_was_lost_is_found_again_and_not_repeated(vendor, me):
    pia = vendor.call("add_person", "Pia", "Ostrow", "+16505550112")
    _login(me)
    contact = me.look_up("+16505550112")["contact"][0]
    vendor.fail({"method": "POST", "path": f"/v3/people/{pia}/touches", "drop": "after", "times": 1})
    kept = me.log_call(call("1002", contact))
    assert kept["returnMessage"]["message"] == "Call log saved. It will be sent when Orchard CRM is back."
    assert me.logged("1002")[0]["matched"] is False
    assert isinstance(me.log_call(call("1002", contact))["logId"], int)  # found in the CRM by its session id
    assert me.logged("1002")[0]["matched"] is True
    assert len(vendor.state()["touches"]) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 503, "body": {}}, "could not be reached"),
        ({"status": 429, "body": {}, "headers": {"Retry-After": "7"}}, "try again in 7 seconds"),
        ({"status": 403, "body": {"message": "No seat"}}, "No seat"),
        ({"status": 200, "body": {"data": {"items": "none"}}}, "expected a list of objects at 'body.data.items'"),
        ({"status": 200, "body": {"data": {}}}, "expected a list of objects at 'body.data.items'"),
    ],
)
def test_trouble_at_the_crm_is_explained(vendor, me, fault, message):
    _login(me)
    vendor.fail(fault)
    answer = me.look_up("+16505550112")
    assert answer["successful"] is False
    assert message in json.dumps(answer["returnMessage"])


def test_a_wrong_password_connects_nobody(vendor, server, me):
    before = server.rows("CrmUser.objects.count()")
    body = {"platform": "orchard", "apiKey": "", "hostname": "", "additionalInfo": {"username": "kim", "password": "x"}}
    assert me.send("POST", "/apiKeyLogin", body).status_code == 400
    assert vendor.spent() == ["POST /v3/sessions"]
    reply = me.send("POST", "/apiKeyLogin", {**body, "additionalInfo": {"username": "kim", "password": " "}})
    assert reply.json()["returnMessage"]["message"] == "Please fill in: Password."
    assert vendor.spent() == []
    assert server.rows("CrmUser.objects.count()") == before


def test_a_broken_definition_is_named_and_stops_no_other(server, me, folder):
    with pytest.raises(subprocess.CalledProcessError) as failed:
        server.manage("check_adapters")
    assert f"{folder / 'broken'}: meta.name: must be the platform key 'broken'" in failed.value.stderr
    assert Extension(server.url, "broken").send("GET", "/crmManifest?platformName=broken").text == "Platform not found"
    assert _login(me)["jwtToken"]
