"""A CRM that hangs, bodies that never end, idle connections: nobody else waits for them. On running servers."""

from __future__ import annotations

import json
import select
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

import pytest
import requests

from connectors import web_server
from tests.live_server import ROOT, live_server
from tests.sandbox import start_sandbox
from tests.services import redis_database, redis_is_there

FOLDER = ROOT / "adapters" / "examplecrm"


class HangingCrm:
    """Takes connections and never says a word; ``taken`` counts them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._connections: list[socket.socket] = []
        self.taken = threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def count(self) -> int:
        return len(self._connections)

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.taken.release()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._listener.close()
        for connection in self._connections:
            connection.close()


@contextmanager
def two_crms(tmp_path: Path, **environment: str):
    """A server with the sandbox CRM, and another CRM, known by a definition, that hangs."""
    definitions = tmp_path / "definitions"
    shutil.copytree(FOLDER, definitions / "secondcrm")
    for file in ("manifest.json", "definition.json"):
        text = (FOLDER / file).read_text().replace("TEST_CRM_URL", "SECOND_CRM_URL")
        (definitions / "secondcrm" / file).write_text(text.replace("exampleCRM", "secondCRM"))
    sandbox, hanging = start_sandbox(tmp_path), HangingCrm()
    crms = {"TEST_CRM_URL": sandbox.url, "SECOND_CRM_URL": hanging.url, "ADAPTER_FOLDERS": str(definitions)}
    try:
        with live_server(tmp_path, SANDBOX="on", **crms, **environment) as server:
            yield server, hanging
    finally:
        hanging.close()
        sandbox.stop()


def look_up(server, token: str, number: int = 0) -> dict:
    target = f"{server.url}/contact?phoneNumber=+1415555{number:04d}&overridingFormat=&isExtension=false"
    reply = requests.get(f"{target}&jwtToken={token}", timeout=120)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("store", ["database", "redis"])
def test_a_crm_that_hangs_holds_up_nobody_else(tmp_path, store):
    with ExitStack() as stack:
        more = {}
        if store == "redis":
            if not redis_is_there():
                pytest.skip("no Redis")
            more["REDIS_URL"] = stack.enter_context(redis_database())
        settings = {"WEB_WORKERS": "2", "WEB_THREADS": "8", "OUTBOUND_READ_TIMEOUT": "300", "WEB_QUEUE_SECONDS": "1"}
        server, hanging = stack.enter_context(two_crms(tmp_path, workers=2, **settings, **more))
        hung, sound = server.tokens("secondCRM", 64), server.tokens("testCRM")
        pool = stack.enter_context(ThreadPoolExecutor(64))
        stack.callback(hanging.close)
        answers = [pool.submit(look_up, server, token, number) for number, token in enumerate(hung)]
        for _ in range(5):  # at least one of the processes has no thread left for that CRM
            assert hanging.taken.acquire(timeout=60)

        assert requests.get(f"{server.url}/healthz", timeout=60).text == "ok"
        for _ in range(10):
            assert requests.get(f"{server.url}/isAlive", timeout=60).text == "OK"
            assert look_up(server, sound[0])["successful"]
        told = [answer.result() for answer in islice(as_completed(answers, timeout=120), 64 - 2 * 5)]
        for reply in told:
            assert (reply["successful"], reply["contact"]) == (False, [])
            assert "Please try again in a moment" in json.dumps(reply["returnMessage"])
        assert 5 <= hanging.count <= 2 * 5
        assert look_up(server, sound[0], 1)["successful"]


def test_a_crm_whose_reads_stay_unanswered_is_left_alone(tmp_path):
    settings = {"OUTBOUND_READ_TIMEOUT": "0.3", "DELIVERY_RETRY_SECONDS": "3600"}
    with two_crms(tmp_path, workers=2, WEB_WORKERS="2", **settings) as (server, hanging):
        token = server.tokens("secondCRM")[0]
        for number in range(3):
            assert not look_up(server, token, number)["successful"]
        assert hanging.count == 3  # and none was repeated
        for number in range(3, 13):
            assert not look_up(server, token, number)["successful"]
        assert hanging.count == 3


def test_bodies_without_end_and_idle_connections_keep_nobody_out(tmp_path):
    web_server.allow_connections()
    with live_server(tmp_path, SANDBOX="on") as server, ExitStack() as stack:
        address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        endless = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(64)]
        for connection in endless:
            connection.sendall(b"POST /apiKeyLogin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        for _ in range(1500):
            stack.enter_context(socket.create_connection(address, timeout=60))
        reply = requests.post(f"{server.url}/apiKeyLogin", json={"platform": "nowhere"}, timeout=60)
        assert (reply.status_code, reply.text) == (400, "Unknown platform")
        assert not select.select(endless, [], [], 0)[0]
        for connection in endless:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_one_process_can_do_the_workers_work_too_and_ends_when_it_is_told(tmp_path):
    with live_server(tmp_path, SANDBOX="on", WEB_DELIVERS="on") as server:
        give_up = time.monotonic() + 120
        while requests.get(f"{server.url}/readyz", timeout=60).json()["checks"]["worker"] != "ok":
            assert time.monotonic() < give_up
            time.sleep(0.2)
        server.process.terminate()
        assert server.process.wait(60) == 0
