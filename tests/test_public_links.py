"""Links and pictures that the extension shows: ours, or the operator's, and nobody else's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote, urlsplit

import pytest

from adapters import registry
from config.environment import Environment
from connectors.help.logos import logo
from connectors.release_notes import RELEASE_NOTES
from tests.browser import EXECUTABLE, browser
from tests.live_server import live_server

LINKS = ("documentationUrl", "releaseNotesUrl", "getSupportUrl", "writeReviewUrl", "logoUrl")
#: The sandbox's own CRMs tell on a page of theirs what they are.
PLATFORMS = [name for name, manifest in registry.manifests().items() if not manifest.server.sandbox]


@pytest.fixture(autouse=True)
def _set_up(settings):
    names = {name for manifest in registry.manifests().values() for name in manifest.server.secrets}
    settings.ADAPTER_VARIABLES = dict.fromkeys(names, "x")


@pytest.fixture
def served(client):
    return lambda: client.get("/crmManifest").json()


def _links(document):
    author = document["author"]
    yield "author.websiteUrl", author["websiteUrl"]
    yield "author.supportUrl", author["supportUrl"]
    for name, platform in document["platforms"].items():
        if name in PLATFORMS:
            yield from ((f"{name}.{key}", platform[key]) for key in LINKS)
            yield f"{name}.developer", platform["developer"]["url"]
            yield f"{name}.feedback", platform["page"]["feedback"]["url"]


@pytest.mark.django_db
def test_every_link_leads_to_a_page_of_this_server_that_anybody_may_read(client, served, settings):
    found = dict(_links(served()))
    assert len(found) == 2 + 7 * len(PLATFORMS)
    for name, address in found.items():
        assert address.startswith(f"{settings.APP_SERVER}/"), name
        reply = client.get(urlsplit(address).path)
        assert reply.status_code == 200, (name, address)
        assert b"password" not in reply.content.lower() or "/crm/" in address, "no sign-in page"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/help", "/help/", "/help/support/", "/help/crm/CLIO"])
def test_a_page_is_found_in_other_spellings_too(client, address):
    assert client.get(address).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/help/crm/nowhere", "/logo/nowhere.svg", "/help/not-set-up/nowhere", "/help/x"])
def test_of_a_crm_that_is_not_there_there_is_no_page(client, address):
    assert client.get(address).status_code == 404


def test_every_link_can_be_set(served, settings):
    names = ("AUTHOR", "SUPPORT", "FEEDBACK", "DOCUMENTATION", "RELEASE_NOTES", "REVIEW", "LOGO")
    addresses = {name: f"https://{name}.example/{{platform}}" for name in names}
    settings.PUBLIC_LINKS = {"AUTHOR_NAME": "Acme IT", **addresses}
    document = served()
    assert document["author"] == {
        "name": "Acme IT",
        "websiteUrl": "https://AUTHOR.example/{platform}",
        "supportUrl": "https://SUPPORT.example/{platform}",
    }
    platform = document["platforms"]["insightly"]
    assert [platform[key] for key in LINKS] == [
        f"https://{name}.example/insightly" for name in ("DOCUMENTATION", "RELEASE_NOTES", "SUPPORT", "REVIEW", "LOGO")
    ]
    assert platform["developer"]["name"] == "Acme IT"
    assert platform["page"]["feedback"]["url"] == "https://FEEDBACK.example/{platform}"


@pytest.mark.parametrize("value", ["javascript:alert(1)", "switchboard.example", "mailto:it@acme.example"])
def test_what_is_no_web_address_is_told_in_one_sentence(value):
    read = Environment({"PUBLIC_LINKS_AUTHOR": value, "PUBLIC_LINKS_SUPPORT": "mailto:it@acme.example"})
    assert read.link("PUBLIC_LINKS_AUTHOR") == ""
    assert [line.startswith("PUBLIC_LINKS_AUTHOR must be an https:// address, not") for line in read.problems] == [True]
    assert read.link("PUBLIC_LINKS_SUPPORT", mail=True) == "mailto:it@acme.example"


def test_the_version_is_above_what_the_extension_saw_last_and_has_release_notes(client, served):
    version = served()["version"]
    assert tuple(int(part) for part in version.split(".")) > (1, 6, 38)
    assert len(version.split(".")) == 3
    assert client.get("/serverVersionInfo").json() == {"version": version}
    notes = client.get("/releaseNotes").json()
    assert notes == RELEASE_NOTES
    assert all(entry["type"] and entry["description"] for entry in notes[version]["global"])


@pytest.mark.django_db
@pytest.mark.parametrize("name", registry.manifests())
def test_every_crm_has_a_picture_that_names_it(client, name):
    reply = client.get(f"/logo/{name}.svg")
    assert reply["Content-Type"] == "image/svg+xml"
    picture = ElementTree.fromstring(reply.content)
    assert picture.attrib["aria-label"] == registry.manifests()[name].display_name
    assert not re.search(rb"<(script|image|use)|href|on\w+=", reply.content)


def test_a_name_is_text_in_a_picture():
    (text,) = ElementTree.fromstring(logo("<script> & Co")).findall("{*}text")
    assert text.text == "sC"
    assert ElementTree.fromstring(logo("—")).find("{*}text").text == "?"


@pytest.mark.django_db
def test_a_crms_page_tells_how_to_connect_and_what_can_be_set(client):
    page = client.get("/help/crm/insightly").content.decode()
    for text in ("Insightly", "API key", "Lead, Contact", "Organisation", "Insightly options"):
        assert text in page, text
    assert "asks you to sign in and to allow access" in client.get("/help/crm/clio").content.decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("help"), SANDBOX="on", REDTAIL_API_KEY="x",
                     PUBLIC_LINKS_SUPPORT="mailto:it@acme.example") as running:  # fmt: skip
        yield running


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="no Chromium")
def test_the_pages_work_in_a_browser_and_feedback_stays_there_until_it_is_mailed(server, tmp_path):
    with browser(tmp_path) as page:
        for path in ("", "/crm/redtail", "/release-notes", "/support"):
            page.open(f"{server.url}/help{path}")
            assert page.run("getComputedStyle(document.querySelector('header')).display") == "flex", path
        page.open(f"{server.url}/help")
        page.wait_for("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        page.open(f"{server.url}/help/feedback#score=9&feedback=50%25%20%26%20more&crm=Redtail&user=Kim&version=2.0.0")
        page.wait_for("document.getElementById('feedback').value !== ''")
        text = "50% & more\n\nScore: 9\nCRM: Redtail\nVersion: 2.0.0\nName: Kim"
        assert page.run("document.getElementById('feedback').value") == text
        link = "document.getElementById('send')"
        page.run(f"{link}.addEventListener('click', event => event.preventDefault()); {link}.click()")
        assert unquote(page.run(f"{link}.href")) == f"mailto:it@acme.example?subject=Feedback on Redtail&body={text}"
        assert not [url for url in page.requested if "feedback=" in url.split("#")[0]]
        assert page.complaints == []
