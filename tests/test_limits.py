"""What is too large, too deep or too long is refused in a sentence, before it costs anything."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from connectors.api.authentication import issue_token
from tests.factories import CrmUserFactory
from tests.live_server import live_server

ORIGIN = {"HTTP_ORIGIN": "chrome-extension://kkhkjhaf"}


def _post(client, path, body, **extra):
    return client.post(path, body, content_type="application/json", **ORIGIN, **extra)


def _is_sentence(reply, status, text):
    assert (reply.status_code, reply.content.decode()) == (status, text)
    assert reply["Content-Type"] == "text/plain; charset=utf-8"
    assert reply["Access-Control-Allow-Origin"] == "*"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/apiKeyLogin", "/callLog", "/admin/settings", "/unknown"])
def test_a_strangers_body_may_be_64_kib_and_no_more(client, path):
    _is_sentence(_post(client, path, b" " * 65_537), 413, "Invalid request: it is too large.")
    assert _post(client, path, b" " * 65_536).status_code in (400, 404)


@pytest.mark.django_db
def test_a_forged_token_does_not_open_the_door_for_large_bodies(client):
    reply = _post(client, "/callLog?jwtToken=eyJhbGciOiJIUzI1NiJ9.e30.forged", b" " * 100_000)
    _is_sentence(reply, 413, "Invalid request: it is too large.")


@pytest.mark.django_db
def test_a_connected_user_may_send_a_transcript(client):
    token = issue_token(CrmUserFactory())
    body = json.dumps({"sessionId": "1", "transcript": "x" * 190_000})
    reply = client.patch(f"/callLog?jwtToken={token}", body, content_type="application/json")
    assert reply.json()["returnMessage"]["message"] == "No log found for session 1"


@pytest.mark.django_db
@pytest.mark.parametrize("depth", [70, 900, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_nested_too_deep_is_a_400(client, depth, opening):
    token = issue_token(CrmUserFactory())
    closing = b"]" if opening == b"[" else b"}"
    body = opening * depth + b"1" + closing * depth
    _is_sentence(_post(client, f"/callLog?jwtToken={token}", body), 400, "Invalid request: it is nested too deep.")


@pytest.mark.django_db
def test_json_of_ordinary_depth_is_read(client):
    token = issue_token(CrmUserFactory())
    nested = {"value": 1}
    for _ in range(50):
        nested = {"value": nested}
    reply = _post(client, f"/user/settings?jwtToken={token}", json.dumps({"userSettings": {"deep": nested}}))
    assert reply.json()["userSettings"]["deep"] == nested


@pytest.mark.django_db
@pytest.mark.parametrize(("keys", "length"), [(100, 10), (2, 400_000)])
def test_settings_do_not_grow_without_end_request_by_request(client, keys, length):
    address = f"/user/settings?jwtToken={issue_token(CrmUserFactory())}"

    def save(number, remove=()):
        changes = {f"key-{number}-{item}": {"value": "x" * length} for item in range(keys)}
        return _post(client, address, json.dumps({"userSettings": changes, "settingKeysToRemove": [*remove]}))

    statuses = [save(number).status_code for number in range(7)]
    assert statuses == sorted(statuses)
    assert {*statuses} == {200, 400}
    _is_sentence(save(7), 400, "Invalid request: userSettings: too many settings.")
    assert save(8, remove=[f"key-0-{item}" for item in range(keys)]).status_code == 200


@pytest.mark.parametrize("address", ["/contact?phoneNumber=" + "1" * 66_000, "/admin" + "/" * 66_000])
def test_a_long_address_is_a_414(client, address):
    _is_sentence(client.post(address, **ORIGIN), 414, "Invalid request: the address is too long.")


@pytest.mark.django_db
def test_every_session_id_that_fits_into_the_address_is_answered(client):
    ids = [str(404430540000 + number) for number in range(5000)]
    token = issue_token(CrmUserFactory())
    reply = client.get(f"/callLog?sessionIds={','.join(ids)}&jwtToken={token}").json()
    assert [row["sessionId"] for row in reply["logs"]] == ids


@pytest.mark.django_db
def test_a_session_id_that_is_named_twice_is_answered_once(client):
    reply = client.get(f"/callLog?sessionIds=7,8,,7%20&jwtToken={issue_token(CrmUserFactory())}").json()
    assert [row["sessionId"] for row in reply["logs"]] == ["7", "8"]


def test_large_headers_are_a_431(client):
    reply = client.get("/isAlive", HTTP_X_RC_ACCESS_TOKEN="x" * 40_000, **ORIGIN)
    _is_sentence(reply, 431, "Invalid request: the headers are too large.")


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["&".join(f"a{n}=1" for n in range(1500))])
def test_too_many_fields_are_a_sentence_too(client, form):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"/callLog?jwtToken={token}", form, content_type="application/x-www-form-urlencoded", **ORIGIN)
    _is_sentence(reply, 400, "Invalid request.")
    _is_sentence(client.get(f"/contact?{form}", **ORIGIN), 400, "Invalid request.")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("limits"), SANDBOX="on") as running:
        yield running


def _raw(server, request, *, parts=()):
    """One raw request; the answer's head and body as bytes."""
    parts_of_url = urlsplit(server.url)
    with socket.create_connection((parts_of_url.hostname, parts_of_url.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:  # it has answered already
            pass
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


CHUNKED = (
    b"POST /apiKeyLogin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def _chunks(body, size=1000):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_chunked_body_is_read_like_any_other(server):
    answer = _raw(server, CHUNKED + _chunks(b'{"platform": "nowhere", "apiKey": "x"}', 7))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Unknown platform" in answer


def test_an_endless_chunked_body_is_refused_once_it_is_too_large(server):
    answer = _raw(server, CHUNKED, parts=[b"3e8\r\n" + b" " * 1000 + b"\r\n"] * 70 + [b"0\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"Invalid request: it is too large." in answer


def test_an_announced_large_body_is_refused_before_it_arrives(server):
    head = CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 900000000")
    assert _raw(server, head + b"{").startswith(b"HTTP/1.1 413")


def test_the_web_server_bounds_what_reaches_us(server):
    assert _raw(server, b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 414")
    many = b"".join(b"X-%d: a\r\n" % number for number in range(300))
    assert _raw(server, b"GET /isAlive HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n").startswith(b"HTTP/1.1 431")
    assert requests.get(f"{server.url}/isAlive", timeout=10).text == "OK"


def test_the_web_server_lets_five_thousand_session_ids_through(server):
    token = "x" * 300  # as long as a real one, and of nobody
    ids = ",".join(str(404430540000 + number) for number in range(5000))
    head = f"GET /callLog?sessionIds={ids}&jwtToken={token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = _raw(server, head.encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Please go to Settings and authorize CRM platform" in answer


@pytest.mark.parametrize(
    "parameter",
    ["charset=base64", 'CHARSET="punycode"', "charset=utf-16", "charset*=utf-8''rot13", "charset*=none''%ff", "x"],
)
def test_a_request_is_taken_for_utf_8_whatever_charset_it_names(server, parameter):
    reply = requests.post(
        f"{server.url}/apiKeyLogin?name=%C3%A9%FF",
        data='{"platform": "é"}'.encode(),
        headers={"Origin": "chrome-extension://abc", "Content-Type": f"application/json; {parameter}"},
        timeout=10,
    )
    assert (reply.status_code, reply.text) == (400, "Unknown platform")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_a_form_with_files_keeps_its_boundary(server):
    page = requests.get(f"{server.url}/admin/login/", timeout=10)
    token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    fields = {"csrfmiddlewaretoken": (None, token), "username": (None, "nobody"), "password": (None, "wrong")}
    reply = requests.post(f"{server.url}/admin/login/", files=fields, cookies=page.cookies, timeout=10)
    assert "Please enter the correct username and password" in reply.text
