"""The console in a real browser: from the login to the log as the CRM has it, and what stands beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

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
    clio = {
        "CLIO_CLIENT_ID": "id-us",
        "CLIO_EU_CLIENT_ID": "id-eu",
        "CLIO_CLIENT_SECRET": "x",
        "CLIO_EU_CLIENT_SECRET": "x",
    }
    with live_server(folder, SANDBOX="on", TEST_CRM_URL=sandbox.url, WEB_DELIVERS="on", **clio) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def visitor(page, server):
    page.complaints.clear()
    page.requested.clear()
    visitor = Visitor(page, server.url)
    visitor.come()
    yield visitor
    # The browser notes each 4xx, also those that a test is about; what else it notes is a fault of the page.
    assert [line for line in page.complaints if "Failed to load resource" not in line] == []


def test_a_call_is_logged_and_read_back(visitor, sandbox, server):
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
    loaded = {url for url in visitor.page.requested if not url.startswith("data:")}
    assert {url for url in loaded if not url.startswith(f"{server.url}/")} == set()  # nothing from elsewhere


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


def test_who_calls_several_nobody_a_new_contact_and_a_search_by_name(visitor, sandbox):
    key = "key-for-contacts"
    visitor.log_in(key)
    visitor.press("+12125550187")
    visitor.sees("2 people have this number: choose one")
    visitor.sees("Choose or create somebody to log this call for.")
    visitor.tick("Pell Finch")
    visitor.sees("Log for Pell Finch")
    visitor.press("Search by name")
    visitor.type("Name, or a part of it", "ashgrove")
    visitor.press_exactly("Search")
    visitor.press("Tobin Ashgrove")
    visitor.sees("Log for Tobin Ashgrove")
    visitor.type("Deal", "Workshop rebuild")
    visitor.press("Another call")
    visitor.press("+16505550199")
    visitor.sees("Contact not found")
    visitor.type("Name of the new contact", "Nadia <i>New</i>")
    visitor.type("Type", "Company")
    visitor.press_exactly("Create")
    visitor.sees("Log for Nadia <i>New</i>")
    visitor.press("Decline")
    visitor.press("Log the call")
    visitor.sees("Call logged")
    (activity,) = sandbox.activities(key)
    assert (activity["contact_name"], activity["disposition"]) == ("Nadia <i>New</i>", "Missed")


def test_choices_after_the_log_are_sent_as_dispositions(visitor, sandbox):
    visitor.log_in("key-for-dispositions")
    visitor.log_call()
    visitor.sees("Call logged")
    visitor.press("Edit the log")
    visitor.type("Deal", "Service contract")
    visitor.press("Save the changes")
    visitor.page.wait_for("document.querySelector('#exchange-list').textContent.includes('/callDisposition')")
    visitor.sees("Call log updated")
    assert sandbox.activities("key-for-dispositions")[0]["deal_id"] == "deal-8"


def test_texts_recent_calls_settings_and_callbacks(visitor, sandbox):
    key = "key-for-the-rest"
    visitor.log_in(key)
    visitor.log_call()
    visitor.sees("Call logged")
    visitor.press("Texts")
    visitor.press("Begin")
    visitor.sees("Log for Luke Skywalker")
    visitor.type("Text", "Is the tractor ready?")
    visitor.press("Receive it")
    visitor.tick("With a picture")
    visitor.type("Text", "Here it is")
    visitor.press("Send it")
    visitor.press("Log the conversation")
    visitor.sees("Message logged")
    visitor.sees("Is the tractor ready?", "#record")
    conversation = sandbox.activities(key)[0]["body"]
    assert "Is the tractor ready?" in conversation
    assert "ringcentral-media-reader/?media=" in conversation
    visitor.press("Log the conversation")
    visitor.sees("Nothing new to log")
    visitor.press("Recent")
    visitor.sees("Inbound Call from Luke Skywalker in the CRM")
    visitor.press("Settings")
    visitor.sees("The log with these settings")
    visitor.tick("Session id")
    visitor.sees("- Session Id: ", "#view pre.body")
    visitor.tick("Result")
    visitor.sees("A line that a log has already stays in it")
    visitor.press("Log such a call again")
    visitor.page.wait_for("!document.querySelector('#view pre.body').innerText.includes('- Result')")
    visitor.press("Callbacks")
    visitor.type("What for", "Price of the tractor")
    visitor.press("Schedule the callback")
    visitor.sees("scheduled", "#view ul")
    visitor.press("Called")
    visitor.sees("called", "#view ul")
    visitor.press("Delete")
    visitor.sees("Nobody.")
    visitor.press("Log out")
    visitor.sees("Logged out of Test CRM")
    assert "Inbound Call" not in visitor.text("body").replace(visitor.text("#exchanges"), "")
    assert visitor.ask("JSON.parse(sessionStorage.getItem('switchboard-console') ?? '{}').token") is None


def test_a_login_on_the_vendors_own_page_and_back(visitor, sandbox):
    visitor.press("Test CRM")
    visitor.press("Sign in on Test CRM's own page")
    visitor.page.wait_for("document.title.startsWith('Allow access')")
    visitor.ask("document.querySelector('input[name=user]').value = 'Robin at the console'")
    visitor.ask("document.querySelector('button[value=allow]').click()")
    visitor.sees("Robin at the console")
    visitor.sees("Make a call ring")
    assert visitor.ask("location.search") == ""
    visitor.page.wait_for("/apiKeyLogin|oauth-callback/.test(document.querySelector('#exchange-list').textContent)")
    visitor.ask("document.querySelectorAll('#exchange-list details').forEach((one) => one.open = true)")
    visitor.sees("code%3D'\"$CODE\"'", "#exchanges")


def test_a_real_crm_is_left_for_at_the_address_of_its_region(visitor):
    visitor.sees("Bullhorn lacks BULLHORN_CLIENT_ID, BULLHORN_CLIENT_SECRET.")
    visitor.ask("window.open = (address) => { window.opened = address; }")
    visitor.press("Clio")
    visitor.type("Region", "EU")
    visitor.press("Sign in on Clio's own page")
    back = "https%3A%2F%2Fringcentral.github.io%2Fringcentral-embeddable%2Fredirect.html"
    assert visitor.ask("window.opened") == (
        "https://eu.app.clio.com/oauth/authorize?response_type=code&client_id=id-eu"
        f"&state=platform%3Dclio&redirect_uri={back}"
    )


def test_a_crm_without_code_can_be_played_as_well(visitor, sandbox):
    visitor.press("Example CRM")
    visitor.type("API key", "key-without-code")
    visitor.press("Log in")
    visitor.sees("Make a call ring")
    ring(visitor)
    log(visitor)
    visitor.sees("Call logged")
    assert len(sandbox.activities("key-without-code")) == 1
    assert visitor.ask("document.getElementById('trouble').hidden && document.getElementById('record').hidden")


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_the_commands_do_the_same_in_a_terminal(visitor, sandbox, tmp_path):
    key = "key-for'curl"
    visitor.log_in(key)
    visitor.log_call(note='It\'s "quoted" & costs $5')
    visitor.sees("Call logged")
    token = visitor.ask("JSON.parse(sessionStorage.getItem('switchboard-console')).token")
    (activity,) = sandbox.activities(key)
    sandbox.request("DELETE", f"/api/activities/{activity['id']}", key=key)
    commands = visitor.ask(
        "[...document.querySelectorAll('pre[aria-label=\"Request as curl\"]')].map((one) => one.textContent)"
    )
    (again,) = [command for command in commands if "/callLog'" in command]
    (login,) = [command for command in commands if "/apiKeyLogin'" in command]
    (look_up,) = [command for command in commands if "/contact?" in command]
    environment = {"PATH": os.environ["PATH"], "JWT": token, "API_KEY": key}

    def run(command):
        return json.loads(subprocess.check_output(["bash", "-c", command], env=environment, stderr=subprocess.DEVNULL))

    assert run(look_up)["contact"][0]["name"] == "Luke Skywalker"
    assert run(login)["name"]
    assert "Existing log" in run(again)["returnMessage"]["message"]
    assert run(again.replace(activity["external_id"], "another"))["successful"]
    assert 'It\'s "quoted" & costs $5' in sandbox.activities(key)[0]["body"]


def test_a_login_that_was_not_begun_here_is_not_finished(visitor):
    visitor.page.open(f"{visitor.url}/?code=of-somebody-else&state=platform%3DtestCRM%26nonce%3D1")
    visitor.wait_ready()
    visitor.sees("This login was not begun in this tab")
    assert not [line for line in visitor.exchanges() if "oauth-callback" in line]


def test_a_key_that_is_refused_is_said(visitor):
    visitor.press("Test CRM")
    visitor.type("API key", "bad-key")
    visitor.press("Log in")
    visitor.sees("Test CRM did not accept the login")
    assert "POST /apiKeyLogin 400" in visitor.exchanges()[-1]


# --- trouble -------------------------------------------------------------------------------------


def ring(visitor):
    visitor.press("+16505551212")
    visitor.sees("Log for Luke Skywalker")


def order(visitor, name):
    visitor.tick(name)
    visitor.page.wait_for(
        f"document.querySelector('#trouble input:checked + label').textContent === {name!r} && "
        "!document.querySelector('#trouble [aria-busy]')"
    )


def log(visitor):
    visitor.press("Answer")
    visitor.press("Log the call")


@pytest.mark.parametrize("name", ["CRM down", "Rate limit", "Drops after writing"])
def test_a_promise_is_kept(visitor, sandbox, name):
    key = f"key-for-{name.replace(' ', '-')}"  # blanks in a key count as pasted along
    visitor.log_in(key)
    ring(visitor)
    order(visitor, name)
    log(visitor)
    visitor.sees("Call log saved. It will be sent when Test CRM is back.")
    order(visitor, "None")
    visitor.sees("Delivered: the call with Luke Skywalker is in the CRM now.", seconds=60)
    visitor.sees("delivered to the CRM")
    visitor.sees("Inbound Call from Luke Skywalker", "#record")
    assert len(sandbox.activities(key)) == 1


def test_what_is_saved_for_an_expired_login_is_sent_after_the_next(visitor, sandbox):
    visitor.log_in("key-that-expires")
    ring(visitor)
    order(visitor, "Login expired")
    log(visitor)
    visitor.sees("Call log saved. It will be sent after you have connected again.")
    visitor.sees("saved, will be sent")
    visitor.press("Log in again")
    visitor.type("API key", "key-that-expires")
    visitor.press_exactly("Log in")
    visitor.sees("1 saved change is sent now.")
    visitor.sees("delivered to the CRM", seconds=60)
    assert len(sandbox.activities("key-that-expires")) == 1


def test_an_oauth_login_that_has_ended_asks_for_another(visitor):
    visitor.press("Test CRM")
    visitor.press("Sign in on Test CRM's own page")
    visitor.page.wait_for("document.title.startsWith('Allow access')")
    visitor.ask("document.querySelector('button[value=allow]').click()")
    visitor.sees("Make a call ring")
    ring(visitor)
    visitor.tick("Login expired")
    visitor.sees("The sandbox has ended this login.", "#record")
    log(visitor)
    visitor.sees("User session expired. Please connect again.")
    visitor.sees("Log in to Test CRM")


def test_a_refusal_is_shown_with_the_crms_reason_and_nothing_is_sent_again(visitor, sandbox):
    visitor.log_in("key-for-a-refusal")
    ring(visitor)
    order(visitor, "CRM refuses")
    log(visitor)
    visitor.sees("A rule of this CRM forbids it.")
    order(visitor, "None")
    assert sandbox.activities("key-for-a-refusal") == []
    visitor.press("Log the call")
    visitor.sees("Call logged")


def test_a_slow_crm_is_only_slow(visitor, sandbox):
    visitor.log_in("key-for-patience")
    ring(visitor)
    order(visitor, "CRM slow")
    log(visitor)
    visitor.page.wait_for("!!document.querySelector('#view [aria-busy]')")
    visitor.sees("Call logged")


def test_the_desk_shows_the_same_call(visitor, server):
    visitor.log_in("key-for-the-desk")
    visitor.log_call()
    visitor.sees("Call logged")
    link = visitor.ask("[...document.querySelectorAll('a')].find((a) => a.textContent.startsWith('See it in')).href")
    session_id = link.partition("q=")[2]
    assert link == f"{server.url}/admin/desk/search/?q={session_id}"
    assert server.rows(f"CallLog.objects.filter(session_id={session_id!r}).count()") == 1


def test_a_server_that_is_gone_is_said(visitor):
    visitor.log_in("key-for-silence")
    visitor.ask("window.fetch = () => Promise.reject(new TypeError('gone'))")
    visitor.press("Incoming call")
    visitor.sees("The server did not answer. Is it still running?")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen_and_all_text_can_be_read(visitor, page, width, scheme):
    page._call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    page._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        visitor.come()
        visitor.log_in(f"key-for-{width}-{scheme}")
        visitor.log_call(note="A note with one very long word: " + "x" * 200)
        visitor.sees("Call logged")
        visitor.press("Edit the log")
        visitor.ask("document.querySelectorAll('#exchange-list details').forEach((one) => one.open = true)")
        for name in ("Call", "Texts", "Recent", "Callbacks", "Settings"):
            visitor.press_exactly(name)
            assert page.run("document.documentElement.scrollWidth") <= width, name
            assert page.run(CONTRAST) == [], name
            assert page.run(UNNAMED) == [], name
    finally:
        page._call("Emulation.clearDeviceMetricsOverride")
        page._call("Emulation.setEmulatedMedia", features=[])


#: Texts whose contrast with what is behind them is under 4.5 (WCAG 2, 1.4.3).
CONTRAST = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen, .skip, script")) continue;
    const lights = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const [one, other] = lights.sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) bad.push(element.tagName + " " + element.textContent.slice(0, 40));
  }
  return bad;
})()"""
#: Controls that a screen reader could not name.
UNNAMED = """[...document.querySelectorAll("input, select, textarea, button, summary, a")].filter((element) =>
  element.checkVisibility() && !element.labels?.length && !element.textContent.trim() && !element.ariaLabel)
  .map((element) => element.outerHTML.slice(0, 80))"""
