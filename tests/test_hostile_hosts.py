"""Hosts and addresses that a caller, a token reply or a DNS answer chooses: nothing is sent outside a CRM's own hosts.

Driven through the API as an attacker would; ``tests/test_http.py`` has the guard by itself.
"""

from __future__ import annotations

import json
import socket
from urllib.parse import quote

import pytest
import responses

from adapters import registry
from adapters.contract import HttpClient, OutboundPolicy, RequestRejected
from adapters.contract.outbound_guard import is_public, refusal
from connectors.api.conversations import with_token
from connectors.log_body.media import is_ringcentral
from connectors.models import CrmUser

HOSTILE = [
    "evil.example",
    "evil.example#",
    "evil.example/",
    "evil.example?",
    "evil.example\\",
    "evil.example:443",
    "user:pass@evil.example",
    "{good}@evil.example",
    "{good}.evil.example",
    "evil-{good}",
    "{good}:8443",
    "{good}\n.evil.example",
    "{good}%2eevil.example",
    "https://evil.example/{good}",
    "//evil.example",
    "localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::7f00:1]",
    "[fd00::1]",
    "[fe80::1%25eth0]",
    "metadata.google.internal",
    "１２７.0.0.1",
    "ⓔⓥⓘⓛ.example",
    "xn--e1afmkfd.example",
    "." * 300,
]


@pytest.fixture
def asked(settings, monkeypatch):
    """Names that were looked up; every look-up then fails, so nothing is sent anywhere."""
    names = []

    def resolve(host, *arguments, **options):
        names.append(host if isinstance(host, str) else host.decode())
        raise socket.gaierror("not in this test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    secrets = {name: "configured" for item in registry.manifests().values() for name in item.server.secrets}
    settings.ADAPTER_VARIABLES = secrets
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (100_000, 60))
    return names


def _platforms(*kinds):
    found = registry.manifests().items()
    return [name for name, manifest in found if manifest.server.auth.type in kinds and not manifest.server.sandbox]


def _good(platform):
    hosts = [host for host in registry.manifests()[platform].server.hosts if not host.startswith("${")]
    return hosts[0].replace("*.", "x.") if hosts else "crm.example"


def _only_its_own(platform, names):
    manifest = registry.manifests()[platform]
    return not [name for name in names if refusal(f"https://{name}/", registry.hosts_for(manifest))]


@pytest.mark.django_db
@pytest.mark.parametrize("platform", _platforms("api_key", "password") or [pytest.param("", marks=pytest.mark.skip)])
def test_no_host_of_a_login_form_leads_elsewhere(client, asked, platform):
    for host in HOSTILE:
        host = host.replace("{good}", _good(platform))
        fields = dict.fromkeys(("hostname", "apiUrl", "apiServer", "url", "instanceUrl"), host)
        body = {"platform": platform, "apiKey": "k", "hostname": host, "additionalInfo": {"username": "u", **fields}}
        reply = client.post("/apiKeyLogin", json.dumps(body), content_type="application/json")
        assert reply.status_code == 400, (host, reply.content)
    assert _only_its_own(platform, asked)
    assert not CrmUser.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", ["hostname", "tokenUrl", "apiUrl", "location", "username"])
@pytest.mark.parametrize("platform", _platforms("oauth"))
def test_no_parameter_of_the_oauth_callback_leads_elsewhere(client, asked, platform, parameter):
    redirect = f"https://ringcentral.github.io/x?state=platform={platform}"
    for host in HOSTILE:
        host = host.replace("{good}", _good(platform))
        value = f"https://{host}/oauth/token" if parameter.endswith("Url") else host
        reply = client.get(f"/oauth-callback?callbackUri={quote(redirect)}&code=c&{parameter}={quote(value)}")
        assert reply.status_code in (200, 400), (value, reply.status_code)
        assert b"jwtToken" not in reply.content
    assert _only_its_own(platform, asked)
    assert not CrmUser.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254",
     "100.100.100.200", "192.0.0.192", "168.63.129.16", "192.88.99.1", "198.18.0.1", "0.0.0.0", "::ffff:0:127.0.0.1"],
)  # fmt: skip
def test_addresses_that_clouds_and_translators_use_inside_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "uri",
    [
        "https://media.ringcentral.com/restapi/v1.0/x",
        "https://platform.ringcentral.com/x?y=1",
    ],
)
def test_a_ringcentral_token_goes_to_ringcentral(uri):
    assert with_token(uri, "token").startswith(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://media.ringcentral.com/x",
        "https://ringcentral.com.evil.example/x",
        "https://evilringcentral.com/x",
        "https://evil.example/ringcentral.com",
        "https://media.ringcentral.com@evil.example/x",
        "https://evil.example#.ringcentral.com",
        "https://evil.example?.ringcentral.com",
        "https://evil.example\\.ringcentral.com/x",
        "https://evil.example\\@media.ringcentral.com/x",
        "https://media.ringcentral.com:8443/x",
        "https://user@media.ringcentral.com/x",
        "https://media.ringcentral.com\t.evil.example/",
        "//media.ringcentral.com/x",
        "javascript:alert(1)//.ringcentral.com",
        "https://[::1]/x",
        "https://[",
    ],
)
def test_and_nowhere_else(uri):
    assert with_token(uri, "token") == ""
    assert not is_ringcentral(uri)


def test_a_redirect_to_another_host_takes_no_credentials_along():
    client = HttpClient(
        base_url="https://crm.example", hosts=["crm.example"], headers={"X-Token": "secret"}, policy=OutboundPolicy()
    )
    with responses.RequestsMock() as crm:
        crm.get("https://crm.example/a", status=302, headers={"Location": "https://evil.example/"})
        with pytest.raises(Exception, match="answer"):
            client.get("/a")
        assert [call.request.url for call in crm.calls] == ["https://crm.example/a"]
    with pytest.raises(RequestRejected):
        client.get("https://evil.example/")
