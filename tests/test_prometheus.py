"""What ``/metrics`` tells, as Debian's Prometheus reads it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

import pytest
import requests

from tests.live_server import free_port, live_server

TOKEN = "a-token-for-metrics-only"
CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: switchboard
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
"""

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(not shutil.which("prometheus"), reason="needs Prometheus (apt-get install prometheus)"),
]


@contextmanager
def prometheus(folder, target, token):
    """A Prometheus that scrapes the target; yields a function that asks its API."""
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(target=target, token=token))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command.append(f"--web.listen-address={address}")

    def ask(path, **parameters):
        return requests.get(f"http://{address}/api/v1/{path}?{urlencode(parameters)}", timeout=10).json()["data"]

    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield ask
        finally:
            process.terminate()
            process.wait(30)


def wait_for(found, seconds=120):
    """The first result that is something."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with suppress(requests.RequestException, ValueError, KeyError):
            if result := found():
                return result
        time.sleep(0.3)
    return None


def test_prometheus_reads_every_sample(tmp_path):
    with live_server(tmp_path, METRICS_TOKEN=TOKEN) as server:
        for _ in range(3):
            requests.get(f"{server.url}/isAlive", timeout=30)
        with prometheus(tmp_path, server.url.removeprefix("http://"), TOKEN) as ask:
            query = 'switchboard_requests_total{route="isAlive",status="200"}'
            series = wait_for(lambda: ask("query", query=query)["result"])
            (target,) = ask("targets")["activeTargets"]
            names = ask("label/__name__/values")
    assert target["health"] == "up", json.dumps(target)
    assert float(series[0]["value"][1]) >= 3
    assert {"switchboard_database_up", "switchboard_worker_up", "switchboard_request_seconds_bucket"} <= set(names)
