"""The fake vendors' process: names, certificates, misbehaviour, and what a test can see of it."""

from __future__ import annotations

import pytest
import requests

from tests.fakes.vendor import Answer, FakeVendor, Refused, Request
from tests.vendor import rounds, running_vendor

pytestmark = pytest.mark.enable_socket


class Counter(FakeVendor):
    """Counts what it is sent."""

    hosts = ("api.counter.example", "*.pods.counter.example")

    def __init__(self) -> None:
        self.numbers: dict[int, str] = {}

    def add(self, text: str) -> int:
        self.numbers[len(self.numbers)] = text
        return len(self.numbers)

    def answer(self, request: Request) -> Answer:
        if request.method == "GET":
            raise Refused(404, {"error": request.host})
        return Answer(status=201, json={"count": self.add(request.json["text"])})


@pytest.fixture
def vendor(tmp_path):
    with running_vendor("tests.test_vendor:Counter", tmp_path) as vendor:
        yield vendor


def _send(vendor, method, url, **options):
    return requests.request(
        method,
        url,
        proxies={"https": vendor.environment["OUTBOUND_PROXY"]},
        verify=vendor.environment["OUTBOUND_CA_BUNDLE"],
        timeout=10,
        **options,
    )


def test_the_vendor_answers_under_its_own_names_with_its_own_state(vendor):
    assert vendor.call("add", "first") == 1
    assert _send(vendor, "POST", "https://api.counter.example/n", json={"text": "second"}).json() == {"count": 2}
    refused = _send(vendor, "GET", "https://na1.pods.counter.example/n")
    assert (refused.status_code, refused.json()) == (404, {"error": "na1.pods.counter.example"})
    assert vendor.state() == {"numbers": {"0": "first", "1": "second"}}
    assert vendor.spent() == ["GET /n", "POST /n"]
    with pytest.raises(requests.ConnectionError):
        _send(vendor, "GET", "https://elsewhere.example/n")


def test_a_connection_dropped_after_the_write_leaves_the_record_behind(vendor):
    vendor.fail({"method": "POST", "drop": "after", "times": 1})
    with pytest.raises(requests.ConnectionError):
        _send(vendor, "POST", "https://api.counter.example/n", json={"text": "kept"})
    assert vendor.state()["numbers"] == {"0": "kept"}
    vendor.fail({"path": "/n", "status": 429, "headers": {"Retry-After": "7"}, "times": 1})
    assert _send(vendor, "POST", "https://api.counter.example/n", json={}).headers["Retry-After"] == "7"
    assert _send(vendor, "POST", "https://api.counter.example/n", json={"text": "next"}).json() == {"count": 2}


def test_requests_that_overlap_are_one_round():
    spans = [(0.0, 1.0), (0.1, 0.9), (0.5, 1.4), (1.5, 2.0)]
    assert rounds([{"started": start, "ended": end} for start, end in spans]) == 2
