"""Connecting Pipedrive with the extension's button, in a browser: our page, Pipedrive's page, and back."""

from __future__ import annotations

import itertools
from urllib.parse import urlsplit

import pytest

from tests.browser import EXECUTABLE, browser
from tests.extension import Extension

pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not EXECUTABLE, reason="no Chromium"),
]
_profiles = itertools.count(1)


@pytest.fixture
def company(company):
    company.vendor.call("sign_in", company.domain, company.user)
    return company


@pytest.fixture
def page(company, tmp_path):
    """A browser that finds Pipedrive's own host at the fake."""
    profile = tmp_path / f"profile-{next(_profiles)}"
    profile.mkdir()
    with browser(
        profile, f"--proxy-server={company.vendor.environment['OUTBOUND_PROXY']}", "--ignore-certificate-errors"
    ) as tab:
        yield tab


def _content_script(page, me):
    """What the extension does on every page with this path: it hands the address on, and writes into the page.

    The pop-up window takes the address as it is and puts the platform behind it.
    """
    address = page.run("location.href")
    if urlsplit(address).path != "/pipedrive-redirect":
        return None
    page.run("const step = document.querySelector('#rc-stepper'); if (step) step.innerHTML = '(2/3) Please sign in'")
    return me.send("GET", f"/oauth-callback?callbackUri={address}&state=platform=pipedrive&hostname=temp")


def _connect_button(me):
    """The extension opens this address when the user presses Connect."""
    document = me.json("GET", "/crmManifest")
    return document["platforms"]["pipedrive"]["auth"]["oauth"]["redirectUri"]


def test_from_the_button_to_the_first_look_up(company, page, tmp_path):
    me = Extension(company.server.url, "pipedrive")
    page.open(_connect_button(me))
    too_early = _content_script(page, me)
    assert too_early.status_code == 400, "any 200 counts as a login"
    page.screenshot(tmp_path / "install-page.png")
    page.run("document.getElementById('connect').click()")
    page.wait_for("location.host === 'oauth.pipedrive.com' && !!document.getElementById('allow')")
    page.run("document.getElementById('allow').click()")
    page.wait_for("location.pathname === '/pipedrive-redirect' && document.readyState === 'complete'")
    reply = _content_script(page, me)
    assert page.run("document.querySelector('#rc-stepper').textContent") == "(2/3) Please sign in"
    welcome = reply.json()
    assert (reply.status_code, welcome["returnMessage"]["message"]) == (200, "Connected to Pipedrive.")
    me.token = welcome["jwtToken"]
    company.person("Pia Ostrow", "+16505550112")
    assert me.look_up("+16505550112")["contact"][0]["name"] == "Pia Ostrow"
    assert me.send("GET", "/hostname").text == company.host
    assert page.complaints == []


def test_who_declines_is_told_so_and_can_try_again(company, page):
    me = Extension(company.server.url, "pipedrive")
    page.open(_connect_button(me))
    page.run("document.getElementById('connect').click()")
    page.wait_for("location.host === 'oauth.pipedrive.com' && !!document.getElementById('cancel')")
    page.run("document.getElementById('cancel').click()")
    page.wait_for("document.readyState === 'complete' && document.body.textContent.includes('declined')")
    assert "jwtToken" not in _content_script(page, me).json()
    page.run("document.getElementById('connect').click()")
    page.wait_for("location.host === 'oauth.pipedrive.com'")


def test_without_the_extension_the_page_says_what_to_do(company, page):
    page.open(f"{company.server.url}/pipedrive-redirect?code=unused")
    assert page.run("document.getElementById('rc-hint').hidden")
    page.wait_for("!document.getElementById('rc-hint').hidden", seconds=30)
    assert page.complaints == []
