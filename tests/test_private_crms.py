"""CRMs of a private network, described by data: ports and http only where the operator lets requests go there."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.test import override_settings

from adapters import registry
from adapters.checks import check_adapters
from adapters.contract import ConnectorError, Credentials, RequestRejected, UserProfile
from adapters.opening import construct
from tests.declarative import USER_INFO, definition_with, manifest_with
from tests.exchanges import MemoryCache


@pytest.fixture
def describe(tmp_path, settings):
    """Puts a definition with this server half into a folder of the installation."""

    def put(key="grove", **server):
        folder = tmp_path / key.lower()
        folder.mkdir()
        client = {
            **manifest_with().client,
            "name": key,
            **{"urlIdentifier": "x", "embedUrls": [], "settings": [], "environment": {"type": "fixed", "url": "x"}},
            "auth": {"type": "apiKey", "apiKey": {"page": {"content": [{"const": "apiKey"}]}}},
            "page": {form: {"additionalFields": []} for form in ("callLog", "messageLog", "newContact")},
        }
        half = {"auth": {"type": "api_key"}, "capabilities": ["license_status", "refresh_user"], **server}
        (folder / "manifest.json").write_text(json.dumps({"client": client, "server": half}))
        (folder / "definition.json").write_text(json.dumps(definition_with({})))
        settings.ADAPTER_FOLDERS = [str(tmp_path)]

    return put


@pytest.fixture
def crm(socket_enabled):
    """A CRM that answers by http on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = json.dumps({"id": 9, "name": "Pia"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    yield server
    server.shutdown()
    server.server_close()


def _open():
    return construct(
        platform="grove",
        user=UserProfile(id="1", name=""),
        credentials=Credentials(access_token="key-1"),
        cache=MemoryCache({}),
    )


@pytest.mark.parametrize(
    ("server", "faults"),
    [
        (
            {"base_url": "http://crm.internal/v1", "hosts": ["crm.internal"]},
            ["server.base_url is http: only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on"],
        ),
        (
            {"base_url": "https://crm.internal:8443/v1", "hosts": ["crm.internal:8443"]},
            ["server.hosts: 'crm.internal:8443' names a port: only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on"],
        ),
        (
            {"base_url": "https://crm.internal/v1", "hosts": ["crm.internal", "*.crm.internal:9000"]},
            ["server.hosts: '*.crm.internal:9000' names a port: only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on"],
        ),
        (
            {
                "base_url": "${GROVE_URL}",
                "hosts": ["${GROVE_URL}"],
                "settings": {"GROVE_URL": "http://crm.internal:81"},
            },
            [
                "server.hosts: 'crm.internal:81' names a port: only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on",
                "server.base_url is http: only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on",
            ],
        ),
    ],
)
def test_a_port_or_http_is_a_mistake_until_the_operator_allows_it(describe, tmp_path, server, faults):
    describe(**server)

    assert registry.broken()[str(tmp_path / "grove")].splitlines() == [f"manifest.json: {fault}" for fault in faults]
    assert registry.find_platform("grove") is None
    assert [check.id for check in check_adapters()] == ["adapters.E001"] * len(faults)
    with override_settings(OUTBOUND_ALLOW_PRIVATE_ADDRESSES=True):
        assert registry.broken() == {}
        assert check_adapters() == []
        assert registry.find_platform("grove") == "grove"


@pytest.mark.parametrize("key", ["my-crm", "9lives", "x", "a" * 33, "crm.two", "grüve"])
def test_a_definition_under_a_key_that_cannot_be_one_is_not_offered(describe, tmp_path, key):
    describe(key, base_url="https://crm.internal/v1", hosts=["crm.internal"])

    (fault,) = registry.broken().values()
    assert fault == f"the platform key {key!r} must be 2 to 32 letters and digits, a letter first"
    assert registry.find_platform(key) is None


@pytest.mark.parametrize("key", ["clio", "testCRM"])
def test_a_definition_under_a_key_that_is_taken_is_not_offered(describe, tmp_path, key):
    mine = registry.manifests()[key]
    describe(key, base_url="https://crm.internal/v1", hosts=["crm.internal"])

    assert registry.broken() == {str(tmp_path / key.lower()): f"the platform key {key!r} is taken"}
    assert registry.manifests()[key] == mine


def test_the_usual_port_needs_nobodys_leave(describe):
    describe(base_url="https://crm.internal:443/v1", hosts=["crm.internal:443"])

    assert registry.broken() == {}


def test_a_crm_on_a_port_by_http_is_reached_where_it_is_allowed(describe, settings, crm):
    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
    host = f"127.0.0.1:{crm.server_port}"
    describe(base_url=f"http://{host}/v1", hosts=[host])

    assert _open().user_profile().name == "Pia"
    assert crm.asked == [f"/v1{USER_INFO['url']}"]


def test_another_port_and_another_host_stay_closed(describe, settings, crm):
    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
    host = f"127.0.0.1:{crm.server_port}"
    describe(base_url=f"http://{host}/v1", hosts=[host])
    http = _open().http

    for address in ("http://127.0.0.1:1/v1/me", f"http://localhost:{crm.server_port}/v1/me", "http://127.0.0.1/me"):
        with pytest.raises(RequestRejected) as error:
            http.get(address)
        assert error.value.reason == "the host is not one of this CRM"
    assert crm.asked == []


def test_without_leave_nothing_leaves_even_if_the_definition_was_read_before(describe, settings, crm):
    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
    host = f"127.0.0.1:{crm.server_port}"
    describe(base_url=f"http://{host}/v1", hosts=[host])
    manifest = registry.manifests()["grove"]

    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = False

    assert not registry.speaks_plain_http(manifest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "manifests", lambda: {"grove": manifest})
        patch.setattr(registry, "folder_of", lambda platform: registry.Path(settings.ADAPTER_FOLDERS[0]) / "grove")
        with pytest.raises(ConnectorError) as error:
            _open().user_profile()
    assert error.value.reason == "the address is not https"
    assert crm.asked == []


def test_https_stays_https_where_private_addresses_are_allowed(describe, settings):
    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
    describe(base_url="https://crm.internal/v1", hosts=["crm.internal"])

    with pytest.raises(RequestRejected) as error:
        _open().http.get("http://crm.internal/v1/me")

    assert error.value.reason == "the address is not https"


def test_an_adapter_of_code_gets_no_http_by_it(settings):
    settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES = True
    settings.ADAPTER_VARIABLES = {"REDTAIL_API_SERVER": "http://crm.internal"}
    manifests = [manifest for manifest in registry.manifests().values() if not manifest.server.sandbox]

    assert manifests
    assert not [manifest.name for manifest in manifests if registry.speaks_plain_http(manifest)]
