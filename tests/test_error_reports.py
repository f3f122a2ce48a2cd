"""What leaves for Sentry, where an operator wants it: types and places, nothing of anybody's."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli
import pytest

from tests.live_server import ROOT, server_environment

_OPENED = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}
#: An error with a name, a number and a token in each place from which one could be sent.
FAILING = """
import logging
import django
django.setup()
token = "eyJhbGciOi.secret-token.of-dana"
try:
    raise ValueError("Dana Fox at +1 650 555 0112")
except ValueError:
    extra = {"callers_name": "Dana Fox"}
    logging.getLogger("switchboard.deliveries").exception("delivery %s failed", "for Dana Fox", extra=extra)
if LAST:
    raise KeyError("Dana Fox")
"""


@pytest.fixture
def sentry():
    """Address of a project, and the events that it received."""
    received = []

    class Project(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(_OPENED[self.headers.get("Content-Encoding")](body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Project) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://key@127.0.0.1:{server.server_port}/2", received
        server.shutdown()


def _run(tmp_path, code, **variables):
    environment = {**server_environment(tmp_path, 8000), **variables}
    return subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.enable_socket
def test_an_error_is_sent_with_its_type_and_place_and_nothing_that_anybody_said(tmp_path, sentry):
    address, received = sentry
    done = _run(tmp_path, FAILING.replace("LAST", "True"), SENTRY_DSN=address)
    assert "KeyError" in done.stderr
    whole = b"\n".join(received).decode()
    events = [json.loads(line) for line in whole.splitlines() if '"exception"' in line]
    assert [event["exception"]["values"][-1]["type"] for event in events] == ["ValueError", "KeyError"]
    assert events[0]["logentry"] == {"message": "delivery %s failed"}
    assert events[0]["release"].startswith("switchboard@")
    assert events[0]["exception"]["values"][-1]["stacktrace"]["frames"][-1]["lineno"] == 7
    for private in ("Dana", "650", "secret-token", "a-secret-key-for-live-tests", os.uname().nodename):
        assert private not in whole


@pytest.mark.enable_socket
def test_without_an_address_nothing_is_loaded_and_nothing_leaves(tmp_path):
    code = FAILING.replace("LAST", "False") + "import sys; print('sentry_sdk' in sys.modules)"
    assert _run(tmp_path, code).stdout == "False\n"
