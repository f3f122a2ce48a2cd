"""The manifest as the extension gets it: whole, filled in for this installation, and without what breaks a page."""

from __future__ import annotations

import re

import pytest

from adapters import registry
from adapters.checks import check_configuration

ORIGIN = {"HTTP_ORIGIN": "chrome-extension://abc"}
PLATFORMS = sorted(registry.manifests())


@pytest.fixture(autouse=True)
def set_up(settings):
    """Every CRM is set up: each variable that a manifest names holds its own name."""
    names = {name for manifest in registry.manifests().values() for name in manifest.server.secrets}
    settings.ADAPTER_VARIABLES = {name: f"the-{name}" for name in names}
    return settings.ADAPTER_VARIABLES


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
    settings.SERVER_SIDE_LOGGING_URL = "https://logging.example.com"
    other = served()
    assert other["serverUrl"] == "https://other.example.com"
    assert settings.APP_SERVER not in str(other)
    logging = [platform["serverSideLogging"]["url"] for platform in other["platforms"].values()
               if "serverSideLogging" in platform]  # fmt: skip
    assert set(logging) == {"https://logging.example.com"}
    assert len(logging) == len(registry.manifests()) - 2, "all but the sandbox's"
    settings.OVERRIDE_APP_SERVER = settings.SERVER_SIDE_LOGGING_URL = ""
    assert served() == plain


def test_logging_on_a_server_is_offered_only_where_there_is_one(served):
    assert "serverSideLogging" not in str(served())


@pytest.mark.parametrize("key", [name for name in PLATFORMS if registry.manifests()[name].server.secrets])
def test_a_crm_that_lacks_a_secret_is_not_offered(client, served, set_up, key):
    assert key in served()["platforms"]
    missing = registry.manifests()[key].server.secrets[-1]
    set_up[missing] = ""
    assert key not in served()["platforms"]
    assert len(served()["platforms"]) == len(PLATFORMS) - 1
    reply = client.get(f"/crmManifest?platformName={key}")
    assert (reply.status_code, reply.content) == (400, b"Platform not found")
    (told,) = [message for message in check_configuration() if message.id == "adapters.W001"]
    assert told.msg.endswith(f"({key}) is not configured: {missing} missing.")


def _regions(platform):
    return [choice["name"] for choice in platform["environment"]["selections"]]


def test_a_region_that_is_not_set_up_is_not_offered(served, set_up, client):
    """A sign-in there would be one with an empty client id: the vendor's page says nothing that anybody understands."""
    clio = served()["platforms"]["clio"]
    assert _regions(clio) == ["US"]
    pages = {change["value"] for override in clio["override"] for change in override["overrideObjects"]
             if change["path"] == "auth.oauth.authUrl"}  # fmt: skip
    assert {page.split("/help/")[1] for page in pages} == {"not-set-up/clio"}
    told = client.get("/help/not-set-up/clio?response_type=code&client_id=&state=platform=clio")
    assert b"Clio is not set up here for your region" in told.content
    set_up["CLIO_EU_CLIENT_ID"] = "eu-id"
    clio = served()["platforms"]["clio"]
    assert _regions(clio) == ["US", "EU"]
    (override,) = [item for item in clio["override"] if item["triggerValue"] == "eu.app.clio.com"]
    assert [change["value"] for change in override["overrideObjects"]] == [
        "https://eu.app.clio.com/oauth/authorize",
        "eu-id",
    ]


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
