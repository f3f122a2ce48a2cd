"""The documentation's site in Chromium: nothing is fetched from elsewhere, it is searched, and it fits a telephone."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading

import pytest

from tests.browser import EXECUTABLE, browser
from tests.live_server import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.slow,
    pytest.mark.skipif(not EXECUTABLE, reason="no Chromium"),
]


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Nobody reads it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "DEBUG": "on", "NO_MKDOCS_2_WARNING": "true"}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(tmp_path):
    with browser(tmp_path) as tab:
        yield tab


def test_no_page_asks_another_host_for_anything(page, site, address):
    paths = sorted(path.relative_to(site) for path in site.rglob("*.html"))
    assert len(paths) > 30
    for path in paths:
        page.open(f"{address}/{path}")
        page.wait_for("!!document.querySelector('h1')")
    assert page.complaints == []
    assert {url.split("/")[2] for url in page.requested if url.startswith("http")} == {address.split("/")[2]}


def test_what_is_searched_for_is_found(page, address):
    page.open(f"{address}/index.html")
    page.run("document.querySelector('[data-md-component=search-query]').focus()")
    page.run(
        "(field => { field.value = 'settling_seconds'; field.dispatchEvent(new Event('keyup', {bubbles: true})); })"
        "(document.querySelector('[data-md-component=search-query]'))"
    )
    page.wait_for("!!document.querySelector('.md-search-result__link[href*=\"reference/manifest\"]')")


def test_a_page_is_as_wide_as_a_telephone_and_tables_scroll_by_themselves(page, site, address):
    page._call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    for path in (
        "index.html",
        "deliveries.html",
        "reference/contract.html",
        "comparison.html",
        "writing-an-adapter.html",
    ):
        page.open(f"{address}/{path}")
        page.wait_for("!!document.querySelector('h1')")
        assert page.run("document.documentElement.scrollWidth") <= 390, path
