"""Keys, passwords, addresses and hosts as they come out of a clipboard."""

from __future__ import annotations

import base64

import pytest
import responses
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from connectors.models import CrmUser
from connectors.services.pasted import clean_fields, clean_host
from tests.stored_contacts import VARIABLES

KEY = "0f3c-example-key"
PASTED_KEYS = (
    KEY,
    f"{KEY}\u200b",
    f"\ufeff{KEY}",
    f'"{KEY}"',
    f"'{KEY}'",
    f"\u201c{KEY}\u201d",
    f" {KEY}\r\n",
    f"\u00a0{KEY}\u00a0",
    f"\u202a{KEY}\u202c",
    "0f3c-exam\u2060ple-key",
    "0f3c-\nexample-key",
    f'"\u200b {KEY}" ',
    f"Bearer {KEY}",
    f"Authorization: bearer {KEY}",
    f"API key: {KEY}",
    f"apiKey={KEY}",
    f'"{KEY}",',
    f"<{KEY}>",
    f"{KEY}\x08",
    f"\x1b[200~{KEY}\x1b[201~",
    f"[200~{KEY}[201~",
    f"\x1b[0m{KEY}",
    *(f"{KEY}{sign}" for sign in "\ufe0f\u3164\u2800\u034f"),
    "\uff10\uff46\uff13\uff43-example-key",
    f"X-Api-Key: {KEY}",
    f"x-auth-token:{KEY}",
    f"Token {KEY}",
    "Basic " + base64.b64encode(f"{KEY}:".encode()).decode(),
    "Authorization: Basic " + base64.b64encode(f"{KEY}:x".encode()).decode(),
    f"({KEY})",
    f"**{KEY}**",
)


def _cleaned(platform, **fields):
    return clean_fields(registry.manifests()[platform], fields)


@pytest.mark.parametrize("pasted", PASTED_KEYS)
@pytest.mark.parametrize("platform", ["insightly", "testCRM", "exampleCRM"])
def test_a_key_loses_what_cannot_belong_to_it(platform, pasted):
    assert _cleaned(platform, apiKey=pasted) == {"apiKey": KEY}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("\u200bp w\u200b", "p w"),
        ('"pw"', '"pw"'),
        (" pw ", " pw "),
        ("'\u201cpw\u201d", "'\u201cpw\u201d"),
        ("pw\r\n", "pw"),
        ("a\u200bb", "a\u200bb"),
        ("\u202epw", "pw"),
    ],
)
def test_a_password_loses_only_what_nobody_sees_at_its_ends(typed, sent):
    assert _cleaned("redtail", password=typed, username="\u200b jane ") == {"password": sent, "username": "jane"}


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("https://api.na1.insightly.com/v3.1/", "https://api.na1.insightly.com/v3.1/"),
        ("api.na1.insightly.com/v3.1", "https://api.na1.insightly.com/v3.1"),
        (" \u200bAPI.na1.insightly.com ", "https://API.na1.insightly.com"),
        ('"https://api.na1.insightly.com"', "https://api.na1.insightly.com"),
        ("//api.na1.insightly.com", "https://api.na1.insightly.com"),
        ("api.na1.insightly.com:443/v3.1", "https://api.na1.insightly.com:443/v3.1"),
        ("http://api.na1.insightly.com", "http://api.na1.insightly.com"),
        ("", ""),
        ("URL: https://api.na1.insightly.com/v3.1", "https://api.na1.insightly.com/v3.1"),
        ("https%3A%2F%2Fapi.na1.insightly.com%2Fv3.1", "https://api.na1.insightly.com/v3.1"),
        ("https//api.na1.insightly.com", "https://api.na1.insightly.com"),
        (r"https:\\api.na1.insightly.com", "https://api.na1.insightly.com"),
        ("(api.na1.insightly.com)", "https://api.na1.insightly.com"),
    ],
)
def test_an_address_without_a_scheme_gets_one(pasted, address):
    assert _cleaned("insightly", apiUrl=pasted) == {"apiUrl": address}


@pytest.mark.parametrize(
    "pasted",
    [
        "app.clio.com",
        "APP.CLIO.COM",
        "app.clio.com/nc/#/contacts",
        "app.clio.com:443",
        "https://app.clio.com/nc",
        "HTTPS://APP.CLIO.COM:443",
        " app.clio.com\u200b",
        "app.clio.com.",
        "app.clio.com?x=1",
        "app.clio.com#top",
        '"app.clio.com"',
        "<https://app.clio.com/nc>",
        "app.clio.com,",
        "\uff41\uff50\uff50.clio.com",
    ],
)
def test_a_host_is_cut_out_of_what_was_pasted(pasted):
    assert clean_host(pasted) == "app.clio.com"


@pytest.mark.parametrize(
    "claimed", ["evil.example", "app.clio.com@evil.example", "app.clio.com.evil.example", "evil.example/app.clio.com"]
)
def test_another_host_does_not_become_an_allowed_one(claimed):
    assert clean_host(claimed) != "app.clio.com"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    assert clean_host(clean_host(text)) == clean_host(text)
    for name in ("apiKey", "apiUrl", "password", "username", "hostname"):
        once = _cleaned("redtail", **{name: text})
        assert _cleaned("redtail", **once) == once


def _answers(mock, url, body):
    mock.get(url, json=body)


@pytest.mark.django_db
@pytest.mark.parametrize("pasted", PASTED_KEYS)
def test_insightly_is_connected_with_a_pasted_key_and_address(client, pasted):
    body = {
        "platform": "insightly",
        "hostname": "CRM.na1.insightly.com/list",
        "apiKey": pasted,
        "additionalInfo": {"apiKey": pasted, "apiUrl": "api.na1.insightly.com/v3.1"},
    }
    with override_settings(ADAPTER_VARIABLES=VARIABLES), responses.RequestsMock() as mock:
        sent = mock.get(
            "https://api.na1.insightly.com/v3.1/Users/Me",
            json={"USER_ID": 5, "FIRST_NAME": "Ann", "INSTANCE_ID": 660},
        )
        reply = client.post("/apiKeyLogin", body, content_type="application/json")
        assert reply.status_code == 200, reply.json()
        authorization = sent.calls[0].request.headers["Authorization"]
    assert authorization == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    user = CrmUser.objects.get()
    assert (user.access_token, user.host) == (KEY, "crm.na1.insightly.com")


@pytest.mark.django_db
@pytest.mark.parametrize("hostname", ["APP.CLIO.COM", "app.clio.com/nc/#/contacts", "app.clio.com:443"])
def test_clio_is_connected_from_whatever_stands_in_the_address_bar(client, hostname):
    uri = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html?state=platform%3Dclio&code=c"
    with override_settings(ADAPTER_VARIABLES=VARIABLES), responses.RequestsMock() as mock:
        mock.post("https://app.clio.com/oauth/token", json={"access_token": "t", "token_type": "bearer"})
        mock.get("https://app.clio.com/api/v4/users/who_am_i.json", json={"data": {"id": 9, "name": "Ann"}})
        reply = client.get("/oauth-callback", {"callbackUri": uri, "hostname": hostname})
    assert reply.json().get("jwtToken"), reply.json()
    user = CrmUser.objects.get()
    assert (user.host, user.credentials().hostname) == ("app.clio.com", "app.clio.com")


@pytest.mark.django_db
def test_redtail_gets_the_password_as_it_was_typed(client):
    body = {
        "platform": "redtail",
        "hostname": "https://CRM.redtailtechnology.com/contacts",
        "additionalInfo": {"username": "\u200bjane ", "password": '"pw" \u200b'},
    }
    with override_settings(ADAPTER_VARIABLES=VARIABLES), responses.RequestsMock() as mock:
        url = "https://crm.redtailtechnology.com/api/public/v1/authentication"
        sent = mock.get(url, json={"authenticated_user": {"user_key": "k", "first_name": "Jane", "user_id": 3}})
        reply = client.post("/apiKeyLogin", body, content_type="application/json")
        assert reply.status_code == 200, reply.json()
        authorization = sent.calls[0].request.headers["Authorization"]
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == 'partner-key:jane:"pw" '
    assert CrmUser.objects.get().host == "crm.redtailtechnology.com"


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["testCRM", "exampleCRM"])
def test_a_pasted_key_is_stored_clean(client, platform):
    body = {"platform": platform, "apiKey": '"key\u200b-1" ', "additionalInfo": {}}
    with override_settings(ADAPTER_VARIABLES=VARIABLES), responses.RequestsMock() as mock:
        mock.get("http://127.0.0.1:8070/api/me", json={"id": "u-1", "name": "Ann", "email": "a@example.com"})
        reply = client.post("/apiKeyLogin", body, content_type="application/json")
        assert reply.status_code == 200, reply.json()
    assert CrmUser.objects.get().access_token == "key-1"


@pytest.mark.parametrize(
    "pasted",
    [
        "//app.clio.com/x",
        "https//app.clio.com/x",
        r"https:\\app.clio.com\x",
        "https:app.clio.com",
        "https%3A%2F%2Fapp.clio.com%2Fx",
        "URL: https://app.clio.com",
        "Host: app.clio.com",
        "(app.clio.com)",
        "[Clio](https://app.clio.com/nc)",
        "app\u3002clio\u3002com",
        "*app.clio.com*",
    ],
)
def test_a_host_is_read_out_of_what_is_pasted_with_it(pasted):
    assert clean_host(pasted) == "app.clio.com"


@pytest.mark.parametrize("host", ["host:8443", "urls.example.com", "httpsrv.example.com", "domain.example.com"])
def test_a_host_that_begins_like_a_label_stays(host):
    assert clean_host(host) == host.partition(":")[0]


@pytest.mark.parametrize(
    ("pasted", "name"),
    [
        ("mailto:kim@example.com", "kim@example.com"),
        ('"kim@example.com"', "kim@example.com"),
        ("Kim Agent <kim@example.com>", "kim@example.com"),
        ("<kim@example.com>", "kim@example.com"),
        ("kim\x08", "kim"),
        ("o'neil", "o'neil"),
        ("ACME\\kim", "ACME\\kim"),
    ],
)
def test_a_user_name_loses_what_is_around_it(pasted, name):
    assert _cleaned("redtail", username=pasted) == {"username": name}
