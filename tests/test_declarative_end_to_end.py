"""A CRM that is a definition in a folder outside the project: the extension's session against its own process."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest

from tests.extension import FORMATS, Extension, call
from tests.fakes.orchard import KEY, PASSWORD
from tests.live_server import live_server
from tests.session_script import SESSION, CrmSession
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


class TestSession(CrmSession):
    display, agent, caller = "Orchard CRM", "Kim Alder", "Pia <Ostrow>"
    id_field, text_field = "ref", "text"
    names = ("pia",)
    reads_names = False
    formats = FORMATS
    new_contacts = (("+12125550177", "Ada Mary Byron", "Person", {}),)

    @pytest.fixture(autouse=True)
    def _in_an_empty_crm(self, vendor, server, me, employee):
        self.vendor, self.server, self.me, self.employee = vendor, server, me, employee

    def login(self):
        welcome = _login(self.me)
        assert self.vendor.spent() == ["POST /v3/sessions"]
        return welcome

    def add_caller(self):
        firm = {"label": "Ostrow Tiles"}
        self.pia = self.vendor.call("add_person", "Pia", "<Ostrow>", "(650) 555-0112", firm=firm)
        return {"id": self.pia, "name": "Pia <Ostrow>", "type": "Person", "phone": "(650) 555-0112"}

    def add_others(self):
        """They have two numbers each, and stand on two pages."""
        add = self.vendor.call
        self.both = [add("add_person", "Ann", f"Pear {n}", "+16505550113", "+1 650 555 0114") for n in range(3)]
        return [("+16505550113", {"id": self.both[0]})]

    def call_of(self, contact):
        ((number, touch),) = self.vendor.state()["touches"].items()
        return {"ref": int(number), **touch}

    def day_of(self, contact):
        (thread,) = self.vendor.state()["threads"].values()
        return thread

    def written(self, text):
        return escape(text)

    def type_into(self, record):
        self.vendor.call("change_touch", record["ref"], record["text"] + "<p>Called back at noon.</p>")
        self.vendor.requests()

    def see_login(self, welcome):
        extra = f"CrmUser.objects.get(wire_id='{self.employee}-orchard').extra"
        assert self.server.rows(extra) == {"firm": "F-9", "branch": "North"}

    def see_logout(self):
        assert self.vendor.state()["sessions"] == []
        assert set(self.vendor.state()["keys_seen"]) == {KEY}
        log = self.server.log()
        for secret in (PASSWORD, KEY, "partner-7", "rc-secret-token", "Ostrow", "5550112"):
            assert secret not in log
        assert "{contactInfo.id}" in log  # the shape of the path instead

    def see_caller(self, contact, rows):
        assert rows[0] == {
            "id": self.pia,
            "name": "Pia <Ostrow>",
            "phone": "(650) 555-0112",
            "type": "Person",
            "additionalInfo": {},
            "company": "Ostrow Tiles",
            "organization": "Ostrow Tiles",
            "createdDate": "2026-01-01T00:00:00+00:00",
        }
        assert rows[1]["id"] == "createNewContact"
        asked = self.vendor.requests()
        assert sorted(row["query"]["tel"] for row in asked) == sorted(
            ["+16505550112", "6505550112", "(650) 555-0112", "650-555-0112"]
        )
        assert {row["query"]["lang"] for row in asked} == {"en"}
        found = self.me.look_up("+16505550113")["contact"]
        assert [row["id"] for row in found] == [*self.both, "createNewContact"]
        assert len(self.vendor.requests()) == 5  # one notation has a second page
        assert [row["id"] for row in self.me.search("ann pear")["contact"]] == self.both

    def see_new_contact(self, created, number, name, kind):
        assert created["name"] == "Ada Mary Byron"
        person = self.vendor.state()["people"][created["id"]]
        assert (person["first"], person["last"]) == ("Ada Mary", "Byron")
        assert person["channels"] == [{"kind": "tel", "at": "(212) 555-0177"}]
        assert person["kind"] == "Person"

    def see_call(self, contact, record):
        assert self.vendor.spent() == [f"POST /v3/people/{self.pia}/touches"]
        text = record["text"]
        assert isinstance(record["ref"], int)
        assert record == {
            "ref": record["ref"],
            "text": text,
            "person": self.pia,
            "headline": "Inbound Call from Pia <Ostrow>",
            "way": "in",
            "span": {"from": "2026-05-04T16:31:07.000Z", "to": "2026-05-04T16:34:14.000Z", "seconds": 187},
            "label": "Lasted 187s",
            "branch": "North",
            "outside": SESSION,
            "staff": self.employee,
            "tags": ["phone", "Accepted"],
            "done": True,
        }
        assert text.startswith("<p>Firm F-9, with Pia &lt;Ostrow&gt;</p>")
        assert "<li><b>Duration</b>" in text

    def see_details(self, data):
        assert data["fullLogResponse"]["data"]["touch"]["outside"] == SESSION

    def see_edited_note(self, record):
        assert self.vendor.spent() == ["GET /v3/touches/{id}", "PUT /v3/touches/{id}"]
        assert "Wants a" not in record["text"]
        assert "<p>Called back at noon.</p>" in record["text"]
        assert record["span"]["from"] == "2026-05-04T16:31:07.000Z"
        assert "result" not in record

    def file(self, contact, record):
        assert self.me.dispose(SESSION, stage="won")["successful"]
        (detail,) = self.me.logged(SESSION, details=True)
        assert detail["logData"]["dispositions"] == {"stage": "won"}
        assert self.me.dispose(SESSION, stage="none")["successful"]
        assert self.call_of(contact)["stage"] is None

    def see_day(self, contact, day, count):
        read_and_write = ["GET /v3/threads/{id}", "PUT /v3/threads/{id}"]
        assert self.vendor.spent() == ([f"POST /v3/people/{self.pia}/threads"] if count == 3 else read_and_write)
        if count == 5:
            assert day == {
                "text": day["text"],
                "person": self.pia,
                "headline": "SMS conversation with Pia <Ostrow> - 26/05/04",
                "outside": "conv1/2026-05-04",
                "began": "2026-05-04T17:00:00.000Z",
                "count": "54000402",
                "last": "text number 4 <i>&</i> ñ",
            }


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
