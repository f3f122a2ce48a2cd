"""The manifest as the extension gets it: whole, filled in for this installation, and without what breaks a page."""

from __future__ import annotations

import re

import pytest

from adapters import registry

ORIGIN = {"HTTP_ORIGIN": "chrome-extension://abc"}
PLATFORMS = sorted(registry.manifests())


@pytest.fixture
def served(client):
    return lambda query="": client.get(f"/crmManifest{query}", **ORIGIN).json()


def _first_for(document, address):
    """The platform that the extension offers in a tab with this address: the first one that fits."""
    found = document["platforms"].items()
    return next(key for key, platform in found if re.search(platform["urlIdentifier"].replace("*", ".*", 1), address))


def test_the_addresses_are_those_of_this_installation(served, settings):
    settings.APP_SERVER = "https://switchboard.example.com"
    assert served()["serverUrl"] == "https://switchboard.example.com"
    redirect = served()["platforms"]["pipedrive"]["auth"]["oauth"]["redirectUri"]
    assert redirect == "https://switchboard.example.com/pipedrive-redirect"
    assert "${" not in str(served())


def test_an_override_holds_for_the_request_and_leaves_no_trace(served, settings):
    plain = served()
    settings.OVERRIDE_APP_SERVER = "https://other.example.com"
    settings.OVERRIDE_SERVER_SIDE_LOGGING_SERVER = "https://logging.example.com"
    other = served()
    assert other["serverUrl"] == "https://other.example.com"
    logging = [platform["serverSideLogging"]["url"] for platform in other["platforms"].values()
               if "serverSideLogging" in platform]  # fmt: skip
    assert logging
    assert set(logging) == {"https://logging.example.com"}
    settings.OVERRIDE_APP_SERVER = settings.OVERRIDE_SERVER_SIDE_LOGGING_SERVER = ""
    assert served() == plain


def test_one_platform_can_be_asked_for(client, served):
    assert list(served("?platformName=clio")["platforms"]) == ["clio"]
    assert served("?platformName=default") == served()
    reply = client.get("/crmManifest?platformName=nowhere")
    assert (reply.status_code, reply.content) == (400, b"Platform not found")


def test_a_manifest_that_did_not_change_is_not_sent_again(client):
    reply = client.get("/crmManifest", **ORIGIN)
    assert reply["Cache-Control"] == "no-cache"
    again = client.get("/crmManifest", HTTP_IF_NONE_MATCH=reply["ETag"], **ORIGIN)
    assert (again.status_code, again.content, again["Access-Control-Allow-Origin"]) == (304, b"", "*")


@pytest.mark.parametrize("key", PLATFORMS)
def test_nothing_is_missing_that_the_extension_reads_unguarded(served, key):
    platform = served()["platforms"][key]
    assert platform["name"] == key
    assert isinstance(platform["urlIdentifier"], str)
    assert isinstance(platform["embedUrls"], list)
    assert platform.get("contactTypes", "absent") != []
    assert "contactPageUrl" in platform or key == "bullhorn"  # whose pages the extension knows by itself
    for section in platform["settings"]:
        for item in section["items"]:
            assert item["type"] != "option" or item.get("dynamicOptions") or item["options"]
    page = platform["page"]
    assert page["feedback"]["url"].startswith("http")
    assert isinstance(page["feedback"]["elements"], list)
    for form in ("callLog", "messageLog", "newContact"):
        assert isinstance(page[form]["additionalFields"], list)


@pytest.mark.parametrize("key", ["clio", "insightly"])
def test_the_extension_finds_the_settings_it_appends_its_phone_formats_to(served, key):
    platform = served()["platforms"][key]
    assert f"{platform['displayName']} options" in [section["name"] for section in platform["settings"]]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("http://127.0.0.1:8070/", "testCRM"),
        ("http://127.0.0.1:8070/contacts/1", "testCRM"),
        ("http://127.0.0.1:8070/#example", "exampleCRM"),
        ("https://eu.app.clio.com/nc/", "clio"),
        ("https://acme.pipedrive.com/deals", "pipedrive"),
        ("https://crm.na1.insightly.com/home", "insightly"),
        ("https://crm.redtailtechnology.com/", "redtail"),
        ("https://app.bullhornstaffing.com/", "bullhorn"),
    ],
)
def test_a_tab_leads_to_its_own_crm(served, address, key):
    assert _first_for(served(), address) == key
