"""Headers of pages and of the API; and that a browser shows the admin and the documentation under them."""

from __future__ import annotations

import re

import pytest

from connectors.api.authentication import issue_token
from tests.browser import EXECUTABLE, browser
from tests.factories import CrmUserFactory
from tests.live_server import live_server

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGES = ["/admin/login/", "/api/docs/", "/isAlive", "/crmManifest", "/unknown", "/hostname"]


def _directives(policy):
    return {part.strip() for part in policy.split(";")}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_reply_has_the_strict_headers(client, path):
    reply = client.get(path)
    assert _directives(reply["Content-Security-Policy"]) == _directives(POLICY)
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["X-Frame-Options"] == "DENY"
    assert reply["Cross-Origin-Opener-Policy"] == "same-origin"
    assert reply["Referrer-Policy"] == ("same-origin" if path.startswith("/admin") else "no-referrer")


@pytest.mark.django_db
def test_nothing_of_it_stands_in_the_way_of_the_extension(client):
    origin = {"HTTP_ORIGIN": "chrome-extension://kkhkjhaf"}
    token = issue_token(CrmUserFactory())
    reply = client.get(f"/hostname?jwtToken={token}", **origin)
    assert reply["Access-Control-Allow-Origin"] == "*"
    assert reply["Access-Control-Expose-Headers"] == "x-refreshed-jwt-token"
    assert "Cross-Origin-Resource-Policy" not in reply.headers
    asked = "authorization,content-type,rc-account-id,rc-extension-id,developer-author-name,x-rc-access-token"
    preflight = client.options(
        "/callLog", HTTP_ACCESS_CONTROL_REQUEST_METHOD="PATCH", HTTP_ACCESS_CONTROL_REQUEST_HEADERS=asked, **origin
    )
    allowed = preflight["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert set(asked.split(",")) <= set(allowed)
    assert not reply.cookies


@pytest.mark.django_db
def test_the_admin_answers_no_foreign_script(client):
    reply = client.get("/admin/login/", HTTP_ORIGIN="https://evil.example.com")
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_over_https_cookies_are_secure_and_browsers_stay_with_https(tmp_path):
    import requests

    with live_server(tmp_path, APP_SERVER="https://switchboard.example.com", TRUSTED_PROXIES="1",
                     ALLOWED_HOSTS="127.0.0.1") as server:  # fmt: skip
        reply = requests.get(f"{server.url}/admin/login/", headers={"X-Forwarded-Proto": "https"}, timeout=10)
        cookie = reply.headers["Set-Cookie"]
        assert cookie.startswith("__Host-csrf=")
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie
        assert reply.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


@pytest.mark.django_db
def test_a_vendors_page_runs_its_own_inline_code_and_no_other(client):
    page = client.get("/pipedrive-redirect?code=x")
    directives = {part.split(" ")[0]: part for part in _directives(page["Content-Security-Policy"])}
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", directives["script-src"])) == 2
    assert "unsafe" not in page["Content-Security-Policy"]
    assert directives["default-src"] == "default-src 'none'"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("pages"), SANDBOX="on") as running:
        running.manage(
            "shell", "--no-imports", "-c",
            "from django.contrib.auth.models import User; User.objects.create_superuser('kim', password='a' * 12)\n"
            "from audit.recorder import record\n"
            "[record('call_log.create', actor='user:x', subject=str(n)) for n in range(3)]",
        )  # fmt: skip
        yield running


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path) as tab:
        yield tab


def _sign_in(page, server):
    page.open(f"{server.url}/admin/login/?next=/admin/")
    page.run("document.querySelector('#id_username').value = 'kim'")
    page.run("document.querySelector('#id_password').value = 'a'.repeat(12)")
    page.run("document.querySelector('form').submit()")
    page.wait_for("location.pathname === '/admin/' && document.readyState === 'complete'")


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="no Chromium")
def test_the_admin_works_in_a_browser_without_breaking_the_policy(page, server):
    _sign_in(page, server)
    for path in ("connectors/crmuser/", "audit/calllog/", "audit/auditevent/?outcome__exact=success", "auth/user/",
                 "auth/user/add/", "auth/user/1/change/", "auth/user/1/history/"):  # fmt: skip
        page.open(f"{server.url}/admin/{path}")
        assert page.run("getComputedStyle(document.querySelector('#header')).display") == "flex", path
    page.open(f"{server.url}/admin/auth/user/1/change/")
    assert page.run("document.querySelectorAll('.selector-available').length") == 2  # built by the admin's script
    page.run("document.querySelector('#id_first_name').value = 'Kim'")
    page.run("document.querySelector('input[name=_save]').click()")
    page.wait_for("location.pathname === '/admin/auth/user/' && !!document.querySelector('.messagelist .success')")
    assert page.complaints == []
    assert {url.split("/")[2] for url in page.requested if url.startswith("http")} == {server.url.split("/")[2]}


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="no Chromium")
def test_the_documentation_works_in_a_browser_offline(page, server):
    page.open(f"{server.url}/api/docs/")
    page.wait_for("document.querySelectorAll('.opblock').length > 25")
    assert page.complaints == []
    assert {url.split("/")[2] for url in page.requested if url.startswith("http")} == {server.url.split("/")[2]}


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="no Chromium")
def test_a_vendors_page_is_styled_and_scripted_in_a_browser(page, server):
    page.open(f"{server.url}/pipedrive-redirect?code=x")
    assert page.run("typeof handleRedirect") == "function"
    assert page.run("getComputedStyle(document.body).display") == "grid"
    assert page.complaints == []
