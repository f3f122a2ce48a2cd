"""Support's everyday questions in a real browser, each answered with at most three clicks from the start page.

They are asked of the demonstration's data, and of one more agent with troubles of their own.
"""

from __future__ import annotations

import time

import pytest

from tests.browser import EXECUTABLE, browser
from tests.extension import Extension, call, conversation
from tests.live_server import live_server
from tests.sandbox import start_sandbox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not EXECUTABLE, reason="no Chromium"),
]
WRITES = {"method": "POST", "path_prefix": "/api/activities"}
#: The agent who is not of the demonstration.
AGENT = "CrmUser.objects.exclude(crm_account_id__startswith='demo-').get()"
_LOADED = "document.readyState === 'complete'"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    sandbox = start_sandbox(tmp_path_factory.mktemp("crm"))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, sandbox):
    """The demonstration; and one agent with a logged call, a refused one, one that waits, a conversation, and a look-up
    that found nobody."""
    with live_server(tmp_path_factory.mktemp("desk"), SANDBOX="on", TEST_CRM_URL=sandbox.url) as running:
        running.manage("demo_data", "--skip-checks")
        running.manage(
            "shell", "--no-imports", "-c",
            "from django.contrib.auth.models import User; User.objects.create_superuser('kim', password='a' * 12)",
        )  # fmt: skip
        me = Extension(running.url, "testCRM")
        me.login_with_key("demo-key")
        luke = me.look_up("+16505551212")["contact"][0]
        me.look_up("+16505550199")
        began = {"startTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 86_400))}
        me.log_call(call("9001", luke, info=began))
        me.log_messages(conversation("c-9", luke, 2))
        sandbox.fail({**WRITES, "status": 422})
        me.log_call(call("9002", {**luke, "phone": "+16505553434"}))
        sandbox.fail({**WRITES, "status": 503})
        me.log_call(call("9003", {**luke, "phone": "+16505555656"}))
        yield running


class Reader:
    """Somebody from support: counts clicks, and reads what the page says."""

    def __init__(self, page, url: str) -> None:
        self.page, self.clicks = page, 0
        page.open(f"{url}/admin/login/?next=/admin/")
        page.run("document.querySelector('#id_username').value = 'kim'")
        page.run("document.querySelector('#id_password').value = 'a'.repeat(12)")
        page.run("document.querySelector('#login-form').submit()")
        page.wait_for(f"location.pathname === '/admin/' && {_LOADED}")

    def search(self, text: str) -> None:
        self.page.run(f"document.querySelector('#desk-q').value = {text!r}")
        self._click("document.querySelector('#desk-search button')")

    def click(self, text: str) -> None:
        """The first link of the page that begins with that text."""
        links = "[...document.querySelectorAll('#container a')]"
        self._click(f"{links}.find((a) => a.textContent.trim().startsWith({text!r}))")

    def _click(self, element: str) -> None:
        self.clicks += 1
        self.page.run(f"window.isOld = true; {element}.click()")
        self.page.wait_for(f"!window.isOld && {_LOADED}")

    @property
    def text(self) -> str:
        return " ".join(self.page.run("document.querySelector('main').innerText").split())


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def reader(page, server):
    page.run("undefined")
    page.open(f"{server.url}/isAlive")
    page._call("Network.clearBrowserCookies")
    reader = Reader(page, server.url)
    yield reader
    assert reader.clicks <= 3
    assert page.complaints == []


@pytest.mark.parametrize("number", ["+1 (650) 555-3434", "3434"])
def test_what_became_of_my_call_with_this_number(reader, number):
    reader.search(number)
    assert "This call is not in Test CRM: Test CRM refused it." in reader.text
    assert "This failure was ordered." in reader.text
    assert "What to do:" in reader.text


def test_what_waits_and_since_when(reader):
    reader.click("Queue")
    assert "1 change" in reader.text
    assert "just now" in reader.text or "min ago" in reader.text
    mine = "(row) => /Test CRM[^]*did not confirm/.test(row.innerText)"
    reader._click(f"[...document.querySelectorAll('main tr')].find({mine}).querySelector('a')")
    assert "The changes, oldest first" in reader.text
    reader.click("The call log")
    assert "may be in Test CRM already" in reader.text
    assert "Next attempt" in reader.text


def test_what_did_this_agent_do_yesterday(reader, server):
    name = server.rows(f"{AGENT}.name")
    reader.search(f"{name} yesterday")
    assert name in reader.text
    assert "Incoming" in reader.text
    reader.click("Today")
    assert "look-ups that Test CRM was asked for" in reader.text


def test_open_the_record(reader, sandbox):
    reader.search("9001")
    address = reader.page.run("[...document.querySelectorAll('a.primary')].at(0).href")
    assert address.startswith(f"{sandbox.url}/activities/")
    assert reader.page.run("[...document.querySelectorAll('a.primary')].at(0).rel") == "noopener noreferrer"
    reader.clicks += 1
    reader.page.open(address)
    assert "Inbound Call from Luke Skywalker" in reader.page.run("document.body.innerText")


def test_why_was_nobody_found(reader):
    reader.search("650 555 0199")
    assert "Nobody with the number ending in 0199 was shown" in reader.text


def test_a_reference_leads_to_its_call(reader, server):
    reference = server.rows("AuditEvent.objects.get(subject='9002').request_id")
    reader.search(f"Reference: {reference}")
    assert "Test CRM refused it" in reader.text


PAGES = ["/admin/", "/admin/desk/queue/", "/admin/desk/search/?q=1212", "/admin/audit/calllog/",
         "/admin/audit/conversationlog/", "/admin/audit/auditevent/", "/admin/connectors/crmuser/"]  # fmt: skip


def test_no_page_is_wider_than_a_telephone_or_hides_its_search_box(reader, server):
    page = reader.page
    call_id, user_id = server.rows(f"[str(CallLog.objects.first().pk), str({AGENT}.pk)]")
    try:
        for width in (390, 1280):
            page._call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
            for path in [*PAGES, f"/admin/desk/call/{call_id}/", f"/admin/desk/user/{user_id}/"]:
                page.open(server.url + path)
                assert page.run("document.documentElement.scrollWidth") <= width, path
                assert page.run("document.querySelector('#desk-q').getBoundingClientRect().width") > 100, path
                columns = page.run(
                    "Math.max(0, ...[...document.querySelectorAll('.desk-table, #result_list')].map((table) =>"
                    " table.querySelectorAll('thead th:not(.action-checkbox-column)').length))"
                )
                assert columns <= 5, path
    finally:
        page._call("Emulation.clearDeviceMetricsOverride")


def _press_tab(page) -> None:
    for kind in ("keyDown", "keyUp"):
        page._call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)


def test_the_keyboard_alone_reaches_the_search_box_and_what_was_found(reader, server):
    page = reader.page
    page.open(f"{server.url}/admin/desk/search/?q=1212")
    reached, outlines = [], []
    for _ in range(40):
        _press_tab(page)
        reached.append(page.run("document.activeElement.id || document.activeElement.getAttribute('href') || ''"))
        outlines.append(page.run("getComputedStyle(document.activeElement).outlineStyle"))
    assert "desk-q" in reached
    assert any("/admin/desk/call/" in place for place in reached)
    assert outlines[reached.index("desk-q")] != "none"


def test_a_calls_page_is_printed_without_what_can_only_be_clicked(reader, server):
    page = reader.page
    reader.search("9002")
    page._call("Emulation.setEmulatedMedia", media="print")
    try:
        for hidden in ("#header", "#desk-search", ".breadcrumbs", ".desk-actions"):
            assert page.run(f"!document.querySelector('{hidden}')?.getClientRects().length"), hidden
        shown = "document.querySelector('.desk-timeline details table')"
        assert page.run(f"{shown}.checkVisibility({{contentVisibilityAuto: true}}) && {shown}.offsetHeight > 0")
        assert "What happened" in page.run("document.body.innerText")
    finally:
        page._call("Emulation.setEmulatedMedia", media="")


def test_times_are_in_the_browsers_own_zone(reader, server):
    page = reader.page
    page._call("Emulation.setTimezoneOverride", timezoneId="America/Los_Angeles")
    try:
        page.open(f"{server.url}/admin/")
        page.open(f"{server.url}/admin/desk/search/?q=9001")
        assert page.run("document.querySelector('main time').title").endswith(("PDT", "PST"))
    finally:
        page._call("Emulation.setTimezoneOverride", timezoneId="")
