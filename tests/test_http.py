"""The one way to a CRM: hosts, addresses, time limits, retries, the error table and the log line."""

from __future__ import annotations

import gc
import gzip
import json
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from types import SimpleNamespace
from urllib.parse import urlsplit

import pycurl
import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import pacing
from adapters.contract.errors import (
    AccessDenied,
    AddressNotPublic,
    BodyTooLong,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RecordNotFound,
    RequestRejected,
    UnexpectedResponse,
)
from adapters.contract.fan_out import fan_out, fan_out_outcomes
from adapters.contract.http import HttpClient, OutboundPolicy, count_calls
from adapters.contract.manifest import Pace
from adapters.contract.outbound_guard import is_public, refusal
from adapters.contract.transfer import Transfer
from tests.vendor import running_vendor

OPEN = OutboundPolicy(allow_plain_http=True, allow_private_addresses=True, connect_timeout=20, read_timeout=30)
BASE = "https://api.crm.example/v1/"


@pytest.fixture(autouse=True)
def _without_a_store(monkeypatch):
    """The contract by itself: starts are counted in this process only."""
    monkeypatch.setattr(pacing, "_shares", [])


def client(**options):
    return HttpClient(**{"base_url": BASE, "hosts": ["api.crm.example"], "adapter": "demo", **options})


class Crm:
    """A loopback server that answers each request with the next of its scripted answers; the last one repeats."""

    def __init__(self, *answers, ssl_context=None):
        crm = self
        self.answers = list(answers) or [lambda handler: reply(handler)]
        self.requests = []
        self.connections = set()
        self.before_body = lambda: None

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                crm.before_body()
                self.body = self.rfile.read(length)
                crm.requests.append(self)
                crm.connections.add(self.client_address)
                act = crm.answers.pop(0) if len(crm.answers) > 1 else crm.answers[0]
                act(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = answer

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if ssl_context:
            self.server.socket = ssl_context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.released = threading.Event()

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def client(self, **options):
        here = f"127.0.0.1:{self.port}"
        return client(**{"base_url": f"http://{here}/api", "hosts": [here], "policy": OPEN, **options})


def reply(handler, status=200, body=b"{}", **headers):
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def answers(status=200, body=b"{}", **headers):
    return lambda handler: reply(handler, status, body, **headers)


def hang_up(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_off(handler):
    reply(handler, body=b"{", Content_Length="500")
    hang_up(handler)


@contextmanager
def fails(kind):
    """The error raised inside, its texts free of what the request carried."""
    caught = SimpleNamespace(error=None)
    with pytest.raises(kind) as info:
        yield caught
    assert type(info.value) is kind
    caught.error = info.value
    assert "5550112" not in f"{info.value!r} {info.value.reason} {info.value.__cause__!r}"


# hosts


ALLOWED = ["crm.example", "*.regional.example", "localhost:8001", "127.0.0.1:8001", "*.ported.example:8443"]


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example",
        "https://crm.example/a?b=c#d",
        "https://CRM.Example:443/",
        "https://eu.regional.example/x",
        "https://a.b.regional.example/x",
        "https://localhost:8001/",
        "https://127.0.0.1:8001/",
        "https://x.ported.example:8443/",
    ],
)
def test_a_listed_host_is_allowed(url):
    assert refusal(url, ALLOWED) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/",
        "ftp://crm.example/",
        "//crm.example/",
        "https:crm.example",
        "https:///crm.example",
        "https://crm.example@evil.example/",
        "https://user:secret@crm.example/",
        "https://evil.example#.crm.example",
        "https://evil.example?.regional.example",
        "https://evil.example\\.regional.example",
        "https://crm.example\\@evil.example/",
        "https://crm.example.evil.example/",
        "https://evilcrm.example/",
        "https://regional.example/",
        "https://evilregional.example/",
        "https://.regional.example/",
        "https://a..regional.example/",
        "https://crm.example./",
        "https://eu.regional.example./",
        "https://crm.example:8443/",
        "https://crm.example:0443x/",
        "https://x.ported.example/",
        "https://localhost/",
        "https://localhost:8002/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]:8001/",
        "https://xn--e1afmkfd.regional.example/",
        "https://crm.éxample/",
        "https://crm。example/",
        "https://crm.example%2eevil.example/",
        "https://crm.example\n.evil.example/",
        "https://crm.example /",
        "https:// crm.example/",
        "https://crm.example/a/../../oauth",
        "https://crm.example/a/%2e%2E/oauth",
        "",
    ],
)
def test_any_other_address_is_refused(url):
    assert refusal(url, ALLOWED)
    sent = client(base_url="https://crm.example/", hosts=ALLOWED)
    if url.startswith("https://"):
        with responses.RequestsMock() as crm, fails(RequestRejected):
            sent.get(url)
        assert not crm.calls


def test_a_pattern_of_only_a_star_allows_nothing():
    assert refusal("https://evil.example/", ["*", "*.", "", "."])


URL_PARTS = st.text(alphabet="abc.@:/?#\\[]%012345678x*- \t", max_size=16)


@given(URL_PARTS, URL_PARTS)
def test_requests_never_reads_another_host_out_of_an_address_that_passed(before, after):
    url = f"https://{before}crm.example{after}"
    if refusal(url, ["crm.example", "*.crm.example"]):
        return
    host = requests.Request("GET", url).prepare().url.split("/")[2].removesuffix(":443")
    assert host == "crm.example" or host.endswith(".crm.example")


def test_a_relative_address_is_joined_with_one_slash():
    with responses.RequestsMock() as crm:
        crm.get("https://api.crm.example/v1/contacts", json=[])
        for base in ("https://api.crm.example/v1", "https://api.crm.example/v1/"):
            assert client(base_url=base).get("contacts") == []
            assert client(base_url=base).get("/contacts") == []


# addresses


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111"])
def test_addresses_of_the_public_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "239.1.1.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
        "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "crm.example", "",
    ],
)  # fmt: skip
def test_every_other_address_is_not(address):
    assert not is_public(address)


def test_a_name_that_leads_to_a_private_address_is_not_connected_to():
    with Crm() as crm, fails(AddressNotPublic) as caught:
        crm.client(policy=OutboundPolicy(allow_plain_http=True)).get("/x")
    assert caught.error.maybe_applied is False
    assert not crm.requests


def leads_to(monkeypatch, *addresses):
    """Whatever name is asked for has these addresses."""
    real = Transfer._prepared

    def prepared(exchange):
        handle, url = real(exchange), urlsplit(exchange._question.url)
        handle.setopt(pycurl.RESOLVE, [f"{url.hostname}:{url.port}:{','.join(addresses)}"])
        return handle

    monkeypatch.setattr(Transfer, "_prepared", prepared)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["[::1]", "127.0.0.1"]])
def test_a_name_is_judged_by_the_addresses_that_are_connected_to(monkeypatch, addresses):
    with Crm() as crm:
        leads_to(monkeypatch, *addresses)
        base = f"http://crm.example:{crm.port}"
        sent = client(base_url=base, hosts=[base.removeprefix("http://")], policy=OutboundPolicy(allow_plain_http=True))
        with fails(AddressNotPublic) as caught:
            sent.post("/x", json={})
        assert not crm.connections
    assert caught.error.maybe_applied is False


def test_a_connection_that_is_open_is_not_used_where_its_address_is_not_public():
    with Crm() as crm:
        crm.client().get("/x")
        with fails(AddressNotPublic):
            crm.client(policy=OutboundPolicy(allow_plain_http=True)).post("/x", json={})
        assert len(crm.requests) == 1


def test_a_name_that_does_not_exist_means_the_crm_is_unavailable_and_nothing_was_written():
    with fails(CrmUnavailable) as caught:
        client(base_url="https://no-such.invalid", hosts=["no-such.invalid"]).post("/x", json={})
    assert caught.error.maybe_applied is False


def test_a_connection_that_fails_at_first_is_tried_again_even_for_a_write(monkeypatch):
    real, attempts = Transfer._open, []

    def opens(exchange, purpose, address):
        attempts.append(address)
        return real(exchange, purpose, address) if len(attempts) > 1 else pycurl.SOCKET_BAD

    monkeypatch.setattr(Transfer, "_open", opens)
    with Crm() as crm:
        assert crm.client().post("/x", json={}) == {}
        assert (len(attempts), len(crm.requests)) == (2, 1)


@pytest.mark.parametrize("kind", ["post", "get"])
def test_a_write_is_not_sent_again_where_a_kept_connection_ends_without_an_answer(kind):
    """libcurl itself would send any request again then, over a new connection."""
    with Crm(answers(), hang_up, answers()) as crm:
        crm.client().get("/first")
        if kind == "get":
            assert crm.client().get("/x") == {}
            assert len(crm.requests) == 3
        else:
            with fails(CrmUnavailable) as caught:
                crm.client().post("/x", json={})
            assert caught.error.maybe_applied
            assert len(crm.requests) == 2


@pytest.mark.parametrize("is_told", [False, True])
def test_a_write_takes_no_kept_connection_that_has_ended(certificate, is_told):
    """libcurl looks for those once a second only, and would send the write where nobody reads it."""
    ended = threading.Event()

    def end(handler):
        reply(handler)
        handler.close_connection = True
        if is_told:
            handler.connection.settimeout(0)
            with suppress(OSError):
                handler.connection.unwrap()
        handler.connection.close()
        ended.set()

    with secure_crm(certificate) as (crm, host):
        crm.answers = [end, answers(body=b"1")]
        policy = replace(OPEN, ca_bundle=certificate, connect_timeout=20, read_timeout=30)
        there = client(base_url=f"https://{host}", hosts=[host], policy=policy)
        there.get("/x")
        assert ended.wait(30)
        assert there.post("/x", json={}) == 1
        assert (len(crm.requests), len(crm.connections)) == (2, 2)


def test_what_a_kept_connection_holds_before_anything_was_asked_is_no_answer(certificate):
    heard, said = threading.Event(), threading.Event()

    def say_too_much(handler):
        reply(handler, body=b"1")
        heard.wait(30)
        reply(handler, body=b'"of somebody else"')
        said.set()

    with secure_crm(certificate) as (crm, host):
        crm.answers = [say_too_much, answers(body=b"2")]
        policy = replace(OPEN, ca_bundle=certificate, connect_timeout=20, read_timeout=30)
        there = client(base_url=f"https://{host}", hosts=[host], policy=policy)
        assert there.get("/x") == 1
        heard.set()
        assert said.wait(30)
        assert there.post("/x", json={}) == 2


# redirects, environment, cookies


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status):
    with Crm(answers(status, Location="/elsewhere?phone=6505550112")) as crm:
        with fails(UnexpectedResponse) as caught:
            crm.client().get("/x")
        assert len(crm.requests) == 1
    assert "redirect" in caught.error.reason
    assert caught.error.status == status


def test_proxies_netrc_and_cookies_of_the_surroundings_change_nothing(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password secret\n")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Crm(answers(Set_Cookie="session=1; Path=/")) as crm:
        for _ in range(2):
            crm.client().get("/x")
        headers = crm.requests[1].headers
    assert "Authorization" not in headers
    assert "Cookie" not in headers


def test_the_configured_proxy_is_used_even_at_a_private_address():
    with Crm() as proxy:
        policy = OutboundPolicy(allow_plain_http=True, proxy=f"http://127.0.0.1:{proxy.port}")
        sent = client(base_url="http://crm.example/", hosts=["crm.example"], policy=policy)
        sent.get("contacts")
        assert proxy.requests[0].path == "http://crm.example/contacts"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_connection_lost_behind_a_proxy_may_have_written(tmp_path, drop):
    with running_vendor("tests.test_vendor:Counter", tmp_path) as vendor:
        policy = OutboundPolicy(
            proxy=vendor.environment["OUTBOUND_PROXY"], ca_bundle=vendor.environment["OUTBOUND_CA_BUNDLE"]
        )
        client = HttpClient(base_url="https://api.counter.example", hosts=["api.counter.example"], policy=policy)
        vendor.fail({"drop": drop})
        with pytest.raises(CrmUnavailable) as caught:
            client.post("/n", json={"text": "kept"})
        assert caught.value.maybe_applied
        assert len(vendor.requests()) == 1


def test_a_proxy_that_refuses_the_tunnel_means_nothing_was_written():
    with Crm(answers(403)) as proxy:
        policy = OutboundPolicy(proxy=f"http://127.0.0.1:{proxy.port}", connect_timeout=0.5, read_timeout=0.5)
        with fails(CrmUnavailable) as caught:
            client(policy=policy).post("/x", json={})
    assert caught.error.maybe_applied is False


# certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: path of its PEM file with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example CRM")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "crm.pem"
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(encoding)
    )
    return str(path)


@contextmanager
def secure_crm(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Crm(ssl_context=context) as crm:
        yield crm, f"127.0.0.1:{crm.port}"


def test_the_configured_certificates_are_trusted(certificate):
    with secure_crm(certificate) as (_, host):
        policy = OutboundPolicy(allow_private_addresses=True, ca_bundle=certificate)
        assert client(base_url=f"https://{host}", hosts=[host], policy=policy).get("/x") == {}


def test_the_authorities_certificates_are_read_once_for_all_connections(certificate, tmp_path):
    bundle = tmp_path / "bundle.pem"
    shutil.copy(certificate, bundle)
    with secure_crm(certificate) as (crm, host):
        crm.answers = [answers(Connection="close")]
        policy = OutboundPolicy(allow_private_addresses=True, ca_bundle=str(bundle), read_timeout=9)
        for _ in range(3):
            client(base_url=f"https://{host}", hosts=[host], policy=policy).get("/x")
            bundle.write_text("")
        assert len(crm.connections) == 3


def test_certificates_that_cannot_be_read_mean_that_nothing_was_sent(tmp_path):
    with fails(CrmUnavailable) as caught:
        client(policy=OutboundPolicy(ca_bundle=str(tmp_path / "none.pem"))).post("/x", json={})
    assert caught.error.maybe_applied is False


def test_certificates_named_in_the_environment_are_not(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    monkeypatch.setenv("CURL_CA_BUNDLE", certificate)
    with secure_crm(certificate) as (crm, host):
        policy = OutboundPolicy(allow_private_addresses=True)
        with fails(CrmUnavailable) as caught:
            client(base_url=f"https://{host}", hosts=[host], policy=policy).post("/x", json={})
        assert not crm.requests
    assert caught.error.maybe_applied is False


# retries and time


@pytest.mark.parametrize("failure", [answers(503), answers(502), hang_up])
def test_a_read_is_repeated_once_after_a_passing_failure(failure):
    with Crm(failure, answers(body=b'{"id": 1}')) as crm:
        assert crm.client().get("/x") == {"id": 1}
        assert len(crm.requests) == 2
    with Crm(failure) as crm, fails(CrmUnavailable):
        crm.client().get("/x")
    assert len(crm.requests) == 2


def test_a_read_that_was_not_answered_in_time_is_not_repeated():
    with Crm(lambda handler: time.sleep(0.8)) as crm, fails(CrmUnavailable):
        crm.client(read_timeout=0.5).get("/x")
    assert len(crm.requests) == 1


def test_a_search_by_post_is_repeated_like_a_read():
    with Crm(hang_up, answers(body=b"[]")) as crm:
        assert crm.client().post("/search", json={"q": "x"}, read=True) == []
        assert len(crm.requests) == 2


@pytest.mark.parametrize("failure", [answers(503), answers(500), hang_up, cut_off, lambda handler: time.sleep(0.8)])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_sent_once_and_may_have_been_applied(failure, method):
    with Crm(failure) as crm:
        with fails(CrmUnavailable) as caught:
            crm.client(read_timeout=0.5).send(method, "/x", json={"phone": "6505550112"})
        assert len(crm.requests) == 1
    assert caught.error.maybe_applied is True


@pytest.mark.parametrize("failure", [answers(503), answers(500), hang_up, cut_off])
def test_a_read_that_fails_for_good_applied_nothing(failure):
    with Crm(failure) as crm, fails(CrmUnavailable) as caught:
        crm.client().get("/x", params={"phone": "6505550112"})
    assert caught.error.maybe_applied is False


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_connection_applied_nothing(method):
    with Crm() as crm:
        pass
    with fails(CrmUnavailable) as caught:
        crm.client().send(method, "/x", params={"phone": "6505550112"})
    assert caught.error.maybe_applied is False


def test_an_answer_that_drips_in_for_ever_is_given_up():
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not crm.released.wait(0.05):
            handler.wfile.write(b" ")

    with Crm(drip) as crm, fails(CrmUnavailable):
        crm.client(read_timeout=0.2).get("/x")


def test_a_vendor_that_asks_to_wait_does_not_hold_up_the_request():
    with Crm(answers(503, Retry_After="3600")) as crm, fails(CrmUnavailable):
        crm.client().get("/x")


def test_a_connection_is_used_again():
    with Crm(answers(body=b'{"a": 1}')) as crm:
        for _ in range(3):
            crm.client().get("/x")
        assert len(crm.connections) == 1


def test_a_request_leaves_nothing_for_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        with Crm() as crm:
            for _ in range(3):
                crm.client().get("/x")
            deadline = time.monotonic() + 30  # the event loop may hold the last one for a moment
            while any(type(item) is Transfer for item in gc.get_objects()) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not any(type(item) is Transfer for item in gc.get_objects())
    finally:
        gc.enable()


def test_all_threads_use_the_same_connections():
    with Crm() as crm:
        for _ in range(5):
            thread = threading.Thread(target=crm.client().get, args=["/x"])
            thread.start()
            thread.join()
        assert (len(crm.requests), len(crm.connections)) == (5, 1)


def test_a_burst_leaves_its_connections_to_the_next():
    together = threading.Barrier(20)

    def answer(handler):
        together.wait(20)
        reply(handler)

    with Crm(answer) as crm:
        for _ in range(3):
            threads = [threading.Thread(target=crm.client(read_timeout=30).get, args=["/x"]) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert (len(crm.requests), len(crm.connections)) == (60, 20)


# answers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejected),
        (401, CredentialsRejected),
        (403, AccessDenied),
        (404, RecordNotFound),
        (405, UnexpectedResponse),
        (408, CrmUnavailable),
        (409, CrmUnavailable),
        (410, RecordNotFound),
        (413, BodyTooLong),
        (422, RequestRejected),
        (423, RateLimited),
        (425, RateLimited),
        (429, RateLimited),
        (477, RateLimited),
        (500, CrmUnavailable),
        (503, CrmUnavailable),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_status_becomes_the_error_the_table_says(status, kind, method):
    with responses.RequestsMock() as crm:
        crm.add(method, BASE + "x/1", status=status, json={"error": {"message": "No."}})
        if method == "GET" and status == 503:
            crm.add(method, BASE + "x/1", status=status, json={"error": {"message": "No."}})
        with fails(kind) as caught:
            client().send(method, "x/1")
    assert caught.error.status == status
    assert caught.error.reason == "No."
    assert caught.error.maybe_applied is (method == "POST" and (status >= 500 or status in (408, 409)))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": "Bad name"}, "Bad name"),
        ({"Message": "Bad name"}, "Bad name"),
        ({"errorMessage": "Bad\n name"}, "Bad name"),
        ([{"message": "Bad name"}], "Bad name"),
        ({"errors": [{"message": "Bad name"}]}, "Bad name"),
        ({"message": "x " * 500}, ("x " * 100)),
        ({"message": "x" * 500_000}, "x" * 200),
        ({"message": "no contact with +1 (650) 555-0112"}, "no contact with …"),
        ({"message": {"deep": 1}}, ""),
        ({"message": "token 0123456789abcdef0123456789abcdef expired"}, "token … expired"),
        ({"message": "errors.authentication.invalidOAuthToken"}, "errors.authentication.invalidOAuthToken"),
        ("Bad name", "Bad name"),
    ],
)
def test_the_vendors_reason_is_passed_on_short_and_without_numbers(body, reason):
    before = time.process_time()
    with responses.RequestsMock() as crm:
        crm.post(BASE + "x", status=422, json=body)
        with fails(RequestRejected) as caught:
            client().post("x")
    assert caught.error.reason == reason
    assert time.process_time() - before < 3  # also of a message with a very long word


def test_a_note_that_is_no_markup_is_looked_for_in_the_reason_in_no_time():
    before = time.process_time()
    with responses.RequestsMock() as crm:
        crm.post(BASE + "x", status=422, json={"message": "No such field"})
        with fails(RequestRejected):
            client().post("x", json={"note": "<" * 150_000})
    assert time.process_time() - before < 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("2.5", 2.5),
        ("soon", None),
        ("nan", None),
        ("-3", 0),
        ("Fri, 01 Jan 99999999999999 00:00:00 GMT", None),
    ],
)
def test_the_wait_a_vendor_asks_for_is_passed_on(header, seconds):
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", status=429, headers={"Retry-After": header})
        with fails(RateLimited) as caught:
            client().get("x")
    assert caught.error.retry_after == seconds


def test_a_crm_that_is_closed_may_say_for_how_long():
    with responses.RequestsMock() as crm:
        crm.post(BASE + "x", status=503, headers={"Retry-After": "90"})
        with fails(CrmUnavailable) as caught:
            client().post("x")
    assert caught.error.retry_after == 90


def test_a_wait_may_be_given_as_a_date():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", status=429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"})
        with fails(RateLimited) as caught:
            client().get("x")
    assert caught.error.retry_after > 1e6


@pytest.mark.parametrize("body", ["<html>", '{"a": NaN}', "[" * 100_000, '{"a"'])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_success_that_is_not_json_is_unexpected(method, body):
    with responses.RequestsMock() as crm:
        crm.add(method.upper(), BASE + "x", body=body)
        with fails(UnexpectedResponse) as caught:
            getattr(client(), method)("x")
    assert caught.error.maybe_applied is (method == "post")


def test_half_a_character_and_nul_in_an_answer_become_text_that_can_be_stored_and_sent():
    body = r'{"name\ud83d": ["Joe \uD83D", "a\u0000b", "\ud83d\ude00 é", 5, null, true]}'
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", body=body)
        crm.get(BASE + "y", body=b'["Joe \xed\xa0\xbd"]')
        answer = client().get("x")
        assert client().get("y") == ["Joe \ufffd"]
    assert answer == {"name\ufffd": ["Joe \ufffd", "ab", "\U0001f600 é", 5, None, True]}
    json.dumps(answer, ensure_ascii=False).encode()


def test_an_answer_with_contradictory_headers_may_follow_an_applied_write():
    with Crm(answers(Content_length="7")) as crm, fails(UnexpectedResponse) as caught:
        crm.client().post("/x", json={})
    assert caught.error.maybe_applied is True


def test_an_empty_success_is_none():
    with responses.RequestsMock() as crm:
        crm.delete(BASE + "x", status=204)
        assert client().delete("x") is None


def test_an_answer_larger_than_the_limit_is_refused_after_unpacking():
    bomb = gzip.compress(b" " * (9 * 1024 * 1024))
    with Crm(answers(body=bomb, Content_Encoding="gzip")) as crm, fails(UnexpectedResponse) as caught:
        crm.client().get("/x")
    assert "large" in caught.error.reason


@pytest.mark.parametrize("encoding", ["UTF-8", "binary", "aws-chunked"])
def test_an_encoding_that_is_none_of_packing_leaves_the_body_as_it_came(encoding):
    with Crm(answers(body=b'{"id": 1}', Content_Encoding=encoding)) as crm:
        assert crm.client().post("/x", json={}) == {"id": 1}


def test_packed_bodies_are_unpacked_whatever_follows_them():
    first, second = gzip.compress(b'{"id":'), gzip.compress(b" 1}")
    with Crm(answers(body=first + second + b"\0\0", Content_Encoding="gzip")) as crm:
        assert crm.client().post("/x", json={}) == {"id": 1}


def test_a_body_that_is_not_packed_as_it_says_may_follow_an_applied_write():
    with Crm(answers(body=b"{}", Content_Encoding="gzip")) as crm, fails(CrmUnavailable) as caught:
        crm.client().post("/x", json={})
    assert caught.error.maybe_applied is True
    assert len(crm.requests) == 1


def test_headers_that_follow_the_body_are_not_the_answers():
    body = b"2\r\n{}\r\n0\r\nRetry-After: 60\r\n\r\n"

    def answer(handler):
        handler.send_response(429)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(body)

    with Crm(answer) as crm, fails(RateLimited) as caught:
        crm.client().get("/x")
    assert caught.error.retry_after is None


def test_a_request_while_the_process_ends_is_answered():
    program = """
import atexit, sys
from adapters.contract.http import HttpClient, OutboundPolicy

here = f"127.0.0.1:{sys.argv[1]}"
policy = OutboundPolicy(allow_plain_http=True, allow_private_addresses=True, connect_timeout=20, read_timeout=30)
client = HttpClient(base_url=f"http://{here}", hosts=[here], policy=policy)
atexit.register(lambda: print(client.get("/last")))
client.get("/first")
"""
    with Crm(answers(body=b"7")) as crm:
        ended = subprocess.run(
            [sys.executable, "-c", program, str(crm.port)], capture_output=True, text=True, timeout=60, check=True
        )
    assert ended.stdout == "7\n"


def test_the_adapter_is_asked_first_what_an_answer_means():
    def explain(reply):
        return CredentialsRejected() if reply.status == 400 and reply.body["error"] == "expired" else None

    with responses.RequestsMock() as crm:
        crm.get(BASE + "a", status=400, json={"error": "expired"})
        crm.get(BASE + "b", status=400, json={"error": "other"})
        asked = client().explained_by(explain)
        with fails(CredentialsRejected) as caught:
            asked.get("a")
        with fails(RequestRejected):
            asked.get("b")
    assert caught.error.status == 400


def test_a_success_that_the_adapter_knows_for_a_refusal_is_one():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", json={"success": False})
        with fails(AccessDenied):
            client(explain=lambda reply: AccessDenied() if reply.body == {"success": False} else None).get("x")


def test_headers_can_be_taken_away_for_one_request():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", json={})
        sent = client(headers={"Authorization": "Bearer t", "X-App": "demo"})
        sent.get("x", headers={"x-app": None, "Accept": "text/plain"})
        sent.get("x", authenticated=False)
        first, second = (call.request.headers for call in crm.calls)
    assert first["Authorization"] == "Bearer t"
    assert "X-App" not in first
    assert first["Accept"] == "text/plain"
    assert "Authorization" not in second


@pytest.mark.parametrize("value", ["a\r\nX-Admin: yes", "Bearer \u201ctoken\u201d", "Łukasz"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_header_that_http_has_no_form_for_is_not_sent(value, method):
    with Crm() as crm:
        with fails(RequestRejected) as caught:
            crm.client(headers={"X-App": value}).send(method, "x")
        assert not caught.error.maybe_applied
        assert crm.requests == []


# files


def test_media_are_fetched_without_the_credentials_of_the_crm():
    with responses.RequestsMock() as crm:
        crm.get("https://media.ringcentral.example/1", body=b"\x00\x01")
        sent = client(headers={"Authorization": "Bearer t"})
        url, hosts = "https://media.ringcentral.example/1?access_token=x", ["media.ringcentral.example"]
        assert sent.download(url, hosts=hosts, max_bytes=2) == b"\x00\x01"
        assert "Authorization" not in crm.calls[0].request.headers
        with fails(RequestRejected):
            sent.download(BASE, hosts=hosts, max_bytes=2)
        with fails(RequestRejected):
            sent.download(url, hosts=hosts, max_bytes=1)


def test_a_refused_download_says_nothing_about_the_login_at_the_crm():
    with responses.RequestsMock() as crm:
        crm.get("https://media.ringcentral.example/1", status=401)
        with fails(RequestRejected):
            client().download("https://media.ringcentral.example/1", hosts=["*.ringcentral.example"], max_bytes=9)


def test_an_upload_goes_to_upload_hosts_only_and_carries_only_the_headers_given():
    with responses.RequestsMock() as crm:
        crm.put("https://bucket.store.example/a", body="<ok/>")
        sent = client(headers={"Authorization": "Bearer t"}, upload_hosts=["*.store.example"])
        sent.upload("https://bucket.store.example/a?signature=s", b"data", {"Content-Type": "image/png"})
        assert set(crm.calls[0].request.headers) == {"Content-Type", "Content-Length"}
        with fails(RequestRejected):
            sent.upload(BASE, b"data", {})


# log lines and counting


def test_the_log_line_shows_the_shape_of_a_request_and_nothing_of_its_content(caplog):
    with responses.RequestsMock() as crm, caplog.at_level(logging.DEBUG):
        crm.post(BASE + "contacts/123/+16505550112", json={"n": "Ada"}, headers={"X-Request-Id": "r-1\n"})
        sent = client(headers={"Authorization": "Bearer token1"})
        sent.post("contacts/123/+16505550112", params={"q": "6505550112"}, json={"name": "Ada"})
    (record,) = [record for record in caplog.records if record.name == "switchboard.outbound"]
    fields = {name: getattr(record, name) for name in ("adapter", "method", "host", "template", "status")}
    assert fields == {
        "adapter": "demo",
        "method": "POST",
        "host": "api.crm.example",
        "template": "/v1/contacts/{id}/{id}",
        "status": 200,
    }
    assert record.vendor_request_id == "r-1"
    assert record.milliseconds >= 0
    everything = json.dumps([vars(item) for item in caplog.records], default=str)
    for private in ("5550112", "Ada", "token1"):
        assert private not in everything


def test_a_failed_exchange_is_logged_without_its_query(caplog):
    with Crm(hang_up) as crm, caplog.at_level(logging.DEBUG), fails(CrmUnavailable):
        crm.client().get("/x", params={"phone": "6505550112"})
    assert [record.error for record in caplog.records if record.name == "switchboard.outbound"] == ["CrmUnavailable"]
    assert "5550112" not in caplog.text


def test_calls_are_counted_through_the_threads_of_a_fan_out():
    with Crm() as crm, count_calls() as outer:
        crm.client().get("/x")
        with count_calls() as inner:
            fan_out(lambda number: crm.client().get(f"/{number}"), range(4))
    assert (outer.value, inner.value) == (5, 4)


# together


def _all_together(count):
    """Answers no request before so many are there."""
    meeting = threading.Barrier(count, timeout=30)

    def answer(handler):
        meeting.wait()
        reply(handler, body=json.dumps(handler.path).encode())

    return answer


def _threads():
    return sum(thread.name.startswith("fan-out") for thread in threading.enumerate())


@pytest.mark.parametrize("is_secure", [False, True])
def test_requests_of_a_fan_out_wait_together_in_one_thread(certificate, is_secure):
    """Over TLS 1.3 the first that comes on a new connection is no answer but tickets for the next one."""
    held = []
    with secure_crm(certificate) if is_secure else plain_crm() as (crm, host):
        meet = _all_together(12)
        crm.answers = [lambda handler: held.append(_threads()) or meet(handler)]
        policy = replace(OPEN, ca_bundle=certificate, connect_timeout=20, read_timeout=30)
        there = client(base_url=f"http{'s' * is_secure}://{host}", hosts=[host], policy=policy)
        for _ in range(3):
            assert fan_out(lambda number: there.get(f"/{number}"), range(12)) == [f"/{n}" for n in range(12)]
        assert (len(crm.requests), len(crm.connections)) == (36, 12)
    assert held[-1] == 0


@contextmanager
def plain_crm():
    with Crm() as crm:
        yield crm, f"127.0.0.1:{crm.port}"


@pytest.mark.parametrize("kind", ["upload", "post"])
def test_large_bodies_leave_together(kind):
    """Nobody reads a body before all have begun: one after the other they would wait for ever."""
    meeting, body = threading.Barrier(3, timeout=30), b"x" * 8_000_000
    with Crm() as crm:
        crm.before_body = meeting.wait
        here = f"127.0.0.1:{crm.port}"
        there = crm.client(policy=replace(OPEN, read_timeout=30), upload_hosts=[here])
        send = {
            "upload": lambda _: there.upload(f"http://{here}/file", body, {}),
            "post": lambda _: there.post("/file", data=body),
        }
        fan_out(send[kind], range(3))
        assert [len(request.body) for request in crm.requests] == [len(body)] * 3


def test_files_are_fetched_together():
    meeting = threading.Barrier(3, timeout=30)

    def answer(handler):
        reply(handler, body=b"a", Content_Length="2")
        meeting.wait()
        handler.wfile.write(b"b")

    with Crm(answer) as crm:
        here = f"127.0.0.1:{crm.port}"
        there = crm.client(policy=replace(OPEN, read_timeout=30))
        files = fan_out(lambda _: there.download(f"http://{here}/file", hosts=[here], max_bytes=9), range(3))
    assert files == [b"ab"] * 3


def test_more_requests_than_go_out_together_all_get_their_answer():
    with Crm(lambda handler: reply(handler, body=json.dumps(handler.path).encode())) as crm:
        there = crm.client(policy=replace(OPEN, connect_timeout=20, read_timeout=30))
        assert fan_out(lambda number: there.get(f"/{number}"), range(100)) == [f"/api/{n}" for n in range(100)]
        assert len(crm.connections) <= 32


@pytest.mark.parametrize(
    ("failure", "patience"), [(hang_up, 30), (answers(400), 30), (lambda handler: time.sleep(3), 2)]
)
def test_one_that_fails_or_hangs_leaves_the_others_their_answers(failure, patience):
    with Crm(lambda handler: failure(handler) if handler.path.endswith("/3") else reply(handler, body=b"1")) as crm:
        found = fan_out_outcomes(lambda number: crm.client(read_timeout=patience).get(f"/{number}"), range(6))
    assert [item for item in found if not isinstance(item, ConnectorError)] == [1] * 5
    assert isinstance(found[3], ConnectorError)


def test_a_connection_that_hangs_while_it_is_opened_holds_up_nobody():
    met, silent = threading.Event(), socket.create_server(("127.0.0.1", 0))  # it takes connections, and says nothing
    with silent, Crm(answers(body=b"1")) as crm:
        port = silent.getsockname()[1]

        def ask(number):
            if number:
                crm.client().get("/x")
                met.set()
                return True
            here = f"127.0.0.1:{port}"
            with fails(CrmUnavailable):
                impatient = replace(OPEN, connect_timeout=1)
                client(base_url=f"https://{here}", hosts=[here], policy=impatient).get("/x")
            return met.is_set()

        assert fan_out(ask, range(3)) == [True] * 3


# pace


def test_after_a_429_further_requests_of_that_user_fail_without_being_sent():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", status=429, headers={"Retry-After": "60"})
        crm.get(BASE + "y", json={})
        with fails(RateLimited):
            client(pace_key="demo:1").get("x")
        with fails(RateLimited) as caught:
            client(pace_key="demo:1").get("y")
        assert 0 < caught.error.retry_after <= 60
        assert client(pace_key="demo:2").get("y") == {}
        assert len(crm.calls) == 2


def test_a_short_refusal_is_waited_out_even_by_a_write():
    pace = Pace(in_flight=4, patience=0.2)
    with responses.RequestsMock() as crm:
        crm.post(BASE + "x", status=429, headers={"Retry-After": "0.05"})
        crm.post(BASE + "x", json={"id": 1})
        begun = time.monotonic()
        assert client(pace=pace, pace_key="demo:patient").post("x", json={}) == {"id": 1}
        assert time.monotonic() - begun >= 0.05


def test_a_refusal_that_goes_on_is_reported_after_two_repetitions():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", status=429, headers={"Retry-After": "0.01"})
        with fails(RateLimited):
            client(pace=Pace(patience=0.2), pace_key="demo:refused").get("x")
        assert len(crm.calls) == 3


def test_a_refusal_longer_than_the_patience_is_reported_at_once():
    pace = Pace(patience=0.2)
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", status=429, headers={"Retry-After": "60"})
        for _ in range(2):
            with fails(RateLimited):
                client(pace=pace, pace_key="demo:day").get("x")
        assert len(crm.calls) == 1


def test_a_wait_for_the_next_start_that_is_too_long_is_refused_at_once():
    pace = Pace(starts=2, seconds=60)
    with responses.RequestsMock() as crm:
        crm.get(BASE + "x", json={})
        sent = client(pace=pace, pace_key="demo:starts")
        sent.get("x")
        sent.get("x")
        with fails(RateLimited) as caught:
            sent.get("x")
        assert len(crm.calls) == 2
    assert 50 < caught.error.retry_after <= 60


def test_a_limit_of_its_own_leaves_the_other_requests_of_the_user_alone():
    with responses.RequestsMock() as crm:
        crm.get(BASE + "search", json={})
        crm.get(BASE + "x", json={})
        sent = client(pace_key="demo:share")
        searches = sent.paced(Pace(starts=1, seconds=60), share="search")
        searches.get("search")
        with fails(RateLimited):
            searches.get("search")
        assert sent.get("x") == {}
        assert len(crm.calls) == 2


def test_no_more_requests_are_in_flight_than_the_pace_allows():
    lock, meeting = threading.Lock(), threading.Barrier(3, timeout=30)
    running, most = 0, 0

    def answer(handler):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        meeting.wait()  # never more than three, nor less
        with lock:
            running -= 1
        meeting.wait()
        reply(handler)

    with Crm(answer) as crm:
        there = crm.client(policy=replace(OPEN, read_timeout=30), pace=Pace(in_flight=3), pace_key="in flight")
        fan_out(lambda number: there.get(f"/{number}"), range(12))
        assert len(crm.requests) == 12
    assert most == 3


def test_starts_are_spread_over_the_vendors_window():
    limiter = pacing.Limiter()
    pace = Pace(starts=2, seconds=0.1)
    begun = time.monotonic()
    for _ in range(5):
        with limiter.turn(pace):
            pass
    assert time.monotonic() - begun >= 0.2


def test_a_full_house_is_refused_after_a_bounded_wait(monkeypatch):
    monkeypatch.setattr(pacing, "LONGEST_WAIT", 0.02)
    limiter = pacing.Limiter()
    with limiter.turn(Pace(in_flight=1)), pytest.raises(RateLimited), limiter.turn(Pace(in_flight=1)):
        pytest.fail("two requests at once")
