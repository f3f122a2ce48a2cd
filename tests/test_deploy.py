"""What is shipped in deploy/: the proxies run before a server of their own, the rest is read as its tool reads it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import trustme
import yaml

from config.settings import env
from tests.live_server import ROOT, free_port, postgres_database, start_server
from tests.services import URL, postgres_is_there
from tests.test_settings import SOUND

DEPLOY = ROOT / "deploy"


def _tool(name: str) -> str:
    """A tool's path; without it the test is skipped, which pytest prints."""
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    path = shutil.which(name, path=places)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


# --- Proxies ---


class Behind:
    """A server that notes what a proxy sends on, and when."""

    def __init__(self) -> None:
        self.seen: list[dict] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                at = time.monotonic()
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append({"path": self.path, "headers": dict(self.headers), "body": body, "at": at})
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def behind():
    server = Behind()
    yield server
    server.server.shutdown()
    server.server.server_close()


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path, **environment: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        give_up = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def _nginx(folder: Path, *servers: str) -> Iterator[tuple[str, str, Path]]:
    """nginx with the shipped configuration; its https address, its certificate's authority and its log."""
    https = free_port()
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    text = (DEPLOY / "nginx.conf").read_text()
    for given, mine in [
        ("server 127.0.0.1:8000 max_fails=0;", "".join(f"server {address} max_fails=0;" for address in servers)),
        ("listen 443", f"listen 127.0.0.1:{https}"),
        ("listen 80", f"listen 127.0.0.1:{free_port()}"),
        ("/etc/nginx/certificates/fullchain.pem", f"{folder}/both.pem"),
        ("/etc/nginx/certificates/privkey.pem", f"{folder}/both.pem"),
        ("/run/nginx.pid", f"{folder}/nginx.pid"),
        ("/dev/stdout", f"{folder}/access.log"),
    ]:
        assert given in text
        text = text.replace(given, mine)
    (folder / "nginx.conf").write_text(text)
    command = [_tool("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"]
    with _running(command, https, folder / "error.log"):
        yield f"https://localhost:{https}", str(folder / "authority.pem"), folder / "access.log"


@pytest.fixture
def nginx(tmp_path, behind):
    with _nginx(tmp_path, behind.address) as found:
        yield found


@pytest.fixture
def caddy(tmp_path, behind):
    """The same of Caddy, with a certificate of its own making."""
    https = free_port()
    tool = _tool("caddy")
    version = subprocess.run([tool, "version"], capture_output=True, text=True, check=True).stdout.lstrip("v")
    options = f"{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {free_port()}\n\thttps_port {https}\n"
    text = (DEPLOY / "Caddyfile").read_text().replace("{\n", options, 1)
    (tmp_path / "Caddyfile").write_text(text)
    command = [tool, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    is_old = tuple(int(part) for part in version.split(".")[:2]) < (2, 7)
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    bodies = {"BODIES": "buffer_requests"} if is_old else {}
    log = tmp_path / "caddy.log"
    with _running(command, https, log, DOMAIN="localhost", SWITCHBOARD=behind.address, **folders, **bodies):
        root = tmp_path / "caddy/pki/authorities/local/root.crt"
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:  # it makes its certificate while it listens already
            with contextlib.suppress(OSError, requests.ConnectionError):
                requests.get(f"https://localhost:{https}/metrics", verify=str(root), timeout=60)
                break
            time.sleep(0.05)
        yield f"https://localhost:{https}", str(root), log


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request):
    return request.getfixturevalue(request.param)


@pytest.mark.enable_socket
def test_a_proxy_passes_on_who_asked_and_nothing_that_only_it_may_say(proxy, behind):
    url, authority, _ = proxy
    forged = {
        "X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.9", "X-Forwarded-Proto": "gopher",
        "X_Request_Id": "forged", "X-Request-Id": "forged", "Authorization": "Bearer token",
    }  # fmt: skip
    reply = requests.get(
        f"{url}/contact?phoneNumber=%2B16505551212&a=b+c%26", headers=forged, verify=authority, timeout=60
    )
    assert reply.text == "ok"
    (seen,) = behind.seen
    found = {name.lower(): value for name, value in seen["headers"].items()}
    assert seen["path"] == "/contact?phoneNumber=%2B16505551212&a=b+c%26"
    assert found["x-forwarded-for"] == "127.0.0.1"
    assert found["x-forwarded-proto"] == "https"
    assert found["authorization"] == "Bearer token"
    assert re.fullmatch(r"[A-Za-z0-9._-]{16,64}", found["x-request-id"])
    assert not [name for name in found if "_" in name]
    assert found["host"].startswith("localhost")


@pytest.mark.enable_socket
def test_a_proxy_passes_on_addresses_with_thousands_of_ids(proxy, behind):
    url, authority, _ = proxy
    path = "/callLog?sessionIds=" + ",".join(str(5900000000000 + number) for number in range(4600))
    assert requests.get(f"{url}{path}", verify=authority, timeout=60).text == "ok"
    assert [seen["path"] for seen in behind.seen] == [path]


@pytest.mark.enable_socket
@pytest.mark.parametrize("length", [65_600, 90_000])
def test_a_longer_address_is_refused_with_a_sentence(nginx, length):
    url, authority, _ = nginx
    for _ in range(10):  # nginx closes before it has read all, which may cut off the answer, too
        with contextlib.suppress(requests.ConnectionError):
            reply = requests.get(f"{url}/callLog?sessionIds={'1' * length}", verify=authority, timeout=60)
            break
    assert (reply.status_code, reply.text) == (414, "Invalid request: the address is too long.")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.enable_socket
def test_a_proxy_keeps_a_body_until_it_is_whole(proxy, behind):
    url, authority, _ = proxy
    port = int(url.rsplit(":", 1)[1])
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as link,
    ):
        link.sendall(b"POST /callLog HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        time.sleep(0.5)
        assert behind.seen == []
        sent_last = time.monotonic()
        link.sendall(b"67890")
        assert b" 200 " in link.recv(4096).split(b"\r\n")[0]
    (seen,) = behind.seen
    assert (seen["body"], seen["at"] >= sent_last) == (b"1234567890", True)


@pytest.mark.enable_socket
def test_a_proxy_shows_no_metrics_and_takes_no_endless_body(proxy, behind):
    url, authority, _ = proxy
    assert requests.get(f"{url}/metrics", verify=authority, timeout=60).status_code == 404
    reply = requests.post(f"{url}/callLog", data=b"x" * 6_000_000, verify=authority, timeout=60)
    assert reply.status_code in (413, 502)  # Caddy 2.6 blames the server behind it
    assert [seen["path"] for seen in behind.seen if len(seen["body"]) > 5_300_000] == []


@pytest.mark.enable_socket
def test_a_proxys_log_holds_no_query_and_no_token(proxy):
    url, authority, log = proxy
    requests.get(f"{url}/contact?phoneNumber=16505551212&jwtToken=t0ken", headers={"Authorization": "Bearer t0ken"},
                 verify=authority, timeout=60)  # fmt: skip
    give_up = time.monotonic() + 120
    while "/contact" not in log.read_text() and time.monotonic() < give_up:
        time.sleep(0.05)
    text = log.read_text()
    assert "/contact" in text
    assert "1650555" not in text
    assert "t0ken" not in text


_UNLIMITED = {"THROTTLE_ADDRESS": "999999/s", "THROTTLE_WRONG_TOKEN": "999999/s"}


@pytest.mark.enable_socket
@pytest.mark.slow
def test_servers_restart_one_by_one_behind_nginx_without_a_failed_request(tmp_path):
    """Requests of every kind go on meanwhile; those that a server has taken are answered before it ends."""
    servers = [start_server(tmp_path, threads=4, **_UNLIMITED)]
    url = servers[0].environment["DATABASE_URL"]
    servers.append(start_server(tmp_path, threads=4, database_url=url, **_UNLIMITED))
    failed, answered, stop = [], [], threading.Event()

    def ask(number):
        with requests.Session() as session:
            while not stop.wait(0.01) and not failed:
                try:
                    method, path = [("GET", "/serverVersionInfo"), ("POST", "/callLog")][number % 2]
                    reply = session.request(method, f"{address}{path}", json={}, verify=authority, timeout=60)
                    (answered if reply.status_code in (200, 400) else failed).append(reply.status_code)
                except requests.RequestException as error:
                    failed.append(repr(error))

    try:
        with _nginx(tmp_path, *(server.url.removeprefix("http://") for server in servers)) as (address, authority, _):
            callers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
            for caller in callers:
                caller.start()
            try:
                for number, server in enumerate(servers):
                    before = len(answered)
                    server.stop()
                    while len(answered) < before + 50 and not failed:
                        time.sleep(0.05)
                    servers[number] = server.again()
                    before = len(answered)
                    while len(answered) < before + 50 and not failed:
                        time.sleep(0.05)
            finally:
                stop.set()
                for caller in callers:
                    caller.join(120)
    finally:
        for server in servers:
            server.stop()
    assert failed == []
    assert len(answered) >= 200


# --- The image ---


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_dockerfile_has_no_fault_that_hadolint_knows():
    done = subprocess.run([_tool("hadolint"), str(DEPLOY / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_image_holds_no_secret_and_runs_as_nobody_special():
    instructions = _instructions()
    last = instructions[max(number for number, (name, _) in enumerate(instructions) if name == "FROM") :]
    users = [value for name, value in last if name == "USER"]
    assert users == ["10001"]
    assert not [
        value for name, value in instructions if name in ("ENV", "ARG") and re.search("SECRET|PASSW|TOKEN|_KEY", value)
    ]
    assert any(name == "HEALTHCHECK" and "/healthz" in value for name, value in last)
    assert all(":latest" not in value and ":" in value for name, value in instructions if name == "FROM")


@pytest.mark.enable_socket
@pytest.mark.slow
def test_what_goes_into_the_image_suffices_and_needs_no_file_of_its_own_folder(tmp_path):
    """The same files, in a folder that cannot be written to, with the commands of the image."""
    app = tmp_path / "app"
    app.mkdir()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    left_out = shutil.ignore_patterns(*(line[3:] for line in ignored if line.startswith("**/")))
    for name in [line[1:] for line in ignored if line.startswith("!")]:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, app / name, ignore=left_out)
        else:
            (app / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, app / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(app)], check=True)
    before = set(app.rglob("*"))
    port = free_port()
    variables = {
        **SOUND, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1",
        "VAR_DIR": str(tmp_path / "var"), "METRICS_DIR": str(tmp_path / "metrics"), "PORT": str(port),
        "WEB_WORKERS": "1",
    }  # fmt: skip
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "prepare"], cwd=app, env=variables, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen([*manage, "serve"], cwd=app, env=variables)
    try:
        give_up = time.monotonic() + 120
        while True:
            with contextlib.suppress(requests.ConnectionError):
                assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
                break
            assert server.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.1)
        assert requests.get(f"http://127.0.0.1:{port}/crmManifest", timeout=60).json()["platforms"]
        assert requests.get(f"http://127.0.0.1:{port}/admin/login/", timeout=60).status_code == 200
    finally:
        server.terminate()
        server.wait(60)
    assert set(app.rglob("*")) == before


# --- compose and systemd ---


def test_compose_sets_variables_that_exist_and_holds_no_secret():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    ours = {name: service for name, service in services.items() if service["image"] == "switchboard"}
    assert ours.keys() == {"prepare", "web", "worker"}
    for service in ours.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert set(service["environment"]) <= env.names
    assert {"database", "redis", "proxy"} <= services.keys()
    assert [services[name].get("ports") for name in ("web", "database", "redis")] == [None, None, None]
    values = [pair for service in services.values() for pair in service.get("environment", {}).items()]
    assert all("${" in value for name, value in values if re.search("PASSWORD|SECRET|KEY|DATABASE_URL", name))


@pytest.mark.parametrize("name", ["switchboard-web.service", "switchboard-worker.service"])
def test_systemd_knows_every_line_of_the_units(name, tmp_path):
    tool = _tool("systemd-analyze")
    text = (DEPLOY / name).read_text().replace("/opt/switchboard/.venv/bin/python", "/bin/true")
    (tmp_path / name).write_text(text.replace("WorkingDirectory=/opt/switchboard", f"WorkingDirectory={tmp_path}"))
    done = subprocess.run([tool, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if name in line] == []


def test_the_units_run_commands_that_exist():
    from django.core.management import get_commands

    run = re.findall(r"manage\.py (\w+)", "".join(path.read_text() for path in DEPLOY.glob("*.service")))
    assert {"prepare", "serve", "deliver"} <= set(run)
    assert set(run) <= get_commands().keys()


# --- AWS Lambda ---

_LAMBDA = """
import json, sys, threading
from connectors.api import application
seen = []
original = application.Application.__call__
def noting(self, environ, start_response):
    seen.append([environ["QUERY_STRING"], environ["REMOTE_ADDR"]])
    return original(self, environ, start_response)
application.Application.__call__ = noting
before = threading.active_count()
from deploy.aws_lambda import handler
found = []
for event in json.load(sys.stdin):
    try:
        found.append(handler(event, None))
    except ValueError as error:
        found.append(str(error))
print("=>" + json.dumps([found, seen, threading.active_count() - before]))
"""


def _lambda(tmp_path, events, **variables):
    variables = {**SOUND, "PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **variables}
    return subprocess.run(
        [sys.executable, "-c", _LAMBDA],
        env=variables,
        cwd=ROOT,
        input=json.dumps(events),
        capture_output=True,
        text=True,
    )


def _event(method, path, query="", body=None, **headers):
    return {
        "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": {"host": "x.example", **headers},
        "body": body, "isBase64Encoded": False,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7", "protocol": "HTTP/1.1"}},
    }  # fmt: skip


def test_lambda_refuses_sqlite_and_missing_keys(tmp_path):
    done = _lambda(tmp_path, [])
    assert (done.returncode, done.stderr) == (
        1,
        "DATABASE_URL must name PostgreSQL on AWS Lambda: a SQLite file would be lost with each of its machines.\n",
    )
    done = _lambda(tmp_path, [], HASH_KEY="", DATABASE_URL="postgres://u:p@127.0.0.1/n")
    assert done.returncode == 1
    assert done.stderr.startswith("HASH_KEY must be set")


@pytest.mark.enable_socket
@pytest.mark.skipif(not postgres_is_there(), reason="needs PostgreSQL")
def test_lambda_answers_requests_with_the_query_as_it_was_sent_and_delivers_on_schedule(tmp_path):
    query = "phoneNumber=%2B16505551212&overridingFormat=a+b%26c&x"
    events = [
        {"command": "prepare"},
        _event("GET", "/isAlive"),
        _event("GET", "/contact", query, authorization="Bearer wrong"),
        _event("POST", "/apiKeyLogin", body=json.dumps({"platform": "nocrm"}), **{"content-type": "application/json"}),
        _event("GET", "/static/admin/css/base.css"),
        {"command": "deliver"},
        {"command": "shell"},
        {"version": "1.0", "httpMethod": "GET", "path": "/isAlive"},
    ]
    with postgres_database(URL) as url:
        done = _lambda(tmp_path, events, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    found, seen, threads = json.loads(done.stdout.split("=>", 1)[1])
    prepared, alive, contact, login, static, delivered, refused, old = found
    assert "No administrator yet" in prepared["output"] or "Administrator: admin" in prepared["output"]
    assert (alive["statusCode"], alive["body"]) == (200, "OK")
    assert contact["statusCode"] == 400
    assert login["statusCode"] == 400
    assert static["statusCode"] == 200
    assert delivered["output"] == "0 sent, 0 still wait.\n"
    assert refused == "The command must be one of prepare, deliver, clear_tokens, check."
    assert old.startswith("Use payload format 2.0")
    assert [query, "203.0.113.7"] in seen
    assert threads == 0
