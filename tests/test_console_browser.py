"""The console in a real browser: from the login to the log as the CRM has it, and what stands beside it."""

from __future__ import annotations

import pytest

from tests.browser import EXECUTABLE, browser
from tests.console_visitor import Visitor
from tests.live_server import live_server
from tests.sandbox import start_sandbox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not EXECUTABLE, reason="no Chromium"),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    sandbox = start_sandbox(tmp_path_factory.mktemp("crm"))
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, sandbox):
    folder = tmp_path_factory.mktemp("console")
    with live_server(folder, SANDBOX="on", TEST_CRM_URL=sandbox.url, WEB_DELIVERS="on") as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def visitor(page, server):
    visitor = Visitor(page, server.url)
    visitor.come()
    yield visitor
    assert page.complaints == []


def test_a_call_is_logged_and_read_back(visitor, sandbox):
    visitor.log_in("key-of-a-first-call")
    visitor.press("+16505551212")
    visitor.sees("Associations: Spring order, Service contract")
    visitor.press("Answer")
    visitor.type("Note", "Wants a <b>quote</b>")
    visitor.type("Deal", "Spring order")
    visitor.press("Log the call")
    visitor.sees("Call logged")
    visitor.press("Show the log as the CRM has it")
    visitor.sees("- Note: Wants a <b>quote</b>", "pre.body")
    (activity,) = sandbox.activities("key-of-a-first-call")
    assert (activity["deal_id"], activity["contact_name"]) == ("deal-7", "Luke Skywalker")
    visitor.press("Edit the log")
    visitor.type("Subject", "About the tractor")
    visitor.press("Save the changes")
    visitor.sees("Call log updated")
    assert sandbox.activities("key-of-a-first-call")[0]["subject"] == "About the tractor"


def test_every_request_is_listed_with_the_crm_calls_behind_it_and_without_secrets(visitor):
    visitor.log_in("a-key-nobody-may-see")
    visitor.log_call()
    visitor.sees("Call logged")
    lines = visitor.exchanges()
    paths = [line.split(" ")[:3] for line in lines]
    assert paths[-2:] == [["GET", "/contact", "200"], ["POST", "/callLog", "200"]]
    assert ["POST", "/apiKeyLogin", "200"] in paths
    visitor.page.wait_for(
        "[...document.querySelectorAll('#exchange-list summary')]"
        ".filter((line) => /callLog|apiKeyLogin/.test(line.textContent))"
        ".every((line) => line.textContent.includes('1 CRM call'))"
    )
    visitor.ask("document.querySelectorAll('#exchange-list details').forEach((one) => one.open = true)")
    visitor.sees("POST /api/activities", "#exchanges")
    everything = visitor.text("#exchanges")
    token = visitor.ask("JSON.parse(sessionStorage.getItem('switchboard-console')).token")
    assert token not in everything
    assert "a-key-nobody-may-see" not in everything
    assert '-H "Authorization: Bearer $JWT"' in everything
    assert '"apiKey":"\'"$API_KEY"\'"' in everything
    assert visitor.ask("localStorage.length + document.cookie.length") == 0


def test_the_keyboard_suffices_for_a_logged_call(visitor, page):
    def press(key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            page._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                       **({"text": text} if text and kind == "keyDown" else {}))  # fmt: skip

    def tab_to(text):
        for _ in range(60):
            press("Tab", 9)
            if page.run("document.activeElement.textContent").strip().startswith(text):
                assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
                return press("Enter", 13, "\r")
        raise AssertionError(f"the keyboard does not reach {text}")

    tab_to("Test CRM")
    tab_to("Log in")
    visitor.sees("Make a call ring")
    tab_to("Incoming call")
    visitor.sees("Log for Luke Skywalker")
    tab_to("Answer")
    tab_to("Log the call")
    visitor.sees("Call logged")
